"""Which rows of a table can be told apart: paired tests over subjects, corrected for there being many, and the ranks that they leave.

A method's figure for a subject is a mean over clips and seeds; two methods are compared by their differences, one a subject, each
weighing the same, so that a person with a way of their own counts once and not once a clip.
"""

import itertools
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from mgbench.stats import Floats


#: Up to so many subjects signs are flipped, in every way; beyond, a t-test does as well, and its p-values can be small.
FEW: Final = 10
LEVEL: Final = 0.05
#: Comparisons that are flipped at once, for the sake of memory, and by how much equal sums may differ.
_AT_ONCE, _ROUNDING = 4096, 1e-9


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
    return _flipped(differences) if subjects <= FEW else _holm(differences)


def paired_p(differences: Floats) -> float:
    """Return the two-sided p-value of one comparison's differences `(S,)`."""
    return float(adjusted(differences[None])[0])


def _flipped(differences: Floats) -> Floats:
    """Return p-values by every flip of subjects' signs, the same one for all comparisons, in steps down."""
    unit, signs = _unit(differences), _signs(differences.shape[1])
    found = np.abs(unit.sum(axis=1))
    order = np.argsort(found, kind="stable")  # from the least clear comparison to the clearest
    largest, p = np.zeros(len(signs)), np.empty(len(order))
    for place in range(0, len(order), _AT_ONCE):
        part = order[place : place + _AT_ONCE]
        flipped = np.maximum.accumulate(np.vstack([largest, np.abs(unit[part] @ signs.T)]))[1:]
        p[place : place + _AT_ONCE] = (flipped >= found[part, None] - _ROUNDING).mean(axis=1)
        largest = flipped[-1]
    return _unordered(np.maximum.accumulate(p[::-1])[::-1], order)


def told_apart(differences: Floats, level: float = LEVEL) -> npt.NDArray[np.bool_]:
    """Return which comparisons `(P, S)` have an adjusted p-value within a level; of a hundred thousand quicker than all p-values."""
    comparisons, subjects = differences.shape
    if not fewest_to_tell(level) <= subjects <= FEW:
        return adjusted(differences) <= level
    unit, signs = _unit(differences), _signs(subjects)
    found, apart = np.abs(unit.sum(axis=1)), np.zeros(comparisons, dtype=bool)
    while not apart.all():  # what is clearer than nearly all flips of all that are left is told apart, and leaves
        left = unit[~apart]
        parts = (np.abs(left[place : place + _AT_ONCE] @ signs.T).max(axis=0) for place in range(0, len(left), _AT_ONCE))
        largest = np.sort(np.max(list(parts), axis=0))
        above = len(signs) - np.searchsorted(largest, found - _ROUNDING)  # so many flips are as clear
        new = ~apart & (above <= level * len(signs))
        if not new.any():
            break
        apart |= new
    return apart


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
    from scipy.special import stdtr  # scipy.stats takes six times as long to import

    count = differences.shape[1]
    mean, error = differences.mean(axis=1), differences.std(axis=1, ddof=1) / np.sqrt(count)
    sure = np.where(mean == 0, 0.0, np.inf)
    p = 2 * stdtr(count - 1, -np.abs(np.divide(mean, error, out=sure, where=error > 0)))
    order = np.argsort(-p, kind="stable")
    scaled = np.minimum(p[order] * np.arange(1, len(p) + 1), 1.0)
    return _unordered(np.maximum.accumulate(scaled[::-1])[::-1], order)


def _unordered(values: Floats, order: npt.NDArray[np.intp]) -> Floats:
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
    gaps = figures[one] - figures[other]
    apart = told_apart(gaps, level)
    better = np.zeros((rows, rows), dtype=bool)  # [a, b]: a is surely better than b
    ahead = gaps.mean(axis=1) > 0
    better[one, other], better[other, one] = apart & ahead, apart & ~ahead
    return [(int(better[:, row].sum()) + 1, rows - int(better[row].sum())) for row in range(rows)]
