"""Derived records: results computed from those of cells, in folders like theirs that name the cells they came from.

They lie beside the cells in the store, so that whatever runs, counts or cleans up cells meets none of them.
"""

import hashlib
import io
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars

from mgbench.snapshot import Stored, read_cell
from mgbench.store import CellFolder, StoreError, list_folder, write_bytes, write_json


def derived_folder(store: Path, name: str) -> CellFolder:
    """Return the folder of a derived record."""
    return CellFolder(store / "derived" / name)


def write_derived(
    folder: CellFolder, predictions: polars.DataFrame, metrics: Mapping[str, Any], told: Mapping[str, Any], spec: Mapping[str, Any]
) -> None:
    """Write a derived record, in place of one that is there: its spec goes first and comes last, and without it there is no record."""
    try:
        folder.spec.unlink(missing_ok=True)
    except OSError as error:
        msg = f"Cannot replace {str(folder.spec)!r}: {error.strerror}."
        raise StoreError(msg) from error
    buffer = io.BytesIO()
    predictions.write_parquet(buffer)
    write_bytes(folder.predictions, buffer.getvalue())
    write_json(folder.metrics, {**metrics})
    write_json(folder.status, {"status": "ok", **told, "ended": time.time()})
    write_json(folder.spec, {**spec})


def read_derived(store: Path) -> list[Stored]:
    """Return the derived records of a store; a folder without a spec is none, or not yet."""
    found = [read_cell(CellFolder(Path(entry))) for entry in list_folder(store / "derived") if entry.is_dir()]
    return [one for one in found if one.spec_text]


def row_digest(row: Mapping[str, Any]) -> str:
    """Return what changes whenever an evaluator scores a cell anew: its row holds figures and seconds."""
    return hashlib.blake2b(json.dumps(row, sort_keys=True).encode(), digest_size=8).hexdigest()


def why_stale(spec: Mapping[str, Any], evaluator: str, cells: Mapping[str, Stored]) -> str:
    """Return why a derived row would come out otherwise today: what became of the cells that it is computed from; or nothing."""
    reasons = (_change(member, evaluator, cells.get(member["cell"])) for member in spec["members"])
    return "; ".join(filter(None, reasons))


def _change(member: Mapping[str, Any], evaluator: str, cell: Stored | None) -> str:
    try:
        row = None if cell is None else cell.metrics.get("rows", {}).get(evaluator)
        stale = "" if cell is None else cell.status.get("stale", "")
    except StoreError:
        row, stale = None, ""
    if row is None:
        return f"{member['cell']} no longer has this result"
    if row_digest(row) != member["rows"].get(evaluator):
        return f"{member['cell']} was scored anew"
    return f"{member['cell']} is stale" if stale else ""
