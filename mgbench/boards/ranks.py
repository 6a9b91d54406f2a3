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
FEW: Final = 12
LEVEL: Final = 0.05
#: Sums that a processor keeps at hand while it looks for the largest, and by how much equal ones may differ.
_IN_CACHE, _ROUNDING = 2**16, 1e-9


def fewest_to_tell(level: float = LEVEL) -> int:
    """Return the number of subjects below which no flip of signs gives a p-value as small as a level."""
    return next(count for count in itertools.count(1) if 2.0 ** (1 - count) <= level)


def adjusted(differences: Floats, level: float = 1.0) -> Floats:
    """Return two-sided p-values of paired differences `(P, S)`, P comparisons on S subjects, corrected for there being P of them.

    All of these p-values hold at once: the chance that any comparison without a true difference falls below a level is at most that
    level. The correction steps down from the clearest comparison to the next, as Holm's does. Where subjects are few, Holm's sum of
    p-values is never small, since none can be below 2^(1-S); there, signs are flipped for all comparisons together, and each is held
    against the largest statistic of those not yet told apart [Westfall and Young 1993; Romano and Wolf 2005]. Of one subject, nothing
    can be told, and all are 1. Of p-values above `level` no more than that need be right, which is quicker for many comparisons.
    """
    comparisons, subjects = differences.shape
    if subjects == 1 or not comparisons:
        return np.ones(comparisons)
    return _flipped(differences, level) if subjects <= FEW else _holm(differences)


def paired_p(differences: Floats) -> float:
    """Return the two-sided p-value of one comparison's differences `(S,)`."""
    return float(adjusted(differences[None])[0])


def _flipped(differences: Floats, level: float) -> Floats:
    """Return p-values by every flip of subjects' signs, the same one for all comparisons, in steps down to the first above a level."""
    unit, signs = _unit(differences), _signs(differences.shape[1])
    found = np.abs(unit.sum(axis=1))
    order = np.argsort(found, kind="stable")  # from the least clear comparison to the clearest
    size = max(1, _IN_CACHE // len(signs))
    parts = [order[place : place + size] for place in range(0, len(order), size)]
    largest = [np.zeros(len(signs))]  # of every flip, among what is less clear than a part
    for part in parts[:-1]:
        sums = unit[part] @ signs.T
        largest.append(np.maximum(largest[-1], np.maximum(sums.max(axis=0), -sums.min(axis=0))))
    p, last = np.ones(len(order)), 0.0
    for part, below in zip(reversed(parts), reversed(largest), strict=True):
        flipped = np.maximum.accumulate(np.vstack([below, np.abs(unit[part] @ signs.T)]))[1:]
        own = (flipped >= found[part, None] - _ROUNDING).mean(axis=1)
        p[part] = np.maximum(np.maximum.accumulate(own[::-1])[::-1], last)
        last = p[part[0]]
        if last > level:
            break
    return p


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
    apart = adjusted(gaps, level) <= level
    better = np.zeros((rows, rows), dtype=bool)  # [a, b]: a is surely better than b
    ahead = gaps.mean(axis=1) > 0
    better[one, other], better[other, one] = apart & ahead, apart & ~ahead
    return [(int(better[:, row].sum()) + 1, rows - int(better[row].sum())) for row in range(rows)]
