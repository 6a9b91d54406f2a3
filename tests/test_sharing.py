"""Several runners share one store, nobody waits for the dead, and a full disk is told and mended."""

import errno
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import Result

from mgbench.cli import run
from mgbench.cli.axes import plan_of
from mgbench.lease import EXPIRY, _host
from mgbench.records import read_records
from mgbench.store import cell_folders, read_json, write_json


Command = Callable[..., Result]
HERE = Path(__file__).parent
#: Eight cells of ten slow steps each.
SHARED = ("-m", "faulty[augment=crop+tread[pause=0.02]]", "-e", "flat", "--seeds", "8")
#: Two cells: what the lease of the first one says decides when it runs.
LEASED = ("-m", "faulty[augment=tread]", "-e", "flat", "--seeds", "2")
#: Two cells, of which the second has weights of more than `LARGEST` bytes.
LARGE = ("-m", "faulty", "-e", "flat,stgcn[width=16]")
LARGEST = 60_000


def _arguments(store: Path, *grid: str) -> list[str]:
    plugins = [word for file in ("zoo.py", "vandal.py") for word in ("--plugin", str(HERE / file))]
    return ["run", "-d", "waves", "-E", "knn", "--no-floors", *grid, "--store", str(store / "store"), *plugins]


def _start(store: Path, *grid: str, **given: str) -> subprocess.Popen[str]:
    (store / "tracks").mkdir(exist_ok=True)
    command = [sys.executable, str(HERE / "vandal.py"), *_arguments(store, *grid)]
    environment = {**os.environ, "VANDAL_FOLDER": str(store), **given}
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _steps(store: Path) -> dict[str, Counter[str]]:
    """Return how many steps each process made, by cell."""
    return {path.name: Counter(line.split()[0] for line in path.read_text().splitlines()) for path in (store / "tracks").iterdir()}


@pytest.mark.slow
def test_two_runners_train_each_cell_once(tmp_path: Path) -> None:
    """Two runners of one grid at once end well, each tells of every cell, and each cell was trained by one process, once."""
    ends = [(runner.communicate(), runner.returncode) for runner in [_start(tmp_path, *SHARED), _start(tmp_path, *SHARED)]]
    told = [output.splitlines()[-1].partition(";")[0] for (output, _), _ in ends]

    assert [code for _, code in ends] == [0, 0], ends
    assert told == ["8 ok", "8 ok"]
    assert [list(processes.values()) for processes in _steps(tmp_path).values()] == [[10]] * 8
    assert read_records(tmp_path / "store")["status"].to_list() == ["ok"] * 8


@pytest.mark.slow
@pytest.mark.parametrize("retry", [(), ("--retry", "failed")], ids=["new", "failed"])
def test_what_another_runner_ended_since_the_plan_stays(
    tmp_path: Path, mgbench: Command, monkeypatch: pytest.MonkeyPatch, retry: tuple[str, ...]
) -> None:
    """Cells that another runner ends between this one's plan and its start keep weights and rows, and are told as they ended."""
    grid = [*_arguments(tmp_path, *LEASED), *retry]
    if retry:
        mgbench(*grid)
        for folder in cell_folders(tmp_path / "store"):
            write_json(folder.status, {**read_json(folder.status), "status": "failed"})
    others: list[tuple[int, dict[str, tuple[bytes, int]]]] = []

    def late_plan(*arguments: Any) -> Any:
        plan = plan_of(*arguments)
        monkeypatch.setattr(run, "plan_of", plan_of)
        others.append((mgbench(*grid).exit_code, _stored(tmp_path)))
        return plan

    monkeypatch.setattr(run, "plan_of", late_plan)
    late = mgbench(*grid)

    assert others == [(0, _stored(tmp_path))]
    assert late.exit_code == 0
    assert read_records(tmp_path / "store")["evaluator"].to_list() == ["knn", "knn"]


def _stored(store: Path) -> dict[str, tuple[bytes, int]]:
    """Return the content of every cell's metrics, and when its weights were made."""
    cells = [folder.path for folder in cell_folders(store / "store")]
    weights = "pretrained/embedder.safetensors"
    return {path.name: ((path / "metrics.json").read_bytes(), (path / weights).stat().st_mtime_ns) for path in cells}


@pytest.fixture
def names(tmp_path: Path, mgbench: Command) -> list[str]:
    """The names of the two cells of `LEASED`, as a plan tells them."""
    plan = [word for word in _arguments(tmp_path, *LEASED) if word != "run"]
    told = mgbench("plan", *plan, "--json")
    return [name for name in (json.loads(line).get("cell") for line in told.output.splitlines()) if name]


def _lease(store: Path, name: str, **owner: Any) -> Path:
    """Write a cell's lease by hand."""
    path = store / "store" / "cells" / name / ".lease"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"host": _host(), "pid": os.getpid(), "born": 0.0, "token": "somebody's", **owner}))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ended", "reused", "silent"])
def test_left_lease_is_taken_over(tmp_path: Path, names: list[str], mgbench: Command, kind: str) -> None:
    """A lease of a process that has ended here, whose number another one has now, or that another host stopped renewing, stops nobody."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    born = psutil.Process().create_time()
    owners: dict[str, dict[str, Any]] = {
        "ended": {"pid": ended.pid, "born": born},
        "reused": {"born": born - 100},
        "silent": {"host": "elsewhere/1"},
    }
    lease = _lease(tmp_path, names[0], **owners[kind])
    old = time.time() - (2 * EXPIRY if kind == "silent" else 0)
    os.utime(lease, (old, old))
    done = mgbench(*_arguments(tmp_path, *LEASED))

    assert done.exit_code == 0, done.output
    assert read_records(tmp_path / "store")["status"].to_list() == ["ok", "ok"]
    assert not lease.exists()


@pytest.mark.slow
def test_lease_of_another_host_is_respected(tmp_path: Path, names: list[str]) -> None:
    """While another host renews its lease of the first cell, the runner does the second and waits; when the lease is gone, it goes on."""
    lease = _lease(tmp_path, names[0], host="elsewhere/1")
    ahead = time.time() + 1e6  # renewed for as long as the test takes
    os.utime(lease, (ahead, ahead))
    runner = _start(tmp_path, *LEASED)
    assert runner.stdout is not None
    first = runner.stdout.readline()
    while_held, waits = _steps(tmp_path), runner.poll() is None
    lease.unlink()
    rest, complaints = runner.communicate()

    assert first.startswith(f"[1/2] {names[1]}  ok"), first + complaints
    assert waits
    assert len(while_held) == 1
    assert rest.startswith(f"[2/2] {names[0]}  ok")
    assert runner.returncode == 0
    assert [list(processes.values()) for processes in _steps(tmp_path).values()] == [[10]] * 2


@pytest.mark.slow
@pytest.mark.parametrize("checkpoint", ["0", "60"])
def test_full_disk_is_told_and_the_same_command_goes_on(tmp_path: Path, checkpoint: str) -> None:
    """Where weights or a checkpoint cannot be written, one sentence says so, nothing is broken, and with room the command finishes."""
    begun = _start(tmp_path, *LARGE[:-1], "flat")
    begun.communicate()
    full = _start(tmp_path, *LARGE, "--checkpoint-seconds", checkpoint, VANDAL_LARGEST=str(LARGEST))
    output, complaints = full.communicate()
    folders = cell_folders(tmp_path / "store")
    held = [read_json(path) for folder in folders for path in folder.path.rglob("*.json")]
    shown = f"{output}{complaints}"
    freed = _start(tmp_path, *LARGE)
    last, _ = freed.communicate()

    assert (begun.returncode, full.returncode) == (0, 1)
    assert len(folders) == 2
    assert all(held)
    assert "Traceback" not in shown
    assert os.strerror(errno.EFBIG) in shown, shown
    assert freed.returncode == 0, last
    assert read_records(tmp_path / "store")["status"].to_list() == ["ok", "ok"]


@pytest.mark.slow
def test_disk_without_any_room_is_told_at_once(tmp_path: Path) -> None:
    """Where not even a cell's description can be written, one sentence says so and nothing is left behind that stops the next command."""
    full = _start(tmp_path, *LEASED, VANDAL_LARGEST="0", XDG_CACHE_HOME=str(tmp_path / "cache"))
    _, complaints = full.communicate()
    freed = _start(tmp_path, *LEASED, XDG_CACHE_HOME=str(tmp_path / "cache"))
    freed.communicate()

    assert full.returncode in {1, 2}
    assert complaints.startswith("Error: ")
    assert complaints.count("\n") == 1
    assert freed.returncode == 0
