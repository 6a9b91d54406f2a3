"""Whether metrics put the rows of a table in one order: ranks, what is first, what swaps places, and how far whole orders agree."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from mgbench.stats import Floats


#: So many of the best rows are looked at for swaps; fewer rows than the second have no order worth a coefficient.
_TOP, _FEWEST = 5, 3
#: Digits to which means are the same, in whatever order they were added.
_DIGITS: Final = 9


def ranks_of(values: Floats) -> list[int]:
    """Return the rank of each value, the highest first; equal ones share the better rank."""
    rounded = np.round(values, _DIGITS)
    return [int((rounded > one).sum()) + 1 for one in rounded]


def order_told(rows: Sequence[tuple[str, str]], figures: dict[str, Floats]) -> Iterator[str]:
    """Yield whether metrics put the methods in one order; all rows, where there are not two methods.

    Args:
        rows: role and name of each row of a table, in its order.
        figures: of these rows by each metric, top-1 among them.
    """
    methods = [number for number, (role, _) in enumerate(rows) if role not in {"floor", "ceiling"}]
    kept = methods if len(methods) > 1 else list(range(len(rows)))
    what = "methods" if len(methods) > 1 else "rows"
    if len(kept) == 1:
        return
    values = {name: np.round(one[kept], _DIGITS) for name, one in figures.items()}
    names = [rows[number][1] for number in kept]
    first = {name: frozenset(np.flatnonzero(one == one.max()).tolist()) for name, one in values.items()}
    if always := frozenset.intersection(*first.values()):
        yield f"Of the {what}, {names[min(always)]} is first by every metric."
    else:
        by = {one: [name for name, each in first.items() if each == one] for one in first.values()}
        says = [f"{' and '.join(names[number] for number in sorted(one))} by {', '.join(metrics)}" for one, metrics in by.items()]
        yield f"Which of the {what} is first depends on the metric: {'; '.join(says)}."
    if len(kept) < _FEWEST:
        return
    if told := _agreement(values):
        yield f"Kendall's tau between orders of the {len(kept)} {what}: {told}."
    top = kept[:_TOP]
    swaps = _swaps(names[: len(top)], {name: one[: len(top)] for name, one in values.items()})
    yield (
        f"Of the {len(top)} first by top-1, {f'these swap places: {swaps}' if swaps else 'no two swap places'}. Orders are of means; which "
        "rows can be told apart is said by the ranks of the table itself."
    )


def _agreement(values: dict[str, Floats]) -> str:
    varied = {name: one for name, one in values.items() if np.ptp(one) > 0}
    pairs = itertools.combinations(varied, 2)
    return ", ".join(f"{one} and {other} {tau(varied[one], varied[other]):.2f}" for one, other in pairs)


def tau(one: Floats, other: Floats) -> float:
    """Return Kendall's tau-b between two orders `(N,)`, of which neither is of equal values alone."""
    mine, theirs = (np.sign(values[:, None] - values) for values in (one, other))  # scipy has it, and takes a second to import
    return float((mine * theirs).sum() / np.sqrt((mine**2).sum() * (theirs**2).sum()))


def _swaps(names: list[str], values: dict[str, Floats]) -> str:
    """Return the pairs of which one is ahead by top-1 and the other by another metric, and by which."""
    told = []
    for one, other in itertools.combinations(range(len(names)), 2):
        by = [name for name, each in values.items() if (each[one] - each[other]) * (values["top-1"][one] - values["top-1"][other]) < 0]
        told += [f"{names[one]} and {names[other]} ({', '.join(by)})"] if by else []
    return "; ".join(told)
