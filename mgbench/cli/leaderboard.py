"""`mgbench leaderboard`: boards from records."""

from pathlib import Path

import rich_click as click

from mgbench.cli.options import store_option


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

    text = build_board(store_root(store))
    if out is None:
        click.echo(text)
    else:
        write_bytes(out, text.encode())
        click.echo(f"wrote {out}")
