"""Ensembles: the scores of cells that differ in their stream alone, added up [AimCLR, Guo et al. 2022]."""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import polars

from mgbench.compare import spec_differences
from mgbench.derived import derived_folder, row_digest, write_derived
from mgbench.errors import SpecError
from mgbench.grid import Cell, to_spec
from mgbench.preprocessings import STREAMS
from mgbench.records import read_scores
from mgbench.scoring import figures
from mgbench.standing import Standing


#: What an ensemble costs, of what its cells cost: all of it together, but for memory, which each needs by itself.
_COSTS: Final[Mapping[str, Callable[[Iterable[Any]], Any]]] = {
    **dict.fromkeys(("clips_processed", "train_seconds", "backbone_parameters", "forward_flops", "parameters"), sum),
    "peak_memory_mb": max,
}
#: What its cells share.
_SHARED: Final = ("fitted_on", "scored_on", "fit_clips", "test_clips", "test_digest", "steps", "batch_size")
_TOLD: Final = ("data", "data_key", "environment")


@attrs.frozen(eq=False)
class Member:
    """One cell of an ensemble, and what its scores are multiplied by."""

    one: Standing
    cell: Cell
    weight: float


@attrs.frozen(eq=False)
class Ensemble:
    """Cells that differ in their stream alone, in the order of streams."""

    members: tuple[Member, ...]

    @property
    def evaluators(self) -> list[str]:
        """Those that scored every cell."""
        return [name for name in self.members[0].one.rows if all(name in member.one.rows for member in self.members)]

    @property
    def stream(self) -> str:
        """The streams, with their weights where these differ: joint+bone+motion, or 0.6 joint+0.6 bone+0.4 motion."""
        equal = len({member.weight for member in self.members}) == 1
        return "+".join(member.cell.stream if equal else f"{member.weight:g} {member.cell.stream}" for member in self.members)

    @property
    def name(self) -> str:
        """The folder's name: that of a cell with all streams in it, and an id of cells and weights."""
        cell = self.members[0].cell
        words = [(member.one.name, member.weight) for member in self.members]
        streams = "-".join(member.cell.stream for member in self.members)
        return f"{cell.name.removesuffix(cell.id)}{streams}-{hashlib.blake2b(repr(words).encode(), digest_size=5).hexdigest()}"

    def write(self, store: Path) -> dict[str, dict[str, Any]]:
        """Write the derived record, and return its row for each evaluator; raise `SpecError` or `StoreError` where there is none."""
        if not self.evaluators:
            msg = f"{_names(self.members)} have no evaluator in common; mgbench run with -E scores all of them by one."
            raise SpecError(msg)
        found = {evaluator: self._combined(evaluator) for evaluator in self.evaluators}
        rows = {evaluator: row for evaluator, (_, row) in found.items()}
        told = {key: value for key, value in self.members[0].one.told.items() if key in _TOLD}
        predictions = polars.concat([table for table, _ in found.values()])
        write_derived(derived_folder(store, self.name), predictions, {"rows": rows}, told, self._spec())
        return rows

    def _spec(self) -> dict[str, Any]:
        """Return what is kept of the cells: what they share, their names and weights, and what their rows were."""
        spec = to_spec(self.members[0].cell)
        evaluators = [part for part in spec["evaluators"] if part["spec"] in self.evaluators]
        members = [
            {
                "cell": member.one.name,
                "weight": member.weight,
                "rows": {evaluator: row_digest(member.one.rows[evaluator]) for evaluator in self.evaluators},
            }
            for member in self.members
        ]
        return {**spec, "id": self.name.rpartition("-")[2], "stream": self.stream, "evaluators": evaluators, "members": members}

    def _combined(self, evaluator: str) -> tuple[polars.DataFrame, dict[str, Any]]:
        """Return the predictions that follow from the sum of raw scores, and their row."""
        tables, scores = zip(*(read_scores(member.one.folder, evaluator) for member in self.members), strict=True)
        same = (tables[0].drop("predicted").equals(table.drop("predicted")) for table in tables)
        if not len(tables[0]) or not all(same) or len({one.shape for one in scores}) > 1:
            msg = f"{_names(self.members)} scored different clips by {evaluator}; run them on the same data."
            raise SpecError(msg)
        total = np.sum([member.weight * one.astype(np.float64) for member, one in zip(self.members, scores, strict=True)], axis=0)
        total = total.astype(np.float32)
        table = tables[0].with_columns(
            predicted=total.argmax(axis=1), scores=polars.Series(total.tolist(), dtype=polars.List(polars.Float32))
        )
        rows = [member.one.rows[evaluator] for member in self.members]
        row = figures(total, table["label"].to_numpy(), table["subject"].to_numpy())
        return table, {
            **row,
            "target": rows[0].get("target", "class"),
            **_costs(rows),
            **{key: rows[0][key] for key in _SHARED if key in rows[0]},
        }


def _costs(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {key: joined(row[key] for row in rows) for key, joined in _COSTS.items() if all(row.get(key) is not None for row in rows)}


def make_ensemble(standings: Sequence[Standing], weights: Sequence[float]) -> Ensemble:
    """Return the ensemble of cells, each with its weight, or raise `SpecError` that says why they are none."""
    if len(standings) < 2:  # noqa: PLR2004 - one is no ensemble
        msg = f"An ensemble takes two or three cells, each of another stream; got {len(standings)}."
        raise SpecError(msg)
    if len(weights) != len(standings) or not all(0 < weight < math.inf for weight in weights):
        msg = f"--weights got {','.join(f'{weight:g}' for weight in weights)}; give {len(standings)} numbers above 0, one a cell."
        raise SpecError(msg)
    members = [_member(one, weight) for one, weight in zip(standings, weights, strict=True)]
    members.sort(key=lambda member: STREAMS.index(member.cell.stream))
    for one, other in pairwise(members):
        _check(one, other)
    return Ensemble(tuple(members))


def _member(one: Standing, weight: float) -> Member:
    derived = {"members": "an ensemble itself", "imported": "somebody else's predictions"}
    kind = next((text for key, text in derived.items() if key in one.spec), "")
    if one.cell is None or one.status != "ok" or not one.rows or kind:
        state = kind or ("without a row" if one.status == "ok" else one.status)
        msg = f"The cell {one.name} is {state}; an ensemble takes finished cells."
        raise SpecError(msg)
    return Member(one, one.cell, float(weight))


def _check(one: Member, other: Member) -> None:
    """Raise `SpecError` unless two cells differ in their stream alone."""
    if one.cell.stream == other.cell.stream:
        msg = f"{_names((one, other))} both have the stream {one.cell.stream!r}; an ensemble takes each stream once."
        raise SpecError(msg)
    if same_but_stream(one.cell) != same_but_stream(other.cell):
        found = [each for each in spec_differences(one.one.spec, other.one.spec) if each.part not in {"stream", "evaluators", "evaluator"}]
        what = f"{found[0].what} ({found[0].a or 'none'}, {found[0].b or 'none'})" if found else "how they were run"
        msg = f"{_names((one, other))} differ in {what}; cells of an ensemble differ in their stream alone."
        raise SpecError(msg)


def same_but_stream(cell: Cell) -> str:
    """Return what cells share that differ in their stream alone."""
    return attrs.evolve(cell, stream="joint").id


def complete_sets(standings: Sequence[Standing]) -> list[list[Standing]]:
    """Return every joint, bone and motion that differ in nothing else and are finished, in this order."""
    found: dict[str, dict[str, Standing]] = {}
    for one in standings:
        if one.cell is not None and one.status == "ok" and one.rows:
            found.setdefault(same_but_stream(one.cell), {})[one.cell.stream] = one
    return [[streams[stream] for stream in STREAMS] for streams in found.values() if len(streams) == len(STREAMS)]


def _names(members: Sequence[Member]) -> str:
    return " and ".join(member.one.name for member in members)
