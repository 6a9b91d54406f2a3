"""Which rows share a table, what a row says of itself, and what a table says of what it can tell."""

from pathlib import Path
from typing import Any

import attrs
import numpy as np
import polars
import pytest
from made_books import Row, answers, made_book

from mgbench.boards.book import Book
from mgbench.boards.files import page_texts
from mgbench.boards.lines import EQUAL, RECIPE, Board, boards_of
from mgbench.boards.measured import board_sheet, cost_sheet
from mgbench.boards.pages import paged_boards, pages_of
from mgbench.store import StoreError


THEIRS = {"evaluator": "imported", "imported": "theirs", "badge": "self-reported"}
LABEL = np.tile(np.arange(4), 24)


def book(*rows: Row, people: int = 8) -> Book:
    """Return the book of some rows that scored 96 clips of so many people."""
    return made_book(rows, LABEL, np.arange(96) // 4 % people, [10, 10, 10, 10])


def row(name: str, recall: float, seed: int = 0, role: str = "method", **more: Any) -> Row:
    """Return a row that has the same recall for each class."""
    return Row(name, answers(LABEL, [recall] * 4, 4), seed, role, more)


def only(made: Book) -> Board:
    """Return the one board of a book."""
    (board,) = boards_of(made)
    return board


def shown(board: Board) -> dict[str, dict[str, str]]:
    """Return the rows of a board as they are printed, by name and head."""
    sheet = board_sheet(board)
    return {dict(zip(sheet.heads, row, strict=True))["name"]: dict(zip(sheet.heads, row, strict=True)) for row in sheet.rows}


@pytest.mark.parametrize(
    ("column", "other"),
    [
        ("dataset", "feet"), ("stream", "bone"), ("preprocess", "raw50"), ("fitted_on", "train+val"), ("scored_on", "val"),
        ("select", True), ("evaluator", "knn"),
    ],
)  # fmt: skip
def test_rows_that_do_not_compare_share_no_table(column: str, other: object) -> None:
    """One column of what makes rows comparable is enough to part them."""
    found = list(boards_of(book(row("one", 0.5), row("two", 0.6, **{column: other}))))

    assert [len(board.lines) for board in found] == [1, 1]
    assert len({board.key[column] for board in found}) == 2


def test_tracks_are_tables_of_their_own() -> None:
    """What was given a budget stands apart from recipes, and budgets from each other; a floor stands in all of them."""
    made = book(
        row("one", 0.5), row("two", 0.6, budget_steps=10), row("three", 0.6, budget_steps=20, steps=20), row("untrained", 0.4, role="floor")
    )
    found = {(board.key["track"], board.key["spent"]): [line.facts["method"] for line in board.lines] for board in boards_of(made)}

    assert found == {
        (RECIPE, None): ["one", "untrained"],
        (EQUAL, "10 steps of 4 clips"): ["two", "untrained"],
        (EQUAL, "20 steps of 4 clips"): ["three", "untrained"],
    }


def test_what_reads_clips_stands_under_every_evaluator() -> None:
    """Raw coordinates have no evaluator of features; they are a floor of all."""
    made = book(row("one", 0.5), row("one", 0.6, evaluator="knn"), row("", 0.7, role="floor", method=None, encoder=None, evaluator="raw"))

    assert [(board.key["evaluator"], [line.name for line in board.lines]) for board in boards_of(made)] == [
        ("linear", ["raw", "one / net"]),
        ("knn", ["raw", "one / net"]),
    ]


def test_seeds_are_a_mean_with_an_interval_and_missing_ones_are_told() -> None:
    """A row with fewer seeds than others says so, and is the mean of those that it has."""
    found = shown(only(book(row("one", 0.5), row("one", 0.75, seed=1), row("two", 0.5))))

    assert (found["one / net"]["top-1"], found["one / net"]["seeds"]) == ("62.5 ± 17.7", "2")
    assert (found["two / net"]["top-1"], found["two / net"]["seeds"], found["two / net"]["over seeds"]) == ("50.0", "1 of 2", "")
    assert found["one / net"]["over seeds"] == "0.0 to 100.0"


def test_rows_that_cannot_be_told_apart_share_ranks() -> None:
    """Two alike and one far below: the data say no more."""
    found = shown(only(book(row("one", 0.75), row("two", 0.75), row("three", 0.0))))

    assert {name: one["rank"] for name, one in found.items()} == {"one / net": "1–2", "two / net": "1–2", "three / net": "3"}  # noqa: RUF001 - a range


@pytest.mark.parametrize(("people", "words"), [(5, "are few: whatever the rows do"), (8, "flipping signs"), (24, "Holm's sequence")])
def test_a_board_says_what_its_people_can_tell(people: int, words: str) -> None:
    """With five nothing can be told apart, and the board says so in place of a rank that means nothing."""
    board = only(book(row("one", 1.0), row("two", 0.0), people=people))

    assert words in " ".join(board_sheet(board).about)
    assert [one["rank"] for one in shown(board).values()] == (["1–2", "1–2"] if people == 5 else ["1", "2"])  # noqa: RUF001 - a range


def test_differences_to_floors_are_corrected_for_all_rows() -> None:
    """Each method's p-value is against the best floor, and none is smaller than it would be alone."""
    rows = [row(f"m{k}", 0.3 + 0.1 * k) for k in range(5)]
    floor = row("untrained", 0.25, role="floor")
    together = shown(only(book(*rows, floor)))
    alone = [shown(only(book(one, floor)))[f"{one.method} / net"]["vs best floor"] for one in rows]
    corrected = [together[f"m{k} / net"]["vs best floor"] for k in range(5)]
    p = [[float(text.split("= ")[1].rstrip(")")) for text in texts] for texts in (corrected, alone)]

    assert all(one >= other for one, other in zip(*p, strict=True))
    assert together["untrained / net"]["vs best floor"] == ""


def test_what_a_row_may_know_stands_in_it() -> None:
    """Labels, test reads and who checked the figures are columns; what was imported tells no labels."""
    found = shown(
        only(
            book(
                row("one", 0.5, guided=True),
                row("two", 0.6, role="ceiling", test_reads=3),
                row("", 0.7, role="floor", method=None, encoder=None, uses_labels=None, **THEIRS),
            )
        )
    )

    assert {name: (one["role"], one["labels"], one["checked"]) for name, one in found.items()} == {
        "one / net (label-guided)": ("method", "guided", "recomputed"),
        "two / net": ("ceiling", "all", "recomputed"),
        "theirs": ("imported", "not told", "self-reported"),
    }
    assert found["two / net"]["test reads"] == "3"


def test_floors_that_are_missing_are_named() -> None:
    """A table without all floors says which."""
    about = board_sheet(only(book(row("one", 0.5), row("untrained", 0.4, role="floor")))).about

    assert about[0].endswith(" Floors not measured yet: majority, raw, untrained[calibrate=true].")


def test_cells_without_a_result_stand_on_the_page_of_their_data() -> None:
    """A failed cell is a row with its reason, and no mean is over it."""
    lost = row("two", 0.0)
    lost = attrs.evolve(lost, more={"evaluator": None, "status": "failed", "reason": "it has a fault"})
    (page,) = pages_of(book(row("one", 0.5), lost))

    assert {sheet.title: sheet.rows for sheet in page.others}["Cells without a result"] == (("c1", "failed", "it has a fault"),)
    assert "two / net" not in page.text("md")


def test_what_training_cost_is_told_once_a_row() -> None:
    """A method under two evaluators was trained once."""
    costs = {"backbone_parameters": 1000, "forward_flops": 2e6, "clips_processed": 100, "train_seconds": 4.0, "peak_memory_mb": 500}
    sheet = cost_sheet(boards_of(book(row("one", 0.5, **costs), row("one", 0.6, evaluator="knn", **costs))))

    assert sheet is not None
    assert sheet.rows == (("one / net", "10 x 4, fp32", "1,000", "2", "25.0", "4", "500"),)


def test_rows_of_one_name_are_told_apart_by_what_was_spent() -> None:
    """Where recipes differ in budget, or cells in threads, each is a line of its own, and no seed counts twice."""
    board = only(book(row("one", 0.5), row("one", 0.75, steps=20), row("one", 0.25, threads=2)))

    assert sorted(board.names) == ["one / net (10 x 4, fp32)", "one / net (10 x 4, fp32, 2 threads)", "one / net (20 x 4, fp32)"]


def test_a_book_without_the_clips_is_one_sentence() -> None:
    """A record of clips that the book does not have is told, and not a traceback."""
    made = book(row("one", 0.5))
    with pytest.raises(StoreError, match=r"^The book lacks the clips that hands was scored on \(d\)"):
        list(boards_of(attrs.evolve(made, clips=made.clips.filter(polars.col("test_digest") == ""))))


def test_what_explains_all_tables_of_a_page_is_told_once() -> None:
    """The sentence on a table's clips stands under each, what its columns mean under the first."""
    (page,) = pages_of(book(row("one", 0.5), row("one", 0.6, evaluator="knn")))
    text = page.text("md")

    assert text.count("96 clips of 8 subjects") == 2
    assert text.count("Top-1 is exact per-clip accuracy") == 1
    assert page.text("tex").count("accuracy at the last step") == 2


def test_data_sets_whose_names_make_one_file_have_pages_of_their_own(tmp_path: Path) -> None:
    """No page replaces another, and whoever asks for a board's page gets the right one."""
    made = book(row("one", 0.5, dataset="a-b"), row("one", 0.25, dataset="a.b"))
    made.write(tmp_path)
    titles = {name: text.partition("\n")[0] for name, text in page_texts(tmp_path, ("md",)).items()}

    assert titles == {"a-b-paper-recipe.md": "# a-b, paper recipe", "a-b-paper-recipe-2.md": "# a.b, paper recipe"}
    assert {name: board.key["dataset"] for name, board in paged_boards(made)} == {"a-b-paper-recipe": "a-b", "a-b-paper-recipe-2": "a.b"}
