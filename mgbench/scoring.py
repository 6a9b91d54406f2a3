"""Figures of one evaluator's scores, the same for cells, for floors that a board computes, and for derived records; no torch."""

from typing import Any

import numpy as np
import numpy.typing as npt

from mgbench import stats
from mgbench.clips import Ints
from mgbench.confusion import accuracy, confusions, macro_f1, recall_of


Scores = npt.NDArray[np.floating[Any]]


def top_k(scores: Scores, label: Ints, k: int) -> float:
    """Return the share of clips whose label is among the k highest scores `(N, K)`; of equal scores the first ranks higher."""
    own = np.take_along_axis(scores, label[:, None], axis=1)
    first = np.arange(scores.shape[1]) < label[:, None]
    return float((((scores > own) | ((scores == own) & first)).sum(axis=1) < k).mean())


def figures(scores: Scores, label: Ints, subject: Ints) -> dict[str, float]:
    """Return metrics in [0, 1] of scores `(N, K)` of K answers, and intervals of top-1 over clips and over subjects."""
    answers, predicted = scores.shape[1], scores.argmax(axis=1)
    right = predicted == label
    counts = confusions(label, predicted, np.zeros_like(label), answers)
    low, high = stats.wilson(int(right.sum()), len(right))
    subject_low, subject_high = stats.subject_interval(right, subject)
    return {
        "top1": float(accuracy(counts)[0]),
        "top1_low": low,
        "top1_high": high,
        "top1_subject_low": subject_low,
        "top1_subject_high": subject_high,
        "top5": top_k(scores, label, 5),
        "mean_class_accuracy": float(recall_of(list(range(answers)))(counts)[0]),
        "macro_f1": float(macro_f1(counts)[0]),
    }
