"""Intervals and paired tests of any figure of a confusion matrix, clustered by subject: people are drawn, or exchanged, whole."""

import itertools
from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from mgbench.clips import Ints


Floats: TypeAlias = npt.NDArray[np.float64]
#: A figure of confusion matrices `(B, K, K)`, true class by predicted class, `(B,)`.
Figure: TypeAlias = Callable[[Floats], Floats]

#: Up to so many subjects every exchange is counted; beyond, so many are drawn.
_EXACT, _DRAWN = 12, 4095
_DRAWS: Final = 2000


def confusions(label: Ints, predicted: Ints, subject: Ints, classes: int) -> Floats:
    """Return each subject's confusion matrix `(S, K, K)`, subjects in order."""
    people, index = np.unique(subject, return_inverse=True)
    counts = np.zeros((len(people), classes, classes))
    np.add.at(counts, (index, label, predicted), 1)
    return counts


def accuracy(counts: Floats) -> Floats:
    """Return the share of clips on the diagonal."""
    found: Floats = np.trace(counts, axis1=1, axis2=2) / counts.sum(axis=(1, 2))
    return found


def macro_f1(counts: Floats) -> Floats:
    """Return the mean F1 of the classes that occur."""
    right, rows, columns = np.diagonal(counts, axis1=1, axis2=2), counts.sum(axis=2), counts.sum(axis=1)
    present = rows > 0
    f1 = np.where(present, 2 * right / np.maximum(rows + columns, 1e-12), 0)
    found: Floats = f1.sum(axis=1) / present.sum(axis=1)
    return found


def recall_of(classes: list[int]) -> Figure:
    """Return the figure that is the mean recall of those of these classes that occur; not a number where none does."""

    def figure(counts: Floats) -> Floats:
        right, rows = np.diagonal(counts, axis1=1, axis2=2)[:, classes], counts.sum(axis=2)[:, classes]
        present = rows > 0
        recall = np.where(present, right / np.maximum(rows, 1e-12), 0)
        with np.errstate(invalid="ignore"):
            found: Floats = recall.sum(axis=1) / present.sum(axis=1)
        return found

    return figure


def interval(counts: Floats, figure: Figure, level: float = 0.95) -> tuple[float, float]:
    """Return the bootstrap interval of a figure over subjects `(S, K, K)` drawn whole; the whole range of one subject."""
    if len(counts) == 1:
        return 0.0, 1.0
    rng = np.random.default_rng(0)
    times = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=_DRAWS)
    drawn = figure(np.tensordot(times, counts, axes=1))
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def exchange_test(one: Floats, other: Floats, figure: Figure) -> float | None:
    """Return the two-sided p-value of a difference between two methods on the same subjects `(S, K, K)`, or None of one subject.

    If both are alike, each subject's predictions may as well be the other method's: exact up to 12 subjects, drawn beyond.
    """
    subjects = len(one)
    if subjects == 1:
        return None
    if subjects <= _EXACT:
        swaps = np.array(list(itertools.product([0.0, 1.0], repeat=subjects)))
    else:
        drawn = np.random.default_rng(0).integers(2, size=(_DRAWN, subjects)).astype(float)
        swaps = np.concatenate([np.zeros((1, subjects)), drawn])
    apart = other - one
    moved = np.tensordot(swaps, apart, axes=1)
    found = np.abs(figure(other.sum(axis=0) - moved) - figure(one.sum(axis=0) + moved))
    return float((found >= found[0] - 1e-12).mean())
