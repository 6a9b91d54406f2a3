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
RECORDS, PREDICTIONS, CLIPS = "records.parquet", "predictions.parquet", "clips.parquet"


def test_a_book_gives_rows_at_places(tmp_path: Any) -> None:
    """Rows near and far are read alike, each once, from files as from memory."""
    rows = [Row(f"m{number}", np.full(80, number % 4)) for number in range(6)]
    book = made_book(rows, LABEL, SUBJECT, FIT)
    book = attrs.evolve(book, files=(polars.concat([book.records] * 500),))
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
        (PREDICTIONS, polars.col("predicted").cast(polars.List(polars.String))),
        (RECORDS, polars.lit("x").alias("top1")),
        (RECORDS, polars.lit(1.5).alias("seed")),
        (RECORDS, polars.lit(1).alias("method")),
        (RECORDS, polars.lit(None, polars.Float64).alias("top1")),
        (RECORDS, polars.lit(None, polars.Int64).alias("seed")),
        (RECORDS, polars.lit(None, polars.String).alias("dataset")),
        (RECORDS, polars.lit(float("nan")).alias("top1")),
        (RECORDS, polars.lit(1e300).alias("macro_f1")),
        (PREDICTIONS, polars.lit([65535] * 40, polars.List(polars.UInt16)).alias("predicted")),
        (PREDICTIONS, holed("predicted")),
        (RECORDS, holed("fit_counts")),
        (PREDICTIONS, less("predicted")),
        (RECORDS, less("subject_right")),
        (RECORDS, polars.lit(None, polars.List(polars.UInt32)).alias("subject_right")),
        (PREDICTIONS, polars.lit(None, polars.List(polars.UInt16)).alias("predicted")),
        (CLIPS, polars.lit([60000] * 40, polars.List(polars.UInt16)).alias("label")),
        (PREDICTIONS, polars.col("predicted").list.eval(polars.element().cast(polars.Int64) - 9)),
        (PREDICTIONS, polars.lit(None).alias("predicted")),
        (RECORDS, polars.lit(2**63, polars.UInt64).alias("seed")),
        (RECORDS, polars.col("subject_right").list.eval(polars.lit(None, polars.UInt32))),
        (CLIPS, polars.col("subject").list.eval(polars.element().cast(polars.Int64) + 2**40)),
        (CLIPS, polars.col("subject").list.eval(polars.element().cast(polars.Int64) - 1)),
        (CLIPS, polars.col("subject").list.eval(polars.element() + 60000)),
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


def test_a_row_that_is_there_twice_is_no_further_seed(mgbench: Command, finished: Path, tmp_path: Path) -> None:
    """Whether the copy has the name of its cell or another one: no board counts it, and whatever checks tells it."""
    compact(finished).write(tmp_path)
    whole = polars.read_parquet(tmp_path / RECORDS)
    predictions = polars.read_parquet(tmp_path / PREDICTIONS)
    polars.concat([predictions, predictions]).write_parquet(tmp_path / PREDICTIONS)
    for name in ("cell", "reason"):
        polars.concat([whole, whole.with_columns(polars.lit("other").alias(name))]).write_parquet(tmp_path / RECORDS)

        assert "twice with one seed" in mgbench("leaderboard", "build", tmp_path).stderr
        assert mgbench("verify", tmp_path).exit_code == 1
        assert mgbench("leaderboard", "merge", tmp_path, "--out", tmp_path / "new").exit_code == 1


def test_a_book_that_is_corrupt_in_its_middle_is_a_sentence(mgbench: Command, finished: Path, tmp_path: Path) -> None:
    """Its schema may be sound where its numbers are not."""
    compact(finished).write(tmp_path)
    whole = (tmp_path / RECORDS).read_bytes()
    (tmp_path / RECORDS).write_bytes(whole[:200] + bytes(len(whole) // 2) + whole[200 + len(whole) // 2 :])
    for words in (("verify",), ("leaderboard", "build"), ("leaderboard", "check"), ("leaderboard", "merge", "--out", tmp_path / "new")):
        done = mgbench(*words, tmp_path)

        assert done.exit_code == 2
        assert done.stderr.startswith("Error: A book cannot be read (")
        assert done.stderr.count("\n") == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "change", [polars.lit(70000).alias("predicted"), polars.lit(-1).alias("predicted"), polars.col("scores").list.head(2)]
)
def test_a_cell_whose_predictions_are_no_classes_is_damaged(mgbench: Command, store: Path, change: polars.Expr) -> None:
    """Its page lists it, and no other cell is lost with it."""
    (path,) = (store / "cells").glob("*supervised*/predictions.parquet")
    polars.read_parquet(path).with_columns(change).write_parquet(path)
    done = mgbench("leaderboard", "build", "--store", store)

    assert done.exit_code == 0, done.output
    assert "| damaged |" in done.output
    assert "majority" in done.output


def test_what_is_no_store_is_not_read_as_one(mgbench: Command, store: Path, tmp_path: Path) -> None:
    """Neither an empty folder, nor is a book written where a store is."""
    (tmp_path / "empty").mkdir()
    done = mgbench("leaderboard", "merge", tmp_path / "empty", "--out", tmp_path / "new"), mgbench("verify", tmp_path / "empty")
    onto = mgbench("leaderboard", "merge", store, "--out", store)

    assert [one.exit_code for one in (*done, onto)] == [2, 2, 2]
    assert all("is neither a store" in one.stderr for one in done)
    assert "which is a store" in onto.stderr


def test_files_of_a_book_belong_together(mgbench: Command, finished: Path, tmp_path: Path) -> None:
    """One that is missing, or has other rows, is named."""
    compact(finished).write(tmp_path)
    polars.read_parquet(tmp_path / PREDICTIONS)[:-1].write_parquet(tmp_path / PREDICTIONS)
    shorter = mgbench("leaderboard", "build", tmp_path).stderr
    (tmp_path / PREDICTIONS).unlink()
    missing = mgbench("leaderboard", "build", tmp_path).stderr

    assert "rows of predictions; make it anew" in shorter
    assert "lacks predictions.parquet; make it anew" in missing


def test_rows_of_a_data_set_are_found_wherever_they_stand(tmp_path: Path) -> None:
    """Each with its place; written, the rows of a data set stand together."""
    rows = [Row(f"m{number}", np.full(80, number % 4)) for number in range(6)]
    made = made_book(rows, LABEL, SUBJECT, FIT)
    names = polars.Series(["b", "a", "c", "a", None, "b"])
    book = attrs.evolve(made, files=(made.records.with_columns(dataset=names),))
    book.write(tmp_path)

    assert book.spans == {"a": (1, 4, 2), "b": (0, 6, 2), "c": (2, 3, 1), "": (4, 5, 1)}
    assert open_book(tmp_path).spans == {"": (0, 1, 1), "a": (1, 3, 2), "b": (3, 5, 2), "c": (5, 6, 1)}
    for one, places in (book, {"a": [1, 3], "b": [0, 5], "c": [2], "": [4]}), (open_book(tmp_path), {"a": [1, 2], "b": [3, 4], "": [0]}):
        for dataset, own in places.items():
            found = one.placed(["method"], dataset).collect()
            assert found["place"].to_list() == own
            assert found["method"].to_list() == [one.records.collect()["method"][place] for place in own]
