"""`mgbench ensemble`: records of several streams together, from the scores that their cells keep."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from mgbench.cli.options import store_option
from mgbench.cli.text import columns
from mgbench.errors import MgbenchError, SpecError


if TYPE_CHECKING:
    from mgbench.ensemble import Ensemble


@click.command("ensemble")
@click.argument("cells", nargs=-1, metavar="[CELL]...")
@click.option("--weights", metavar="A,B,C", help="What each cell's scores are multiplied by, such as .6,.6,.4; 1 for all by default.")
@store_option
def ensemble_command(cells: tuple[str, ...], weights: str | None, store: Path | None) -> None:
    """Add up the scores of two or three CELLs that differ in their stream alone; without CELL, of every joint, bone and motion.

    Weights are in the order of the CELLs, or of joint, bone and motion. What comes out is a record of its own, which boards show; it goes
    stale when one of its cells changes, and the same command makes it anew. Nothing is trained or scored again. Exit status: 0 all made, 1
    some could not be made, 2 usage error or nothing to make.
    """
    from mgbench.ensemble import complete_sets, make_ensemble
    from mgbench.named import find_cell
    from mgbench.paths import store_root
    from mgbench.standing import read_standing, read_standings

    place = store_root(store)
    sets = [[read_standing(find_cell(word, place)) for word in cells]] if cells else complete_sets(read_standings(place))
    if not sets:
        msg = f"The store {str(place)!r} holds no joint, bone and motion of anything; mgbench run --stream joint,bone,motion makes them."
        raise SpecError(msg)
    made = [make_ensemble(one, _weights(weights, len(one))) for one in sets]
    refused = [error for ensemble in made if (error := _make(ensemble, place))]
    if refused and cells:
        raise refused[0]
    for error in refused:
        click.echo(f"Error: {error}", err=True)
    sys.exit(1 if refused else 0)


def _make(ensemble: "Ensemble", store: Path) -> MgbenchError | None:
    """Write an ensemble and tell its top-1 beside those of its cells, a line an evaluator; return why it cannot be made, if so."""
    try:
        found = ensemble.write(store)
    except MgbenchError as error:  # of one set, which stops no other
        return error
    rows = []
    for evaluator, row in found.items():
        alone = ", ".join(f"{member.cell.stream} {100 * member.one.rows[evaluator]['top1']:.1f}" for member in ensemble.members)
        rows.append((evaluator, f"top-1 {100 * row['top1']:.1f}", f"({alone})"))
    for line in (ensemble.name, *columns(rows)):
        click.echo(line)
    return None


def _weights(text: str | None, count: int) -> list[float]:
    try:
        return [1.0] * count if text is None else [float(word) for word in text.split(",")]
    except ValueError as error:
        msg = f"--weights got {text!r}; write {count} numbers, such as {','.join(['.6', '.6', '.4'][:count])}."
        raise SpecError(msg) from error
