"""Long tails on boards: every figure against scikit-learn and scipy, what is left out and why, and what of a book is read."""

import re
from typing import Any

import attrs
import numpy as np
import polars
import pytest
from made_books import Row, answers, made_book
from sklearn.metrics import confusion_matrix, recall_score
from tailed import FIT, LABEL, SUBJECT, columns, sheets_of, two_methods

from mgbench.boards.book import Book
from mgbench.boards.compacting import open_book
from mgbench.boards.lines import boards_of
from mgbench.boards.pages import pages_of
from mgbench.boards.sheet import markdown
from mgbench.boards.tails import tail_sheets
from mgbench.boards.tally import predictions_of, tallies_of


def test_groups_are_mean_recalls_of_their_classes() -> None:
    """Recall of many, medium and few is scikit-learn's mean over the classes of the group, mean over seeds with its deviation."""
    sheet = sheets_of(two_methods())["Long tail"]
    rows = columns(sheet, "name")
    seeds = [answers(LABEL, recall, 4) for recall in ((0.9, 0.5, 0.2, 0.1), (0.8, 0.5, 0.0, 0.1))]

    for name, classes in {"many": [0], "medium": [1], "few": [2, 3]}.items():
        found = [recall_score(LABEL, one, labels=classes, average="macro") for one in seeds]
        assert rows["head / net"][name] == f"{100 * np.mean(found):.1f} ± {100 * np.std(found, ddof=1):.1f}"
    assert rows["tail / net"]["few"] == "75.0"
    assert rows["untrained / net"]["many"] == "100.0"
    assert rows["untrained / net"]["many, over people"] == "", "all are right: draws say nothing"
    assert re.fullmatch(r"\d+ to \d+", rows["head / net"]["many, over people"])
    assert "many (more than 100): 1 class, 40 clips scored" in sheet.about[0]
    assert "few (fewer than 20): 2 classes, 20 clips scored" in sheet.about[0]
    assert "Liu et al. (CVPR 2019)" in sheet.about[0]


def test_right_clips_are_the_diagonals_of_matrices() -> None:
    """Of every person and class, with each seed, whoever has no clip of a class; and all clips are their rows' sums."""
    book = two_methods()
    (tally,) = tallies_of(book, boards_of(book))
    tally = attrs.evolve(tally, subject=np.where(tally.label == 3, 0, tally.subject))  # others have none of the last class
    predicted = predictions_of(book, tally.lines)

    for line in tally.lines:
        matrices = tally.matrices(line, predicted)
        np.testing.assert_array_equal(tally.rights(line, predicted), np.diagonal(matrices, axis1=2, axis2=3))
        np.testing.assert_array_equal(tally.clips, matrices[0].sum(axis=2))


def test_each_class_of_the_best_method_stands_beside_the_floor() -> None:
    """The method with the highest top-1 is taken apart, not the ceiling; classes stand by their fit clips; over clips Wilson's."""
    sheet = sheets_of(two_methods())["Recall of each class"]
    rows = columns(sheet, "class")
    seeds = [answers(LABEL, recall, 4) for recall in ((0.9, 0.5, 0.2, 0.1), (0.8, 0.5, 0.0, 0.1))]
    recall = np.mean([recall_score(LABEL, one, average=None) for one in seeds], axis=0)

    assert sheet.title == "Recall of each class: head / net"
    assert list(rows) == ["A", "B", "C", "D"]
    assert [row["recall"] for row in rows.values()] == [f"{100 * one:.1f}" for one in recall]
    assert [(row["fit clips"], row["scored clips"]) for row in rows.values()] == [("200", "40"), ("50", "20"), ("10", "10"), ("5", "10")]
    assert rows["B"]["over clips"] == "30 to 70"  # Wilson's of 10 in 20: 0.5 -+ 1.96 sqrt(20 / 4 + 1.96^2 / 4) / (20 + 1.96^2)
    assert [row["floor's recall"] for row in rows.values()] == ["100.0", "0.0", "0.0", "0.0"]


def test_rows_of_one_name_are_told_apart() -> None:
    """A method with two budgets stands on a board twice; here each has its budget behind its name."""
    rows = [Row("m", answers(LABEL, (share,) * 4, 4), more={"steps": steps}) for steps, share in ((10, 0.8), (20, 0.4))]
    found = sheets_of(made_book(rows, LABEL, SUBJECT, FIT))

    assert list(columns(found["Long tail"], "name")) == ["m / net (10 x 4, fp32)", "m / net (20 x 4, fp32)"]
    assert found["Recall of each class"].title.endswith(": m / net (10 x 4, fp32)")


def test_a_ceiling_is_taken_apart_where_there_is_no_method() -> None:
    """Without a method the best ceiling is, and without either nothing."""
    taught, floor = (
        Row("taught", answers(LABEL, (1, 1, 0.9, 0.9), 4), 0, "ceiling"),
        Row("untrained", np.zeros(80, dtype=np.int64), 0, "floor"),
    )

    assert sheets_of(made_book([taught, floor], LABEL, SUBJECT, FIT))["Recall of each class"].title.endswith(": taught / net")
    assert "Recall of each class" not in sheets_of(made_book([floor], LABEL, SUBJECT, FIT))


def test_one_row_is_taken_apart_for_all_evaluators() -> None:
    """Of two tables of the same clips the one whose best method is better is taken apart."""
    rows = [Row("m", answers(LABEL, (share,) * 4, 4), more={"evaluator": name}) for name, share in (("knn", 0.8), ("linear", 0.4))]
    book = made_book(rows, LABEL, SUBJECT, FIT)
    found = list(tail_sheets(book, list(boards_of(book))))

    assert [sheet.title.split(":")[0] for sheet in found].count("Long tail") == 2
    (recall,) = [sheet for sheet in found if sheet.title.startswith("Recall of each class")]
    assert "joint, frame50, knn." in recall.about[0]


def test_pairs_are_shares_of_the_true_class() -> None:
    """The pairs most confused are scikit-learn's shares, mean over seeds; one clip of one is no pattern."""
    sheet = sheets_of(two_methods())["Classes most confused"]
    seeds = [answers(LABEL, recall, 4) for recall in ((0.9, 0.5, 0.2, 0.1), (0.8, 0.5, 0.0, 0.1))]
    share = np.mean([confusion_matrix(LABEL, one, normalize="true") for one in seeds], axis=0)
    rows = [dict(zip(sheet.heads, row, strict=True)) for row in sheet.rows]

    assert [(row["true class"], row["taken for"]) for row in rows] == [("C", "D"), ("D", "A"), ("B", "C"), ("A", "B")]
    assert [row["share"] for row in rows] == [f"{100 * share[pair]:.1f}" for pair in ((2, 3), (3, 0), (1, 2), (0, 1))]
    assert rows[0]["clips"] == "9.0 of 10"
    one = np.array([0] * 20 + [1])
    lone = made_book([Row("m", np.where(one == 1, 0, np.arange(21) % 10 // 9))], one, np.arange(21) % 3, (50, 5))
    wrong = made_book([Row("m", np.where(one == 1, 0, (np.arange(21) % 2)))], one, np.arange(21) % 3, (50, 5))
    assert [row[0] for row in sheets_of(wrong)["Classes most confused"].rows] == ["A", "B"], "10 of 20 before 1 of 1"
    assert [row[0] for row in sheets_of(lone)["Classes most confused"].rows] == ["B", "A"], "1 of 1 before 2 of 20"


def test_a_shift_is_told_beside_what_chance_makes() -> None:
    """The distance is half the sum of what shares differ by; classes with the largest change come first, in a sheet only above chance."""
    scored = np.bincount(LABEL) / 80
    fit = np.array((10, 20, 200, 30)) / 260
    sheet = sheets_of(two_methods((10, 20, 200, 30)))["Shift of classes"]

    assert f"{50 * np.abs(fit - scored).sum():.1f} points" in sheet.about[0]
    assert sheet.rows[0] == ("C", "76.9", "12.5", "-64.4")
    assert sheet.rows[1] == ("A", "3.8", "50.0", "+46.2")
    alike = sheets_of(two_methods((400, 200, 100, 100)))
    assert "Shift of classes" not in alike
    assert "distance of 0.0 points" in alike["Recall of each class"].about[-1]
    assert "no shift is seen" in alike["Recall of each class"].about[-1]


def test_balanced_sets_have_no_groups() -> None:
    """Where no class has twice the clips of another, neither groups nor shift nor orders are told, and one sentence says so."""
    label, subject = np.arange(80) % 4, np.arange(80) // 10
    rows = [Row("m", answers(label, (0.9, 0.5, 0.2, 0.1), 4)), Row("n", answers(label, (0.2, 0.4, 0.2, 0.1), 4))]
    found = sheets_of(made_book(rows, label, subject, (90, 100, 110, 120)))

    assert set(found) == {"Recall of each class", "Classes most confused"}
    assert "no class has twice the clips of another, so there are no groups" in " ".join(found["Recall of each class"].about)
    one = sheets_of(made_book(rows, label, subject, (19, 3, 3, 3)))
    assert "Long tail" not in one
    assert "all scored classes are in one group" in " ".join(one["Recall of each class"].about)


@pytest.mark.parametrize("who", ["all", "some"])
def test_rows_without_counts_say_so(who: str) -> None:
    """Without the clips fitted on there are no groups; rows that alone lack them are grouped with the others, and counted."""
    book = two_methods(None if who == "all" else FIT)
    if who == "some":
        silent = polars.when(polars.col("method") == "tail").then(None).otherwise(polars.col("fit_counts"))
        book = attrs.evolve(book, files=(book.records.with_columns(fit_counts=silent),))
    sheet = sheets_of(book)["Long tail"]
    about = " ".join(sheet.about)

    assert ("few" in sheet.heads) == (who == "some")
    assert ("No row tells how many clips of each class it was fitted on" in about) == (who == "all")
    assert ("1 of 4 rows do not tell these counts" in about) == (who == "some")
    if who == "all":
        assert "Shift of classes" not in sheets_of(book)
        assert [row[1] for row in sheets_of(book)["Recall of each class"].rows] == [""] * 4


def test_classes_without_clips() -> None:
    """A class without a scored clip has a row and no recall, nor part in its group; one that was never fitted on is told."""
    rows = [Row("m", answers(LABEL, (0.9, 0.5, 0.2, 0.0), 4))]
    found = sheets_of(made_book(rows, LABEL, SUBJECT, (200, 50, 10, 0, 15, 0), "ABCDEF"))
    classes = columns(found["Recall of each class"], "class")

    assert list(classes) == ["A", "B", "E", "C", "D"], "by fit clips; one without any clip is left out"
    assert classes["E"] | {"class": ""} == dict.fromkeys(classes["E"], "") | {"fit clips": "15", "scored clips": "0"}
    assert classes["D"]["recall"] == "0.0"
    assert classes["D"]["over people"] == ""
    assert "few (fewer than 20): 2 classes, 20 clips scored, 1 class of these never fitted on" in found["Long tail"].about[0]
    assert columns(found["Long tail"], "name")["m / net"]["few"] == "10.0"


def test_answers_that_are_no_class_are_wrong() -> None:
    """What somebody handed in may answer with numbers that no class has, and data may have no names: figures hold."""
    predicted = np.where(LABEL == 3, 7, LABEL)
    found = sheets_of(made_book([Row("m", predicted)], LABEL, SUBJECT, None, ()))

    assert [row[3] for row in found["Recall of each class"].rows] == ["100.0", "100.0", "100.0", "0.0"]
    assert [row[:4] for row in found["Classes most confused"].rows] == [("class 3", "", "class 7", "")]


def test_one_subject_has_no_interval_over_people() -> None:
    """Of one person nothing is drawn; figures stay."""
    book = made_book([Row("m", answers(LABEL, (0.9, 0.5, 0.2, 0.1), 4))], LABEL, np.zeros(80, dtype=np.int64), FIT)
    found = sheets_of(book)

    assert columns(found["Long tail"], "name")["m / net"]["few, over people"] == ""
    assert {row[5] for row in found["Recall of each class"].rows} == {""}


def test_rows_that_tell_people_are_ignored() -> None:
    """A table of which subject it was has no classes."""
    rows = [Row("m", SUBJECT, more={"target": "subject", "test_digest": "s", "evaluator": "subject"})]
    book = made_book(rows, LABEL, SUBJECT, FIT)

    assert len(list(boards_of(book))) == 1
    assert sheets_of(book) == {}


def test_large_tables_are_cut_and_little_is_read(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of forty rows those are shown that are among the ten best by any metric, and nothing that the others predicted is read."""
    rng = np.random.default_rng(0)
    rows = [Row(f"m{number:02}", answers(LABEL, rng.random(4), 4), 0, "floor" if number % 4 == 0 else "method") for number in range(40)]
    made_book(rows, LABEL, SUBJECT, FIT).write(tmp_path)
    book, read = open_book(tmp_path), {}

    def at(self: Book, places: Any, column: str) -> Any:
        read[column] = sorted(set(places))
        return kept(self, read[column], column)

    kept = Book.at
    monkeypatch.setattr(Book, "at", at)
    sheet = sheets_of(book)["Long tail"]
    shown = [row[1] for row in sheet.rows]
    methods = [row for row in rows if row.role == "method"]

    def best(figure: Any) -> set[str]:
        return {f"{row.method} / net" for row in sorted(methods, key=lambda row: -figure(row.predicted))[:10]}

    wanted = best(lambda one: (one == LABEL).mean()) | best(lambda one: recall_score(LABEL, one, average="macro"))
    assert wanted <= set(shown)
    assert 12 <= len(shown) < 30
    assert f"Shown are {len(shown)} of 40 rows" in " ".join(sheet.about)
    assert [f"{rows[place].method} / net" for place in read["predicted"]] == sorted(shown)


def test_names_of_classes_are_harmless_on_a_page() -> None:
    """Pages hold these sheets, and a class called like a table's end breaks none."""
    book = made_book([Row("m", answers(LABEL, (0.9, 0.5, 0.2, 0.1), 4))], LABEL, SUBJECT, FIT, ("A|B", "*b*", "[c](x)", "d"))
    (page,) = pages_of(book)
    titles = [sheet.title.split(":")[0] for sheet in page.others]

    assert titles[:4] == ["Long tail", "Recall of each class", "Classes most confused", "Shift of classes"]
    assert "A|B" not in "".join(map(markdown, page.others))
    assert page.text("tex").count(r"\begin{table}") == len(page.others) + 1
