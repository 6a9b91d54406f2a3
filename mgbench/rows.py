"""Rows and predictions of a cell: what one evaluator found, written so that a row is never without its predictions."""

import io
import platform
import resource
from typing import Any, Final

import numpy as np
import polars

from mgbench.components import Target
from mgbench.data import Fold
from mgbench.errors import MgbenchError
from mgbench.model import Evaluation
from mgbench.records import scored
from mgbench.scoring import figures
from mgbench.shape import check_metrics
from mgbench.store import CellFolder, StoreError, read_json, write_bytes, write_json


#: Of a clip; two evaluators may score different numbers of answers.
_SCORES: Final = polars.List(polars.Float32)


def sound_rows(folder: CellFolder) -> dict[str, Any]:
    """Return the rows whose predictions can be read; a cell that lost or broke them is evaluated again, which trains nothing."""
    rows: dict[str, Any] = check_metrics(read_json(folder.metrics), folder.metrics).get("rows", {})
    try:
        kept = scored(folder) if rows else {}
    except StoreError:
        kept = {}
    if rows and not kept:
        folder.predictions.unlink(missing_ok=True)
        folder.metrics.unlink()
    return {name: row for name, row in rows.items() if name in kept and kept[name] == row.get("test_clips")}


def make_row(evaluation: Evaluation, fold: Fold, target: Target) -> dict[str, Any]:
    """Return an evaluation as a flat row: metrics in [0, 1], intervals, and what they were computed on."""
    label, answers = fold.answers(target)
    scores = evaluation.scores.cpu().float().numpy()
    if scores.shape != (len(label), answers) or not np.isfinite(scores).all():
        msg = f"An evaluator returned scores of shape {scores.shape}; it must return finite ones of {(len(label), answers)}."
        raise MgbenchError(msg)
    return {
        **figures(scores, label, fold.test.subject),
        **evaluation.extra,
        "target": target,
        "fitted_on": fold.fitted,
        "scored_on": fold.scored,
        "fit_clips": sum(map(len, fold.fits)),
        "test_clips": len(label),
        "test_digest": fold.test_digest,
    }


def predictions_of(evaluator: str, evaluation: Evaluation, fold: Fold, target: Target) -> polars.DataFrame:
    """Return one row a test clip: subject, label, predicted class, scores; with another target label and prediction are its."""
    scores = evaluation.scores.cpu().float().numpy()
    return polars.DataFrame(
        {
            "evaluator": [evaluator] * len(fold.test),
            "clip": list(fold.test.clip),
            "subject": fold.test.subject,
            "label": fold.answers(target)[0],
            "predicted": scores.argmax(axis=1),
            "scores": scores,
        }
    ).cast({"scores": _SCORES})


def append_row(folder: CellFolder, evaluator: str, row: dict[str, Any], predictions: polars.DataFrame, fold: Fold) -> None:
    """Add one evaluator's predictions, then its row: a row is never without predictions."""
    if folder.predictions.is_file():
        kept = polars.read_parquet(io.BytesIO(folder.predictions.read_bytes())).filter(polars.col("evaluator") != evaluator)
        predictions = polars.concat([kept.cast({"scores": _SCORES}), predictions])
    buffer = io.BytesIO()
    predictions.write_parquet(buffer)
    write_bytes(folder.predictions, buffer.getvalue())
    stored = read_json(folder.metrics)
    reads = int(stored.get("test_reads", 0)) + (row["scored_on"] == "test")
    rows, classes = {**stored.get("rows", {}), evaluator: row}, fold.facts.classes
    label = np.concatenate([clips.label for clips in fold.fits])
    counts = np.bincount(label, minlength=len(classes)).tolist()
    write_json(folder.metrics, {"rows": rows, "test_reads": reads, "classes": list(classes), "fit_counts": counts})


def peak_memory() -> int:
    """Return the largest resident size of this process so far, in megabytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 if platform.system() == "Linux" else 1024 * 1024)
