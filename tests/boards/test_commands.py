"""Every row's command names the cells of the row, and no other."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from flat_store import ZOO, run_flat

from mgbench.boards.commands import command_sheet
from mgbench.boards.compacting import open_book
from mgbench.boards.lines import boards_of


Command = Callable[..., Result]
CHOICES = [
    ("--seeds", "2"),
    ("--select", "--stream", "bone", "--threads", "2", "--precision", "bf16"),
    ("-a", "crop", "--pretrain-on", "waves[clips=20]", "--preprocess", "first_frame", "--no-floors"),
]


@pytest.mark.parametrize("more", CHOICES, ids=["seeds", "select", "pretrained"])
def test_commands_make_the_cells_of_their_rows(mgbench: Command, tmp_path: Path, more: tuple[str, ...]) -> None:
    """Given to the store again, all commands together find every cell done, under every evaluator, and lay out no new one."""
    store = run_flat(tmp_path, *more)
    before = {path.name for path in (store / "cells").iterdir()}
    commands = [text for _, text in command_sheet(boards_of(open_book(store))).rows]
    named = set()
    for text in commands:
        done = mgbench(*shlex.split(text)[1:], "--plugin", ZOO, "--store", store)
        named |= {name for name in before if name in done.output}
        assert done.exit_code == 0, done.output
        assert "(kept)" in done.output

    assert named == before == {path.name for path in (store / "cells").iterdir()}


def test_what_was_handed_in_or_added_up_has_no_command(mgbench: Command, tmp_path: Path) -> None:
    """An ensemble's row names none; its cells' rows do."""
    store = run_flat(tmp_path, "--stream", "joint,bone,motion", "--no-floors", "-E", "knn")
    mgbench("ensemble", "--store", store)
    told = dict(command_sheet(boards_of(open_book(store))).rows)

    assert [bool(text) for name, text in told.items() if "(ensemble)" in name] == [False]
    assert len(told) == 2


def test_a_stream_is_a_command_of_its_own(tmp_path: Path) -> None:
    """Rows of one name on different tables have each their command."""
    store = run_flat(tmp_path, "--stream", "joint,bone", "--no-floors", "-E", "knn")
    rows = command_sheet(boards_of(open_book(store))).rows

    assert sorted("--stream bone" in text for _, text in rows) == [False, True]
