"""Intervals and tests on small test sets, clustered by subject; scipy is imported when first used."""

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt


Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def wilson(right: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval of a proportion, which takes clips for independent."""
    z = NormalDist().inv_cdf((1 + level) / 2)  # scipy has the interval too, but importing it costs every cell a second
    share, weight = right / total, z * z / total
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / total + weight / (4 * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def subject_means(right: Bools, subject: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return the subjects in order, and each one's accuracy."""
    subjects, index = np.unique(subject, return_inverse=True)
    return subjects, np.bincount(index, weights=right.astype(float)) / np.bincount(index)


def subject_interval(right: Bools, subject: npt.NDArray[np.int64], level: float = 0.95, draws: int = 2000) -> tuple[float, float]:
    """Return the bootstrap interval of accuracy over subjects drawn whole, which honours that one person's clips are alike.

    With few subjects even this is too narrow; with one it is the whole range.
    """
    subjects, index = np.unique(subject, return_inverse=True)
    if len(subjects) == 1:
        return 0.0, 1.0
    hits, counts = np.bincount(index, weights=right.astype(float)), np.bincount(index)
    drawn = np.random.default_rng(0).integers(len(subjects), size=(draws, len(subjects)))
    accuracy = hits[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(accuracy, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def smallest_difference(clips: npt.NDArray[np.int64], seeds: int) -> float | None:
    """Return the difference in accuracy that a paired test over subjects finds with 80 % power at 5 %, or None where no test can.

    A planning figure. It takes two methods to disagree on a quarter of the clips, half of that anew with each seed, and their true
    difference to vary between subjects with a standard deviation of 4 points. Below six subjects, flipping signs never gives
    p < 0.05.

    Args:
        clips: test clips of each subject.
        seeds: trainings of each method.
    """
    from scipy.stats import t

    disagreement, between, fewest = 0.25, 0.04, 6
    if len(clips) < fewest:
        return None
    variance = between**2 + disagreement * (0.5 + 0.5 / seeds) / clips
    error = np.sqrt(variance.mean() / len(clips))
    return float((t.ppf(0.975, len(clips) - 1) + t.ppf(0.8, len(clips) - 1)) * error)


def sign_flip(differences: Floats) -> float:
    """Return the two-sided p-value of paired differences, one a subject, by flipping their signs; exact up to 12 subjects."""
    from scipy.stats import permutation_test

    if np.allclose(differences, 0):
        return 1.0
    tested = permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=4096, rng=np.random.default_rng(0), alternative="two-sided"
    )
    return float(tested.pvalue)
