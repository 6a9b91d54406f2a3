"""Books: the records of stores compacted into three parquet files, small enough to be shared and quick to be read lazily.

`records.parquet` has one row a cell and evaluator, `predictions.parquet` in the same order what it predicted, as lists, of which boards
read few; `clips.parquet` one row a set of clips that was scored. None names a clip or a person: clips stand in the order of their ids,
people are numbered within the set.
"""

import io
from collections.abc import Collection, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import attrs
import numpy as np
import polars

from mgbench.boards.sources import CLIPS_FILE, PREDICTIONS_FILE, RECORDS_FILE
from mgbench.clips import Ints
from mgbench.records import INTERVAL, METRICS, UNREADABLE
from mgbench.store import StoreError, write_bytes
from mgbench.words import counted


#: Identity of a row, and of a scored set; two evaluators of one cell may tell different things of the same clips.
ROW: Final = ("cell", "evaluator")
SCORED: Final = ("test_digest", "target")
#: Of each clip what was predicted and how many answers came before the right one; of each person how many clips were right.
LISTS: Final = {"predicted": polars.List(polars.UInt16), "rank": polars.List(polars.UInt16), "subject_right": polars.List(polars.UInt32)}
PREDICTIONS: Final = ("predicted", "rank")
#: What every row has, beside its figures.
ADDED: Final[dict[str, Any]] = {
    **dict.fromkeys(("cell", "evaluator", "dataset", "status", "reason", *SCORED, "badge"), polars.String),
    "fit_counts": polars.List(polars.UInt32),
    "top5": polars.Float64,  # which no row may have, where all are somebody else's answers
    **LISTS,
}
CLIPS: Final[dict[str, Any]] = {
    "test_digest": polars.String,
    "target": polars.String,
    "subject": polars.List(polars.UInt16),
    "label": polars.List(polars.UInt16),
    "classes": polars.List(polars.String),
}
#: Texts that many rows share, which are kept as numbers of a list: they are read and grouped many times as fast.
WORDS: Final = (
    *("dataset", "encoder", "method", "pretrain_on", "augmentation", "stream", "preprocess", "precision", "evaluator", "members"),
    *("imported", "fitted_on", "scored_on", *SCORED),
)
#: Of what kind columns are that boards read, where a book has them; one of other kinds was not made here.
_KINDS: Final[dict[str, Any]] = {
    **dict.fromkeys((*WORDS, "stale"), polars.String),
    **dict.fromkeys(("learns", "uses_labels", "guided", "select", "compile", "capture"), polars.Boolean),
    **dict.fromkeys((*METRICS, *INTERVAL), polars.Float64),
    **dict.fromkeys(("seed", "test_reads", "steps", "batch_size", "threads"), polars.Int64),
    **ADDED,
}
#: Rows that are compressed together: many of what is read whole, few of predictions, of which some are read without the others.
_TOGETHER, _FEW = 2**16, 2**10
#: More classes than any data set has; a number beyond is not what somebody answered.
MOST_CLASSES: Final = 1024


@attrs.frozen(eq=False, slots=False)
class Book:
    """Records and the clips that they scored, as polars frames that are read when they are asked for.

    Args:
        files: columns of the records, side by side.
        clips: the sets of clips that were scored.
    """

    files: tuple[polars.LazyFrame, ...]
    clips: polars.LazyFrame

    @property
    def records(self) -> polars.LazyFrame:
        """All columns of the records."""
        return polars.concat(self.files, how="horizontal")

    def select(self, names: Collection[str]) -> polars.LazyFrame:
        """Return some columns of the records; files that have none of them are not read."""
        own = [(file, [name for name in names if name in file.collect_schema()]) for file in self.files]
        return polars.concat([file.select(some) for file, some in own if some], how="horizontal")

    @property
    def rows(self) -> int:
        """How many records there are."""
        return int(collected(self.files[0].select(polars.len())).item())

    @property
    def scored(self) -> int:
        """How many of them have figures."""
        return int(collected(self.select(("evaluator",)).select(polars.all().is_not_null().sum())).item())

    @cached_property
    def spans(self) -> dict[str, tuple[int, int, int]]:
        """First place of each data set, the one after its last, and how many records it has; empty the name of what is not known."""
        told = self.select(("dataset",)).with_row_index("place").group_by("dataset")
        found = collected(told.agg(polars.min("place"), last=polars.max("place"), count=polars.len()))
        return {name or "": (first, last + 1, count) for name, first, last, count in found.iter_rows()}

    def placed(self, names: Collection[str], dataset: str) -> polars.LazyFrame:
        """Return some columns of the records of a data set, and their place; of others only rows that stand between are read."""
        first, end, count = self.spans[dataset]
        told = self.select({"dataset", *names}).slice(first, end - first).with_row_index("place", offset=first)
        own = polars.col("dataset").cast(polars.String) == dataset if dataset else polars.col("dataset").is_null()
        return told if count == end - first else told.filter(own)

    def at(self, places: Iterable[int], column: str) -> dict[int, Any]:
        """Return one column of the rows at some places; of predictions, which are large, without reading those far from them."""
        wanted, told = np.unique(np.fromiter(places, np.int64)), self.select((column,))
        far = np.diff(wanted) > (_FEW if column in PREDICTIONS else self.rows)
        runs = np.split(wanted, np.flatnonzero(far) + 1) if len(wanted) else []
        read = ((run, collected(told.slice(int(run[0]), int(run[-1] - run[0]) + 1))[column]) for run in runs)
        found = {int(place): rows[int(place - run[0])] for run, rows in read for place in run}
        if any(one is not None and one.null_count() for one in found.values()):
            msg = f"The book has a row whose {column} lacks some numbers; mgbench verify tells which."
            raise StoreError(msg)
        return found

    def sets(self) -> dict[tuple[str, str], tuple[Ints, Ints]]:
        """Return label and person of each clip `(N,)` of the sets that were scored; raise `StoreError` where they are no such thing."""
        found = {}
        for digest, target, label, subject in collected(self.clips.select(*SCORED, "label", "subject")).iter_rows():
            if not label or not subject or len(label) != len(subject) or None in label or None in subject:
                msg = f"The clips {digest!r} of the book have no label and person each; make it anew by mgbench leaderboard merge."
                raise StoreError(msg)
            if min(label) < 0 or min(subject) < 0 or max(subject) >= len(subject):
                msg = f"The clips {digest!r} of the book have numbers of no label or person; make it anew by mgbench leaderboard merge."
                raise StoreError(msg)
            if target == "class" and max(label) >= MOST_CLASSES:
                msg = f"The clips {digest!r} of the book have the class number {max(label)}; no data set here has {MOST_CLASSES} classes."
                raise StoreError(msg)
            found[digest, target] = (np.array(label, dtype=np.int64), np.array(subject, dtype=np.int64))
        return found

    def write(self, folder: Path) -> None:
        """Write the files, data set by data set; the records come last, so that their presence means that all are whole."""
        records = self.records.sort("dataset", maintain_order=True)
        words = polars.col(name for name in WORDS if name in records.collect_schema()).cast(polars.Categorical)
        records = records.with_columns(polars.col(name).cast(kind) for name, kind in LISTS.items())
        written = (
            (CLIPS_FILE, self.clips.with_columns(polars.col(name).cast(CLIPS[name]) for name in ("label", "subject")), _TOGETHER),
            (PREDICTIONS_FILE, records.select(PREDICTIONS), _FEW),
            (RECORDS_FILE, records.drop(PREDICTIONS).with_columns(words), _TOGETHER),
        )
        for name, frame, together in written:
            buffer = io.BytesIO()
            collected(frame).write_parquet(buffer, compression="zstd", row_group_size=together)
            write_bytes(folder / name, buffer.getvalue())


def collected(frame: polars.LazyFrame, engine: Literal["auto", "streaming"] = "auto") -> polars.DataFrame:
    """Return what a plan over a book gives; raise `StoreError` where a file is corrupt, of which only the head was looked at."""
    try:
        return frame.collect(engine=engine)
    except (OSError, polars.exceptions.ComputeError, polars.exceptions.PanicException) as error:
        first = str(error).partition("\n")[0]
        msg = f"A book cannot be read ({first}); make it anew by mgbench leaderboard merge."
        raise StoreError(msg) from error


def read_book(source: Path) -> Book:
    """Return the book of a folder, or raise `StoreError`."""
    names = (RECORDS_FILE, PREDICTIONS_FILE, CLIPS_FILE)
    if lacking := [name for name in names if not (source / name).is_file()]:
        raise _refusal(source, f"lacks {' and '.join(lacking)}")
    try:
        records, predictions, clips = (polars.scan_parquet(source / name) for name in names)
        has = [frame.collect_schema() for frame in (records, predictions, clips)]
        rows, answered = (frame.select(polars.len()).collect().item() for frame in (records, predictions))
    except UNREADABLE as error:
        first = str(error).partition("\n")[0]
        raise _refusal(source, f"cannot be read ({first})") from error
    if twice := sorted(set(has[0]) & set(has[1])):
        raise _refusal(source, f"has the columns {', '.join(twice)} in two files")
    if rows != answered:
        raise _refusal(source, f"has {counted(rows, 'record')} and {counted(answered, 'row')} of predictions")
    for found, needed, kinds in ((has[0] | has[1], ADDED, _KINDS), (has[2], CLIPS, CLIPS)):
        if lacking := sorted(needed.keys() - set(found)):
            raise _refusal(source, f"lacks the columns {', '.join(lacking)}")
        for name, kind in found.items():
            if name in kinds and not _alike(kind, kinds[name]):
                raise _refusal(source, f"has {kind} in the column {name!r}, which holds {kinds[name]}")
    return Book((records, predictions), clips)


def _refusal(source: Path, fault: str) -> StoreError:
    return StoreError(f"The book {str(source)!r} {fault}; make it anew by mgbench leaderboard merge.")


def _alike(one: Any, other: Any) -> bool:  # noqa: ANN401 - polars has types as classes and as objects
    """Tell whether values of one type serve where those of another are meant; a column without a value has no type."""
    if isinstance(other, polars.List):
        return isinstance(one, polars.List) and _alike(one.inner, other.inner)
    if other == polars.String:
        return one in (polars.String, polars.Categorical, polars.Null)
    fits = other.is_integer() and (one.is_unsigned_integer() if other.is_unsigned_integer() else one.is_integer() and one != polars.UInt64)
    return bool(one == polars.Null or fits or one == other)
