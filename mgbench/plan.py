"""Where every cell of a grid stands before anything runs, and what is left to do; nothing is written until a cell is laid out."""

import os
import signal
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final, Literal

import attrs
from filelock import FileLock

from mgbench.fingerprint import evaluator_fingerprint, why_stale
from mgbench.grid import Cell, to_spec
from mgbench.lease import owner_of
from mgbench.part import Part
from mgbench.shape import check_spec
from mgbench.snapshot import Stored, read_cells
from mgbench.store import CellFolder, StoreError, list_folder, read_cache, read_json, write_json


Retry = Literal["failed", "stale", "half-batch"]
#: Ends that would come again: such a cell is kept as it is until its code or data change, or `--retry failed` is given.
ENDED_BADLY: Final = ("failed", "diverged", "collapsed", "timed-out", "out-of-memory", "killed")
#: Signals from outside, after which a cell simply continues.
_FROM_OUTSIDE: Final = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


@attrs.frozen
class Planned:
    """One cell of a grid and where it stands.

    Args:
        cells: the folder of all cells.
        status: as the store has it; `pending` where it has nothing.
        reason: why it ended so.
        stale: why a finished result might come out otherwise today.
        todo: the evaluators that have no valid row, or all where it has to train.
        trains: whether weights have to be made, or completed.
        fresh: whether everything of it is to be made anew.
        again: whether rows of changed evaluators are to be made anew.
        before: when it ended the last time, so that another runner's work in between is noticed.
        marked: what its status says of staleness, for boards.
    """

    cell: Cell
    cells: Path
    status: str
    reason: str = ""
    stale: str = ""
    todo: tuple[Part, ...] = ()
    trains: bool = False
    fresh: bool = False
    again: bool = False
    before: float | None = None
    marked: str = ""

    @property
    def folder(self) -> CellFolder:
        """The cell's files."""
        return CellFolder(self.cells / self.cell.name)

    @property
    def runs(self) -> bool:
        """Whether anything is left to do."""
        return bool(self.todo) or self.trains


def make_plan(cells: list[Cell], store: Path, root: Path, retry: Collection[Retry] = ()) -> list[Planned]:
    """Return where each cell stands in a store."""
    list_folder(store / "data")  # where that cannot be read, no cell can run
    stored, folder = read_cells(store), store / "cells"
    return [_stand(cell, folder, stored.get(cell.name), root, retry) for cell in cells]


def _stand(cell: Cell, cells: Path, stored: Stored | None, root: Path, retry: Collection[Retry]) -> Planned:
    try:
        if stored is not None:
            stored.check()
    except StoreError as error:
        return Planned(cell, cells, "damaged", str(error))
    if cell.skipped:
        return Planned(cell, cells, "skipped", cell.skipped)
    if stored is None:
        return Planned(cell, cells, "pending", todo=cell.evaluators, trains=cell.method is not None)
    return _stand_stored(cell, cells, stored, root, retry)


def _stand_stored(cell: Cell, cells: Path, stored: Stored, root: Path, retry: Collection[Retry]) -> Planned:
    """Return where a cell stands of which the store has something."""
    status = stored.status
    kind, reason, before = status.get("status", "pending"), status.get("reason", ""), status.get("ended")
    stale = why_stale(status, cell, root, cells.parent / "data") if "source" in status else ""
    rows: dict[str, dict[str, Any]] = stored.metrics.get("rows", {}) if os.path.isfile(stored.folder.predictions) else {}  # noqa: PTH113 - raises nothing
    todo = tuple(evaluator for evaluator in cell.evaluators if str(evaluator) not in rows)
    trains = cell.method is not None
    if kind == "ok":
        old = tuple(e for e in cell.evaluators if str(e) in rows and not evaluator_fingerprint(e).items() <= rows[str(e)].items())
        why = "; ".join(filter(None, [stale, *(f"the source of {evaluator.name} changed" for evaluator in old)]))
        if stale and "stale" in retry:
            return Planned(cell, cells, kind, reason, why, cell.evaluators, trains, fresh=True, before=before)
        again = old if "stale" in retry else ()
        return Planned(cell, cells, kind, reason, why, todo + again, again=bool(again), before=before, marked=status.get("stale", ""))
    outside = kind == "killed" and status.get("signal") in _FROM_OUTSIDE
    if kind in ENDED_BADLY and not outside:
        anew = bool(stale) or "failed" in retry
        todo = cell.evaluators if anew else ()
        return Planned(cell, cells, kind, reason, stale, todo, anew and trains, fresh=anew, before=before)
    ends = not todo  # cut off between its last row and its end
    return Planned(cell, cells, kind, reason, stale, todo, trains or ends, fresh=bool(stale), before=before)


def lay_out(planned: Planned) -> None:
    """Write what a cell's process needs, and what the store shall say of a cell that does not run; nothing of a damaged one."""
    folder, cell = planned.folder, planned.cell
    if planned.status == "damaged":
        return
    if not planned.runs and planned.status != "skipped":
        if planned.status == "ok" and planned.marked != planned.stale:
            stored = {key: value for key, value in read_cache(folder.status).items() if key != "stale"}
            write_json(folder.status, {**stored, **({"stale": planned.stale} if planned.stale else {})})
        return
    _mark(planned)
    known = read_spec(folder)
    if known is not None:
        before = known.evaluators
        cell = attrs.evolve(cell, evaluators=before + tuple(e for e in cell.evaluators if e not in before))
    if known != cell:
        write_json(folder.spec, to_spec(cell), durable=False)
    if planned.status == "skipped" and read_cache(folder.status).get("reason") != planned.reason:
        write_json(folder.status, {"status": "skipped", "reason": planned.reason}, durable=False)


def _mark(planned: Planned) -> None:
    """Tell the cell's process what to make anew, unless another runner has the cell, or ended it since it was planned.

    What the cell found stands until that process replaces it.
    """
    folder = planned.folder
    if not (planned.fresh or planned.again):
        return
    with FileLock(folder.lease.with_name(f"{folder.lease.name}.lock")):  # nobody takes the cell meanwhile
        stored = read_cache(folder.status)
        if stored and not owner_of(folder.lease) and stored.get("ended") == planned.before:
            write_json(folder.status, {**stored, "anew": "all" if planned.fresh else "rows"})


def read_spec(folder: CellFolder) -> Cell | None:
    """Return the cell that a folder was laid out for, or None where it has none, or one that was cut off when it was written."""
    try:
        stored = read_json(folder.spec)
        return check_spec(stored, folder.spec) if stored else None
    except StoreError:
        return None
