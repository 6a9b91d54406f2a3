"""A plan takes what a run takes, and says what a run would do."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result


Command = Callable[..., Result]
ZOO = Path(__file__).parent.parent / "zoo.py"
LIMITS = """
timeout = "2h"
memory = "8G"
checkpoint-seconds = 30
max-failures = 3
fail-fast = true
"""


@pytest.fixture(name="grid")
def _grid(mgbench: Command, tmp_path: Path) -> Command:
    """Call a command on three seeds of one method."""
    fixed = ("-d", "waves", "-e", "flat", "-E", "knn", "--plugin", ZOO, "--store", tmp_path / "store", "--seeds", "3")

    def call(command: str, *more: str | Path) -> Result:
        return mgbench(command, *fixed, *more)

    return call


def _seeds(done: Result) -> list[int]:
    assert done.exit_code == 0, done.output

    return [row["seed"] for row in map(json.loads, done.output.splitlines())]


def test_limits_can_be_planned(grid: Command, tmp_path: Path) -> None:
    """What bounds a run stands in its study, or on the command line, and leaves its plan as it is."""
    study = tmp_path / "study.toml"
    study.write_text(LIMITS)
    plain = grid("plan", "-m", "faulty", "--json")
    bounded = grid("plan", study, "-m", "faulty", "--json")
    given = grid("plan", "-m", "faulty", "--json", "--timeout", "90s", "--fail-fast")

    assert bounded.exit_code == given.exit_code == 0, bounded.output
    assert plain.output == bounded.output == given.output


def test_half_a_batch_is_planned(grid: Command) -> None:
    """A cell that is kept as out-of-memory has its half-batch cell in the plan, where it is asked for."""
    method = ("-m", "faulty[how=memory,batch_size=16]", "--seeds", "1", "--no-floors")
    grid("run", *method)
    rows = [json.loads(line) for line in grid("plan", "--json", "--retry", "half-batch", *method).output.splitlines()]

    assert [(row["method"], row["status"], row["trains"]) for row in rows if row["seed"] == 0] == [
        ("faulty[how=memory,batch_size=16]", "out-of-memory", False),
        ("faulty[how=memory]", "pending", True),
    ]


@pytest.mark.parametrize(("condition", "kept"), [("seed in (0, 2)", [0, 2]), ("1 = 1", [0, 1, 2]), ("seed = max(seed)", [2])])
def test_a_condition_chooses_cells(grid: Command, condition: str, kept: list[int]) -> None:
    """It holds or does not hold for each cell; a constant holds for all alike, and an aggregate is taken over the grid."""
    assert _seeds(grid("plan", "-m", "faulty", "--no-floors", "--json", "--where", condition)) == kept


@pytest.mark.parametrize(("condition", "kept"), [("pretrain_on = 'none'", [None]), ("pretrain_on <> 'none'", ["synthetic"])])
def test_a_condition_may_speak_of_sources(grid: Command, condition: str, kept: list[str | None]) -> None:
    """The data set before is known by its name, and `none` is that of no other; floors, which have none either way, are kept."""
    done = grid("plan", "-m", "faulty", "--pretrain-on", "none,synthetic", "--json", "--seeds", "1", "--where", condition)
    names = [row["cell"] for row in map(json.loads, done.output.splitlines())]

    assert ["synthetic" if "on-synthetic" in name else None for name in names if "faulty" in name] == kept
    assert sum("untrained" in name for name in names) == 2


@pytest.mark.parametrize("condition", ["1", "null", "seed", "sum(seed)"])
def test_what_is_no_condition_is_refused(grid: Command, condition: str) -> None:
    """A number is neither true nor false, and so no reason to keep a cell or to leave it out."""
    done = grid("plan", "-m", "faulty", "--where", condition)

    assert done.exit_code == 2
    assert done.stderr.startswith(f"Error: --where got {condition!r}, which is neither true nor false of a cell; write a condition")


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize(
    ("condition", "end"),
    [
        ("method = 'fualty'", "did you mean 'faulty'?"),
        ("seed < 3 and encoder == 'falt'", "did you mean 'flat'?"),
        ("seed > 7", "mgbench plan without it lists the cells."),
        ("sum(seed) > 99", "mgbench plan without it lists the cells."),
        ("1 = 2", "mgbench plan without it lists the cells."),
    ],
)
def test_a_condition_that_holds_for_no_cell_is_refused(grid: Command, tmp_path: Path, command: str, condition: str, end: str) -> None:
    """The nearest value is named where an equality misses it; floors of clips, which lack the word, do not make that a success."""
    done = grid(command, "-m", "faulty", "-E", "majority", "--where", condition)

    assert done.exit_code == 2
    assert done.stderr == f"Error: --where got {condition!r}, which holds for no cell; {end}\n"
    assert not (tmp_path / "store" / "cells").exists()


@pytest.mark.parametrize(
    ("text", "end"),
    [("10001", "10000 are the most."), ("٣", "write how many, such as 3, or a list such as [3,7]."), ("[٣]", "write how many")],
)
def test_seeds_that_are_refused(grid: Command, text: str, end: str) -> None:
    """The most seeds are named, and digits are those of ASCII."""
    done = grid("plan", "-m", "faulty", "--seeds", text)

    assert done.exit_code == 2
    assert f"--seeds got {text!r}; {end}" in done.stderr
