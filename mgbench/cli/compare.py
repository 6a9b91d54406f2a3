"""`mgbench compare`: two rows of a board against each other."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from mgbench.cli.options import store_option
from mgbench.errors import SpecError
from mgbench.words import counted


if TYPE_CHECKING:
    from mgbench.boards.book import Book
    from mgbench.boards.versus import Need, Pair


@click.command("compare")
@click.argument("a")
@click.argument("b")
@click.option("--dataset", "-d", help="Only on this data set, as boards have it.")
@click.option("--evaluator", "-E", help="Only under this evaluator, as boards have it.")
@click.option("--book", type=click.Path(path_type=Path, file_okay=False, exists=True), help="A book in place of the store.")
@store_option
def compare_command(a: str, b: str, dataset: str | None, evaluator: str | None, book: Path | None, store: Path | None) -> None:
    """Tell whether row B of a board is better than row A, on every board that has both: B less A.

    A row is named as boards name it, such as 'mgrl / stgcn', or by a part of its name that no other row has. Told are the difference
    with its interval and p-value over people, who wins for how many people and classes, and how many seeds or clips it would take to
    find a difference of one point.
    """
    from mgbench.boards.compacting import board_book
    from mgbench.boards.lines import boards_of
    from mgbench.boards.versus import find_pairs
    from mgbench.paths import store_root

    source = board_book(book or store_root(store))
    wanted = {"dataset": dataset, "evaluator": evaluator}
    kept = [board for board in boards_of(source) if all(value in {None, board.key[name]} for name, value in wanted.items())]
    if not kept:
        asked = " under ".join(filter(None, (dataset, evaluator))) or "anything"
        msg = f"There is no board of {asked}; mgbench leaderboard build shows what there is."
        raise SpecError(msg)
    for pair in find_pairs(kept, (a, b)):
        for line in _told(source, pair):
            click.echo(line)


def _told(book: "Book", pair: "Pair") -> Iterator[str]:
    """Yield what is told of one pair."""
    from mgbench.boards.measured import title_of
    from mgbench.boards.tally import tallies_of
    from mgbench.boards.texts import difference_text
    from mgbench.boards.versus import need_of, people_of, recalls_of, wins

    people, interval = pair.board.people, pair.interval
    yield f"{pair.board.key['dataset']}: {title_of(pair.board)}"
    for side, line in (("A", pair.a), ("B", pair.b)):
        yield f"  {side}  {line.name}: {100 * line.mean:.1f}, {counted(len(line.seeds), 'seed')}"
    told = f"{100 * interval[0]:+.1f} to {100 * interval[1]:+.1f}" if interval else f"none, {counted(people, 'subject')} cannot tell"
    yield f"  B - A    {difference_text(pair.difference, pair.p)}, 95 % interval {told}"
    yield f"  people   {_won(wins(pair.b.people, pair.a.people))}"
    for tally in tallies_of(book, [pair.board]):
        yield f"  classes  {_won(wins(*(recalls_of(book, tally, line) for line in (pair.b, pair.a))))}"
    if people > 1:
        a, b = (people_of(book, line) for line in (pair.a, pair.b))
        yield f"  one point would need  {_needed(pair, need_of(a, b), min(len(a), len(b)))}"


def _needed(pair: "Pair", need: "Need", seeds: int) -> str:
    """Return in words what a one-point claim would need."""
    each = pair.a.counts.mean()
    most = f"{need.least} people ({need.least * each:.0f} clips) however many seeds"
    if need.people is None:
        people = f"no number of people with {counted(seeds, 'seed')}, {most}"
    elif need.people == need.least:
        people = most
    else:
        people = f"{need.people} people ({need.people * each:.0f} clips) with {counted(seeds, 'seed')}, {most}"
    told = "no number of seeds is enough" if need.seeds is None else f"{counted(need.seeds, 'seed')} would do"
    unknown = "; how seeds differ is not known from one" if seeds == 1 else ""
    return f"{people}; with these {len(pair.gaps)} people {told}{unknown}"


def _won(counts: tuple[int, int, int]) -> str:
    return f"B is better in {counts[0]}, A in {counts[1]}, neither in {counts[2]}"
