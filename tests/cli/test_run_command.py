"""What `run` says and does while something is in its way: Ctrl-C, other runners, and plugins that move it to another folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from mgbench.cli.watch import Watcher
from mgbench.lease import Lease
from mgbench.records import read_records
from mgbench.store import CellFolder


Command = Callable[..., Result]
ZOO = Path(__file__).parent.parent / "zoo.py"


def _call(mgbench: Command, command: str, *more: str | Path) -> Result:
    return mgbench(command, "-d", "waves", "-e", "flat", "-m", "faulty", "-E", "knn", "--no-floors", *more)


def test_ctrl_c_says_how_to_go_on(mgbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with status 1 and one sentence; what had finished is kept, and the same command runs the rest."""
    options = ("--seeds", "2", "--plugin", ZOO, "--store", tmp_path)

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Watcher, "ended", interrupted)
        stopped = _call(mgbench, "run", *options)
    goes_on = _call(mgbench, "run", *options)

    assert stopped.exit_code == 1
    assert stopped.stderr == "Stopped. What is finished is kept; the same command continues.\n"
    assert goes_on.exit_code == 0, goes_on.output
    assert goes_on.output.count("(kept)") == 1


def test_it_says_once_that_it_waits(mgbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner whose last cells are in other hands says how many, and takes them up when they are let go."""
    options = ("--plugin", ZOO, "--store", tmp_path)
    (row,) = map(json.loads, _call(mgbench, "plan", "--json", *options).output.splitlines())
    lease = Lease(CellFolder(tmp_path / "cells" / row["cell"]).lease, lost=lambda: None)
    say = Watcher.say

    def let_go(watcher: Watcher, line: str, *, err: bool = False) -> None:
        if "waiting" in line:
            lease.path.unlink()
        say(watcher, line, err=err)

    monkeypatch.setattr(Watcher, "say", let_go)

    assert lease.take()

    done = _call(mgbench, "run", *options)

    assert done.exit_code == 0, done.output
    assert done.stderr == "1 cell is in other hands; waiting\n"
    assert done.stdout.startswith(f"[1/1] {row['cell']}  ok")


def test_a_plugin_may_change_the_folder(mgbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths mean what they meant when the command was given, whatever a plugin does as it is imported."""
    (tmp_path / "elsewhere").mkdir()
    text = ZOO.read_text().replace("\nimport os\n", f"\nimport os\n\nos.chdir({str(tmp_path / 'elsewhere')!r})\n", 1)
    (tmp_path / "restless.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    done = _call(mgbench, "run", "--plugin", "restless.py", "--store", "store")

    assert done.exit_code == 0, done.output
    assert read_records(tmp_path / "store")["status"].to_list() == ["ok"]
    assert not list((tmp_path / "elsewhere").iterdir())
