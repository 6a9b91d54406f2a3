"""Broken plugins and broken files stop nothing else, and are named."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from mgbench.records import read_records
from mgbench.store import read_json


Command = Callable[..., Result]
ZOO = Path(__file__).parent / "zoo.py"


def _run(command: Command, store: Path, *arguments: str | Path) -> Result:
    fixed = ("-d", "waves", "-e", "flat", "-m", "faulty,faulty[epochs=2]", "--no-floors", "--store", store, "--plugin", ZOO)
    return command("run", *fixed, *arguments)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two finished cells."""
    from click.testing import CliRunner

    from mgbench.cli import main

    store = tmp_path_factory.mktemp("sound")
    done = _run(lambda *arguments: CliRunner().invoke(main, [str(a) for a in arguments]), store, "-E", "knn")

    assert done.exit_code == 0, done.output

    return store


@pytest.mark.parametrize(("name", "content"), [("status.json", "[]"), ("status.json", "{"), ("spec.json", '{"schema": 1}')])
def test_damaged_json_costs_one_cell(sound: Path, tmp_path: Path, mgbench: Command, name: str, content: str) -> None:
    """The board lists the damaged cell with its reason, and shows the sound one."""
    store = shutil.copytree(sound, tmp_path / "store")
    next((store / "cells").iterdir()).joinpath(name).write_text(content)
    done = mgbench("leaderboard", "build", "--store", store)

    assert done.exit_code == 0
    assert "| damaged |" in done.output
    assert done.output.count("| method |") > 0


@pytest.mark.parametrize("damage", ["truncate", "remove"])
def test_lost_predictions_are_evaluated_again(sound: Path, tmp_path: Path, mgbench: Command, damage: str) -> None:
    """The board says what cannot be read; the same command evaluates the cell again and trains nothing."""
    store = shutil.copytree(sound, tmp_path / "store")
    folder = next((store / "cells").iterdir())
    weights = (folder / "pretrained" / "embedder.safetensors").stat().st_mtime_ns
    path = folder / "predictions.parquet"
    path.write_bytes(path.read_bytes()[:100]) if damage == "truncate" else path.unlink()
    board = mgbench("leaderboard", "build", "--store", store).output
    done = _run(mgbench, store, "-E", "knn,linear")

    assert "its predictions cannot be read" in board
    assert done.exit_code == 0, done.output
    assert set(read_json(folder / "metrics.json")["rows"]) == {"knn", "linear"}
    assert (folder / "pretrained" / "embedder.safetensors").stat().st_mtime_ns == weights


def test_two_ways_to_write_a_pipeline_are_one_cell(tmp_path: Path, mgbench: Command) -> None:
    """`crop`, `crop[]` and ` crop` are the same augmentation."""
    done = _run(mgbench, tmp_path, "-E", "knn", "-a", "crop", "-a", "crop[]", "-a", " crop")

    assert done.exit_code == 0, done.output
    assert set(read_records(tmp_path)["augmentation"]) == {"crop"}
    assert len(list((tmp_path / "cells").iterdir())) == 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise ValueError('broken on purpose')", "ValueError: broken on purpose"),
        ("import sys\nsys.exit(7)", "SystemExit: 7"),
        ("from mgbench import hookimpl, Method\n@hookimpl\ndef mgbench_methods():\n    return Method", "TypeError"),
        ("from mgbench import hookimpl\n@hookimpl\ndef mgbench_methods():\n    return [int]", "is no subclass of Method"),
    ],
    ids=["raises", "exits", "no_list", "no_method"],
)
def test_broken_plugin_is_named_and_stops_nothing(tmp_path: Path, mgbench: Command, body: str, reason: str) -> None:
    """Everything else is still listed, and doctor says what is wrong."""
    path = tmp_path / "broken.py"
    path.write_text(body)
    listed = mgbench("list", "methods", "--plugin", path)
    doctor = mgbench("plugin", "doctor", "--plugin", path)

    assert listed.exit_code == 0
    assert "mgrl" in listed.output
    assert "plugin 'broken' gives no methods" in listed.stderr
    assert doctor.exit_code == 1
    assert reason in doctor.output


def test_two_plugins_of_one_name_are_told_apart(tmp_path: Path, mgbench: Command) -> None:
    """A bare name that two plugins use is refused with both qualified names; a qualified one works."""
    path = tmp_path / "rival.py"
    source = ZOO.read_text().replace('name = "faulty"', 'name = "mgrl"')
    path.write_text(source)
    bare = mgbench("run", "-d", "waves", "-m", "mgrl", "--plugin", path, "--store", tmp_path / "store")
    qualified = mgbench(
        "run", "-d", "waves", "-m", "rival/mgrl", "-e", "flat", "-E", "knn", "--no-floors", "--plugin", path, "--store", tmp_path / "store"
    )

    assert bare.exit_code == 2
    assert bare.stderr == "Error: Two plugins have a method 'mgrl'; write mgbench/mgrl or rival/mgrl.\n"
    assert qualified.exit_code == 0, qualified.output
