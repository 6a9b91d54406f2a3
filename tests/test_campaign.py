"""Nothing that is killed is lost, broken or made twice."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from mgbench.store import cell_folders, read_json, write_json


Command = Callable[..., Result]
HERE = Path(__file__).parent


@pytest.mark.slow
def test_twenty_kills_change_nothing() -> None:
    """After 20 kills of cells, runners and the forkserver, at random and in the middle of writes, every store equals an undisturbed one.

    The command itself compares weights, predictions, rows and steps. Of the steps only the last one of a killed process is made again,
    nothing goes on after a runner's end, and every file can be read at every moment.
    """
    done = subprocess.run(
        [sys.executable, str(HERE / "campaign.py"), "--kills", "20", "--seed", "0"], capture_output=True, text=True, check=False
    )
    seen = {name.strip(): int(number) for name, number in (line.rsplit(maxsplit=1) for line in done.stdout.splitlines())}

    assert done.returncode == 0, done.stdout + done.stderr
    assert seen["kills"] >= 20
    assert seen["kills"] == sum(number for name, number in seen.items() if name.startswith("kills "))
    assert seen["ends that left no process"] == seen["starts of the command"] + 1
    assert seen["cells compared"] == 11 * seen["stores completed under kills"]
    assert seen["steps executed"] == seen["steps planned"] + seen["steps repeated"]
    assert seen["steps repeated"] <= seen["continued trainings"] <= 2 * seen["kills"]  # a runner takes two cells with it
    assert seen["files read"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("end", [{"status": "killed", "signal": 9}, {"status": "running"}], ids=["cell", "runner"])
def test_death_between_last_row_and_end_is_mended(tmp_path: Path, mgbench: Command, end: dict[str, object]) -> None:
    """A cell that dies when all its rows are written, and only its end is not, is ended by the same command with the rows that it has."""
    grid = ("-d", "waves", "-m", "faulty", "-e", "flat", "-E", "knn,majority", "--no-floors")
    command = ("run", *grid, "--store", tmp_path, "--plugin", HERE / "zoo.py")
    mgbench(*command)
    folders = cell_folders(tmp_path)
    rows = [folder.metrics.read_bytes() for folder in folders]
    for folder in folders:
        write_json(folder.status, {**read_json(folder.status), **end})
    done = mgbench(*command)

    assert done.exit_code == 0, done.output
    assert [read_json(folder.status)["status"] for folder in folders] == ["ok", "ok"]
    assert [folder.metrics.read_bytes() for folder in folders] == rows
