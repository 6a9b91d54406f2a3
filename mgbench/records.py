"""Records: flat rows read from the cells of a store, one an evaluator, or one without metrics where a cell did not get that far."""

from pathlib import Path
from typing import Any

import polars

from mgbench.snapshot import Stored, read_cells
from mgbench.store import CellFolder, StoreError


#: Identity and settings of a cell that every row carries.
_FACTS = ("augmentation", "stream", "seed")


def cell_rows(cell: Stored) -> list[dict[str, Any]]:
    """Return the rows of one cell."""
    stored, status = cell.spec, cell.status
    shared: dict[str, Any] = {
        "cell": cell.folder.path.name,
        **{kind: stored[kind]["spec"] if stored[kind] else None for kind in ("dataset", "encoder", "method", "pretrain_on")},
        **{key: stored[key] for key in _FACTS},
        **{key: value for key, value in stored["run"].items() if key != "budget"},
        **{f"budget_{key}": value for key, value in stored["run"]["budget"].items()},
        "learns": bool(stored["method"] and stored["method"]["learns"]),
        "uses_labels": bool(stored["method"] and stored["method"]["uses_labels"]),
        "status": status.get("status", "pending"),
        "reason": status.get("reason", ""),
        "stale": status.get("stale", ""),
        **{f"seconds_{stage}": value for stage, value in status.get("stage_seconds", {}).items()},
        **_environment(status.get("environment", {})),
    }
    metrics = cell.metrics
    rows = metrics.get("rows", {})
    if not rows or shared["status"] not in {"ok", "failed"}:
        return [shared]
    unfinished = [] if shared["status"] == "ok" else [shared]  # an evaluator failed; what the others found stands
    shared = {**shared, "status": "ok"}
    return unfinished + [{**shared, "evaluator": name, "test_reads": metrics["test_reads"], **row} for name, row in rows.items()]


def _sound_rows(cell: Stored) -> list[dict[str, Any]]:
    folder = cell.folder
    try:
        rows = cell_rows(cell)
        if any("evaluator" in row for row in rows):
            polars.read_parquet_schema(folder.predictions)
    except StoreError as error:
        return [{"cell": folder.path.name, "status": "damaged", "reason": str(error)}]
    except (KeyError, TypeError, AttributeError) as error:
        return [{"cell": folder.path.name, "status": "damaged", "reason": f"its JSON lacks or misplaces {error}"}]
    except (OSError, polars.exceptions.PolarsError) as error:
        return [{"cell": folder.path.name, "status": "damaged", "reason": f"its predictions cannot be read: {str(error).splitlines()[0]}"}]
    return rows


def _environment(stored: dict[str, Any]) -> dict[str, Any]:
    versions = {f"version_{name}": value for name, value in stored.get("versions", {}).items()}
    return {**versions, **{key: value for key, value in stored.items() if key != "versions"}}


def read_records(store: Path) -> polars.DataFrame:
    """Return all rows of a store; columns that a row lacks are null. A cell with a damaged file is a row that says so."""
    rows = [row for cell in read_cells(store).values() for row in _sound_rows(cell)]
    return polars.DataFrame(rows, infer_schema_length=None)


def read_predictions(store: Path, cell: str, evaluator: str) -> polars.DataFrame:
    """Return one cell's predictions by one evaluator, sorted by clip."""
    path = CellFolder(store / "cells" / cell).predictions
    return polars.read_parquet(path).filter(polars.col("evaluator") == evaluator).sort("clip")
