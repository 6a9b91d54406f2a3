"""Rows that tell people: kept apart from those that tell classes, on boards, in tables, in figures; and nobody is named."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars
import pytest
from click.testing import CliRunner, Result

from mgbench.cli import main
from mgbench.records import read_records
from mgbench.scoring import figures, top_k
from mgbench.store import read_json, write_json


Command = Callable[..., Result]
PEOPLE = "joint, frame50, 2 steps of 8 clips, subject: which subject"
ZOO = Path(__file__).parent / "zoo.py"
TINY = ("-d", "waves", "-e", "stgcn[width=4,features=16]", "--steps", "2", "--batch-size", "8", "--plugin", ZOO)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which a method and all floors are scored by class and by person."""
    place = tmp_path_factory.mktemp("store")
    words = ["run", *TINY, "-m", "supervised", "--store", place, "-E", "knn,subject,majority,raw"]
    done = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return place


def sections(board: str) -> dict[str, str]:
    """Return the parts of a board by their headings."""
    return dict(part.partition("\n")[::2] for part in board.split("\n## ")[1:])


def cell_of(store: Path, word: str) -> Path:
    """Return the folder of the cell whose name has a word."""
    (folder,) = [path for path in (store / "cells").iterdir() if word in path.name]
    return folder


def test_rows_say_what_they_tell(store: Path) -> None:
    """A row has its target, and its figures are those of its own predictions: people by rank, four of ten clips each."""
    rows = read_json(cell_of(store, "supervised") / "metrics.json")["rows"]
    kept = polars.read_parquet(cell_of(store, "supervised") / "predictions.parquet")
    people = kept.filter(polars.col("evaluator") == "subject")

    assert {name: row["target"] for name, row in rows.items()} == {"knn": "class", "subject": "subject"}
    assert rows["subject"]["chance"] == 0.25
    assert people["label"].to_list() == (people["subject"] - 20).to_list()
    assert rows["subject"]["top1"] == pytest.approx((people["label"] == people["predicted"]).mean())
    assert {len(one) for one in people["scores"]} == {4}
    assert {len(one) for one in kept.filter(polars.col("evaluator") == "knn")["scores"]} == {5}


def test_a_board_never_mixes_targets(store: Path, mgbench: Command) -> None:
    """People have a section of their own, with the untrained encoders and the most frequent subject as floors, and no floor of classes."""
    parts = sections(mgbench("leaderboard", "build", "--store", store).output)
    classes, people = parts["joint, frame50, 2 steps of 8 clips, knn"], parts[PEOPLE]

    assert [name for name in parts if name.startswith("joint, ")] == ["joint, frame50, 2 steps of 8 clips, knn", PEOPLE]
    assert "most frequent subject" not in classes
    assert not re.search(r"majority|\braw\b|knn", people)
    assert "| floor | most frequent subject | 25.0 |" in people
    assert people.count("| floor | untrained") == 2
    assert re.search(r"\| ceiling \| supervised.*\(p ", people)
    assert "Floors not measured yet" not in people + classes


def test_the_best_floor_of_people_is_one_of_people(tmp_path: Path, store: Path, mgbench: Command) -> None:
    """Without untrained encoders the most frequent subject is what a method is compared with, over people that each weigh the same."""
    place = shutil.copytree(store, tmp_path / "store")
    for folder in (place / "cells").glob("*untrained*"):
        shutil.rmtree(folder)
    people = sections(mgbench("leaderboard", "build", "--store", place).output)[PEOPLE]
    row = next(line for line in people.splitlines() if "| ceiling |" in line)
    shown = float(row.split("|")[15].split()[0])
    top1 = read_json(cell_of(place, "supervised") / "metrics.json")["rows"]["subject"]["top1"]

    assert "Floors not measured yet: untrained, untrained[calibrate=true]." in people
    assert shown == pytest.approx(100 * (top1 - 0.25), abs=0.06)


def test_rows_without_a_target_tell_classes(tmp_path: Path, store: Path, mgbench: Command) -> None:
    """Records of older versions, which have no target, stand among the classes."""
    place = shutil.copytree(store, tmp_path / "store")
    path = cell_of(place, "supervised") / "metrics.json"
    told = read_json(path)
    write_json(path, {**told, "rows": {name: {k: v for k, v in row.items() if k != "target"} for name, row in told["rows"].items()}})
    records = read_records(place)
    old = records.filter(polars.col("method").str.starts_with("supervised"))

    assert old["target"].unique().to_list() == ["class"]
    assert "supervised" in sections(mgbench("leaderboard", "build", "--store", place).output)["joint, frame50, 2 steps of 8 clips, knn"]


def test_old_predictions_take_new_rows(tmp_path: Path, store: Path, mgbench: Command) -> None:
    """Scores that were kept as arrays of one width stand beside those of another evaluator's."""
    place = shutil.copytree(store, tmp_path / "store")
    path = cell_of(place, "supervised") / "predictions.parquet"
    knn = polars.read_parquet(path).filter(polars.col("evaluator") == "knn")
    knn.cast({"scores": polars.Array(polars.Float32, 5)}).write_parquet(path)
    done = mgbench("run", *TINY, "-m", "supervised", "--no-floors", "--store", place, "-E", "subject[folds=4]")

    assert done.exit_code == 0, done.output
    assert polars.read_parquet(path)["evaluator"].value_counts().sort("evaluator").rows() == [
        ("knn", 40),
        ("subject", 40),
        ("subject[folds=4]", 40),
    ]


def test_two_cells_are_compared_by_people_too(store: Path, mgbench: Command) -> None:
    """`diff` compares both targets evaluator by evaluator, on the clips that both told."""
    names = [cell_of(store, word).name for word in ("supervised", "calibrate")]
    told = json.loads(mgbench("diff", *names, "--store", store, "--json").output)

    assert [one["evaluator"] for one in told["paired"]] == ["knn", "subject"]
    assert told["unpaired"] == {}


def test_people_are_neither_drawn_nor_named(store: Path, tmp_path: Path, mgbench: Command) -> None:
    """A confusion matrix of people is refused; subjects' numbers, 20 to 23 here, stand in no log, board or page."""
    name = cell_of(store, "supervised").name
    drawn = mgbench("figure", "confusion", name, "--evaluator", "subject", "--out", tmp_path / "a.png", "--store", store)
    texts = [mgbench(*words, "--store", store).output for words in (["leaderboard", "build"], ["explain", name], ["status"])]
    texts += [path.read_text() for path in store.glob("cells/*/log.txt")]

    assert drawn.exit_code == 2
    assert "tells people apart, who are not drawn" in drawn.stderr
    assert not any(re.search(r"(?i)(subject|person)\D{0,9}\b2[0-3]\b", text) for text in texts)


def test_figures_counted_by_hand() -> None:
    """Of equal scores the first ranks higher, in top-1 as in top-k; means over answers leave out those that never occur."""
    scores = np.array([[3.0, 1, 1, 0], [1, 1, 1, 0], [0, 2, 1, 1], [0, 0, 5, 0]])
    label, subject = np.array([0, 1, 3, 2]), np.array([7, 7, 9, 9])

    assert [top_k(scores, label, k) for k in (1, 2, 3, 4)] == [0.5, 0.75, 1.0, 1.0]
    found = figures(scores, label, subject)
    assert (found["top1"], found["top5"], found["mean_class_accuracy"]) == (0.5, 1.0, 0.5)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 0 + 0 + 1) / 4)
