"""`mgbench verify`: are records what they say?"""

import sys
from pathlib import Path

import rich_click as click

from mgbench.cli.options import data_root_option, plugin_option
from mgbench.cli.text import refuse
from mgbench.words import counted


#: Nothing is wrong, and not all that was to be run again could be.
_OPEN = 3


@click.command("verify")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--cells", "count", type=click.IntRange(min=1), metavar="N", help="Train a sample of so many cells again, and compare.")
@data_root_option
@plugin_option
def verify_command(source: Path, count: int | None, root: Path | None, plugin_files: tuple[Path, ...]) -> None:
    """Recompute every figure in SOURCE, a book or a store, from its predictions, and tell what does not follow.

    With --cells a sample of the trained cells, always the same one, is run again from its specs in a store that is thrown away. On the
    processor and with the versions of the record all predictions must be the same; elsewhere top-1 may differ by 2 points, or by three
    times what two seeds of its row differ by. In a book, rows that agree get the badge re-run; a store is not written to. Exit status: 0
    all is so, 1 something is not, 2 usage error, 3 nothing is wrong, but of some cells of the sample it could not be told.
    """
    from mgbench.boards.compacting import open_book
    from mgbench.boards.rerun import rerun
    from mgbench.boards.sources import is_book
    from mgbench.boards.verify import badged, faults, sample, trained
    from mgbench.paths import data_root

    book = open_book(source)
    refuse(list(faults(book)))
    click.echo(f"{source}: the figures of {counted(book.scored, 'row')} follow from their predictions")
    if count is None:
        return
    names, verdicts = (trained(book) if book.scored else []), []
    click.echo(f"running {min(count, len(names))} of {counted(len(names), 'trained cell')} again")
    for verdict in rerun(book, sample(names, count), data_root(root), tuple(path.absolute() for path in plugin_files)) if names else ():
        click.echo(f"{'Error: ' if verdict.agrees is False else ''}{verdict}", err=verdict.agrees is False)
        verdicts.append(verdict)
    if is_book(source) and any(verdict.agrees is not None for verdict in verdicts):
        badged(book, verdicts).write(source)
        click.echo(f"wrote {source}: badges; mgbench leaderboard build makes boards of them")
    if any(verdict.agrees is False for verdict in verdicts):
        sys.exit(1)
    sys.exit(_OPEN if not verdicts or any(verdict.agrees is None for verdict in verdicts) else 0)
