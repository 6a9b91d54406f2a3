"""Books: rows are read where they stand, and a book that was changed by hand is refused in one sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import polars
import pytest
from click.testing import Result
from made_books import Row, made_book
from tailed import FIT, LABEL, SUBJECT

from mgbench.boards.compacting import compact, open_book


Command = Callable[..., Result]
RECORDS, CLIPS = "records.parquet", "clips.parquet"


def test_a_book_gives_rows_at_places(tmp_path: Any) -> None:
    """Rows near and far are read alike, each once, from files as from memory."""
    rows = [Row(f"m{number}", np.full(80, number % 4)) for number in range(6)]
    book = made_book(rows, LABEL, SUBJECT, FIT)
    book = attrs.evolve(book, records=polars.concat([book.records] * 500))
    book.write(tmp_path)

    for one in (book, open_book(tmp_path)):
        found = one.at([2999, 3, 3, 4], "predicted")
        assert {place: told[0] for place, told in found.items()} == {3: 3, 4: 0, 2999: 1}
        assert one.at([], "predicted") == {}


def less(column: str) -> polars.Expr:
    """Return a column of lists without their last entries."""
    return polars.col(column).list.head(polars.col(column).list.len() - 1)


def holed(column: str) -> polars.Expr:
    """Return a column of lists whose entries 1 are missing."""
    return polars.col(column).list.eval(polars.when(polars.element() != 1).then(polars.element()))


@pytest.mark.parametrize(
    ("file", "change"),
    [
        (RECORDS, polars.col("predicted").cast(polars.List(polars.String))),
        (RECORDS, polars.lit("x").alias("top1")),
        (RECORDS, polars.lit(1.5).alias("seed")),
        (RECORDS, polars.lit(1).alias("method")),
        (RECORDS, polars.lit(None, polars.Float64).alias("top1")),
        (RECORDS, polars.lit(None, polars.Int64).alias("seed")),
        (RECORDS, polars.lit(None, polars.String).alias("dataset")),
        (RECORDS, holed("predicted")),
        (RECORDS, holed("fit_counts")),
        (RECORDS, less("predicted")),
        (RECORDS, less("subject_right")),
        (RECORDS, polars.lit(None, polars.List(polars.UInt32)).alias("subject_right")),
        (RECORDS, polars.lit(None, polars.List(polars.UInt16)).alias("predicted")),
        (CLIPS, polars.col("label").list.first()),
        (CLIPS, holed("label")),
        (CLIPS, less("subject")),
        (CLIPS, polars.lit(None, polars.List(polars.UInt16)).alias("label")),
    ],
)  # fmt: skip
def test_a_book_that_was_changed_by_hand_is_a_sentence(
    mgbench: Command, finished: Path, tmp_path: Path, file: str, change: polars.Expr
) -> None:
    """Columns of another type, and lists of another length or with holes, are told by whatever reads them; no command has a traceback."""
    compact(finished).write(tmp_path)
    polars.read_parquet(tmp_path / file).with_columns(change).write_parquet(tmp_path / file)
    done = {words: mgbench(*words, tmp_path) for words in (("leaderboard", "build"), ("leaderboard", "check"), ("verify",))}

    for words, one in done.items():
        assert isinstance(one.exception, SystemExit | None), f"{words}: {one.exception!r}"
        assert all(line.startswith("Error: ") for line in one.stderr.splitlines()), one.stderr
    assert done["verify",].exit_code != 0 or "fit_counts" in str(change)
    assert any(one.exit_code for one in done.values())
