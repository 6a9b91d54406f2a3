"""Lay a planned cell out in the store, or tell how it stands there already."""

import shutil
from collections.abc import Collection
from pathlib import Path

import attrs

from mgbench.fingerprint import why_stale
from mgbench.grid import Cell, from_spec, to_spec
from mgbench.registry import Registry
from mgbench.store import CellFolder, read_json, write_json


def prepare(cell: Cell, store: Path, root: Path, registry: Registry, rerun: Collection[str]) -> tuple[CellFolder, str]:
    """Return the cell's folder and its status where nothing is left to do; an empty status where it has to run.

    A finished cell that is asked for further evaluators runs only those. A stale one is kept and said to be stale, unless
    `rerun` has `stale`.
    """
    folder = CellFolder(store / "cells" / cell.name)
    status = read_json(folder.status)
    known = read_json(folder.spec)
    if known:
        before = from_spec(known, registry).evaluators
        added = tuple(evaluator for evaluator in cell.evaluators if evaluator not in before)
        cell = attrs.evolve(cell, evaluators=before + added)
    stale = why_stale(status, cell, root) if status.get("status") == "ok" else ""
    again = ("stale" in rerun and stale) or ("failed" in rerun and status.get("status") not in {None, "ok", "running", "interrupted"})
    if again:
        for path in (folder.pretrained, folder.metrics, folder.predictions, folder.checkpoint, folder.status):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        status, stale = {}, ""
    labels = {"learns": cell.method is not None and cell.method.learns, "uses_labels": cell.method is not None and cell.method.uses_labels}
    write_json(folder.spec, {**to_spec(cell, registry), **labels})
    if cell.skipped:
        write_json(folder.status, {"status": "skipped", "reason": cell.skipped})
        return folder, "skipped"
    rows = read_json(folder.metrics).get("rows", {})
    if status.get("status") == "ok" and folder.predictions.is_file() and all(str(e) in rows for e in cell.evaluators):
        if stale:
            write_json(folder.status, {**status, "stale": stale})
        return folder, "ok"
    return folder, ""
