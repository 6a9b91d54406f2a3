"""`mgbench leaderboard`: boards from records."""

import contextlib
import os
import stat
from pathlib import Path

import rich_click as click

from mgbench.cli.options import plugin_option, set_option, store_option
from mgbench.cli.text import refuse
from mgbench.errors import SpecError, nearest


@click.group("leaderboard")
def leaderboard_command() -> None:
    """Make boards from records."""


_out = click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the Markdown to this file, not the terminal.")


_source = click.argument("source", required=False, type=click.Path(path_type=Path, file_okay=False))


@leaderboard_command.command("build")
@_source
@store_option
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write Markdown, CSV and LaTeX into this folder.")
def build_command(source: Path | None, store: Path | None, out: Path | None) -> None:
    """Make boards of everything in SOURCE, a book or a store, floors included: a page each data set and track.

    SOURCE is the store by default. Without --out the Markdown is printed.
    """
    from mgbench.boards.files import FORMATS, page_texts, write_pages
    from mgbench.boards.sources import check_folder
    from mgbench.paths import store_root

    if source is not None:  # a store that is not named may be still to come
        check_folder(source)
    texts = page_texts(source or store_root(store), ("md",) if out is None else FORMATS)
    if out is None:
        click.echo("\n".join(texts.values()) or "No cell has a result yet.")
        return
    write_pages(texts, out)
    for name in texts:
        click.echo(f"wrote {out / name}")


@leaderboard_command.command("merge")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False), metavar="SOURCE...")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="The folder of the book.")
def merge_command(sources: tuple[Path, ...], out: Path) -> None:
    """Compact stores and books into one book, whose three files can be shared, and from which boards are made.

    Every figure is recomputed from the predictions on the way. What has other figures than its predictions give, and a cell that has
    other predictions in two SOURCEs, is told, and nothing is written. Exit status: 0 written, 1 not, 2 usage error.
    """
    from mgbench.boards.compacting import open_book
    from mgbench.boards.merging import merge
    from mgbench.boards.sources import is_store

    if is_store(out):
        msg = f"--out got {str(out)!r}, which is a store, and would be read as a book from then on; name another folder."
        raise SpecError(msg)
    book, wrong = merge({str(source): open_book(source) for source in sources})
    refuse(wrong)
    book.write(out)
    click.echo(f"wrote {out}: {book.rows} rows")


@leaderboard_command.command("check")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def check_command(folder: Path) -> None:
    """Tell whether the boards in FOLDER are those of the book in it, and the book's figures those of its predictions.

    Exit status: 0 they are, 1 they are not, 2 usage error.
    """
    from mgbench.boards.checking import wrong_rows
    from mgbench.boards.compacting import open_book
    from mgbench.boards.files import FORMATS, differing, page_texts

    wrong = [*map(str, wrong_rows(open_book(folder))), *differing(page_texts(folder, FORMATS), folder)]
    refuse(wrong)
    click.echo(f"{folder}: the boards are those of its records")


@leaderboard_command.command("published")
@click.argument("dataset", required=False)
def published_command(dataset: str | None) -> None:
    """Print what others published on DATASET, or on all, with sources, protocols and caveats."""
    from mgbench.boards.published import published_sheets, shipped_numbers
    from mgbench.boards.sheet import markdown

    known = sorted({number.dataset for number in shipped_numbers()})
    if dataset is not None and dataset not in known:
        msg = f"No number is published here on {dataset!r}; {nearest(dataset, known)}"
        raise SpecError(msg)
    for name in known if dataset is None else [dataset]:
        for sheet in published_sheets(shipped_numbers(), name):
            click.echo(markdown(sheet))


@leaderboard_command.command("import")
@click.argument("predictions", type=click.Path(path_type=Path, dir_okay=False), metavar="PREDICTIONS.csv")
@click.option("--like", required=True, metavar="CELL", help="The cell whose scored clips and protocol the predictions follow.")
@click.option("--name", required=True, help="What boards call it.")
@click.option("--labels", type=click.Choice(["none", "all"]), help="Which labels it was trained with; boards say if that is not told.")
@store_option
def import_command(predictions: Path, like: str, name: str, labels: str | None, store: Path | None) -> None:
    """Put somebody else's predictions on the boards of CELL, marked as self-reported.

    PREDICTIONS.csv has a column `clip`, and either `predicted`, a class by name or number, or a column of scores for each class; then
    top-5 is known too. It may have `label`, which must agree with the cell's. Every clip that the cell scored has one row. CELL is named
    as in mgbench diff. The same NAME for the same CELL replaces what is there.
    """
    from mgbench.boards.importing import import_predictions
    from mgbench.named import find_cell
    from mgbench.paths import store_root
    from mgbench.standing import read_standing

    place = store_root(store)
    cell = read_standing(find_cell(like, place))
    uses_labels = None if labels is None else labels == "all"
    folder, top1 = import_predictions(predictions, cell, name, place, uses_labels=uses_labels)
    click.echo(f"{folder.path.name}: top-1 {100 * top1:.1f}, self-reported")


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
    from mgbench.cli.study import read_study
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
