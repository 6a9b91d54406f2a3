"""Which rows of a table can be told apart: paired tests over subjects, corrected for there being many, and the ranks that they leave.

A method's figure for a subject is a mean over clips and seeds; two methods are compared by their differences, one a subject, each
weighing the same, so that a person with a way of their own counts once and not once a clip.
"""

import itertools
from functools import cache
from typing import Final, TypeAlias

import attrs
import numpy as np
import numpy.typing as npt

from mgbench.stats import Bools, Floats, t_within


Places: TypeAlias = npt.NDArray[np.intp]
#: Up to so many subjects signs are flipped, in every way; beyond, a t-test does as well, and its p-values can be small.
FEW: Final = 12
LEVEL: Final = 0.05
#: Sums that a processor keeps at hand while it looks for the largest, and by how much equal ones may differ.
_IN_CACHE, _ROUNDING = 2**16, 1e-9


def fewest_to_tell(level: float = LEVEL) -> int:
    """Return the number of subjects below which no flip of signs gives a p-value as small as a level."""
    return next(count for count in itertools.count(1) if 2.0 ** (1 - count) <= level)


def adjusted(differences: Floats) -> Floats:
    """Return two-sided p-values of paired differences `(P, S)`, P comparisons on S subjects, corrected for there being P of them.

    All of these p-values hold at once: the chance that any comparison without a true difference falls below a level is at most that
    level. The correction steps down from the clearest comparison to the next, as Holm's does. Where subjects are few, Holm's sum of
    p-values is never small, since none can be below 2^(1-S); there, signs are flipped for all comparisons together, and each is held
    against the largest statistic of those not yet told apart [Westfall and Young 1993; Romano and Wolf 2005]. Of one subject, nothing
    can be told, and all are 1.
    """
    comparisons, subjects = differences.shape
    if subjects == 1 or not comparisons:
        return np.ones(comparisons)
    if subjects > FEW:
        return _holm(differences)
    p, last = np.ones(comparisons), 0.0
    flips = _Flips.of(differences)
    for number, part in reversed(list(enumerate(flips.parts))):
        p[part] = np.maximum(np.maximum.accumulate(flips.shares(number)[::-1])[::-1], last)
        last = p[part[0]]
    return p


def told_apart(differences: Floats, level: float = LEVEL) -> Bools:
    """Return which of many comparisons `(P, S)` have an adjusted p-value of a level at most, without computing all of these."""
    comparisons, subjects = differences.shape
    apart = np.zeros(comparisons, dtype=bool)
    if subjects > FEW:
        return _holm(differences) <= level
    if subjects < fewest_to_tell(level):
        return apart
    flips = _Flips.of(differences)
    for number, part in reversed(list(enumerate(flips.parts))):
        if flips.bound(number) > level:
            apart[part] = np.logical_and.accumulate((flips.shares(number) <= level)[::-1])[::-1]
            if not apart[part[0]]:
                break
        else:
            apart[part] = True
    return apart


def paired_p(differences: Floats) -> float:
    """Return the two-sided p-value of one comparison's differences `(S,)`."""
    return float(adjusted(differences[None])[0])


@attrs.frozen(eq=False)
class _Flips:
    """Comparisons under every flip of subjects' signs, in parts of which the last holds the clearest, and each part's last is its clearest.

    Args:
        unit: the comparisons' differences, scaled `(P, S)`.
        signs: of every flip `(F, S)`.
        found: the comparisons' own statistics, from which on another one counts `(P,)`.
        parts: places of the comparisons.
        largest: statistic of every flip among what is less clear than each part `(F,)`, and last of all among everything.
    """

    unit: Floats
    signs: Floats
    found: Floats
    parts: list[Places]
    largest: list[Floats]

    @classmethod
    def of(cls, differences: Floats) -> "_Flips":
        """Return those of some comparisons `(P, S)`."""
        unit, signs = _unit(differences), _signs(differences.shape[1])
        found = np.abs(unit.sum(axis=1)) - _ROUNDING
        order = np.argsort(found, kind="stable")
        size = max(1, _IN_CACHE // len(signs))
        parts = [order[place : place + size] for place in range(0, len(order), size)]
        sums, largest = np.empty((size, len(signs))), [np.zeros(len(signs))]
        for part in parts:
            flipped = np.matmul(unit[part], signs.T, out=sums[: len(part)])
            largest.append(np.maximum(largest[-1], np.abs(flipped, out=flipped).max(axis=0)))
        return cls(unit, signs, found, parts, largest)

    def shares(self, number: int) -> Floats:
        """Return of each comparison of a part the share of flips in which its own statistic or that of a less clear one is as large."""
        part = self.parts[number]
        flipped = np.vstack([self.largest[number], np.abs(self.unit[part] @ self.signs.T)])
        found: Floats = (np.maximum.accumulate(flipped)[1:] >= self.found[part, None]).mean(axis=1)
        return found

    def bound(self, number: int) -> float:
        """Return what no such share of a part exceeds: that of its least clear comparison, held against the whole part."""
        return float((self.largest[number + 1] >= self.found[self.parts[number][0]]).mean())


def _unit(differences: Floats) -> Floats:
    """Return differences scaled so that their sums order flips as Student's statistic does."""
    length = np.linalg.norm(differences, axis=1, keepdims=True)
    unit: Floats = np.divide(differences, length, out=np.zeros_like(differences), where=length > 0)
    return unit


@cache
def _signs(subjects: int) -> Floats:
    """Return every flip of signs but for those that turn all of another one; the first leaves all as they are."""
    return np.array([(1.0, *rest) for rest in itertools.product([1.0, -1.0], repeat=subjects - 1)])


def _holm(differences: Floats) -> Floats:
    """Return p-values of t-tests over subjects, corrected by Holm's sequence."""
    count = differences.shape[1]
    mean = differences.mean(axis=1)
    apart = differences - mean[:, None]
    error = np.sqrt(np.einsum("ps,ps->p", apart, apart) / ((count - 1) * count))
    sure = np.where(mean == 0, 0.0, np.inf)
    p = np.maximum(0.0, 1 - t_within(np.abs(np.divide(mean, error, out=sure, where=error > 0)), count - 1))
    order = np.argsort(-p, kind="stable")
    scaled = np.minimum(p[order] * np.arange(1, len(p) + 1), 1.0)
    return _unordered(np.maximum.accumulate(scaled[::-1])[::-1], order)


def _unordered(values: Floats, order: Places) -> Floats:
    found = np.empty_like(values)
    found[order] = values
    return found


def rank_intervals(figures: Floats, level: float = LEVEL) -> list[tuple[int, int]]:
    """Return the first and last rank that each row of `(L, S)` may have, the highest first, given each one's figure for each subject.

    A row stands behind all that are surely better, and before all that are surely worse. With the chance that `level` leaves, every
    true rank is inside.
    """
    rows = len(figures)
    one, other = np.triu_indices(rows, 1)
    apart = told_apart(figures[one] - figures[other], level)
    better = np.zeros((rows, rows), dtype=bool)  # [a, b]: a is surely better than b
    sums = figures.sum(axis=1)
    ahead = sums[one] > sums[other]
    better[one, other], better[other, one] = apart & ahead, apart & ~ahead
    return list(zip((better.sum(axis=0) + 1).tolist(), (rows - better.sum(axis=1)).tolist(), strict=True))
