"""`mgbench gc`: what a store no longer needs, listed or deleted."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import rich_click as click

from mgbench.cli.options import store_option
from mgbench.cli.text import columns, size
from mgbench.words import counted


if TYPE_CHECKING:
    from mgbench.garbage import Garbage


#: So many things of one kind are named; the rest is counted.
_MOST: Final = 20


@click.command("gc")
@click.option("--delete", is_flag=True, help="Delete what is listed.")
@store_option
def gc_command(delete: bool, store: Path | None) -> None:
    """List what the store no longer needs and how much that would free; with --delete, delete it.

    That is: temporary files of killed writers older than an hour, checkpoints of finished cells, leases of cells that ended, packed data
    that no cell is made of, and tensors of packed data made by other code. Results are never touched, nor a cell that runs.
    """
    from mgbench.garbage import find_garbage
    from mgbench.paths import store_root

    place = store_root(store)
    found = find_garbage(place)
    if not found:
        click.echo(f"Nothing in {str(place)!r} can go.")
        return
    for line in _listed(found, place):
        click.echo(line)
    if delete:
        _delete(found)
    else:
        click.echo(f"{_total(found)} can go; --delete deletes {'it' if len(found) == 1 else 'them'}.")


def _listed(found: "list[Garbage]", store: Path) -> list[str]:
    kinds: dict[str, list[Garbage]] = {}
    for one in found:
        kinds.setdefault(one.why, []).append(one)
    lines = []
    for why, members in kinds.items():
        named = sorted((one for one in members if one.size), key=lambda one: -one.size)[:_MOST]  # empty ones are only counted
        lines += [f"{why} ({_total(members)})"]
        lines += columns([(size(one.size), str(one.path.relative_to(store))) for one in named], right=[0])
        lines += [f"  and {len(members) - len(named)} more"] if 0 < len(named) < len(members) else []
    return [*lines, ""]


def _total(found: "list[Garbage]") -> str:
    return f"{counted(len(found), 'item')}, {size(sum(one.size for one in found))}"


def _delete(found: "list[Garbage]") -> None:
    gone = []
    for one in found:
        try:
            if one.delete():
                gone.append(one)
            else:
                click.echo(f"{one.path} is in use by now and stays.")
        except OSError as error:
            click.echo(f"{one.path} cannot be deleted: {error.strerror or error}.", err=True)
    click.echo(f"Deleted {_total(gone)}.")
