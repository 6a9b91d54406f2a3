"""Broken plugins and broken files stop nothing else, and are named."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars
import pytest
from click.testing import Result

from mgbench.records import read_records
from mgbench.store import read_json, write_json


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


GARBAGE = {"null": "null", "list": "[]", "cut": "{", "empty": "", "deep": "[" * 100_000, "bytes": "\0\0"}
#: Of each file, what is no damage to JSON and would be one to a reader.
WRONG: dict[str, list[dict[str, Any]]] = {
    "spec.json": [{"seed": "x"}, {"run": []}, {"dataset": None}, {"evaluators": [3]}, {"augmentation": 3}],
    "status.json": [
        *({"kin": 3}, {"began": "x"}, {"ended": "x"}, {"ended": 1e300}, {"status": []}, {"environment": []}, {"source": []}),
        *({"stage_seconds": []}, {"stage_seconds": {"embed": "x"}}, {"components": 3}, {"plugin_files": "x"}, {"data_key": 3}),
    ],
    "metrics.json": [{"rows": []}, {"rows": {"knn": 3}}, {"rows": {"knn": {}}}, {"rows": {"knn": {"top1": "x"}}}, {"test_reads": "x"}],
}
DAMAGES = [(name, how) for name in WRONG for how in [*GARBAGE, "folder", *(json.dumps(part) for part in WRONG[name])]]


def _damage(path: Path, how: str) -> None:
    if how == "folder":
        path.unlink()
        path.mkdir()
    elif how in GARBAGE:
        path.write_text(GARBAGE[how])
    else:
        write_json(path, {**read_json(path), **json.loads(how)})


def _told(command: Command, store: Path, *words: str | Path) -> str:
    """Return what a command says that must end well."""
    done = command(*words, "--store", store)

    assert done.exit_code == 0, done.output

    return done.output


@pytest.mark.parametrize(("name", "how"), DAMAGES)
def test_damaged_file_costs_one_cell(sound: Path, tmp_path: Path, mgbench: Command, name: str, how: str) -> None:
    """Whatever is wrong with one file, every command shows its cell as damaged, names the file, and serves the other cell."""
    store = shutil.copytree(sound, tmp_path / "store")
    bad, good = sorted((store / "cells").iterdir())
    _damage(bad / name, how)
    run = _run(mgbench, store, "-E", "knn")
    board = _told(mgbench, store, "leaderboard", "build")
    rows = {row["cell"]: row for row in map(json.loads, _told(mgbench, store, "status", "--json").splitlines())}
    for words in (["status"], ["explain"], ["explain", bad.name], ["explain", good.name], ["diff", bad.name, good.name], ["gc"]):
        if how != "folder" or name != "spec.json":  # which makes it no cell to be named
            _told(mgbench, store, *words)

    assert run.exit_code == 1
    assert f"{bad.name}  damaged (kept)  '{bad / name}'" in run.output
    assert "1 ok" in run.output
    assert f"| {bad.name} | damaged |" in board
    assert board.count(" | recomputed | ") == 1
    assert (rows[bad.name]["status"], rows[good.name]["status"]) == ("damaged", "ok")
    assert name in rows[bad.name]["reason"]


def test_removing_the_damaged_file_is_the_way_out(sound: Path, tmp_path: Path, mgbench: Command) -> None:
    """As the sentence says: with the file removed the same command makes the cell whole, and trains nothing."""
    for name in WRONG:
        store = shutil.copytree(sound, tmp_path / name)
        cell = min((store / "cells").iterdir())
        weights = (cell / "pretrained" / "embedder.safetensors").stat().st_mtime_ns
        (cell / name).unlink()

        assert _run(mgbench, store, "-E", "knn").exit_code == 0
        assert read_json(cell / "status.json")["status"] == "ok"
        assert set(read_json(cell / "metrics.json")["rows"]) == {"knn"}
        assert (cell / "pretrained" / "embedder.safetensors").stat().st_mtime_ns == weights


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Make a path unreadable, also to a user who may read everything."""

    def deny(denied: Path) -> None:
        def guarded(call: Callable[..., Any]) -> Callable[..., Any]:
            def guard(path: Any = ".", *rest: Any, **named: Any) -> Any:
                inside = not isinstance(path, int) and (Path(os.fsdecode(path)) == denied or denied in Path(os.fsdecode(path)).parents)
                if inside:
                    raise PermissionError(13, "Permission denied", os.fsdecode(path))
                return call(path, *rest, **named)

            return guard

        monkeypatch.setattr("io.open", guarded(open))
        for name in ("stat", "scandir", "listdir"):
            monkeypatch.setattr(os, name, guarded(getattr(os, name)))

    return deny


@pytest.mark.parametrize("name", ["", "status.json", "metrics.json"])
def test_unreadable_file_costs_one_cell(
    sound: Path, tmp_path: Path, mgbench: Command, unreadable: Callable[[Path], None], name: str
) -> None:
    """A cell, or a file of it, without the right to read it is damaged, and the reason is the system's."""
    store = shutil.copytree(sound, tmp_path / "store")
    bad = min((store / "cells").iterdir())
    unreadable(bad / name)
    run = _run(mgbench, store, "-E", "knn")
    rows = {row["cell"]: row for row in map(json.loads, _told(mgbench, store, "status", "--json").splitlines())}

    assert run.exit_code == 1
    assert "cannot be read: Permission denied; " in run.output
    assert sorted(row["status"] for row in rows.values()) == ["damaged", "ok"]
    assert "| damaged |" in _told(mgbench, store, "leaderboard", "build")
    _told(mgbench, store, "gc")


@pytest.mark.parametrize("name", ["cells", "data"])
def test_unreadable_store_is_one_sentence(
    sound: Path, tmp_path: Path, mgbench: Command, unreadable: Callable[[Path], None], name: str
) -> None:
    """Where the folder of cells or of data cannot be read there is nothing to do but to say so."""
    store = shutil.copytree(sound, tmp_path / "store")
    unreadable(store / name)
    done = _run(mgbench, store, "-E", "knn")

    assert done.exit_code == 2
    assert done.stderr == f"Error: Cannot read '{store / name}': Permission denied.\n"


def test_cell_without_a_row_is_told(sound: Path, tmp_path: Path, mgbench: Command) -> None:
    """A finished cell that lost its rows breaks no board: it is listed without a result."""
    store = shutil.copytree(sound, tmp_path / "store")
    first, second = sorted((store / "cells").iterdir())
    (first / "metrics.json").unlink()
    board = _told(mgbench, store, "leaderboard", "build")
    (second / "metrics.json").unlink()

    assert f"| {first.name} | ok | it has no row; " in board
    assert board.count(" | recomputed | ") == 1
    assert _told(mgbench, store, "leaderboard", "build").count("it has no row; ") == 2


def _spoil(path: Path, how: str) -> None:
    table = polars.read_parquet(path)
    if how == "bytes":
        path.write_bytes(b"\0" * 5000)
    elif how == "middle":
        data = bytearray(path.read_bytes())
        data[4 : len(data) - 8] = b"\xff" * (len(data) - 12)
        path.write_bytes(data)
    else:
        changed = {
            "columns": table.rename({"predicted": "other"}),
            "rows": table.head(3),
            "text": table.with_columns(polars.col("label").cast(polars.String)),
            "nulls": table.with_columns(predicted=None),
        }
        changed[how].write_parquet(path)


@pytest.mark.parametrize("how", ["bytes", "middle", "columns", "rows", "text", "nulls"])
def test_damaged_predictions_cost_one_cell(sound: Path, tmp_path: Path, mgbench: Command, how: str) -> None:
    """The board lists the cell and names the file; with the file removed the same command scores the cell again."""
    store = shutil.copytree(sound, tmp_path / "store")
    bad, good = sorted((store / "cells").iterdir())
    _spoil(bad / "predictions.parquet", how)
    board = _told(mgbench, store, "leaderboard", "build")
    _told(mgbench, store, "diff", bad.name, good.name)
    (bad / "predictions.parquet").unlink()
    again = _run(mgbench, store, "-E", "knn")

    assert f"| {bad.name} | damaged |" in board
    assert "predictions.parquet" in board
    assert board.count(" | recomputed | ") == 1
    assert again.exit_code == 0
    assert "damaged" not in _told(mgbench, store, "leaderboard", "build")


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
