"""Records: flat rows read from the cells of a store, one an evaluator, or one without metrics where a cell did not get that far."""

import io
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars

from mgbench.derived import read_derived, why_stale
from mgbench.scoring import Scores
from mgbench.snapshot import Stored, read_cells
from mgbench.store import CellFolder, StoreError, damaged


#: Identity and settings of a cell that every row carries.
_FACTS: Final = ("augmentation", "stream", "seed")
#: Shares of clips, as rows have them.
METRICS: Final = ("top1", "top5", "mean_class_accuracy", "macro_f1")
#: Of top-1, over people.
INTERVAL: Final = ("top1_subject_low", "top1_subject_high")
#: What tables are made of; every row with an evaluator has them, and where something was trained the second ones too.
_NEEDED: Final = (
    *(*METRICS, *INTERVAL),
    *("fitted_on", "scored_on", "test_digest", "test_clips"),
)
_TRAINED: Final = ("steps", "batch_size")
#: Of a cell that is `ok` and was asked for nothing that reads what it learned, or has lost it.
_NO_ROW: Final = "it has no row; mgbench run scores it by every evaluator that it is given"
#: The columns of predictions that are compared, all whole numbers but for the first two.
_WORDS: Final = ("evaluator", "clip")
_NUMBERS: Final = ("subject", "label", "predicted")
#: Whatever polars raises on a file that is no sound table; its last resort is no `Exception`.
UNREADABLE: Final = (OSError, polars.exceptions.PolarsError, polars.exceptions.PanicException)


def spec_facts(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return what rows tell of a spec."""
    return {
        "members": ", ".join(member["cell"] for member in stored.get("members", ())),
        "imported": stored.get("imported", ""),
        **{kind: stored[kind]["spec"] if stored[kind] else None for kind in ("dataset", "encoder", "method", "pretrain_on")},
        **{key: stored[key] for key in _FACTS},
        "capture": False,  # cells of before there was the choice
        **{key: value for key, value in stored["run"].items() if key != "budget"},
        **{f"budget_{key}": value for key, value in stored["run"]["budget"].items()},
        "learns": bool(stored["method"] and stored["method"]["learns"]),
        "uses_labels": stored.get("uses_labels") if "imported" in stored else bool(stored["method"] and stored["method"]["uses_labels"]),
        "guided": bool(stored["method"] and stored["method"].get("guided")),
    }


def cell_rows(cell: Stored) -> list[dict[str, Any]]:
    """Return the rows of one cell, or raise `StoreError` where it is damaged."""
    stored, status = cell.spec, cell.status
    shared: dict[str, Any] = {
        "cell": cell.folder.path.name,
        "folder": "/".join(cell.folder.path.parts[-2:]),
        "spec": json.dumps(stored, sort_keys=True),
        "code": json.dumps({key: status.get(key, {}) for key in ("source", "components")}, sort_keys=True),
        "data": status.get("data", ""),
        "evaluator": None,
        **spec_facts(stored),
        "status": status.get("status", "pending"),
        "reason": status.get("reason", ""),
        "stale": status.get("stale", ""),
        **{f"seconds_{stage}": value for stage, value in status.get("stage_seconds", {}).items()},
        **_environment(status.get("environment", {})),
    }
    rows = cell.metrics.get("rows", {}) if shared["status"] in {"ok", "failed"} else {}
    if not rows:
        return [{**shared, "reason": shared["reason"] or (_NO_ROW if shared["status"] == "ok" else "")}]
    _check_rows(cell, rows, _NEEDED + _TRAINED * shared["learns"])
    unfinished = [] if shared["status"] == "ok" else [shared]  # an evaluator failed; what the others found stands
    shared |= {"status": "ok", **{key: cell.metrics.get(key) for key in ("test_reads", "classes", "fit_counts")}}
    return unfinished + [{"target": "class", **row, **shared, "evaluator": name} for name, row in rows.items()]


def _check_rows(cell: Stored, rows: dict[str, dict[str, Any]], needed: Collection[str]) -> None:
    for name, row in rows.items():
        if lacking := [key for key in needed if key not in row]:
            raise damaged(cell.folder.metrics, f"the row {name!r} lacks {', '.join(map(repr, lacking))}")
    found = scored(cell.folder)
    for name, row in rows.items():
        if found.get(name) != row["test_clips"]:
            raise damaged(cell.folder.predictions, f"{found.get(name, 0)} clips of {row['test_clips']} are predicted by {name}")


def _sound_rows(cell: Stored) -> list[dict[str, Any]]:
    try:
        return cell_rows(cell)
    except StoreError as error:
        return [{"cell": cell.folder.path.name, "evaluator": None, "status": "damaged", "reason": str(error)}]


def _environment(stored: dict[str, Any]) -> dict[str, Any]:
    versions = {f"version_{name}": value for name, value in stored.get("versions", {}).items()}
    return {**versions, **{key: value for key, value in stored.items() if key != "versions"}}


def read_records(store: Path) -> polars.DataFrame:
    """Return all rows of a store, derived ones last; columns that a row lacks are null. What has a damaged file is a row that says so."""
    cells = read_cells(store)
    rows = [row for cell in cells.values() for row in _sound_rows(cell)]
    rows += [{**row, "stale": _stale(one, row, cells)} for one in read_derived(store) for row in _sound_rows(one)]
    return polars.DataFrame(rows, infer_schema_length=None, strict=False)


def _stale(one: Stored, row: dict[str, Any], cells: dict[str, Stored]) -> str:
    return why_stale(one.spec, row["evaluator"], cells) if row["evaluator"] is not None and one.spec.get("members") else ""


def scored(folder: CellFolder) -> dict[str, int]:
    """Return how many clips each evaluator predicted, or raise `StoreError` where the predictions are damaged."""
    return dict(_predictions(folder)["evaluator"].value_counts().iter_rows())


def read_predictions(folder: CellFolder, evaluator: str) -> polars.DataFrame:
    """Return a cell's predictions by one evaluator without their scores, sorted by clip, or raise `StoreError`."""
    return _predictions(folder).filter(polars.col("evaluator") == evaluator).sort("clip")


def read_scores(folder: CellFolder, evaluator: str) -> tuple[polars.DataFrame, Scores]:
    """Return the same with the scores `(N, K)`, or raise `StoreError`."""
    table = _predictions(folder, "scores").filter(polars.col("evaluator") == evaluator).sort("clip")
    try:
        scores = np.array(table["scores"].to_list(), dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise damaged(folder.predictions, f"the scores by {evaluator} are not equally many numbers for every clip") from error
    return table.drop("scores"), scores


def _predictions(folder: CellFolder, *more: str) -> polars.DataFrame:
    path = folder.predictions
    try:
        table = polars.read_parquet(io.BytesIO(path.read_bytes()), columns=[*_WORDS, *_NUMBERS, *more])
    except UNREADABLE as error:
        first = (error.strerror if isinstance(error, OSError) else None) or str(error).partition("\n")[0]
        msg = f"its predictions cannot be read ({first}); remove {str(path)!r}, and run the same command again."
        raise StoreError(msg) from error
    whole = all(table[name].dtype.is_integer() for name in _NUMBERS) and all(table[name].dtype == polars.String for name in _WORDS)
    if not whole or any(table.null_count().row(0)):
        raise damaged(path, f"its columns {', '.join((*_WORDS, *_NUMBERS))} hold something else")
    return table
