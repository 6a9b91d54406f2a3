"""The live table: what it says fits the terminal, and is over when the cells are."""

import io
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from rich.console import Console

from mgbench.cli.watch import Watcher
from mgbench.grid import from_spec
from mgbench.launch.local import Job
from mgbench.plan import Planned
from mgbench.store import CellFolder, read_json, write_json


@pytest.fixture(name="watcher")
def _watcher(write_cell: Callable[..., CellFolder], tmp_path: Path) -> Watcher:
    """A watcher of one running cell."""
    folder = write_cell(tmp_path, status="running")
    told = {"stage": "pretrain", "step": 100, "steps": 300, "loss": 0.125, "clips_per_second": 1234.0, "seconds_left": 187.0}
    write_json(folder.progress, told)
    cell = from_spec(read_json(folder.spec))
    watcher = Watcher(tmp_path, [Planned(cell, tmp_path / "cells", "pending", todo=cell.evaluators, trains=True)])
    watcher.running = [Job(folder, tmp_path, tmp_path, (), 60.0)]
    return watcher


def _shown(watcher: Watcher, width: int) -> list[str]:
    watcher.console = Console(width=width, file=io.StringIO())
    with watcher.console.capture() as captured:
        watcher.console.print(watcher._table())
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_cell_has_one_line_where_there_is_room(watcher: Watcher) -> None:
    """Name and progress stand side by side."""
    name = watcher.planned[0].folder.path.name

    assert _shown(watcher, 120) == [f"{name}  step 100/300  loss 0.125  1234 clips/s  3:07 left", "0/1 cells, about 3:07 left"]


def test_a_narrow_terminal_shows_whole_names(watcher: Watcher) -> None:
    """At 40 columns the progress stands below the name, and neither is cut."""
    name = watcher.planned[0].folder.path.name

    assert _shown(watcher, 40) == [name, "  step 100/300  loss 0.125  1234 clips/s", "3:07 left", "0/1 cells, about 3:07 left"]


def test_nothing_is_left_of_the_last_cell(watcher: Watcher) -> None:
    """When all cells have ended, the table says neither that one waits nor how long."""
    _shown(watcher, 80)
    watcher.running = []
    watcher.ended(watcher.planned[0].folder, "killed")

    assert _shown(watcher, 80) == ["1/1 cells"]


def test_a_damaged_cell_is_not_said_to_run_again(watcher: Watcher, capsys: pytest.CaptureFixture[str]) -> None:
    """No option repairs a file; its reason says what to remove."""
    watcher.console = Console(file=io.StringIO())
    watcher.planned = [
        attrs.evolve(watcher.planned[0], status=status, reason="why", todo=(), trains=False) for status in ("damaged", "failed")
    ]
    watcher.tell_kept()
    damaged, failed = capsys.readouterr().out.splitlines()

    assert damaged.endswith("damaged (kept)  why")
    assert failed.endswith("failed (kept)  why; --retry failed runs it again")
