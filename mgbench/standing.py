"""Where each cell of a store stands at this moment: what its files say, and whether the process that has it lives."""

import re
import time
from pathlib import Path
from typing import Any, Final

import attrs

from mgbench.grid import Cell
from mgbench.lease import owner_of
from mgbench.plan import ENDED_BADLY
from mgbench.shape import sound_progress
from mgbench.snapshot import Stored, read_cell, read_cells
from mgbench.store import CellFolder, StoreError, read_cache


#: Ends without a result.
BAD: Final = (*ENDED_BADLY, "no-data", "damaged")
#: What a run tells with every step.
_STEP: Final = {"step", "steps", "loss", "clips_per_second", "seconds_left"}
#: Seconds by which the clocks of two hosts may differ.
_SKEW: Final = 5.0


@attrs.frozen(eq=False)
class Standing:
    """One cell and where it stands.

    Args:
        stored: its files as they were read.
        status: as its file has it; `interrupted` where that says running and nobody runs it, `damaged` where a file cannot be read.
        reason: why it ended so.
        failure: the kind of error and the place that raised it.
        cell: what is run; None where it is damaged.
        spec: the same as its file has it; empty where it is damaged.
        told: all that its status says.
        rows: what each evaluator found.
        owner: host and pid of the process that runs it.
        progress: what that process says, or said last where it died.
    """

    stored: Stored
    status: str
    reason: str = ""
    failure: str = ""
    cell: Cell | None = None
    spec: dict[str, Any] = attrs.field(factory=dict)
    told: dict[str, Any] = attrs.field(factory=dict)
    rows: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    owner: dict[str, Any] = attrs.field(factory=dict)
    progress: dict[str, Any] = attrs.field(factory=dict)

    @property
    def folder(self) -> CellFolder:
        """Its files."""
        return self.stored.folder

    @property
    def name(self) -> str:
        """The cell's name."""
        return self.folder.path.name

    @property
    def bad(self) -> bool:
        """Whether it ended without a result."""
        return self.status in BAD

    @property
    def stale(self) -> str:
        """Why its result might come out otherwise today, as it was last told."""
        return str(self.told.get("stale", ""))

    @property
    def first_line(self) -> str:
        """The reason without what follows its first line."""
        return self.reason.partition("\n")[0]

    @property
    def fingerprint(self) -> str:
        """What failures of one cause share: error and place, or else the reason without the amounts that were measured."""
        return self.failure or re.sub(r"\d+\.\d+", "...", self.first_line) or self.status

    @property
    def host(self) -> str | None:
        """The machine that runs it."""
        return str(self.owner["host"]).partition("/")[0] if self.owner else None

    @property
    def reached(self) -> str:
        """The stage or step where a run stands or ended, or an empty string."""
        told = self.progress
        return f"step {told['step']} of {told['steps']}" if told.keys() >= {"step", "steps"} else str(told.get("stage", ""))

    @property
    def seconds(self) -> float | None:
        """How long its last run took, or has taken so far; None where it never ran, or nobody knows when that ended."""
        began = self.told.get("began")
        ended = time.time() if self.status == "running" else self.told.get("ended")
        return None if began is None or ended is None else max(ended - began, 0.0)


def read_standings(store: Path) -> list[Standing]:
    """Return where every cell of a store stands, by name; a cell with a damaged file says so."""
    return [_lived(_read(stored)) for stored in read_cells(store).values()]


def read_standing(folder: CellFolder) -> Standing:
    """Return where one cell stands, whatever folder it lies in."""
    return _lived(_read(read_cell(folder)))


def _read(stored: Stored) -> Standing:
    """Return what the files say."""
    file = "spec.json"
    try:
        cell, spec = stored.cell, stored.spec
        file = "status.json"
        told = stored.status
        file = "metrics.json"
        rows: dict[str, dict[str, Any]] = stored.metrics.get("rows", {})
    except StoreError as error:
        return _damaged(stored, error, file)
    return Standing(stored, told.get("status", "pending"), told.get("reason", ""), told.get("failure", ""), cell, spec, told, rows)


def _damaged(stored: Stored, error: StoreError, file: str) -> Standing:
    return Standing(stored, "damaged", str(error), f"damaged {file}")


def _lived(one: Standing) -> Standing:
    """Return the cell with who runs it, or without where nobody does, and how far it came."""
    folder, began = one.folder, one.told.get("began", 0.0)
    if one.status not in {"running", "pending", "interrupted"}:
        return attrs.evolve(one, progress=_progress(folder, began)) if one.bad else one
    try:
        owner = owner_of(folder.lease)
    except StoreError as error:
        return _damaged(one.stored, error, ".lease")
    if owner:
        progress = read_progress(folder, began) if one.status == "running" else {}
        return attrs.evolve(one, status="running", reason="", owner=owner, progress=progress)
    if one.status == "running":
        now = _read(read_cell(folder))
        if now.status != "running":  # it ended while we looked
            return now
        one = attrs.evolve(one, status="interrupted", reason="the process that ran it is gone; the same command continues it")
    return attrs.evolve(one, progress=_progress(folder, began)) if one.status == "interrupted" else one


def _progress(folder: CellFolder, began: float) -> dict[str, Any]:
    """Return what a run says of itself; what an earlier run left behind is not it."""
    try:
        return sound_progress(read_cache(folder.progress)) if folder.progress.stat().st_mtime + _SKEW > began else {}
    except OSError:
        return {}


def read_progress(folder: CellFolder, began: float = 0.0) -> dict[str, Any]:
    """Return the step, or else the stage, of a cell that runs; nothing where it has not said yet, or what it said makes no sense."""
    told = _progress(folder, began)
    return told if told.keys() >= _STEP or "step" not in told else {"stage": told["stage"]}
