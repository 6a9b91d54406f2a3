"""`mgbench ensemble`: records of several streams together, from the scores that their cells keep."""

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from mgbench.cli.options import store_option
from mgbench.cli.text import columns
from mgbench.errors import SpecError


if TYPE_CHECKING:
    from mgbench.ensemble import Ensemble


@click.command("ensemble")
@click.argument("cells", nargs=-1, metavar="[CELL]...")
@click.option("--weights", metavar="A,B,C", help="What each cell's scores are multiplied by, such as .6,.6,.4; 1 for all by default.")
@store_option
def ensemble_command(cells: tuple[str, ...], weights: str | None, store: Path | None) -> None:
    """Add up the scores of two or three CELLs that differ in their stream alone; without CELL, of every joint, bone and motion.

    Weights are in the order of the CELLs, or of joint, bone and motion. What comes out is a record of its own, which boards show; it goes
    stale when one of its cells changes, and the same command makes it anew. Nothing is trained or scored again.
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
    for ensemble in made:
        for line in _told(ensemble, place):
            click.echo(line)


def _weights(text: str | None, count: int) -> list[float]:
    try:
        return [1.0] * count if text is None else [float(word) for word in text.split(",")]
    except ValueError as error:
        msg = f"--weights got {text!r}; write {count} numbers, such as {','.join(['.6', '.6', '.4'][:count])}."
        raise SpecError(msg) from error


def _told(ensemble: "Ensemble", store: Path) -> list[str]:
    """Write an ensemble, and return its name and top-1 beside those of its cells, a line an evaluator."""
    rows = []
    for evaluator, row in ensemble.write(store).items():
        alone = ", ".join(f"{member.cell.stream} {100 * member.one.rows[evaluator]['top1']:.1f}" for member in ensemble.members)
        rows.append((evaluator, f"top-1 {100 * row['top1']:.1f}", f"({alone})"))
    return [ensemble.name, *columns(rows)]
