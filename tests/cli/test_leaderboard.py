"""Where a board is written: to files, also through links, and to nothing else."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from mgbench.store import CellFolder


Command = Callable[..., Result]


@pytest.fixture(name="build")
def _build(mgbench: Command, write_cell: Callable[..., CellFolder], tmp_path: Path) -> Command:
    """Build the board of a store of one cell."""
    write_cell(tmp_path / "store", status="failed", reason="it has a fault")

    def call(*more: str | Path) -> Result:
        return mgbench("leaderboard", "build", "--store", tmp_path / "store", *more)

    return call


@pytest.mark.parametrize("there", ["nothing", "text"])
def test_a_link_is_followed(build: Command, tmp_path: Path, there: str) -> None:
    """The file that a link leads to gets the text, be it there already or not, and the link stays."""
    file, link = tmp_path / "board.md", tmp_path / "link.md"
    if there == "text":
        file.write_text("old")
    link.symlink_to(file)
    done = build("--out", link)

    assert done.exit_code == 0, done.output
    assert link.is_symlink()
    assert file.read_text() == build().output.removesuffix("\n")


@pytest.mark.parametrize("kind", ["pipe", "loop", "linked folder"])
def test_what_is_no_file_is_refused(build: Command, tmp_path: Path, kind: str) -> None:
    """A device, a folder, or a link that leads nowhere is neither replaced nor written to."""
    out = tmp_path / "out"
    if kind == "pipe":
        os.mkfifo(out)
    else:
        out.symlink_to(out if kind == "loop" else tmp_path)
    before = out.lstat()
    done = build("--out", out)

    assert done.exit_code == 2
    assert "out" in done.stderr
    assert "Traceback" not in done.stderr
    assert out.lstat() == before
