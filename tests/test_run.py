"""From the command to cells, records and a board."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars
import pytest
import torch
from click.testing import Result

import mgbench
from mgbench.records import read_records
from mgbench.store import read_json


Command = Callable[..., Result]
ZOO = Path(__file__).parent / "zoo.py"
TINY = ("-e", "stgcn[width=4,features=16]", "--steps", "2", "--batch-size", "8", "--plugin", ZOO)


def _run(command: Command, store: Path, *arguments: str | Path) -> Result:
    return command("run", "-d", "waves", "--store", store, *arguments, *TINY)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one trained cell, both untrained floors and the floors of the clips."""
    from click.testing import CliRunner

    from mgbench.cli import main

    store = tmp_path_factory.mktemp("store")
    arguments = ["run", "-d", "waves", "--store", store, "-m", "mgrl[projector=16]", *TINY]
    done = CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)

    assert done.exit_code == 0, done.output

    return store


def _cell(store: Path, word: str) -> Path:
    (folder,) = [path for path in (store / "cells").iterdir() if word in path.name]
    return folder


def test_cell_directory_has_its_final_form(finished: Path) -> None:
    """A finished cell holds spec, status, log, metrics, predictions, what was prepared and the embedder, and no checkpoint."""
    names = {path.name for path in _cell(finished, "mgrl").iterdir() if not path.name.startswith(".")}

    assert names == {"spec.json", "status.json", "log.txt", "metrics.json", "predictions.parquet", "prepared.json", "pretrained"}


def test_every_json_carries_the_schema(finished: Path) -> None:
    """Every JSON file of a cell says schema 1."""
    files = list(finished.glob("cells/**/*.json"))

    assert len(files) >= 12
    assert all(json.loads(path.read_text())["schema"] == 1 for path in files)


def test_metrics_follow_from_predictions(finished: Path) -> None:
    """Top-1 in the record is the share of predictions that equal the label, and scores give the predictions."""
    folder = _cell(finished, "mgrl")
    rows = read_json(folder / "metrics.json")["rows"]
    predictions = polars.read_parquet(folder / "predictions.parquet")

    for evaluator, row in rows.items():
        mine = predictions.filter(polars.col("evaluator") == evaluator)
        assert row["top1"] == pytest.approx((mine["predicted"] == mine["label"]).mean())
        assert [max(range(5), key=one.__getitem__) for one in mine["scores"]] == mine["predicted"].to_list()


def test_record_names_what_was_fitted_and_scored(finished: Path) -> None:
    """Final cells fit train+val and score test, and count how often the test split was opened."""
    records = read_records(finished)

    assert set(records["fitted_on"]) == {"train+val"}
    assert set(records["scored_on"]) == {"test"}
    assert set(records["test_reads"]) == {2}


def test_floors_run_without_being_asked_for(finished: Path) -> None:
    """Majority, raw and the untrained encoder, both ways, stand beside every method."""
    records = read_records(finished)

    assert {"majority", "raw"} <= set(records["evaluator"])
    assert {"untrained", "untrained[calibrate=true]"} <= set(records["method"].drop_nulls())


def test_board_shows_floors_and_paired_differences(finished: Path, mgbench: Command) -> None:
    """The Markdown names every floor and gives the method's difference to the best one with a p-value."""
    text = mgbench("leaderboard", "build", "--store", finished).output

    for name in ("majority", "raw", "untrained / stgcn", "untrained[calibrate=true] / stgcn", "mgrl[projector=16"):
        assert name in text
    assert "(p = " in text
    assert "Floors not measured yet" not in text


def test_loaded_embedder_gives_the_cells_features(finished: Path) -> None:
    """`mgbench.load(cell).embed(x)` takes recorded clips or a dense tensor, and gives the same features."""
    pretrained = mgbench.load(_cell(finished, "mgrl"), files=(ZOO,))
    from mgbench.registry import registry

    clips = registry((ZOO,)).parse("dataset", "waves").load("test", finished)
    from mgbench.preprocess import densify

    dense = densify(clips, pretrained.skeleton, pretrained.preprocessing, pretrained.stream)

    assert pretrained.embed(clips).shape == (40, 16)
    assert torch.equal(pretrained.embed(clips), pretrained.embed(dense))


def test_same_command_again_runs_nothing(finished: Path, mgbench: Command) -> None:
    """Finished cells are kept as they are."""
    before = {path: path.stat().st_mtime_ns for path in finished.glob("cells/*/metrics.json")}
    again = _run(mgbench, finished, "-m", "mgrl[projector=16]")

    assert again.exit_code == 0
    assert again.output.count("ok (kept)") == 4
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_new_evaluator_trains_nothing(finished: Path, tmp_path: Path, mgbench: Command) -> None:
    """An evaluator added to a finished cell reads its embedder and leaves its weights and other rows alone."""
    store = shutil.copytree(finished, tmp_path / "store")
    folder = _cell(store, "mgrl")
    weights, rows = (folder / "pretrained" / "embedder.safetensors").stat().st_mtime_ns, read_json(folder / "metrics.json")["rows"]
    done = _run(mgbench, store, "-m", "mgrl[projector=16]", "-E", "knn:k=5", "--no-floors")
    after = read_json(folder / "metrics.json")["rows"]

    assert done.exit_code == 0, done.output
    assert (folder / "pretrained" / "embedder.safetensors").stat().st_mtime_ns == weights
    assert set(after) - set(rows) == {"knn[k=5]"}
    assert {name: after[name] for name in rows} == rows


def test_a_later_evaluator_is_handed_the_same_embedder(tmp_path: Path, mgbench: Command) -> None:
    """Fine-tuning right after training gives what it gives of the embedder that was saved: nothing beside its weights survives training."""
    tuned = "finetune[epochs=1,batch_size=40]"
    for store, rounds in (("at once", [tuned]), ("later", ["knn", tuned])):
        for evaluator in rounds:
            done = _run(mgbench, tmp_path / store, "-m", "untrained[calibrate=true]", "--no-floors", "-E", evaluator)
            assert done.exit_code == 0, done.output
    found = [polars.read_parquet(_cell(tmp_path / store, "calibrate") / "predictions.parquet") for store in ("at once", "later")]
    one, other = (table.filter(polars.col("evaluator") == tuned) for table in found)

    assert len(one) == 40
    assert one.equals(other)


def test_select_never_opens_the_test_split(tmp_path: Path, mgbench: Command) -> None:
    """With --select a cell fits train and scores val, and its count of test reads stays zero."""
    done = _run(mgbench, tmp_path, "-m", "supervised", "--select", "--no-floors", "-E", "knn")
    (row,) = read_records(tmp_path).to_dicts()

    assert done.exit_code == 0
    assert (row["fitted_on"], row["scored_on"], row["test_reads"]) == ("train", "val", 0)


def test_grid_is_the_product_of_its_axes(tmp_path: Path, mgbench: Command) -> None:
    """Lists, sweeps and seeds multiply; a repeated option joins; doubles are one cell."""
    done = _run(mgbench, tmp_path, "-m", "faulty,faulty[epochs=[1,2]]", "-m", "supervised", "--seeds", "2", "--no-floors", "-E", "knn")

    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "cells").iterdir())) == 6


@pytest.mark.parametrize(("how", "status"), [("raise", "failed"), ("nan", "diverged"), ("collapse", "collapsed"), ("segfault", "killed")])
def test_each_failure_has_its_status_and_stops_nothing_else(tmp_path: Path, mgbench: Command, how: str, status: str) -> None:
    """A cell that fails ends with its status and a reason; the healthy cell beside it is ok, and the exit status is 1."""
    done = _run(mgbench, tmp_path, "-m", f"faulty[how={how}],faulty", "--no-floors", "-E", "knn")
    records = {row["method"].split("[")[0] + str("how" in row["method"]): row for row in read_records(tmp_path).to_dicts()}

    assert done.exit_code == 1
    assert records["faultyTrue"]["status"] == status
    assert records["faultyTrue"]["reason"]
    assert records["faultyFalse"]["status"] == "ok"


def test_incompatible_pair_is_skipped_with_its_reason(tmp_path: Path, mgbench: Command) -> None:
    """A method that needs what the encoder does not give is skipped, which is no failure."""
    done = mgbench("run", "-d", "waves", "-m", "mgrl", "-e", "flat", "--no-floors", "-E", "knn", "--store", tmp_path, "--plugin", ZOO)
    (row,) = read_records(tmp_path).to_dicts()

    assert done.exit_code == 0
    assert row["status"] == "skipped"
    assert row["reason"] == "mgrl needs drop_joints, joint_map, which flat does not give"


def test_none_clears_augmentations(tmp_path: Path, mgbench: Command) -> None:
    """`-a none` and `-a crop` replace the common pipeline and leave the views; the cell says so."""
    done = _run(mgbench, tmp_path, "-m", "barlow_twins:projector=16", "-a", "none", "-a", "crop", "--no-floors", "-E", "knn")
    specs = sorted(read_json(path)["method"]["parameters"]["augment"] for path in tmp_path.glob("cells/*/spec.json"))

    assert done.exit_code == 0, done.output
    assert specs == ["crop", "none"]


def test_changed_dataset_options_make_another_cell(tmp_path: Path, mgbench: Command) -> None:
    """A data set's option is part of the cell's identity."""
    _run(mgbench, tmp_path, "-d", "waves:clips=20", "-m", "faulty", "--no-floors", "-E", "knn")

    assert len(list((tmp_path / "cells").iterdir())) == 2
