"""Confusion matrices and what is read from them; many at once, so that intervals and tests can draw or exchange people."""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mgbench.clips import Ints


Floats: TypeAlias = npt.NDArray[np.float64]
#: A figure of confusion matrices `(B, K, K)`, true class by predicted class, `(B,)`.
Figure: TypeAlias = Callable[[Floats], Floats]


def classes_of(*numbers: Ints) -> int:
    """Return how many classes there are at least, where these numbers of classes occur."""
    return 1 + max(int(one.max()) for one in numbers)


def confusions(label: Ints, predicted: Ints, subject: Ints, classes: int) -> Floats:
    """Return each subject's confusion matrix `(S, K, K)`, subjects in order."""
    people, index = np.unique(subject, return_inverse=True)
    shape = (len(people), classes, classes)
    counts = np.bincount(np.ravel_multi_index((index, label, predicted), shape), minlength=math.prod(shape))
    return counts.reshape(shape).astype(float)


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
        return mean_recall(np.diagonal(counts, axis1=1, axis2=2)[:, classes], counts.sum(axis=2)[:, classes])

    return figure


def mean_recall(right: Floats, clips: Floats) -> Floats:
    """Return the mean recall `(B,)` of those classes that have clips, of C classes' clips that are right, and of all `(B, C)`."""
    present = clips > 0
    recall = np.where(present, right / np.maximum(clips, 1e-12), 0)
    with np.errstate(invalid="ignore"):
        found: Floats = recall.sum(axis=1) / present.sum(axis=1)
    return found
