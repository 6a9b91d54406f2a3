"""Ensembles: sums of scores, refused where cells differ in more than their stream, shown, aged and left alone by all other commands."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars
import pytest
from click.testing import CliRunner, Result

from mgbench.cli import main
from mgbench.garbage import OLD
from mgbench.records import read_records, read_scores
from mgbench.store import CellFolder, read_json, write_json


Command = Callable[..., Result]
ZOO = Path(__file__).parent.parent / "zoo.py"
GRID = ("run", "-d", "waves", "-e", "flat", "-m", "supervised", "--steps", "2", "--batch-size", "8", "--no-floors", "--plugin", ZOO)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with joint, bone and motion of one method and of the majority floor, and joint alone of another seed."""
    place = tmp_path_factory.mktemp("store")
    for more in (["--stream", "joint,bone,motion", "-E", "knn,linear,majority"], ["--seeds", "[1]", "-E", "knn"]):
        words = [*GRID, "--store", place, *more]
        done = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
    return place


@pytest.fixture
def store(finished: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    return shutil.copytree(finished, tmp_path / "store")


def cells_of(store: Path, word: str = "supervised", seed: int = 0) -> dict[str, CellFolder]:
    """Return cells by their streams."""
    specs = {path.parent: read_json(path) for path in store.glob("cells/*/spec.json") if word in path.parent.name}
    return {spec["stream"]: CellFolder(folder) for folder, spec in specs.items() if spec["seed"] == seed}


def ensembled(mgbench: Command, store: Path, *words: str) -> Path:
    """Make an ensemble of the method's three cells and return its folder."""
    names = [cells_of(store)[stream].path.name for stream in ("joint", "bone", "motion")]
    done = mgbench("ensemble", *names, *words, "--store", store)
    assert done.exit_code == 0, done.output
    return store / "derived" / done.output.splitlines()[0]


@pytest.mark.parametrize(("words", "weights"), [((), (1, 1, 1)), (("--weights", ".6,.6,.4"), (0.6, 0.6, 0.4))])
def test_scores_are_weighted_sums(mgbench: Command, store: Path, words: tuple[str, ...], weights: tuple[float, ...]) -> None:
    """Clip by clip the raw scores are added; the answer is the highest sum, and the row counts how often that is right."""
    folder = CellFolder(ensembled(mgbench, store, *words))
    rows, cells = read_json(folder.metrics)["rows"], cells_of(store)

    assert list(rows) == ["knn", "linear"]
    for evaluator, row in rows.items():
        parts = [read_scores(cells[stream], evaluator) for stream in ("joint", "bone", "motion")]
        expected = sum(weight * scores.astype(float) for weight, (_, scores) in zip(weights, parts, strict=True))
        table, found = read_scores(folder, evaluator)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        assert table["predicted"].to_list() == found.argmax(axis=1).tolist()
        assert table.drop("predicted").equals(parts[0][0].drop("predicted"))
        assert row["top1"] == pytest.approx((table["predicted"] == table["label"]).mean())


def test_a_record_names_its_cells_and_what_they_cost(mgbench: Command, store: Path) -> None:
    """The record has the cells, what they share, the sum of their trainings, and a stream that says what is in it."""
    ensembled(mgbench, store)
    derived = read_records(store).filter(polars.col("members") != "")
    alone = read_records(store).filter((polars.col("members") == "") & (polars.col("evaluator") == "knn") & (polars.col("seed") == 0))

    assert set(derived["members"]) == {", ".join(cells_of(store)[stream].path.name for stream in ("joint", "bone", "motion"))}
    assert set(derived["stream"]) == {"joint+bone+motion"}
    assert derived["train_seconds"].to_list() == pytest.approx([alone["train_seconds"].sum()] * 2)
    assert set(derived["clips_processed"]) == {3 * 2 * 8}
    assert set(derived["test_digest"]) == set(alone["test_digest"])


def test_weights_follow_the_cells_as_they_are_named(mgbench: Command, store: Path) -> None:
    """Named in another order, the same cells with the same weights are the same ensemble."""
    names = {stream: folder.path.name for stream, folder in cells_of(store).items()}
    one = mgbench("ensemble", names["joint"], names["motion"], "--weights", "3,1", "--store", store).output
    other = mgbench("ensemble", names["motion"], names["joint"], "--weights", "1,3", "--store", store).output

    assert one == other
    assert set(read_records(store).filter(polars.col("members") != "")["stream"]) == {"3 joint+1 motion"}


def test_without_cells_every_complete_set_is_made(mgbench: Command, store: Path) -> None:
    """All that the store has joint, bone and motion of: floors too, and nothing of which one is missing."""
    done = mgbench("ensemble", "--store", store)
    derived = read_records(store).filter(polars.col("members") != "")

    assert done.exit_code == 0
    assert sorted(zip(derived["evaluator"], derived["seed"], strict=True)) == [("knn", 0), ("linear", 0), ("majority", 0)]
    assert "majority  top-1 25.0  (joint 25.0, bone 25.0, motion 25.0)" in done.output


def test_boards_show_ensembles_apart(mgbench: Command, store: Path) -> None:
    """Ensembles have a section of their own, with the floors' ensembles beside them, and the budget of all their cells."""
    before = mgbench("leaderboard", "build", "--store", store).output
    mgbench("ensemble", "--store", store)
    after = mgbench("leaderboard", "build", "--store", store).output
    sections = [set(text.split("\n## ")) for text in (before, after)]
    added = [one for one in sections[1] - sections[0] if one.startswith("joint+bone+motion, frame50, ")]

    assert sections[0] - sections[1] == {one for one in sections[0] if one.startswith(("What training cost", "Commands"))}
    assert [one.partition("\n")[0].rpartition(", ")[2] for one in sorted(added)] == ["knn", "linear"]
    for one in added:
        assert one.count("supervised[batch_size=8] / flat joint+bone+motion (ensemble) |") == 1
        assert "| floor | majority joint+bone+motion (ensemble) | 25.0 |" in one
        assert "Floors not measured yet: raw, untrained, untrained[calibrate=true]." in one
    assert "| 3 x 2 x 8, fp32 |" in after


@pytest.mark.parametrize("how", ["scored anew", "no longer has this result", "is stale"])
def test_an_ensemble_ages_with_its_cells(mgbench: Command, store: Path, how: str) -> None:
    """Where a cell was scored anew, has gone, or is stale itself, the ensemble is stale and says why; made again it is not."""
    ensembled(mgbench, store)
    cell, changed = cells_of(store)["bone"], cells_of(store)["bone"].path.name
    if how == "scored anew":
        told = read_json(cell.metrics)
        told["rows"]["knn"]["evaluate_seconds"] += 1
        write_json(cell.metrics, told)
    elif how == "is stale":
        write_json(cell.status, {**read_json(cell.status), "stale": "the source of flat changed"})
    else:
        shutil.rmtree(cell.path)
    derived = read_records(store).filter((polars.col("members") != "") & (polars.col("evaluator") == "knn"))

    assert derived["stale"].to_list() == [f"{changed} {'was ' if how == 'scored anew' else ''}{how}"]
    assert "(ensemble) (stale) |" in mgbench("leaderboard", "build", "--store", store).output
    if how == "scored anew":
        ensembled(mgbench, store)
        assert "(stale)" not in mgbench("leaderboard", "build", "--store", store).output


def test_other_commands_leave_ensembles_alone(mgbench: Command, store: Path) -> None:
    """They are no cells: status and plan count none, a run keeps them, and gc takes only what a killed writer left in them."""
    folder = ensembled(mgbench, store)
    left = folder / ".metrics.json-abcd1234"
    left.write_text("[")
    os.utime(left, (0, left.stat().st_mtime - 2 * OLD))
    before = {path: path.read_bytes() for path in folder.iterdir() if path != left}
    told = {words[0]: mgbench(*words, "--store", store).output for words in (["status"], ["gc", "--delete"])}
    plan = mgbench("plan", *GRID[1:], "-E", "knn", "--store", store)
    again = mgbench(*GRID, "-E", "knn", "--store", store)

    assert told["status"].startswith("7 cells: 7 ok")
    assert "left by a killed writer (1 item" in told["gc"]
    assert not left.exists()
    assert plan.exit_code == 0
    assert "ok (kept)" in again.output
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_ensembles_are_explained_compared_and_drawn(mgbench: Command, store: Path, tmp_path: Path) -> None:
    """Named by a part of their name that no cell has, they are told of, set beside their cells clip by clip, and drawn."""
    ensembled(mgbench, store, "--weights", "2,1,1")
    joint = cells_of(store)["joint"].path.name
    explained = mgbench("explain", "joint-bone-motion", "--store", store).output
    compared = mgbench("diff", "joint-bone-motion", joint, "--store", store)
    drawn = mgbench("figure", "confusion", "joint-bone-motion", "--out", tmp_path / "a.png", "--store", store, "--plugin", ZOO)

    assert "2 joint+1 bone+1 motion" in explained
    assert "--weights 2,1,1" in explained
    assert "clips that were got right, of 40 test clips" in compared.output
    assert drawn.exit_code == 0, drawn.output


def test_what_is_no_ensemble_is_refused(mgbench: Command, store: Path) -> None:
    """Each reason is one sentence, and nothing is written."""
    cells = {stream: folder.path.name for stream, folder in cells_of(store).items()}
    (other,) = (folder.path.name for folder in cells_of(store, seed=1).values())
    folder = ensembled(mgbench, store)
    told = {
        "takes two or three cells, each of another stream; got 1.": [cells["joint"]],
        "both have the stream 'joint'; an ensemble takes each stream once.": [cells["joint"], cells["joint"]],
        "differ in seed (1, 0); cells of an ensemble differ in their stream alone.": [cells["bone"], other],
        "an ensemble itself; an ensemble takes finished cells.": [str(folder), cells["joint"]],
        "--weights got 1,2; give 3 numbers above 0, one a cell.": [*cells.values(), "--weights", "1,2"],
        "--weights got 1,-1; give 2 numbers above 0, one a cell.": [cells["joint"], cells["bone"], "--weights", "1,-1"],
        "--weights got 'some'; write 2 numbers, such as .6,.6.": [cells["joint"], cells["bone"], "--weights", "some"],
    }
    for words, given in told.items():
        done = mgbench("ensemble", *given, "--store", store)
        assert done.exit_code == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert [path.name for path in (store / "derived").iterdir()] == [folder.name]


def test_unfinished_cells_and_other_clips_are_refused(mgbench: Command, store: Path) -> None:
    """A cell without a result, and predictions of different clips, make no ensemble; nor does a store without any set."""
    cells = cells_of(store)
    names = [cells[stream].path.name for stream in ("joint", "bone")]
    table = polars.read_parquet(cells["bone"].predictions)
    table.with_columns(clip=polars.col("clip") + "x").write_parquet(cells["bone"].predictions)
    apart = mgbench("ensemble", *names, "--store", store)
    write_json(cells["joint"].status, {"status": "failed", "reason": "it has a fault"})
    failed = mgbench("ensemble", *names, "--store", store)
    none = mgbench("ensemble", "--store", store / "nowhere")

    assert "scored different clips by knn; run them on the same data." in apart.stderr
    assert f"The cell {names[0]} is failed; an ensemble takes finished cells." in failed.stderr
    assert "holds no joint, bone and motion of anything" in none.stderr
    assert {apart.exit_code, failed.exit_code, none.exit_code} == {2}
    assert not (store / "derived").exists()


@pytest.mark.parametrize(
    ("name", "text"), [("predictions.parquet", "x"), ("metrics.json", "["), ("spec.json", '{"schema": 1, "members": 3}')]
)
def test_a_damaged_ensemble_costs_itself(mgbench: Command, store: Path, name: str, text: str) -> None:
    """A board says which one is damaged and shows all else."""
    folder = ensembled(mgbench, store)
    (folder / name).write_text(text)
    board = mgbench("leaderboard", "build", "--store", store)

    assert board.exit_code == 0
    assert f"| {folder.name} | damaged |" in board.output
    assert "## joint, frame50, " in board.output


def test_one_bad_set_stops_no_other(mgbench: Command, store: Path) -> None:
    """Without cells, what cannot be made is told with its reason, and all else is made."""
    cells_of(store)["bone"].predictions.write_text("x")
    done = mgbench("ensemble", "--store", store)

    assert done.exit_code == 1
    assert "its predictions cannot be read" in done.stderr
    assert "majority  top-1 25.0" in done.output
    assert len(list((store / "derived").iterdir())) == 1


def test_an_ensemble_is_not_run(mgbench: Command, store: Path) -> None:
    """`cell exec` says so."""
    done = mgbench("cell", "exec", ensembled(mgbench, store))

    assert done.exit_code == 2
    assert "holds an ensemble, which is not run" in done.stderr
