"""What a cell will cost, from what finished cells of the same store cost."""

from collections import defaultdict
from collections.abc import Iterable
from statistics import median
from typing import Any

import attrs

from mgbench.grid import Cell
from mgbench.part import Part
from mgbench.snapshot import Stored
from mgbench.store import StoreError


@attrs.frozen
class Cost:
    """What one finished cell cost: seconds a clip of training, seconds of everything else, and bytes on disk."""

    clip: float
    rest: float
    size: int


def kin_of(cell: Cell) -> list[str]:
    """Return what makes cells alike in cost, from the closest likeness to the widest; a cell's status keeps it."""
    encoder, method = cell.encoder, cell.method
    if encoder is None or method is None:
        return [f"{cell.dataset.digest} {'+'.join(map(str, cell.evaluators))}", "clips"]
    pair = f"{encoder.digest} {method.name}"
    return [f"{cell.dataset.digest} {encoder.digest} {method.digest}", f"{cell.dataset.digest} {pair}", pair, method.name, "any"]


@attrs.define
class Costs:
    """Costs of finished cells by kinship, and the training clips of data sets."""

    _known: dict[str, list[Cost]] = attrs.field(factory=lambda: defaultdict(list), init=False)
    _medians: dict[str, Cost] = attrs.field(factory=dict, init=False)
    _fit_clips: dict[str, int] = attrs.field(factory=dict, init=False)

    def learn(self, stored: Stored) -> None:
        """Take in a finished cell; one that did not finish, or is damaged, tells nothing."""
        try:
            status, rows = stored.status, stored.metrics.get("rows", {})
        except StoreError:
            return
        seconds: dict[str, Any] = status.get("stage_seconds", {})
        row: dict[str, Any] = next(iter(rows.values()), {})
        if status.get("status") != "ok" or not seconds or "fit_clips" not in row or not status.get("kin"):
            return
        clips = row.get("clips_processed", 0)
        rest = sum(value for stage, value in seconds.items() if stage != "pretrain")
        cost = Cost(row.get("train_seconds", 0.0) / clips if clips else 0.0, rest, status.get("bytes", 0))
        for key in status["kin"]:
            self._known[key].append(cost)
            self._medians.pop(key, None)
        self._fit_clips.setdefault(status["kin"][0].partition(" ")[0], row["fit_clips"])

    def of(self, cell: Cell) -> Cost | None:
        """Return the median cost of a cell's nearest kin that finished."""
        key = next((key for key in kin_of(cell) if key in self._known), None) if self._known else None
        if key is not None and key not in self._medians:
            found = self._known[key]
            self._medians[key] = Cost(median(c.clip for c in found), median(c.rest for c in found), int(median(c.size for c in found)))
        return None if key is None else self._medians[key]

    def seconds(self, cell: Cell) -> float | None:
        """Return the seconds that a cell will take, or None where nothing like it has finished."""
        cost = self.of(cell)
        if cost is None:
            return None
        clips = _clips(cell.method, cell.steps, self._fit_clips.get((cell.pretrain_on or cell.dataset).digest, 0))
        return None if clips is None else cost.rest + cost.clip * clips


def _clips(method: Part | None, steps: int | None, fit: int) -> int | None:
    """Return the clips that a training processes; None where the number of training clips is not known yet."""
    if method is None:
        return 0
    batch = int(method.value("batch_size"))
    if steps is not None:
        return steps * (min(batch, fit) if fit else batch)
    if not fit:
        return None
    batch = min(batch, fit)
    return int(method.value("epochs")) * (fit // batch) * batch


def read_costs(cells: Iterable[Stored]) -> Costs:
    """Return what the finished cells of a store cost."""
    costs = Costs()
    for stored in cells:
        costs.learn(stored)
    return costs
