"""`mgbench status`: counted, told and watched."""

import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from rich.console import Console

from mgbench.cli import status
from mgbench.grid import from_spec
from mgbench.lease import Lease
from mgbench.store import CellFolder, read_json, write_json
from mgbench.timing import kin_of


Command = Callable[..., Result]
Write = Callable[..., CellFolder]
FAULT = {"status": "failed", "reason": "RuntimeError: a fault\nin two lines", "failure": "RuntimeError in forward (zoo.py:107)"}


@pytest.fixture
def running(tmp_path: Path, write_cell: Write) -> Iterator[CellFolder]:
    """A cell that this process runs."""
    folder = write_cell(tmp_path, seed=7)
    write_json(folder.status, {"status": "running", "began": time.time() - 30})
    progress = {"stage": "pretrain", "step": 3, "steps": 10, "loss": 0.5, "clips_per_second": 40.0, "seconds_left": 100.0}
    write_json(folder.progress, progress)
    lease = Lease(folder.lease, lost=lambda: None)

    assert lease.take()

    with lease:
        yield folder


def test_cells_are_counted_and_failures_grouped(tmp_path: Path, mgbench: Command, write_cell: Write) -> None:
    """Each status has its count, each kind of failure its line with the first line of a reason; seconds are added up."""
    write_cell(tmp_path, status="ok")
    write_cell(tmp_path, seed=1)
    for seed in (0, 1):
        write_cell(tmp_path, how="raise", seed=seed, **FAULT)
        write_cell(tmp_path, how="big", seed=seed, status="out-of-memory", reason=f"it used {seed + 4.2} GiB, over the ceiling of 4.0 GiB")
    done = mgbench("status", "--store", tmp_path)

    assert done.exit_code == 0
    assert "6 cells: 1 ok, 1 pending, 2 out-of-memory, 2 failed" in done.output
    assert "2 failed         RuntimeError in forward (zoo.py:107)" in done.output
    assert "RuntimeError: a fault\n" in done.output
    assert "2 out-of-memory  it used ... GiB" in done.output
    assert "spent 50 s" in done.output


def test_running_cell_shows_owner_and_progress(tmp_path: Path, mgbench: Command, running: CellFolder) -> None:
    """A cell whose lease is held runs: host, process, step, speed and time left are told."""
    lines = mgbench("status", "--store", tmp_path).output.splitlines()
    line = lines[lines.index(f"  {running.path.name}") + 1]
    (row,) = map(json.loads, mgbench("status", "--store", tmp_path, "--json").output.splitlines())

    assert line.startswith("    step 3/10  loss 0.5  40 clips/s  1:40 left  (for 3")
    assert line.endswith(f" pid {os.getpid()})")
    assert "left about 1:40" in lines
    assert (row["status"], row["pid"], row["progress"]["step"]) == ("running", os.getpid(), 3)
    assert row["seconds"] == pytest.approx(30, abs=5)


def test_running_without_owner_was_interrupted(tmp_path: Path, mgbench: Command, write_cell: Write) -> None:
    """A status that says running, with a lease of a dead process, is an interrupted cell; it says how far it came."""
    folder = write_cell(tmp_path)
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], check=True, capture_output=True, text=True)
    write_json(folder.status, {"status": "running", "began": time.time() - 30})
    write_json(folder.progress, {"stage": "pretrain", "step": 3, "steps": 10, "seconds_left": 70.0})
    folder.lease.write_text(json.dumps({"host": Lease(folder.lease, lost=print)._owner["host"], "pid": int(ended.stdout), "born": 1.0}))
    text = mgbench("status", "--store", tmp_path).output

    assert "1 cell: 1 interrupted" in text
    assert f"{folder.path.name}  at step 3 of 10" in text
    assert "left about 1:10, but nothing runs" in text


def test_progress_of_an_earlier_run_is_not_told(tmp_path: Path, mgbench: Command, running: CellFolder) -> None:
    """A cell that began again and prepares its data does not show the step at which it was killed the last time."""
    os.utime(running.progress, (1.0, 1.0))
    text = mgbench("status", "--store", tmp_path).output

    assert "starts" in text
    assert "step" not in text


def test_time_left_comes_from_kin(tmp_path: Path, mgbench: Command, write_cell: Write) -> None:
    """A pending cell will take what a finished one like it took; one that nothing finished resembles is of unknown length."""
    pending = write_cell(tmp_path, seed=1)
    seconds, kin = {"pretrain": 80.0, "embed": 20.0}, kin_of(from_spec(read_json(pending.spec)))
    write_cell(tmp_path, right={"knn": [True] * 4}, status="ok", kin=kin, stage_seconds=seconds)
    known = mgbench("status", "--store", tmp_path).output
    for path in (tmp_path / "cells").glob("*/status.json"):
        path.unlink()
    unknown = mgbench("status", "--store", tmp_path).output

    assert "left about 1:40, but nothing runs" in known
    assert "left 2 cells of unknown length, but nothing runs" in unknown


def test_json_has_one_object_a_cell(tmp_path: Path, mgbench: Command, write_cell: Write) -> None:
    """Every object has the same keys; what a cell does not have is null or empty."""
    write_cell(tmp_path, status="ok", stale="the source of flat changed")
    write_cell(tmp_path, how="raise", **FAULT)
    write_cell(tmp_path, seed=1)
    rows = {row["status"]: row for row in map(json.loads, mgbench("status", "--store", tmp_path, "--json").output.splitlines())}

    assert all(list(row) == ["cell", "status", "reason", "failure", "progress", "host", "pid", "seconds", "stale"] for row in rows.values())
    assert rows["ok"]["stale"] == "the source of flat changed"
    assert rows["failed"]["reason"] == FAULT["reason"]
    assert (rows["pending"]["seconds"], rows["pending"]["progress"], rows["failed"]["seconds"]) == (None, None, 10.0)


@pytest.mark.parametrize("watch", [[], ["-w"]])
def test_store_without_cells_is_one_sentence(tmp_path: Path, mgbench: Command, watch: list[str]) -> None:
    """A missing and an empty store are told, and are no error."""
    missing, empty = mgbench("status", *watch, "--store", tmp_path / "none"), mgbench("status", *watch, "--store", tmp_path)

    assert (missing.exit_code, empty.exit_code) == (0, 0)
    assert missing.output.startswith(f"The store '{tmp_path}/none' does not exist yet")
    assert empty.output.startswith(f"The store '{tmp_path}' holds no cell yet")
    assert mgbench("status", "--store", tmp_path, "--json").output == ""


@pytest.mark.parametrize("command", [["status"], ["status", "--json"], ["explain"], ["gc"], ["gc", "--delete"]])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("spec.json", b'{"schema": 1}'),
        ("spec.json", b""),
        ("spec.json", b'{"schema": 1, "dataset": []}'),
        ("status.json", b"["),
        ("status.json", b"\xff\xfe"),
        ("status.json", b'{"schema": 99}'),
        ("metrics.json", b'{"schema": 1, "rows": 3}'),
    ],
)
def test_damaged_cell_is_told_and_stops_nothing(
    tmp_path: Path, mgbench: Command, write_cell: Write, command: list[str], name: str, content: bytes
) -> None:
    """Whatever is wrong with one cell's files, it is shown as damaged with the file, and the others are shown."""
    write_cell(tmp_path, status="ok")
    (write_cell(tmp_path, seed=1, status="ok").path / name).write_bytes(content)
    done = mgbench(*command, "--store", tmp_path)

    assert done.exit_code == 0
    assert ("damaged" in done.output and name in done.output) or command[0] == "gc"


def test_lines_are_whole_in_a_narrow_pipe(tmp_path: Path, mgbench: Command, write_cell: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside a terminal nothing is cut to a width."""
    monkeypatch.setenv("COLUMNS", "20")
    write_cell(tmp_path, how="raise", **FAULT)

    assert "1 failed  RuntimeError in forward (zoo.py:107)  RuntimeError: a fault\n" in mgbench("status", "--store", tmp_path).output


def _finish(folder: CellFolder) -> None:
    time.sleep(0.3)
    write_json(folder.status, {"status": "ok", "began": 1.0, "ended": 2.0})


def test_watch_tells_changes_until_nothing_runs(
    tmp_path: Path, mgbench: Command, running: CellFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal, -w prints the counts when they change, and everything at the end."""
    monkeypatch.setattr(status, "_EVERY", 0.05)
    thread = threading.Thread(target=_finish, args=(running,))
    thread.start()
    done = mgbench("status", "-w", "--store", tmp_path)
    thread.join()

    assert done.output.splitlines()[0] == "1 running"
    assert done.output.splitlines()[1] == "1 cell: 1 ok"


def test_watch_redraws_a_terminal(tmp_path: Path, running: CellFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the table is drawn over itself."""
    monkeypatch.setattr(status, "_EVERY", 0.05)
    thread = threading.Thread(target=_finish, args=(running,))
    thread.start()
    screen = io.StringIO()
    status._watch(tmp_path, Console(file=screen, force_terminal=True, width=60))
    thread.join()

    assert screen.getvalue().count("1 running") > 1
    assert "\x1b[2K" in screen.getvalue()  # the escape that erases a line


def test_watch_ends_where_nothing_will_run(tmp_path: Path, mgbench: Command, write_cell: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting cells that nobody takes up are watched for a few looks only."""
    monkeypatch.setattr(status, "_EVERY", 0.05)
    write_cell(tmp_path)

    assert mgbench("status", "-w", "--store", tmp_path).exit_code == 0


def test_watch_ends_by_ctrl_c(tmp_path: Path, mgbench: Command, running: CellFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C leaves the last state on the screen, and is no error."""

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(status.time, "sleep", interrupt)
    done = mgbench("status", "-w", "--store", tmp_path)

    assert done.exit_code == 0
    assert f"  {running.path.name}\n    step 3/10" in done.output


def test_watch_refuses_json(mgbench: Command) -> None:
    """JSON lines are of one moment."""
    done = mgbench("status", "-w", "--json")

    assert done.exit_code == 2
    assert done.stderr == "Error: --json prints one moment and --watch goes on; give one of them.\n"


@pytest.mark.parametrize("command", [["status"], ["explain"], ["explain", "raise"], ["diff", "raise", "big"], ["gc", "--delete"]])
def test_looking_at_a_store_imports_no_torch(tmp_path: Path, write_cell: Write, command: list[str]) -> None:
    """These commands read files: they answer without torch and without plugins."""
    write_cell(tmp_path, right={"knn": [True] * 4 + [False] * 4}, how="raise", **FAULT)
    write_cell(tmp_path, right={"knn": [True] * 8}, how="big", status="ok")
    call = f"from mgbench.cli import main; main({[*command, '--store', str(tmp_path)]}, standalone_mode=False)"
    code = f"{call}\nimport sys; sys.exit(any(name in sys.modules for name in ('torch', 'mgbench_plugins')))"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
