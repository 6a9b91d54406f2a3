"""Pages of boards as files: built, merged into books, and checked against them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import polars
import pytest
from click.testing import Result
from flat_store import run_flat

from mgbench.boards.book import Book
from mgbench.boards.compacting import open_book
from mgbench.store import read_json, write_json


Command = Callable[..., Result]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of one method and all floors, two seeds."""
    return run_flat(tmp_path_factory.mktemp("store"), "--seeds", "2")


@pytest.fixture(name="book")
def _book(mgbench: Command, store: Path, tmp_path: Path) -> Path:
    """The book of that store, with its boards beside it."""
    folder = tmp_path / "book"
    for words in (("merge", store, "--out", folder), ("build", folder, "--out", folder)):
        done = mgbench("leaderboard", *words)
        assert done.exit_code == 0, done.output
    return folder


def test_a_page_is_a_data_set_and_a_track_in_three_formats(book: Path) -> None:
    """Beside the book's files lie Markdown, CSV and LaTeX."""
    own = {"records.parquet", "predictions.parquet", "clips.parquet"}

    assert {path.name for path in book.iterdir()} == own | {f"waves-equal-budget.{form}" for form in ("md", "csv", "tex")}


def test_a_book_gives_the_boards_of_its_store(mgbench: Command, store: Path, book: Path, tmp_path: Path) -> None:
    """Compacting loses nothing that a board shows, and the printed board is the written one."""
    assert mgbench("leaderboard", "build", "--store", store, "--out", tmp_path / "other").exit_code == 0
    for path in (tmp_path / "other").iterdir():
        assert path.read_bytes() == (book / path.name).read_bytes()
    assert mgbench("leaderboard", "build", book).output == (book / "waves-equal-budget.md").read_text() + "\n"


def test_a_book_names_no_clip_and_no_person(store: Path, book: Path) -> None:
    """Ids of clips and people stay in the store."""
    cell = next(path for path in (store / "cells").iterdir() if "supervised" in path.name)
    clip = polars.read_parquet(cell / "predictions.parquet")["clip"][0]
    held = [polars.read_parquet(book / name) for name in ("records.parquet", "predictions.parquet", "clips.parquet")]

    assert clip
    assert all(clip not in str(table.to_dicts()) for table in held)
    assert set(held[2]["subject"].explode()) == {0, 1, 2, 3}


def test_merging_a_book_with_its_store_changes_nothing(mgbench: Command, store: Path, book: Path, tmp_path: Path) -> None:
    """What is alike is kept once."""
    assert mgbench("leaderboard", "merge", book, store, "--out", tmp_path / "both").exit_code == 0
    rows = [open_book(folder).records.sort("cell", "evaluator").collect() for folder in (book, tmp_path / "both")]

    assert rows[0].select(sorted(rows[0].columns)).equals(rows[1].select(sorted(rows[1].columns)))


def test_boards_that_are_those_of_the_book_pass_the_check(mgbench: Command, book: Path) -> None:
    """Nothing differs right after they are built."""
    assert mgbench("leaderboard", "check", book).exit_code == 0


@pytest.mark.parametrize("form", ["md", "csv", "tex"])
@pytest.mark.parametrize("how", ["changed", "removed"])
def test_a_board_that_was_changed_by_hand_is_found(mgbench: Command, book: Path, form: str, how: str) -> None:
    """One other digit, or a missing file, fails the check by name."""
    page = book / f"waves-equal-budget.{form}"
    text = page.read_text()
    page.write_text(text.replace("25.0", "95.0", 1)) if how == "changed" else page.unlink()
    done = mgbench("leaderboard", "check", book)

    assert done.exit_code == 1
    assert done.stderr == f"Error: {page.name} {'differs' if how == 'changed' else 'is missing'}\n"


def test_what_is_no_page_differs_from_one(mgbench: Command, book: Path) -> None:
    """A folder of that name, or bytes that are no text, are told as any other difference."""
    (book / "waves-equal-budget.md").write_bytes(b"\xff")
    (book / "waves-equal-budget.csv").unlink()
    (book / "waves-equal-budget.csv").mkdir()

    done = mgbench("leaderboard", "check", book)
    assert done.stderr == "Error: waves-equal-budget.md differs\nError: waves-equal-budget.csv differs\n"


def _tampered(folder: Path, change: polars.Expr) -> None:
    book = open_book(folder)
    Book((book.records.with_columns(change).collect().lazy(),), book.clips.collect().lazy()).write(folder)


def _first(name: str) -> polars.Expr:
    """Return whether a row is the first of the trained method."""
    trained = polars.col("method").cast(polars.String).str.starts_with("supervised") & (polars.col("seed") == 0)
    return (trained & (polars.col("evaluator") == name)).fill_null(value=False)


@pytest.mark.parametrize("metric", ["top1", "top5", "macro_f1", "mean_class_accuracy", "top1_subject_low"])
def test_a_tampered_figure_is_found(mgbench: Command, book: Path, tmp_path: Path, metric: str) -> None:
    """A figure that its predictions do not give is told with both values, by check and by merge, which writes nothing."""
    _tampered(book, polars.when(_first("linear")).then(0.99).otherwise(metric).alias(metric))
    checked, merged = mgbench("leaderboard", "check", book), mgbench("leaderboard", "merge", book, "--out", tmp_path / "new")

    assert (checked.exit_code, merged.exit_code) == (1, 1)
    for done in (checked, merged):
        assert f"under linear has 0.9900 as {metric}, where its predictions give" in done.stderr
    assert not (tmp_path / "new").exists()


def test_tampered_predictions_are_found(mgbench: Command, book: Path) -> None:
    """Other predictions give other figures, and other counts of each person's right clips."""
    others = polars.lit([0] * 40, polars.List(polars.UInt16))
    _tampered(book, polars.when(_first("linear")).then(others).otherwise("predicted").alias("predicted"))
    told = mgbench("leaderboard", "check", book).stderr

    assert "as macro_f1, where its predictions give" in told
    assert "has other counts of people's right clips than its predictions give" in told


def test_a_tampered_cell_has_no_row_on_the_board_of_its_store(mgbench: Command, store: Path, tmp_path: Path) -> None:
    """The board of a store recomputes what it prints: the cell is listed as inconsistent."""
    place = shutil.copytree(store, tmp_path / "store")
    path = next(one for one in (place / "cells").iterdir() if "supervised" in one.name and "-s0-" in one.name) / "metrics.json"
    told = read_json(path)
    told["rows"]["linear"]["top1"] = 0.99
    write_json(path, told)
    board = mgbench("leaderboard", "build", "--store", place).output

    assert "| inconsistent |" in board
    assert "99.0" not in board


def test_one_cell_with_other_predictions_in_two_books_is_a_conflict(mgbench: Command, store: Path, book: Path, tmp_path: Path) -> None:
    """Both top-1 are shown, and nothing is written."""
    other = shutil.copytree(store, tmp_path / "store")
    folder = next(one for one in (other / "cells").iterdir() if "supervised" in one.name and "-s0-" in one.name)
    path = folder / "predictions.parquet"
    table = polars.read_parquet(path)
    scores = polars.when(polars.col("evaluator") == "linear").then(polars.col("scores").list.reverse()).otherwise("scores")
    predicted = polars.when(polars.col("evaluator") == "linear").then(4 - polars.col("predicted")).otherwise("predicted")
    table.with_columns(scores.alias("scores"), predicted.alias("predicted")).write_parquet(path)
    done = mgbench("leaderboard", "merge", book, other, "--out", tmp_path / "new")

    assert done.exit_code == 1
    assert f"{folder.name} under linear is there twice with other predictions: {book} has top-1" in done.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("file", "change", "sentence"),
    [
        ("predictions.parquet", polars.col("rank").list.reverse(), " is there twice with other predictions: "),
        ("clips.parquet", polars.col("label").list.reverse(), " have other labels or people in "),
    ],
)
def test_what_two_books_say_otherwise_is_a_conflict(
    mgbench: Command, book: Path, tmp_path: Path, file: str, change: polars.Expr, sentence: str
) -> None:
    """Ranks of the same predictions, and labels of the same clips, do not depend on which book comes first."""
    other = shutil.copytree(book, tmp_path / "other")
    polars.read_parquet(other / file).with_columns(change).write_parquet(other / file)
    done = [mgbench("leaderboard", "merge", *pair, "--out", tmp_path / "new").stderr for pair in ((book, other), (other, book))]

    assert all(sentence in text for text in done)


def test_a_book_that_cannot_be_read_is_one_sentence(mgbench: Command, book: Path) -> None:
    """Garbage in place of the records is named with the way out."""
    (book / "records.parquet").write_bytes(b"garbage")
    done = mgbench("leaderboard", "build", book)

    assert done.exit_code == 2
    assert done.stderr.startswith(f"Error: The book {str(book)!r} cannot be read")
    assert "Traceback" not in done.stderr


def test_a_store_without_a_result_has_a_page_that_says_so(mgbench: Command, write_cell: Callable[..., object], tmp_path: Path) -> None:
    """A failed cell is listed with its reason; an empty store says that there is nothing."""
    empty = mgbench("leaderboard", "build", "--store", tmp_path)
    write_cell(tmp_path, status="failed", reason="it has a | fault")

    assert "No cell has a result yet." in empty.output
    assert "| failed | it has a &#124; fault |" in mgbench("leaderboard", "build", "--store", tmp_path).output
