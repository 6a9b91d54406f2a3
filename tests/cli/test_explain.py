"""`mgbench explain`: one cell told in full, and failures in groups."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from mgbench.store import CellFolder, read_json, write_json


Command = Callable[..., Result]
Write = Callable[..., CellFolder]
ZOO = Path(__file__).parent.parent / "zoo.py"
FAULT = {"status": "failed", "reason": "RuntimeError: a fault", "failure": "RuntimeError in forward (zoo.py:107)"}


def test_failures_are_grouped_biggest_first(tmp_path: Path, mgbench: Command, write_cell: Write) -> None:
    """Cells that failed in one way are one paragraph: count, fingerprint, reason and an example; those that did not fail are left out."""
    write_cell(tmp_path, how="nan", status="diverged", reason="The loss is not finite.", failure="DivergedError in pretrain (train.py:9)")
    for seed in range(3):
        write_cell(tmp_path, how="raise", seed=seed, **FAULT)
    write_cell(tmp_path, status="ok")
    write_cell(tmp_path, seed=1, status="skipped", reason="it needs what the encoder lacks")
    lines = mgbench("explain", "--store", tmp_path).output.splitlines()

    assert lines[0] == "4 of 6 cells failed, in 2 ways"
    assert lines[2] == "3 failed: RuntimeError in forward (zoo.py:107)"
    assert lines[3] == "  RuntimeError: a fault"
    assert lines[4].startswith("  for example waves-flat-faulty-how-raise-s0-")
    assert lines[6] == "1 diverged: DivergedError in pretrain (train.py:9)"


def test_no_failure_is_said(tmp_path: Path, mgbench: Command, write_cell: Write) -> None:
    """A store where nothing failed, and one that does not exist, have no failure to explain."""
    write_cell(tmp_path, status="ok")

    assert mgbench("explain", "--store", tmp_path).output == f"No cell failed; the store '{tmp_path}' holds 1 cell.\n"
    assert mgbench("explain", "--store", tmp_path / "none").exit_code == 0


def test_failed_cell_is_told_in_full(tmp_path: Path, mgbench: Command, write_cell: Write) -> None:
    """Components, every parameter, settings, status, stages, rows, the end of the log, and how many failed alike."""
    folder = write_cell(tmp_path, how="raise", right={"linear": [True, False]}, stage_seconds={"pretrain": 7.25}, **FAULT)
    write_cell(tmp_path, how="raise", seed=1, **FAULT)
    folder.log.write_text("".join(f"line {i}\x1b[31m\n" for i in range(30)))
    done = mgbench("explain", "raise-s0", "--store", tmp_path)
    facts = [" ".join(line.split()) for line in done.output.splitlines()]

    assert done.exit_code == 0
    assert facts[0] == folder.path.name
    for fact in (
        "status failed: RuntimeError: a fault",
        "failure RuntimeError in forward (zoo.py:107)",
        "alike 1 other cell failed in the same way",
        "took 10.0 s: pretrain 7.2 s",
        "method faulty[how=raise] (version 1, from zoo)",
        "seed 0",
        "run preprocess=frame50, precision=fp32, threads=1, select=false, compile=false, capture=false",
        "linear top-1 50.0",
        "knn no row",
        "method faulty: lr=0.001, epochs=1, batch_size=8, how=raise",
        "line 29 [31m",
    ):
        assert fact in facts
    assert "line 10" in done.output
    assert "line 9" not in done.output


def test_nearest_finished_cell_differs_in_the_fewest_parts(tmp_path: Path, mgbench: Command, write_cell: Write) -> None:
    """Of the finished cells the one with the fewest differing components and settings is named, with what differs."""
    write_cell(tmp_path, how="raise", **FAULT)
    write_cell(tmp_path, how="none", encoder="stgcn", status="ok")
    write_cell(tmp_path, how="none", seed=5, status="ok")
    near = write_cell(tmp_path, how="none", status="ok")
    lines = mgbench("explain", "raise", "--store", tmp_path).output.splitlines()
    place = lines.index(f"nearest finished cell: {near.path.name}")

    assert lines[place + 2].split() == ["method", "how", "raise", "none"]
    assert lines[place + 3] == ""


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("faulti", "did you mean 'faulty'?"),
        ("faulty", "names 2 of the 2 cells"),
        ("", "names 2 of the 2 cells"),
        ("zzz", "mgbench status --json lists their names."),
    ],
)
def test_word_that_names_no_single_cell_is_refused(tmp_path: Path, mgbench: Command, write_cell: Write, word: str, told: str) -> None:
    """The sentence says how many cells the word names, which, and what to write."""
    write_cell(tmp_path)
    write_cell(tmp_path, seed=1)
    done = mgbench("explain", word, "--store", tmp_path)

    assert done.exit_code == 2
    assert done.stderr.startswith("Error: ")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_cell_is_named_by_folder_name_or_part(tmp_path: Path, mgbench: Command, write_cell: Write) -> None:
    """A folder, a whole name that is part of no other, and a part of a name give the same page."""
    folder = write_cell(tmp_path, seed=1)
    write_cell(tmp_path)
    pages = {mgbench("explain", word, "--store", tmp_path).output for word in (folder.path, f"{folder.path}/", folder.path.name, "s1")}

    assert len(pages) == 1
    assert "status        pending" in pages.pop()


def test_damaged_cell_is_explained(tmp_path: Path, mgbench: Command, write_cell: Write) -> None:
    """Where its spec cannot be read the page says so, shows the log, and says what to do."""
    folder = write_cell(tmp_path, status="ok")
    folder.spec.write_text("{")
    folder.log.write_text("its log\n")
    done = mgbench("explain", "s0", "--store", tmp_path)

    assert done.exit_code == 0
    assert "damaged: " in done.output
    assert "  its log\n" in done.output
    assert "again: remove its folder" in done.output


def test_command_names_what_is_known_of_places(tmp_path: Path, mgbench: Command, write_cell: Write) -> None:
    """Paths are quoted for a shell; a plugin that is neither installed nor given is where it lay when the cell ran, or asked for."""
    folder = write_cell(tmp_path / "my store", how="raise", **FAULT)
    plugin = tmp_path / "my plugins" / "zoo.py"
    plugin.parent.mkdir()
    plugin.touch()
    ask = ("explain", "raise", "--store", tmp_path / "my store", "--data-root", tmp_path)
    asked = mgbench(*ask).output
    given = mgbench(*ask, "--plugin", plugin).output
    write_json(folder.status, {**read_json(folder.status), "plugin_files": [str(plugin)]})
    seen = mgbench(*ask).output

    whole = ["mgbench", "cell", "exec", str(folder.path), "--data-root", str(tmp_path), "--plugin", str(plugin)]
    assert shlex.split(given.splitlines()[-1]) == whole
    assert shlex.split(seen.splitlines()[-1]) == whole
    assert asked.splitlines()[-1] == "  (zoo.py: the plugin 'zoo' is not installed here; give its file)"
    assert shlex.split(asked.splitlines()[-2])[-2:] == ["--plugin", "zoo.py"]


def _shell(line: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["/bin/sh", "-c", line], cwd=folder, env={**os.environ, "PATH": path}, check=False, capture_output=True, text=True
    ).stdout


@pytest.mark.slow
def test_printed_commands_run_the_cell_again(tmp_path: Path, mgbench: Command) -> None:
    """A failed cell fails again in its place; a finished one is trained again in a store of its own, to the same rows."""
    store = tmp_path / "store"
    fixed = ("-d", "waves", "-e", "flat", "-E", "knn", "--no-floors", "--plugin", ZOO, "--store", store)
    mgbench("run", "-m", "faulty[how=[none,raise]]", *fixed)
    failed, finished = (mgbench("explain", word, "--store", store, "--plugin", ZOO).output for word in ("raise", "flat-faulty-s0"))
    before = read_json(next((store / "cells").glob("*raise*/status.json")))
    rows = read_json(next((store / "cells").glob("*flat-faulty-s0*/metrics.json")))["rows"]

    assert ": failed\n" in _shell(failed.splitlines()[-1], tmp_path)
    assert ": ok\n" in _shell(finished.splitlines()[-1], tmp_path)

    after = read_json(next((store / "cells").glob("*raise*/status.json")))
    again = read_json(next((tmp_path / "again" / "cells").glob("*/metrics.json")))["rows"]

    assert (after["failure"], after["reason"]) == (before["failure"], before["reason"])
    assert after["ended"] > before["ended"]
    assert again["knn"]["top1"] == rows["knn"]["top1"]


def test_interrupted_cell_goes_on_from_its_checkpoint(tmp_path: Path, mgbench: Command, write_cell: Write) -> None:
    """The step that it reached and the checkpoint are told, since the same command gives another start than an empty folder."""
    folder = write_cell(tmp_path, status="interrupted", reason="the same command continues it")
    write_json(folder.progress, {"stage": "pretrain", "step": 3, "steps": 10})
    folder.checkpoint.touch()
    lines = mgbench("explain", "s0", "--store", tmp_path, "--plugin", ZOO).output.splitlines()

    assert "  got to        step 3 of 10" in lines
    assert lines[-3] == "to continue it:"
    assert lines[-1] == "  (it goes on from checkpoint.pt; without that file it begins anew)"


def test_skipped_cell_has_no_command(tmp_path: Path, mgbench: Command, write_cell: Write) -> None:
    """Nobody is told to run what cannot run; the reason is told."""
    write_cell(tmp_path, status="skipped", reason="it needs what the encoder lacks")
    text = mgbench("explain", "s0", "--store", tmp_path).output

    assert "skipped: it needs what the encoder lacks" in text
    assert "cell exec" not in text
