"""`mgbench leaderboard`: boards from records."""

import contextlib
import os
import stat
from pathlib import Path

import rich_click as click

from mgbench.cli.options import plugin_option, set_option, store_option
from mgbench.cli.study import read_study
from mgbench.errors import SpecError


@click.group("leaderboard")
def leaderboard_command() -> None:
    """Make boards from records."""


_out = click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the Markdown to this file, not the terminal.")


@leaderboard_command.command("build")
@store_option
@_out
def build_command(store: Path | None, out: Path | None) -> None:
    """Make Markdown tables of everything in the store, floors included."""
    from mgbench.board import build_board
    from mgbench.paths import store_root

    target = None if out is None else _target(out)
    _give(build_board(store_root(store)), target, out)


@leaderboard_command.command("study")
@click.argument("study", type=click.Path(path_type=Path, dir_okay=False))
@set_option
@store_option
@plugin_option
@_out
def study_command(study: Path, changes: tuple[str, ...], store: Path | None, plugin_files: tuple[Path, ...], out: Path | None) -> None:
    """Print the table of STUDY, a file or the name of one that comes with mgbench: measured beside published.

    Rows that --set changed when they were run are found by the same --set.
    """
    from mgbench.ablation import build_tables
    from mgbench.catalogue import Catalogue
    from mgbench.paths import store_root
    from mgbench.registry import registry

    target = None if out is None else _target(out)
    table = read_study(study, changes).table
    if table is None:
        msg = f"The study {str(study)!r} has no table; leaderboard build makes boards of what it ran."
        raise SpecError(msg)
    _give(build_tables(store_root(store), table, Catalogue(registry(plugin_files))), target, out)


def _give(text: str, target: Path | None, out: Path | None) -> None:
    from mgbench.store import write_bytes

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
