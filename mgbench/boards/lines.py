"""Lines of boards: each method under one evaluator over its seeds, from the records of a book, table by table.

Rows of different data, preprocessing, stream, fit set, target or track never share a table.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import polars

from mgbench.boards.book import WORDS, Book, collected
from mgbench.clips import Ints
from mgbench.costs import COSTS
from mgbench.records import INTERVAL, METRICS
from mgbench.scoring import figures
from mgbench.stats import Floats
from mgbench.store import StoreError


#: Rows compare only where all of these are equal.
COMPARABLE: Final = ("dataset", "stream", "preprocess", "target", "fitted_on", "scored_on", "test_digest", "select")
RECIPE, EQUAL = "paper recipe", "equal budget"
#: What was spent, which is equal within a table of the second track.
_SPENT: Final = ("steps", "batch_size")
_TABLE: Final = (*COMPARABLE, "track", "spent", "evaluator")
_BUDGET: Final = ("budget_epochs", "budget_batch_size", "budget_steps")
_NAMES: Final = (
    *("method", "encoder", "pretrain_on", "augmentation", "members", "imported", "precision", "threads", "compile", "capture"),
    *(*_SPENT, *_BUDGET),
)
#: What every row tells.
_SAID: Final = frozenset((*COMPARABLE, "evaluator", "seed", "learns", "members", "imported", "top1", "mean_class_accuracy", "macro_f1"))
_FLAGS: Final = ("learns", "uses_labels", "guided")


@attrs.frozen(eq=False, slots=False)
class Line:
    """One row of a board: a method under one evaluator, over its seeds.

    Args:
        facts: what its records share, and means over them, by column.
        seeds: that were measured, in order.
        top1: of each seed.
        people: accuracy for each person, mean over seeds `(S,)`.
        counts: clips of each person `(S,)`.
        place: of its records in the book.
    """

    facts: dict[str, Any]
    seeds: Ints
    top1: Floats
    people: Floats
    counts: Floats
    place: npt.NDArray[np.uint32]

    @cached_property
    def role(self) -> str:
        """What it stands on a board for: imported, floor, ceiling or method."""
        if self.facts["imported"]:
            return "imported"
        if not self.facts["learns"]:
            return "floor"
        return "ceiling" if self.facts["uses_labels"] else "method"

    @property
    def still(self) -> bool:
        """Whether it scores clips as they are, under no evaluator of features, and so stands beside all of them."""
        return self.facts["method"] is None

    @cached_property
    def name(self) -> str:
        """What was compared, in words."""
        facts = self.facts
        if facts["imported"]:
            return str(facts["imported"])
        parts = [facts["own"]] if self.still else [facts["method"], facts["encoder"]]
        notes = [f" {facts['stream']} (ensemble)"] if facts["members"] else []
        notes += [" (label-guided)"] if facts["guided"] and not facts["uses_labels"] else []
        notes += [" (stale)"] if facts["stale"] else []
        return named(parts, facts["pretrain_on"], facts["augmentation"]) + "".join(notes)

    @property
    def budget(self) -> str:
        """What was spent on it, which stands in the row where a track leaves it open."""
        facts = self.facts
        if facts["imported"]:
            return "not told"
        if self.still or not facts["learns"]:
            return "none"
        cells = f"{facts['members'].count(',') + 1} x " if facts["members"] else ""
        return f"{cells}{facts['steps']} x {facts['batch_size']}, {self.arithmetic}"

    @property
    def arithmetic(self) -> str:
        """How it was trained: precision, and what else makes sums round otherwise."""
        facts = self.facts
        if self.still or not facts["learns"]:
            return ""
        threads = f", {facts['threads']} threads" if facts["threads"] not in {None, 1} else ""
        how = [told for told, name in (("compiled", "compile"), ("captured", "capture")) if facts[name]]
        return ", ".join((str(facts["precision"]), *how)) + threads

    @property
    def mean(self) -> float:
        """Mean top-1 over seeds."""
        return float(self.facts["top1"])


@attrs.frozen(eq=False, slots=False)
class Board:
    """Lines that compare, the best first, and what they share.

    Args:
        key: what they share, by column.
        lines: of methods, ceilings, floors and imported predictions.
    """

    key: dict[str, Any]
    lines: tuple[Line, ...]

    @property
    def people(self) -> int:
        """How many people were scored."""
        return len(self.lines[0].people)

    @cached_property
    def names(self) -> dict[str, Line]:
        """The lines by what they are called."""
        return {self.called(line): line for line in self.lines}

    def called(self, line: Line) -> str:
        """Return a line's name, with what was spent on it where another line has the same name."""
        return line.name if self._count[line.name] == 1 else f"{line.name} ({line.budget})"

    @cached_property
    def _count(self) -> Counter[str]:
        return Counter(line.name for line in self.lines)

    @cached_property
    def seeds(self) -> frozenset[int]:
        """Those of any line that is trained."""
        return frozenset().union(*(line.seeds.tolist() for line in self.lines if line.facts["learns"]))


def named(parts: list[str], pretrain_on: str | None, augmentation: str) -> str:
    """Return what was compared in words: its components, what it was trained on where that is another data set, and its pipeline."""
    before = f" pre-trained on {pretrain_on}" if pretrain_on not in {None, "none"} else ""
    return f"{' / '.join(parts)}{before}{'' if augmentation == 'default' else f' -a {augmentation}'}".strip()


def boards_of(book: Book, datasets: Collection[str] | None = None) -> Iterator[Board]:
    """Yield the tables of a book, or those of some data sets, data set by data set and track by track."""
    sets = book.sets()
    for dataset in sorted(book.spans if datasets is None else datasets):
        yield from _boards(_scored(book, dataset), sets)


def _boards(rows: polars.DataFrame, sets: Mapping[tuple[str, str], tuple[Ints, Ints]]) -> Iterator[Board]:
    """Yield the tables of the scored rows of a data set, given label and person of each clip of every scored set."""
    if rows.is_empty():
        return
    columns = _Columns.of(rows)
    lines = _spread(_grouped(rows)).sort("track", maintain_order=True)
    del rows
    for values, table in lines.group_by(_TABLE, maintain_order=True):
        key = dict(zip(_TABLE, values, strict=True))
        if (key["test_digest"], key["target"]) not in sets:
            lacking = f"{key['dataset']} was scored on ({key['test_digest']})"
            msg = f"The book lacks the clips that {lacking}; make it anew by mgbench leaderboard merge."
            raise StoreError(msg)
        label, subject = sets[key["test_digest"], key["target"]]
        found = columns.lines(table, np.bincount(subject).astype(float))
        found += [_constant(label, subject)] if key["target"] == "subject" else []
        yield Board(key, tuple(sorted(found, key=lambda line: (-line.mean, line.name))))


@attrs.frozen(eq=False)
class _Columns:
    """Columns of all rows as arrays, which lines are cut from."""

    place: npt.NDArray[np.uint32]
    seed: Ints
    top1: Floats
    right: npt.NDArray[np.uint32]
    begin: Ints

    @classmethod
    def of(cls, rows: polars.DataFrame) -> "_Columns":
        """Return those of some rows."""
        exploded = rows["subject_right"].explode()
        if exploded.null_count():
            msg = "The book has a row that lacks how many clips of a person are right; mgbench verify tells which."
            raise StoreError(msg)
        begin = np.concatenate([[0], rows["subject_right"].list.len().cast(polars.Int64).cum_sum().to_numpy()])
        seed = rows["seed"].cast(polars.Int64).to_numpy()
        return cls(rows["place"].to_numpy(), seed, rows["top1"].to_numpy(), exploded.to_numpy(), begin)

    def lines(self, table: polars.DataFrame, counts: Floats) -> list[Line]:
        """Return the lines of a table of people with so many clips, from a row each with what its records share, and where they are."""
        rows, ends = table["rows"].explode().to_numpy(), table["rows"].list.len().cum_sum().to_numpy()
        begins = np.concatenate([[0], ends[:-1]])
        told, people = self.begin[rows + 1] - self.begin[rows], len(counts)
        if (told != people).any():
            other, dataset = told[told != people][0], table["dataset"][0]
            msg = f"A row of {dataset} counts right clips of {other} people, not of {people}; mgbench verify tells which."
            raise StoreError(msg)
        seed, top1, place = self.seed[rows], self.top1[rows], self.place[rows]
        if (twice := np.setdiff1d(np.flatnonzero(np.diff(seed) == 0) + 1, begins)).size:  # a line's rows are in the order of seeds
            method = table["method"][int(np.searchsorted(ends, twice[0], side="right"))]
            msg = f"The book has {method} twice with one seed; mgbench verify tells where."
            raise StoreError(msg)
        right = np.add.reduceat(self.right[self.begin[rows][:, None] + np.arange(people)], begins, axis=0, dtype=np.float64)
        means = right / ((ends - begins)[:, None] * counts)
        facts = table.drop("rows").iter_rows(named=True)
        cuts = [slice(int(begin), int(end)) for begin, end in zip(begins, ends, strict=True)]
        return [Line(one, seed[cut], top1[cut], mean, counts, place[cut]) for one, cut, mean in zip(facts, cuts, means, strict=True)]


def _grouped(rows: polars.DataFrame) -> polars.DataFrame:
    """Return a row a line: what its records share, means over them, where they are, in the order of seeds, and the track of the trained."""
    own = [*COMPARABLE, "evaluator", *_NAMES, *_FLAGS]
    same = rows.select(polars.col(name).eq_missing(polars.col(name).first()).all() for name in own).row(0)
    alike = [name for name, one in zip(own, same, strict=True) if one and name != "dataset"]  # which need no room in a key of each row
    known = [name for name in (*METRICS, *COSTS, *INTERVAL) if rows[name].dtype.is_numeric()]
    means = (
        polars.col(alike).first(),
        polars.col(known).mean(),
        *(polars.col(name).std().alias(f"{name}_sd") for name in METRICS),
        polars.col("test_reads", "stale", "badge").max(),  # of badges the last in the alphabet is the weakest
        polars.col("rows").sort_by("seed"),
    )
    keys = [name for name in own if name not in alike]
    grouped = rows.with_row_index("rows").lazy().group_by(keys, maintain_order=True).agg(*means)
    found = collected(grouped, "streaming").with_columns(polars.col(polars.Categorical).cast(polars.String))  # in a third of the memory
    given, learns = polars.any_horizontal(polars.col(name).is_not_null() for name in _BUDGET), polars.col("learns")
    return found.with_columns(
        track=polars.when(given & learns).then(polars.lit(EQUAL)).when(learns).then(polars.lit(RECIPE)),
        spent=polars.when(given & learns).then(polars.format("{} steps of {} clips", *_SPENT)),
    )


def _constant(label: Ints, subject: Ints) -> Line:
    """Return the floor below those who tell people apart: always the one with most clips."""
    counts = np.bincount(subject).astype(float)
    shares = np.bincount(label) / len(label)
    found = figures(np.tile(shares, (len(label), 1)), label, subject)
    facts = {"method": None, "own": "most frequent subject", "learns": False, "uses_labels": False, "guided": False, "members": ""}
    facts |= {"imported": "", "stale": "", "badge": "", "test_reads": None, "pretrain_on": None, "augmentation": "default"}
    sure = (np.arange(len(counts)) == shares.argmax()).astype(float)
    return Line(
        {**facts, **found, **{f"{name}_sd": None for name in METRICS}},
        np.zeros(1, dtype=np.int64),
        np.array([found["top1"]]),
        sure,
        counts,
        np.zeros(0, dtype=np.uint32),
    )


def _scored(book: Book, dataset: str) -> polars.DataFrame:
    """Return the scored rows of a data set."""
    wanted = {*COMPARABLE, *_NAMES, *_FLAGS, *METRICS, *COSTS, *INTERVAL, "evaluator", "seed", "test_reads", "stale", "badge"}
    has = {name for file in book.files for name in file.collect_schema()}
    scored = book.placed(["subject_right", *sorted(wanted & has)], dataset).filter(polars.col("evaluator").is_not_null())
    found = collected(scored)
    if found.is_empty():
        return found
    unsaid = found.select("subject_right", *(name for name in _SAID if name in has)).null_count().row(0, named=True)
    sure = [name for name in (*METRICS, *INTERVAL) if name in has and found[name].dtype.is_float()]
    if endless := [name for name in sure if not found[name].drop_nulls().is_between(0, 1).all()]:
        msg = f"The book has a row whose {endless[0]} is no share; mgbench verify tells which."
        raise StoreError(msg)
    if lacking := [*(_SAID - has), *(name for name, count in unsaid.items() if count)]:
        msg = f"The book has a row without {', '.join(sorted(lacking))}; make it anew by mgbench leaderboard merge."
        raise StoreError(msg)
    words = [name for name in WORDS if name in wanted & has]
    return found.with_columns(
        *(polars.lit(None).alias(name) for name in sorted(wanted - has - {"capture"})),
        (polars.col("capture") if "capture" in has else polars.lit(None, polars.Boolean).alias("capture")).fill_null(value=False),
        *(polars.col(name).cast(polars.Categorical) for name in words),  # which are grouped many times as fast as texts
    )


def _spread(found: polars.DataFrame) -> polars.DataFrame:
    """Return floors in every track of the rows beside them, and what reads clips under every evaluator there."""
    still, free = polars.col("method").is_null(), polars.col("track").is_null()
    learned = found.filter(~free)
    floors = found.filter(free & ~still).drop("track", "spent")
    under = floors.join(learned.select(_TABLE).unique(maintain_order=True), on=[*COMPARABLE, "evaluator"], how="left", nulls_equal=True)
    under = under.with_columns(polars.col("track").fill_null(RECIPE))
    tables = polars.concat([learned, under], how="diagonal_relaxed").select(_TABLE).unique(maintain_order=True)
    beside = found.filter(still).drop("track", "spent").rename({"evaluator": "own"})
    beside = beside.join(tables, on=list(COMPARABLE), how="left", nulls_equal=True)
    beside = beside.with_columns(polars.col("track").fill_null(RECIPE), polars.col("evaluator").fill_null(""))
    return polars.concat([learned, under, beside], how="diagonal_relaxed")
