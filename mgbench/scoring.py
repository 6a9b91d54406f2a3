"""Figures of one evaluator's scores, the same for cells, for floors that a board computes, and for derived records; no torch."""

from typing import Any

import numpy as np
import numpy.typing as npt

from mgbench import stats
from mgbench.clips import Ints
from mgbench.confusion import Floats, accuracy, classes_of, confusions, macro_f1, recall_of


Scores = npt.NDArray[np.floating[Any]]


def ranks(scores: Scores, label: Ints) -> Ints:
    """Return how many answers come before the right one in scores `(N, K)`; of equal scores the first ranks higher."""
    own = np.take_along_axis(scores, label[:, None], axis=1)
    first = np.arange(scores.shape[1]) < label[:, None]
    found: Ints = ((scores > own) | ((scores == own) & first)).sum(axis=1)
    return found


def top_k(scores: Scores, label: Ints, k: int) -> float:
    """Return the share of clips whose label is among the k highest scores `(N, K)`."""
    return float((ranks(scores, label) < k).mean())


def figures(scores: Scores, label: Ints, subject: Ints) -> dict[str, float]:
    """Return metrics in [0, 1] of scores `(N, K)` of K answers, and intervals of top-1 over clips and over subjects."""
    found = figures_of(scores.argmax(axis=1)[None], ranks(scores, label)[None], label, subject)
    return {name: float(values[0]) for name, values in found.items()}


def figures_of(predicted: Ints, rank: Ints, label: Ints, subject: Ints) -> dict[str, Floats]:
    """Return the same `(R,)` of R answers to every clip `(R, N)`, and of how many came before the right one `(R, N)`."""
    right, rows = predicted == label, np.arange(len(predicted))
    counts = confusions(np.tile(label, len(rows)), predicted.ravel(), np.repeat(rows, len(label)), classes_of(predicted, label))
    low, high = stats.wilson(right.sum(axis=1), len(label))
    subject_low, subject_high = stats.subject_intervals(right, subject)
    return {
        "top1": accuracy(counts),
        "top1_low": low,
        "top1_high": high,
        "top1_subject_low": subject_low,
        "top1_subject_high": subject_high,
        "top5": (rank < 5).mean(axis=1),  # noqa: PLR2004 - its name
        "mean_class_accuracy": recall_of(list(range(counts.shape[1])))(counts),
        "macro_f1": macro_f1(counts),
    }
