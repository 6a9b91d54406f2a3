"""Records held against what they are made of: their figures against predictions, and what runs again against what was recorded."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import polars

from mgbench.boards.book import ROW, SCORED, Book, collected
from mgbench.boards.checking import wrong_rows
from mgbench.boards.lines import boards_of
from mgbench.grid import Cell
from mgbench.records import spec_facts
from mgbench.shape import check_spec
from mgbench.store import StoreError


#: By how much top-1 may differ on another machine: at least this, and this times the deviation of a difference of two seeds.
LEAST: Final = 0.02
TIMES: Final = 3.0
_SCORED_ROWS: Final = polars.col("evaluator").is_not_null()


@attrs.frozen
class Verdict:
    """What came of running a cell again.

    Args:
        cell: its name.
        evaluators: of the rows that this speaks of.
        agrees: whether the record holds; None where that cannot be told here.
        text: which rule held or did not, and the numbers.
    """

    cell: str
    evaluators: tuple[str, ...]
    agrees: bool | None
    text: str

    def __str__(self) -> str:
        """Return it as a line."""
        return f"{self.cell} under {', '.join(self.evaluators)}: {self.text}"


def faults(book: Book) -> Iterator[str]:
    """Yield what does not follow, a sentence each: figures from predictions, columns from specs, a badge from what a row is."""
    columns = book.records.collect_schema()
    unread = collected(book.records.filter(polars.col("status") == "damaged"))
    yield from (f"{row['cell']}: {row['reason']}" for row in unread.iter_rows(named=True))
    if not book.scored:
        return
    yield from map(str, wrong_rows(book))
    if "spec" not in columns:
        yield "the records have no specs; make the book anew from its store by mgbench leaderboard merge."
        return
    for row in collected(book.records.filter(_SCORED_ROWS).unique(ROW, maintain_order=True)).iter_rows(named=True):
        if told := _untrue(row):
            yield f"{row['cell']} under {row['evaluator']} {told}."


def _untrue(row: Mapping[str, Any]) -> str:
    """Return what a row says of itself that its spec does not."""
    try:
        spec = json.loads(row["spec"])
        cell = check_spec(spec, Path(row["cell"]))
    except (StoreError, TypeError, ValueError) as error:
        return f"has no sound spec ({error})"
    facts = {name: (row.get(name), value) for name, value in spec_facts(spec).items()}
    other = [f"{name} {has!r}, its spec {value!r}" for name, (has, value) in facts.items() if has != value]
    if other:
        return f"has {other[0]}"
    known = {"self-reported"} if row["imported"] else {"recomputed", "re-run"}
    if row["badge"] not in known:
        return f"has the badge {row['badge']!r}, and was {'handed in' if row['imported'] else 'trained here'}"
    return "" if row["imported"] or row["members"] else _unlike(row, cell)


def _unlike(row: Mapping[str, Any], cell: Cell) -> str:
    """Return what a row of a cell that was run here says otherwise than its cell."""
    if cell.name != row["cell"]:
        return f"has the spec of {cell.name}"
    if row["evaluator"] not in map(str, cell.evaluators):
        return f"is under an evaluator that its spec does not have: {', '.join(map(str, cell.evaluators))}"
    for name in ("steps", "batch_size") if row["learns"] else ():
        if (asked := row.get(f"budget_{name}")) is not None and asked != row.get(name):
            return f"has {name} {row.get(name)}, where {asked} were asked for"
    return ""


def trained(book: Book) -> list[str]:
    """Return the names of the cells that were trained and have a row, sorted."""
    own = polars.col("learns") & (polars.col("members") == "") & (polars.col("imported") == "")
    names = book.records.filter(_SCORED_ROWS & own).select("cell").unique().sort("cell")
    return collected(names)["cell"].to_list()


def sample(names: Sequence[str], count: int) -> list[str]:
    """Return so many of these names, or all: the same ones for whoever asks."""
    chosen = np.random.default_rng(0).permutation(len(names))[:count]
    return [names[place] for place in sorted(chosen)]


def allowances(book: Book) -> dict[tuple[str, str], float]:
    """Return by how much the top-1 of each row may differ elsewhere: 2 points, or more where its line's seeds differ by more.

    Two runs of one line with other seeds differ with a deviation of the root of 2 times that over seeds; three times that is allowed.
    """
    keys = collected(book.records.select(ROW)).rows()
    found: dict[tuple[str, str], float] = {}
    for board in boards_of(book):
        for line in board.lines:
            deviation = line.facts["top1_sd"] or 0.0
            found |= dict.fromkeys((keys[place] for place in line.place.tolist()), max(LEAST, TIMES * 2**0.5 * deviation))
    return found


@attrs.frozen(eq=False)
class Rerun:
    """One row as it was recorded and as it came out again, with the people and labels that each scored.

    Args:
        old: the row of the record.
        new: the row of today.
        clips: people and labels of the record, and of today.
        allowed: difference in top-1 on another machine.
        newer: what of the code is not what it was.
    """

    old: Mapping[str, Any]
    new: Mapping[str, Any]
    clips: tuple[object, object]
    allowed: float
    newer: str

    @property
    def elsewhere(self) -> str:
        """What of the machine is not what it was; without any, predictions are the same."""
        names = [name for name in self.new if name in {"processor", "device"} or name.startswith("version_")]
        told = [(name.removeprefix("version_"), self.old.get(name), self.new[name]) for name in names]
        found = [f"{name} is {now}, was {was}" for name, was, now in told if was != now]
        return "; ".join(found or (["a GPU adds in no fixed order"] if self.new["device"] != "cpu" else []))

    @property
    def verdict(self) -> Verdict:
        """Which rule holds."""
        agrees, text = self._judged()
        if self.newer:
            agrees, text = agrees or None, f"{text}; its code is newer ({self.newer})"
        return Verdict(self.old["cell"], (self.old["evaluator"],), agrees, text)

    def _judged(self) -> tuple[bool | None, str]:
        old, new = self.old, self.new
        if old.get("data") not in {None, "", new["data"]}:
            return None, "cannot be told: the data here are not those of the record"
        if self.clips[0] != self.clips[1] or old["test_digest"] != new["test_digest"]:
            return False, "differs: the labels or people of its clips are others"
        lists = [(np.array(one["predicted"]), np.array(one["rank"])) for one in (old, new)]
        apart = int(np.logical_or(*(mine != other for mine, other in zip(*lists, strict=True))).sum())
        count, elsewhere = len(new["predicted"]), self.elsewhere
        if not apart:
            return True, f"equal: all {count} predictions are the same{f', although {elsewhere}' if elsewhere else ''}"
        words = f"{apart} of {count} predictions are others, top-1 is {100 * new['top1']:.1f}, was {100 * old['top1']:.1f}"
        if not elsewhere:
            return False, f"differs: {words}; on the same processor and versions all must be the same"
        agrees = abs(new["top1"] - old["top1"]) <= self.allowed
        return agrees, f"{'agrees' if agrees else 'differs'}: {words}; {100 * self.allowed:.1f} points are allowed, since {elsewhere}"


def clips_of(book: Book, row: Mapping[str, Any]) -> tuple[list[int], list[int]] | None:
    """Return the people and labels of the clips that a row scored."""
    same = [polars.col(name) == row[name] for name in SCORED]
    found = collected(book.clips.filter(*same).select("subject", "label")).rows()
    return found[0] if found else None


def badged(book: Book, verdicts: Iterable[Verdict]) -> Book:
    """Return the book with the badge `re-run` on the rows that agree; those that differ lose it."""
    told = {
        (one.cell, name): "re-run" if one.agrees else "recomputed" for one in verdicts if one.agrees is not None for name in one.evaluators
    }
    records = collected(book.records)
    badges = [told.get((cell, evaluator), badge) for cell, evaluator, badge in records.select(*ROW, "badge").iter_rows()]
    return attrs.evolve(book, files=(records.with_columns(badge=polars.Series(badges, dtype=polars.String)).lazy(),))
