"""Rows and predictions of a cell: what one evaluator found, written so that a row is never without its predictions."""

import io
import platform
import resource
from typing import Any

import polars
import torch

from mgbench import metrics, stats
from mgbench.data import Fold
from mgbench.errors import MgbenchError
from mgbench.model import Evaluation
from mgbench.records import scored
from mgbench.shape import check_metrics
from mgbench.store import CellFolder, StoreError, read_json, write_bytes, write_json


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


def make_row(evaluation: Evaluation, fold: Fold, classes: int) -> dict[str, Any]:
    """Return an evaluation as a flat row: metrics in [0, 1], intervals, and what they were computed on."""
    scores, label = evaluation.scores.cpu(), torch.from_numpy(fold.test.label)
    if scores.shape != (len(label), classes) or not bool(torch.isfinite(scores).all()):
        msg = f"An evaluator returned scores of shape {tuple(scores.shape)}; it must return finite ones of {(len(label), classes)}."
        raise MgbenchError(msg)
    predicted = scores.argmax(dim=1)
    right = (predicted == label).numpy()
    low, high = stats.wilson(int(right.sum()), len(right))
    subject_low, subject_high = stats.subject_interval(right, fold.test.subject)
    return {
        "top1": metrics.top_k(scores, label, 1),
        "top1_low": low,
        "top1_high": high,
        "top1_subject_low": subject_low,
        "top1_subject_high": subject_high,
        "top5": metrics.top_k(scores, label, 5),
        "mean_class_accuracy": metrics.mean_class_accuracy(predicted, label, classes),
        "macro_f1": metrics.macro_f1(predicted, label, classes),
        **evaluation.extra,
        "fitted_on": fold.fitted,
        "scored_on": fold.scored,
        "fit_clips": sum(map(len, fold.fits)),
        "test_clips": len(label),
        "test_digest": fold.test_digest,
    }


def predictions_of(evaluator: str, evaluation: Evaluation, fold: Fold) -> polars.DataFrame:
    """Return one row a test clip: subject, label, predicted class, scores."""
    scores = evaluation.scores.cpu().float()
    return polars.DataFrame(
        {
            "evaluator": [evaluator] * len(fold.test),
            "clip": list(fold.test.clip),
            "subject": fold.test.subject,
            "label": fold.test.label,
            "predicted": scores.argmax(dim=1).numpy(),
            "scores": scores.numpy(),
        },
        schema_overrides={"scores": polars.Array(polars.Float32, scores.shape[1])},
    )


def append_row(folder: CellFolder, evaluator: str, row: dict[str, Any], predictions: polars.DataFrame) -> None:
    """Add one evaluator's predictions, then its row: a row is never without predictions."""
    if folder.predictions.is_file():
        kept = polars.read_parquet(io.BytesIO(folder.predictions.read_bytes())).filter(polars.col("evaluator") != evaluator)
        predictions = polars.concat([kept, predictions])
    buffer = io.BytesIO()
    predictions.write_parquet(buffer)
    write_bytes(folder.predictions, buffer.getvalue())
    stored = read_json(folder.metrics)
    reads = int(stored.get("test_reads", 0)) + (row["scored_on"] == "test")
    write_json(folder.metrics, {"rows": {**stored.get("rows", {}), evaluator: row}, "test_reads": reads})


def peak_memory() -> int:
    """Return the largest resident size of this process so far, in megabytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 if platform.system() == "Linux" else 1024 * 1024)
