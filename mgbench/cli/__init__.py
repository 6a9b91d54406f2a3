"""The command line; nothing here imports torch or a plugin before a command needs it."""

import errno
import os
import sys
from typing import Any

import rich_click as click

from mgbench.errors import MgbenchError


_COMMANDS = {
    "run": ("mgbench.cli.run", "Run the grid of data sets, methods, encoders and seeds."),
    "plan": ("mgbench.cli.plan", "Show what run would do, its cost, and what it can show."),
    "list": ("mgbench.cli.components", "List the installed components."),
    "show": ("mgbench.cli.components", "Show a component: parameters, paper, what it needs and gives."),
    "cite": ("mgbench.cli.cite", "Print BibTeX of components, or of all that a cell used."),
    "plugin": ("mgbench.cli.plugin", "Check and diagnose plugins."),
    "data": ("mgbench.cli.data", "Bring, check and look at data."),
    "kernels": ("mgbench.cli.kernels", "Check and measure the operators that training spends its time in."),
    "ensemble": ("mgbench.cli.ensemble", "Add up the scores of cells of several streams."),
    "leaderboard": ("mgbench.cli.leaderboard", "Make boards from records."),
    "compare": ("mgbench.cli.compare", "Tell whether one row of a board is better than another."),
    "verify": ("mgbench.cli.verify", "Recompute figures from predictions, and train a sample of cells again."),
    "status": ("mgbench.cli.status", "Show where all cells stand."),
    "explain": ("mgbench.cli.explain", "Tell everything about one cell, or how cells failed."),
    "diff": ("mgbench.cli.diff", "Tell what differs between two cells."),
    "figure": ("mgbench.cli.figure", "Draw merged clips, distances between classes, and confusion matrices."),
    "gc": ("mgbench.cli.gc", "List what a store no longer needs, or delete it."),
    "cell": ("mgbench.cli.cell", "Run one prepared cell."),
}


class _Lazy(click.RichGroup):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        import importlib

        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(_COMMANDS[cmd_name][0])
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own type
        try:
            return super().invoke(ctx)
        except MgbenchError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(2)
        except OSError as error:
            if error.errno != errno.ENOSPC or error.filename is not None:  # of a stream, which has no name
                raise
            click.echo(f"Error: Cannot write what this command says: {error.strerror}.", err=True)
            os._exit(2)  # whose end would write once more


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mgbench")
def main() -> None:
    """Compare self-supervised methods on skeleton and micro-gesture recognition."""
