"""`mgbench leaderboard`: boards from records."""

import contextlib
import os
import stat
from pathlib import Path

import rich_click as click

from mgbench.cli.options import store_option
from mgbench.errors import SpecError


@click.group("leaderboard")
def leaderboard_command() -> None:
    """Make boards from records."""


@leaderboard_command.command("build")
@store_option
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the Markdown to this file instead of the terminal.")
def build_command(store: Path | None, out: Path | None) -> None:
    """Make Markdown tables of everything in the store, floors included."""
    from mgbench.board import build_board
    from mgbench.paths import store_root
    from mgbench.store import write_bytes

    target = None if out is None else _target(out)
    text = build_board(store_root(store))
    if target is None:
        click.echo(text)
    else:
        write_bytes(target, text.encode())
        click.echo(f"wrote {out}")


def _target(out: Path) -> Path:
    """Return the file that a name leads to: a new one is put in its place, which must replace neither a link nor a device."""
    target = Path(os.path.realpath(out))
    with contextlib.suppress(OSError):  # nothing is there yet, or what is wrong is told when it is written
        if not stat.S_ISREG(target.lstat().st_mode):  # a link that is left leads to itself
            msg = f"--out got {str(out)!r}, which is no regular file; name a file, or leave --out away to print the board."
            raise SpecError(msg)
    return target
