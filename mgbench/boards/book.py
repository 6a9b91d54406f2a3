"""Books: the records of stores compacted into two parquet files, small enough to be shared and quick to be read lazily.

`records.parquet` has one row a cell and evaluator, its predictions as lists; `clips.parquet` one row a set of clips that was scored.
Neither names a clip or a person: clips stand in the order of their ids, people are numbered within the set.
"""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import polars

from mgbench.records import UNREADABLE
from mgbench.store import StoreError, write_bytes


#: Identity of a row, and of a scored set; two evaluators of one cell may tell different things of the same clips.
ROW: Final = ("cell", "evaluator")
SCORED: Final = ("test_digest", "target")
#: Of each clip what was predicted and how many answers came before the right one; of each person how many clips were right.
LISTS: Final = {"predicted": polars.List(polars.UInt16), "rank": polars.List(polars.UInt16), "subject_right": polars.List(polars.UInt32)}
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
#: Rows that are compressed together, few, so that some can be read without the others; rows further apart are read one by one.
_TOGETHER: Final = 8192
RECORDS_FILE, CLIPS_FILE = "records.parquet", "clips.parquet"


@attrs.frozen(eq=False)
class Book:
    """Records and the clips that they scored, as polars frames that are read when they are asked for."""

    records: polars.LazyFrame
    clips: polars.LazyFrame

    @property
    def rows(self) -> int:
        """How many records there are."""
        return int(self.records.select(polars.len()).collect().item())

    @property
    def scored(self) -> int:
        """How many of them have figures."""
        return int(self.records.select(polars.col("evaluator").is_not_null().sum()).collect().item())

    def at(self, places: Iterable[int], column: str) -> dict[int, Any]:
        """Return one column of the rows at some places, without reading those far from them."""
        wanted = np.unique(np.fromiter(places, np.int64))
        runs = np.split(wanted, np.flatnonzero(np.diff(wanted) > _TOGETHER) + 1) if len(wanted) else []
        told = self.records.select(column)
        read = ((run, told.slice(int(run[0]), int(run[-1] - run[0]) + 1).collect()[column]) for run in runs)
        return {int(place): rows[int(place - run[0])] for run, rows in read for place in run}

    def write(self, folder: Path) -> None:
        """Write both files; the records come last, so that their presence means that both are whole."""
        words = polars.col(name for name in WORDS if name in self.records.collect_schema()).cast(polars.Categorical)
        for name, frame in ((CLIPS_FILE, self.clips), (RECORDS_FILE, self.records.with_columns(words))):
            buffer = io.BytesIO()
            frame.collect().write_parquet(buffer, compression="zstd", row_group_size=_TOGETHER)
            write_bytes(folder / name, buffer.getvalue())


def is_book(source: Path) -> bool:
    """Tell whether a folder is a book; a store is none."""
    return (source / RECORDS_FILE).is_file()


def read_book(source: Path) -> Book:
    """Return the book of a folder, or raise `StoreError`."""
    try:
        found = Book(*(polars.scan_parquet(source / name) for name in (RECORDS_FILE, CLIPS_FILE)))
        lacking = ADDED.keys() - set(found.records.collect_schema()) | CLIPS.keys() - set(found.clips.collect_schema())
    except UNREADABLE as error:
        first = str(error).partition("\n")[0]
        msg = f"The book {str(source)!r} cannot be read ({first}); make it anew by mgbench leaderboard merge."
        raise StoreError(msg) from error
    if lacking:
        msg = f"The book {str(source)!r} lacks the columns {', '.join(sorted(lacking))}; make it anew by mgbench leaderboard merge."
        raise StoreError(msg)
    return found
