"""The best row of a table class by class: recall beside that of a floor, what was taken for what, and how shares of classes shift."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from mgbench import exchange
from mgbench.boards.lines import Line
from mgbench.boards.measured import best_floor, title_of
from mgbench.boards.sheet import Sheet
from mgbench.boards.tally import Tally
from mgbench.boards.texts import percent, span_text
from mgbench.clips import Ints
from mgbench.confusion import Floats
from mgbench.stats import wilson


#: Pairs of classes and classes with a shift that are shown, and draws that say what shift chance makes.
_PAIRS, _SHIFTS, _DRAWS = 10, 5, 2000
_OVER: Final = ("recall", "over clips", "over people")


def class_sheets(tally: Tally, predicted: Mapping[int, Ints], ungrouped: str) -> Iterator[Sheet]:
    """Yield the recall of each class and the pairs most confused, of the best row; and the shift of shares where it is more than chance.

    Args:
        tally: the classes of the row's table.
        predicted: what the row and its floor predicted, by the places of their records.
        ungrouped: a sentence that says why classes are in no groups, nothing where they are.
    """
    # Of two balanced sets a shift is rounding; below what chance makes, its largest changes are chance's.
    told, shift = _shift(tally, tally.fit) if tally.fit is not None and (tally.fit_tailed or tally.scored_tailed) else ("", None)
    if (best := tally.best) is not None:
        counts = tally.matrices(best, predicted)
        yield _recall_sheet(tally, best, counts, predicted, (ungrouped, told))
        yield from _pair_sheets(tally, best, counts)
    if shift is not None:
        yield shift


def _recall_sheet(tally: Tally, best: Line, counts: Floats, predicted: Mapping[int, Ints], more: tuple[str, ...]) -> Sheet:
    floor = best_floor(tally.board)
    fit, scored = tally.fit, tally.scored
    size = scored if fit is None else fit
    order = sorted(np.flatnonzero((scored > 0) | (size > 0)).tolist(), key=lambda number: (-size[number], -scored[number], number))
    mine = _recalls(counts, order)
    other = _recalls(tally.matrices(floor, predicted), order) if floor is not None else [("", "", "")] * len(order)
    heads = ("class", "fit clips", "scored clips", *_OVER, *(f"floor's {name}" for name in _OVER))
    rows = tuple(
        (tally.name(number), _count(fit, number), str(scored[number]), *one, *beside)
        for number, one, beside in zip(order, mine, other, strict=True)
    )
    whose = (
        f"Taken apart is the best {best.role} by top-1 in the tables above that score these clips: {title_of(tally.board)}. "
        f"{'No floor of that table is measured' if floor is None else f'Beside it stands the best floor there: {floor.name}'}."
    )
    means = (
        "Recall is in percent, mean over seeds. Its 95 % interval over clips is Wilson's, which takes clips for independent; the one over "
        "people draws whole subjects, where three or more have the class and not all are alike."
    )
    return Sheet(f"Recall of each class: {tally.board.called(best)}", tuple(filter(None, (whose, means, *more))), heads, rows)


def _recalls(counts: Floats, order: list[int]) -> list[tuple[str, str, str]]:
    """Return the recall of each class with both intervals; nothing where it has no scored clip."""
    clips, found = exchange.recalled(counts), []
    for number in order:
        right, total = clips[:, :, number].sum(axis=0)
        if not total:
            found.append(("", "", ""))
            continue
        found.append((percent(right / total), _wilson(right, total), span_text(exchange.recall_interval(clips, [number]))))
    return found


def _wilson(right: float, total: float) -> str:
    low, high = wilson(np.array([right]), int(total))
    return span_text((float(low[0]), float(high[0])))


def _count(counts: Ints | None, number: int) -> str:
    return "" if counts is None or number >= len(counts) else str(counts[number])


def _pair_sheets(tally: Tally, best: Line, counts: Floats) -> Iterator[Sheet]:
    """Yield the pairs that are most confused; one clip of one is no pattern, so that they stand by what their share is at least."""
    mean = counts.sum(axis=1).mean(axis=0)
    totals = mean.sum(axis=1)
    wrong = mean - np.diag(np.diagonal(mean))
    pairs = [(int(true), int(taken)) for true, taken in np.argwhere(wrong > 0)]
    least = {pair: float(wilson(wrong[pair][None], int(totals[pair[0]]))[0][0]) for pair in pairs}
    kept = sorted(pairs, key=lambda pair: (-least[pair], pair))[:_PAIRS]
    if not kept:
        return
    rows = tuple(
        (
            *(text for number in (true, taken) for text in (tally.name(number), _count(tally.fit, number))),
            f"{mean[true, taken]:.1f} of {totals[true]:.0f}",
            percent(mean[true, taken] / totals[true]),
            _wilson(mean[true, taken], totals[true]),
        )
        for true, taken in kept
    )
    about = (
        "Share of the true class's clips that were taken for the other, in percent, mean over seeds, with Wilson's 95 % interval over "
        "clips; the pairs stand by its lower end."
    )
    heads = ("true class", "its fit clips", "taken for", "that one's fit clips", "clips", "share", "over clips")
    yield Sheet(f"Classes most confused: {tally.board.called(best)}", (about,), heads, rows)


def _shift(tally: Tally, fit: Ints) -> tuple[str, Sheet | None]:
    """Return how shares of classes differ between what was fitted on and what was scored, a sheet where that is more than chance makes."""
    scored = tally.scored
    share, other = fit / fit.sum(), scored / scored.sum()
    drawn = np.random.default_rng(0).multinomial(scored.sum(), share, size=_DRAWS) / scored.sum()
    chance = np.quantile(0.5 * np.abs(drawn - share).sum(axis=1), 0.95)
    change = other - share
    distance = 0.5 * np.abs(change).sum()
    told = (
        f"Shares of classes in what was fitted on ({fit.sum()} clips) and in what was scored ({scored.sum()} clips) have a total variation "
        f"distance of {100 * distance:.1f} points; as many clips drawn one by one from the first shares stay below {100 * chance:.1f} in "
        "95 of 100 draws"
    )
    if distance <= chance:
        return f"{told}, so that no shift is seen.", None
    order = sorted(np.flatnonzero(change).tolist(), key=lambda number: (-abs(change[number]), number))[:_SHIFTS]
    heads = ("class", "share fitted on", "share scored", "change")
    rows = tuple((tally.name(number), percent(share[number]), percent(other[number]), f"{100 * change[number]:+.1f}") for number in order)
    key = tally.board.key
    title = f"Shift of classes: {key['fitted_on']} to {key['scored_on']}"
    return "", Sheet(title, (f"{told}. The classes with the largest change:",), heads, rows)
