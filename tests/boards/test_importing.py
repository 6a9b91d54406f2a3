"""Somebody else's predictions: on the boards of a cell, marked, and refused in one sentence where they break a rule."""

import csv
import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars
import pytest
from click.testing import Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mgbench.boards.answers import Question, read_answers
from mgbench.boards.checking import wrong_rows
from mgbench.boards.compacting import open_book
from mgbench.boards.lines import boards_of
from mgbench.boards.pages import pages_of
from mgbench.boards.sheet import markdown
from mgbench.errors import DataError
from mgbench.records import read_predictions, read_records, read_scores
from mgbench.store import CellFolder, read_json, write_json


Command = Callable[..., Result]
CLASSES = ("still", "slow", "quick", "hasty", "rare")


def cell_of(store: Path) -> CellFolder:
    """Return the trained cell."""
    (path,) = (store / "cells").glob("*supervised*")
    return CellFolder(path)


def scored(store: Path) -> polars.DataFrame:
    """Return the clips with their labels, in an order of their own."""
    return read_predictions(cell_of(store), "knn").select("clip", "label").sample(fraction=1, shuffle=True, seed=0)


def imported(mgbench: Command, store: Path, table: polars.DataFrame, *words: str, name: str = "Their model") -> Result:
    """Import a table."""
    file = store.parent / "predictions.csv"
    table.write_csv(file)
    return mgbench("leaderboard", "import", file, "--like", "supervised", "--name", name, *words, "--store", store)


def record(store: Path) -> CellFolder:
    """Return the one derived record."""
    (path,) = (store / "derived").iterdir()
    return CellFolder(path)


@pytest.mark.parametrize("words", ["numbers", "names"])
def test_answers_alone_give_all_but_top5(mgbench: Command, store: Path, words: str) -> None:
    """Class numbers or names, in any order of the clips: every figure is of these answers, and top-5 is not known."""
    table = scored(store).with_columns(predicted=(polars.col("label") + polars.int_range(polars.len()) % 2) % 5)
    expected = float((table["predicted"] == table["label"]).mean())  # type: ignore[arg-type] # a mean of flags is a number
    if words == "names":
        table = table.with_columns(predicted=polars.col("predicted").replace_strict(dict(enumerate(CLASSES))))
    done = imported(mgbench, store, table)
    row = read_json(record(store).metrics)["rows"]["imported"]

    assert done.exit_code == 0, done.output
    assert done.output.startswith("their-model-")
    assert (row["top1"], row["top5"]) == (pytest.approx(expected), None)
    assert list(wrong_rows(open_book(store))) == []


@pytest.mark.parametrize("heads", ["numbers", "names"])
def test_scores_give_the_figures_of_the_cell_that_had_them(mgbench: Command, store: Path, heads: str) -> None:
    """The scores of an evaluator, written down and imported, give its figures, top-5 too, in columns of any order."""
    told, scores = read_scores(cell_of(store), "linear")
    names = CLASSES if heads == "names" else tuple(map(str, range(5)))
    table = told.select("clip").with_columns(polars.Series(name, scores[:, place]) for place, name in reversed(list(enumerate(names))))
    assert imported(mgbench, store, table).exit_code == 0
    figures = ("top1", "top5", "macro_f1", "mean_class_accuracy", "top1_subject_low", "test_digest", "fitted_on", "fit_clips")
    mine, other = (read_json(folder.metrics)["rows"] for folder in (record(store), cell_of(store)))

    assert {name: mine["imported"][name] for name in figures} == {name: other["linear"][name] for name in figures}


def test_boards_show_it_beside_every_evaluator(mgbench: Command, store: Path) -> None:
    """It stands in the table of each evaluator as imported and self-reported, compared with floors, without top-5, and is no floor."""
    imported(mgbench, store, scored(store).with_columns(predicted="label"), "--labels", "all")
    boards = list(boards_of(open_book(store)))
    (page,) = pages_of(open_book(store))
    rows = list(csv.DictReader(io.StringIO(page.text("csv"))))
    mine = [row for row in rows if row["role"] == "imported"]

    assert {board.key["evaluator"] for board in boards} == {"knn", "linear"}
    assert [row["name"] for row in mine] == ["Their model"] * 2
    assert {row["checked"] for row in rows} == {"self-reported", "recomputed"}
    assert {(row["top-1"], row["top-5"], row["labels"], row["checked"]) for row in mine} == {("100.0", "", "all", "self-reported")}
    assert all(row["vs best floor"] for row in mine)
    assert "Floors not measured yet: raw, untrained" in page.text("md")
    assert "None" not in page.text("md") + page.text("tex")


def test_imports_alone_make_a_board(mgbench: Command, store: Path) -> None:
    """Where the cells have gone, what was imported still stands, without a figure that none of it has."""
    imported(mgbench, store, scored(store).with_columns(predicted="label"))
    shutil.rmtree(store / "cells")
    done = mgbench("leaderboard", "build", "--store", store)
    merged = mgbench("leaderboard", "merge", store, "--out", store.parent / "book")
    verified = mgbench("verify", store.parent / "book", "--cells", "1")

    assert "| imported | Their model | 100.0 |" in done.output
    assert merged.exit_code == 0, merged.output
    assert verified.exit_code == 3
    assert "the figures of 1 row follow" in verified.output


@pytest.mark.parametrize(("words", "told"), [((), "not told"), (("--labels", "none"), "none"), (("--labels", "all"), "all")])
def test_labels_are_as_told(mgbench: Command, store: Path, words: tuple[str, ...], told: str) -> None:
    """Whether labels were trained on is what its owner says, or not told."""
    imported(mgbench, store, scored(store).rename({"label": "predicted"}), *words)
    (page,) = pages_of(open_book(store))
    rows = csv.DictReader(io.StringIO(page.text("csv")))

    assert {row["labels"] for row in rows if row["role"] == "imported"} == {told}


def test_a_second_import_replaces_the_first(mgbench: Command, store: Path) -> None:
    """One name has one record for the same clips, whichever evaluator or budget the cell had; another name has its own."""
    table = scored(store).with_columns(predicted="label")
    imported(mgbench, store, table)
    again = imported(mgbench, store, table.with_columns(predicted=(polars.col("label") + 1) % 5))
    (only,) = read_records(store).filter(polars.col("imported") == "Their model").to_dicts()
    other = imported(mgbench, store, table, name="Other")

    assert "top-1 0.0" in again.output
    assert only["top1"] == 0
    assert other.exit_code == 0
    assert len(list((store / "derived").iterdir())) == 2


@pytest.mark.parametrize("name", ["<script>|", "../../x", "=cmd()|' /C calc'!A0", "\x1b[31mred", "\\input{x}", "\N{SNOWMAN}", "a\nb"])
def test_a_name_is_harmless(mgbench: Command, store: Path, name: str) -> None:
    """A name of any letters makes a folder beside the others, and breaks no format, no terminal and no spreadsheet."""
    done = imported(mgbench, store, scored(store).with_columns(predicted="label"), name=name)
    explained = mgbench("explain", record(store).path, "--store", store)
    (page,) = pages_of(open_book(store))
    texts = {form: page.text(form) for form in ("md", "tex", "csv")}
    mine = [row for row in csv.DictReader(io.StringIO(texts["csv"])) if row["role"] == "imported"]

    assert done.exit_code == 0, done.output
    assert re.fullmatch(r"[a-z0-9_]+(-[a-z0-9_]+)*", record(store).path.name)
    assert explained.exit_code == 0, explained.output
    assert "<script>" not in texts["md"] + texts["tex"]
    assert "\x1b" not in done.output + explained.output + "".join(texts.values())
    assert "\\input" not in texts["tex"]
    assert len(mine) == 2
    assert not any(row["name"].startswith("=") for row in mine)
    for sheet in page.boards:
        assert len({line.count("|") for line in markdown(sheet).splitlines() if line.startswith("| ")}) == 1


@pytest.mark.parametrize("name", ["", " ", "\x1b[0m", "x" * 81])
def test_a_name_can_be_read(mgbench: Command, store: Path, name: str) -> None:
    """A name without a letter that can be shown, or one that no column holds, is refused."""
    done = imported(mgbench, store, scored(store).with_columns(predicted="label"), name=name)

    assert done.exit_code == 2
    assert "--name got" in done.stderr
    assert not (store / "derived").exists()


def test_other_commands_know_that_it_is_not_run(mgbench: Command, store: Path) -> None:
    """It is not executed or added up; explain, diff and gc take it as it is."""
    imported(mgbench, store, scored(store).with_columns(predicted="label"))
    folder, cell = record(store), cell_of(store)
    executed = mgbench("cell", "exec", folder.path)
    added = mgbench("ensemble", cell.path, folder.path, "--store", store)
    others = [mgbench(*words, "--store", store) for words in (("explain", "their-model"), ("diff", folder.path, cell.path), ("gc",))]

    assert "holds somebody else's predictions, which are not run" in executed.stderr
    assert "is somebody else's predictions; an ensemble takes finished cells." in added.stderr
    assert (executed.exit_code, added.exit_code) == (2, 2)
    assert [done.exit_code for done in others] == [0, 0, 0], [done.output for done in others]
    assert "Their model" in others[0].output


def test_a_cell_without_a_row_is_refused(mgbench: Command, store: Path) -> None:
    """There is nothing to follow."""
    table = scored(store).with_columns(predicted="label")
    write_json(cell_of(store).metrics, {"rows": {}})
    done = imported(mgbench, store, table)

    assert done.exit_code == 2
    assert "has no row; --like takes a cell that was scored." in done.stderr


QUESTION = Question(["a", "b", "c"], np.array([0, 1, 2]), 3, ["one", "two", "three"])
WRONG = {
    "clip,predicted\na,0\nb,1\n": "lacks 1 of 3 clips, such as 'c'",
    "clip,predicted\na,0\nb,1\nc,2\nd,0\n": "line 5: it names the clip 'd', which the cell did not score",
    "clip,predicted\na,0\nb,1\nb,1\nc,2\n": "line 4: it names the clip 'b', as line 3 does",
    "clip,predicted\na,0\n\nb,3\nc,2\n": "line 4: it has '3', which is no class; choose from '0', '1', '2', 'one', 'two', 'three'",
    "clip,predicted\na,0\nb,1.0\nc,2\n": "line 3: it has '1.0', which is no class",
    "clip,predicted\na,0\nb,\nc,2\n": "line 3: it has '', which is no class",
    "clip,predicted\na,0\nb\nc,2\n": "line 3: it has 1 fields under 2 columns",
    "clip,predicted,label\na,0,0\nb,1,two\nc,2,one\n": "line 4: it has the label 'one', where the cell has class 2",
    "clip,predicted,predicted\n": "line 1: it has the column 'predicted' twice",
    "name,predicted\n": "line 1: it has no column 'clip'",
    "clip\na\nb\nc\n": "line 1: it has no column 'predicted'; it needs",
    "clip,0,1\n": "line 1: it scores 2 of 3 classes in 2 columns",
    "clip,0,one,two,three\n": "line 1: it scores 3 of 3 classes in 4 columns",
    "clip,0,1,2,3\n": "line 1: it has the column '3', which is no class",
    "clip,predicted,0\n": "line 1: it has 'predicted' and also '0'",
    "clip,0,1,2\na,0,0,nan\nb,0,0,0\nc,0,0,0\n": "line 2: it has the score 'nan', which is no finite number",
    "clip,0,1,2\na,0,0,0\nb,0,0,1e39\nc,0,0,0\n": "line 3: it has the score '1e39', which is no finite number",
    "clip,0,1,2\na,0,0,1_0\nb,0,0,0\nc,0,0,0\n": "line 2: it has the score '1_0', which is no finite number",
    'clip,predicted\n"a,0\n': "line 2: it is no CSV",
    "": "is empty",
}


@pytest.mark.parametrize("text", WRONG)
def test_each_rule_has_its_sentence(tmp_path: Path, text: str) -> None:
    """What breaks a rule is told in one sentence with its line."""
    file = tmp_path / "predictions.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=re.escape(WRONG[text])) as error:
        read_answers(file, QUESTION)

    assert "\n" not in str(error.value)


def test_nothing_is_half_written(mgbench: Command, store: Path) -> None:
    """A file that is refused leaves what was imported before as it was."""
    table = scored(store).with_columns(predicted="label")
    imported(mgbench, store, table)
    before = {path: path.read_bytes() for path in record(store).path.iterdir()}
    done = imported(mgbench, store, table.head(-1))

    assert done.exit_code == 2
    assert {path: path.read_bytes() for path in record(store).path.iterdir()} == before


def test_names_that_are_numbers_are_names(tmp_path: Path) -> None:
    """Where classes are called by numbers that are not their own, the number is the name."""
    file = tmp_path / "predictions.csv"
    file.write_text("clip,predicted\na,1\nb,2\nc,3\n")
    told = read_answers(file, Question(["a", "b", "c"], np.array([0, 1, 2]), 3, ["1", "2", "3"]))

    assert told.predicted.tolist() == [0, 1, 2]


FIELDS = st.sampled_from(
    ["clip", "predicted", "label", "a", "b", "c", "0", "1", "2", "3", "one", "nan", "-1", "1e400", "", '"', "\x00", "é"]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=60)
    | st.lists(st.lists(FIELDS, max_size=5).map(",".join), max_size=6).map(lambda rows: "\n".join(rows).encode())
)
def test_any_file_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever a file holds, it is read, or refused in one sentence."""
    file = tmp_path / "predictions.csv"
    file.write_bytes(content)
    try:
        told = read_answers(file, QUESTION)
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017 - both ends are allowed
    else:
        assert told.predicted.shape == (3,)
