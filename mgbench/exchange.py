"""Intervals and paired tests of any figure of a confusion matrix, clustered by subject: people are drawn, or exchanged, whole."""

import functools
import itertools

import numpy as np
import numpy.typing as npt

from mgbench.confusion import Figure, Floats, mean_recall


#: Up to so many subjects every exchange is counted; beyond, so many are drawn.
_EXACT, _DRAWN = 12, 4095
#: Draws of an interval, subjects that must have a class for one, and numbers of confusion matrices that are held at once.
_DRAWS, _FEWEST, _AT_ONCE = 2000, 3, 2**24


def value(counts: Floats, figure: Figure) -> float:
    """Return the mean over seeds of a figure of confusion matrices `(R, S, K, K)`, all subjects together."""
    return float(figure(counts.sum(axis=1)).mean())


def interval(counts: Floats, figure: Figure, classes: list[int], level: float = 0.95) -> tuple[float, float] | None:
    """Return the bootstrap interval of the mean over seeds of a figure, subjects of `(R, S, K, K)` drawn whole.

    None where a class that the figure is of has clips of fewer than three subjects, one or more of which many draws would lack.
    """
    return _drawn(counts, figure, (counts[0].sum(axis=2) > 0)[:, classes], level)


def recalled(counts: Floats) -> Floats:
    """Return of each subject how many clips of each class are right, and how many there are `(S, 2, K)`, means over seeds.

    Seeds score the same clips, so that the mean of their recalls is the recall of these.
    """
    return np.stack([np.diagonal(counts, axis1=2, axis2=3).mean(axis=0), counts.sum(axis=3).mean(axis=0)], axis=1)


def recall_interval(clips: Floats, classes: list[int], level: float = 0.95) -> tuple[float, float] | None:
    """Return the same interval of the mean recall of these classes, from clips that are right, and all `(S, 2, K)`.

    None also where every draw has the same recall, as where all is wrong: that no person was scored who differs says nothing of others.
    """
    kept = clips[..., classes]
    found = _drawn(kept[None], lambda drawn: mean_recall(drawn[:, 0], drawn[:, 1]), kept[:, 1] > 0, level)
    return None if found is None or found[0] == found[1] else found


def _drawn(counts: Floats, figure: Figure, having: npt.NDArray[np.bool_], level: float) -> tuple[float, float] | None:
    """Return the interval of a figure of counts `(R, S, ...)`, where it can be had; `having` tells who has which class `(S, C)`."""
    subjects = counts.shape[1]
    if subjects < _FEWEST or (having.sum(axis=0) < _FEWEST).any():
        return None
    drawn = np.mean([_weighted(_times(subjects), seed, figure) for seed in counts], axis=0)
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@functools.cache
def _times(subjects: int) -> Floats:
    """Return how many times each subject is drawn `(draws, S)`."""
    times = np.random.default_rng(0).multinomial(subjects, np.full(subjects, 1 / subjects), size=_DRAWS)
    return times.astype(np.float64)


def exchange_test(one: Floats, other: Floats, figure: Figure) -> float | None:
    """Return the two-sided p-value of a difference between two methods on the same subjects and seeds `(R, S, K, K)`.

    If both are alike, each subject's predictions may as well be the other method's, those of all seeds at once: exact up to 12
    subjects, drawn beyond. None of one subject, or where the figure is no number.
    """
    subjects = one.shape[1]
    if subjects == 1:
        return None
    if subjects <= _EXACT:
        swaps = np.array(list(itertools.product([0.0, 1.0], repeat=subjects)))
    else:
        drawn = np.random.default_rng(0).integers(2, size=(_DRAWN, subjects)).astype(float)
        swaps = np.concatenate([np.zeros((1, subjects)), drawn])
    gaps = [
        _weighted(swaps, mine - theirs, figure, theirs.sum(axis=0)) - _weighted(swaps, theirs - mine, figure, mine.sum(axis=0))
        for mine, theirs in zip(one, other, strict=True)
    ]
    found = np.abs(np.mean(gaps, axis=0))
    return None if np.isnan(found[0]) else float((found >= found[0] - 1e-12).mean())


def _weighted(weights: Floats, counts: Floats, figure: Figure, base: Floats | float = 0.0) -> Floats:
    """Return the figure of `base` and each weighted sum of subjects `(B, S)` of `(S, K, K)`, so many at a time, for the sake of memory."""
    size = max(1, _AT_ONCE // counts[0].size)
    parts = [weights[place : place + size] for place in range(0, len(weights), size)]
    return np.concatenate([figure(base + np.tensordot(part, counts, axes=1)) for part in parts])
