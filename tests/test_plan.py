"""Plans: what is left of each cell, in which order of precedence, and that planning touches nothing."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from click.testing import Result

from mgbench.catalogue import Catalogue
from mgbench.grid import Cell, from_spec
from mgbench.plan import lay_out, make_plan
from mgbench.registry import registry
from mgbench.snapshot import read_cells
from mgbench.store import CellFolder, read_json, write_json


Command = Callable[..., Result]
ZOO = Path(__file__).parent / "zoo.py"
GRID = ("-d", "waves", "-e", "flat", "-m", "faulty", "-E", "knn", "--no-floors", "--plugin", ZOO)


def _plan(mgbench: Command, store: Path, *more: str | Path) -> dict[str, dict[str, object]]:
    done = mgbench("plan", *GRID, "--store", store, "--json", *more)

    assert done.exit_code == 0, done.output

    return {row["cell"]: row for row in map(json.loads, done.output.splitlines())}


@pytest.fixture
def store(mgbench: Command, tmp_path: Path) -> Path:
    """One finished cell."""
    assert mgbench("run", *GRID, "--store", tmp_path / "store").exit_code == 0
    return tmp_path / "store"


def _status(store: Path) -> Path:
    (folder,) = (store / "cells").iterdir()
    return CellFolder(folder).status


def test_a_plan_writes_nothing(mgbench: Command, tmp_path: Path) -> None:
    """A plan of an empty store says that all is pending, and leaves no store behind."""
    rows = _plan(mgbench, tmp_path / "none", "--seeds", "3")

    assert [row["status"] for row in rows.values()] == ["pending"] * 3
    assert not (tmp_path / "none").exists()


def test_finished_cells_have_nothing_left(mgbench: Command, store: Path) -> None:
    """A finished cell is kept; another evaluator is left to score, which trains nothing; another seed is pending."""
    kept, seeds, evaluators = _plan(mgbench, store), _plan(mgbench, store, "--seeds", "2"), _plan(mgbench, store, "-E", "linear")

    assert [(row["trains"], row["evaluates"]) for row in kept.values()] == [(False, [])]
    assert [row["status"] for row in seeds.values()] == ["ok", "pending"]
    assert [(row["trains"], row["evaluates"]) for row in evaluators.values()] == [(False, ["linear"])]


@pytest.mark.parametrize(
    ("ending", "trains"),
    [
        ({"status": "failed"}, False),
        ({"status": "timed-out"}, False),
        ({"status": "killed", "signal": 11}, False),
        ({"status": "killed", "signal": 9}, True),
        ({"status": "interrupted"}, True),
        ({"status": "running"}, True),
        ({"status": "no-data"}, True),
    ],
)
def test_what_failed_is_kept_and_what_was_stopped_continues(mgbench: Command, store: Path, ending: dict[str, object], trains: bool) -> None:
    """A failure would come again, so only `--retry failed` repeats it; what was stopped from outside continues by itself."""
    stored = read_json(_status(store))
    write_json(_status(store), {**stored, **ending})
    (row,) = _plan(mgbench, store).values()
    (again,) = _plan(mgbench, store, "--retry", "failed").values()

    assert row["trains"] is trains
    assert again["trains"] is True


def test_changed_code_repeats_a_failure_and_marks_a_result(mgbench: Command, store: Path) -> None:
    """A failed cell whose code changed runs again; a finished one is stale, and runs again only when asked."""
    stored = read_json(_status(store))
    changed = {**stored, "source": {**stored["source"], "faulty": "0"}}
    write_json(_status(store), changed)
    (kept,), (asked,) = _plan(mgbench, store).values(), _plan(mgbench, store, "--retry", "stale").values()
    write_json(_status(store), {**changed, "status": "failed"})
    (failed,) = _plan(mgbench, store).values()

    assert (kept["stale"], kept["trains"]) == ("the source of faulty changed", False)
    assert asked["trains"] is True
    assert failed["trains"] is True


def test_changed_evaluators_are_scored_again_on_request(mgbench: Command, store: Path) -> None:
    """A row of another evaluator's code is repeated by `--retry stale`, without training."""
    path = _status(store).with_name("metrics.json")
    stored = read_json(path)
    stored["rows"]["knn"]["evaluator_source"] = "0"
    write_json(path, stored)
    (kept,), (asked,) = _plan(mgbench, store).values(), _plan(mgbench, store, "--retry", "stale").values()
    weights = _status(store).parent / "pretrained" / "embedder.safetensors"
    before = weights.stat().st_mtime_ns
    done = mgbench("run", *GRID, "--store", store, "--retry", "stale")

    assert kept["evaluates"] == []
    assert (asked["trains"], asked["evaluates"]) == (False, ["knn"])
    assert done.exit_code == 0
    assert read_json(path)["rows"]["knn"]["evaluator_source"] != "0"
    assert weights.stat().st_mtime_ns == before


@pytest.mark.parametrize("kind", ["rows", "all"])
def test_what_is_to_be_replaced_stands_until_it_is(mgbench: Command, store: Path, kind: str) -> None:
    """A plan that a stale cell runs again removes nothing: its row stays on the board until the cell's own process has another."""
    status = _status(store)
    rows = status.with_name("metrics.json")
    if kind == "rows":
        stored = read_json(rows)
        stored["rows"]["knn"]["evaluator_source"] = "0"
        write_json(rows, stored)
    else:
        stored = read_json(status)
        write_json(status, {**stored, "source": {**stored["source"], "faulty": "0"}})
    weights = status.parent / "pretrained" / "embedder.safetensors"
    before = rows.read_bytes(), weights.stat().st_mtime_ns, mgbench("leaderboard", "build", "--store", store).output
    (cell,) = (from_spec(one.spec) for one in read_cells(store).values())
    (planned,) = make_plan([_today(cell)], store, store, ("stale",))
    lay_out(planned)
    laid_out = rows.read_bytes(), weights.stat().st_mtime_ns, mgbench("leaderboard", "build", "--store", store).output
    done = mgbench("run", *GRID, "--store", store, "--retry", "stale")

    assert planned.runs
    assert laid_out == before
    assert done.exit_code == 0
    assert rows.read_bytes() != before[0]
    assert (weights.stat().st_mtime_ns != before[1]) is (kind == "all")
    assert not read_json(status).keys() & {"anew", "stale"}
    assert _plan(mgbench, store).popitem()[1]["stale"] == ""


def _today(cell: Cell) -> Cell:
    """Return a stored cell with its components as they are installed, which a grid's have."""
    catalogue = Catalogue(registry((ZOO,)))
    dataset, encoder, method, knn = (
        catalogue.axis(kind, (name,))[0]
        for kind, name in (("dataset", "waves"), ("encoder", "flat"), ("method", "faulty"), ("evaluator", "knn"))
    )
    return attrs.evolve(cell, dataset=dataset, encoder=encoder, method=method, evaluators=(knn,))


def test_pairs_that_do_not_fit_are_skipped_in_the_plan(mgbench: Command, tmp_path: Path) -> None:
    """The reason names what the encoder lacks; nothing has to run to find out."""
    done = mgbench("plan", "-d", "waves", "-e", "flat", "-m", "mgrl", "--no-floors", "-E", "knn", "--plugin", ZOO, "--store", tmp_path)

    assert done.exit_code == 0
    assert "1 skipped  mgrl needs drop_joints, joint_map, which flat does not give" in done.output


def test_times_come_from_kin(mgbench: Command, store: Path) -> None:
    """Before anything has finished time is unknown; afterwards it is that of the nearest finished cell."""
    (unknown,) = (row["seconds"] for row in _plan(mgbench, store.with_name("other")).values())
    known = [row["seconds"] for row in _plan(mgbench, store, "--seeds", "2").values()]

    assert unknown is None
    assert known[0] is None
    assert 0 < float(str(known[1])) < 60


@pytest.mark.parametrize(
    ("where", "cells"),
    [("seed < 2", 5), ("method = 'faulty' and seed = 0", 2), ("encoder <> 'flat'", 1)],
)
def test_where_keeps_what_it_says(mgbench: Command, tmp_path: Path, where: str, cells: int) -> None:
    """A condition keeps its cells, and the cell of the clips where it speaks of methods or encoders, which that cell has not."""
    rows = _plan(mgbench, tmp_path, "-E", "majority", "--seeds", "4", "-m", "spinning", "--where", where)

    assert len(rows) == cells


def test_a_plan_knows_no_torch(tmp_path: Path) -> None:
    """Once a spec has been met, planning it imports neither torch nor a plugin."""
    arguments = ["plan", "-m", "mgrl[lambd=[1e-4,3e-4]]", "--store", str(tmp_path)]
    call = f"from mgbench.cli import main; main({arguments}, standalone_mode=False)"
    code = f"{call}\nimport sys; sys.exit(any(name in sys.modules for name in ('torch', 'mgbench_plugins.methods.mgrl')))"
    runs = [subprocess.run([sys.executable, "-c", code], check=False, capture_output=True) for _ in range(2)]

    assert runs[1].returncode == 0, runs[1].stderr.decode()
