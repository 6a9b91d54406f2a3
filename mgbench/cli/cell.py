"""`mgbench cell`: what every launcher runs."""

import sys
from pathlib import Path

import rich_click as click

from mgbench.cli.options import plugin_option
from mgbench.errors import SpecError
from mgbench.launch.local import Job, execute_job
from mgbench.paths import data_root
from mgbench.store import CellFolder, read_json


@click.group("cell")
def cell_command() -> None:
    """Run one prepared cell."""


@cell_command.command("exec")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--data-root", "root", type=click.Path(path_type=Path), help="Where the data sets' folders lie.")
@click.option("--checkpoint-seconds", default=60.0, show_default=True, help="At most one checkpoint in so many seconds.")
@plugin_option
def exec_command(folder: Path, root: Path | None, checkpoint_seconds: float, plugin_files: tuple[Path, ...]) -> None:
    """Run the cell that FOLDER describes, or what is missing of it."""
    cell = CellFolder(folder)
    if not cell.spec.is_file():
        msg = f"{str(folder)!r} holds no spec.json; mgbench run prepares cells below its store."
        raise SpecError(msg)
    spec = read_json(cell.spec)
    if "imported" in spec:
        msg = f"{str(folder)!r} holds somebody else's predictions, which are not run; mgbench leaderboard import takes them in again."
        raise SpecError(msg)
    if "members" in spec:
        msg = f"{str(folder)!r} holds an ensemble, which is not run; mgbench ensemble makes it again."
        raise SpecError(msg)
    before = read_json(cell.status).get("ended")
    status = execute_job(Job(cell, folder.parent.parent, data_root(root), plugin_files, checkpoint_seconds, before))
    click.echo(f"{folder.name}: {status}")
    sys.exit(0 if status == "ok" else 1)
