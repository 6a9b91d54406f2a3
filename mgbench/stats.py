"""Intervals on small test sets, clustered by subject; scipy has most of it, and takes as long to import as a board takes to make."""

import math
from functools import cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt


Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def wilson(right: Floats, total: int, level: float = 0.95) -> tuple[Floats, Floats]:
    """Return Wilson's intervals of proportions of one total, which take clips for independent."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, weight = right / total, z * z / total
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * np.sqrt(share * (1 - share) / total + weight / (4 * total))
    return np.maximum(0.0, middle - half), np.minimum(1.0, middle + half)


def subject_means(right: Bools, subject: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return the subjects in order, and each one's accuracy."""
    subjects, index = np.unique(subject, return_inverse=True)
    return subjects, np.bincount(index, weights=right.astype(float)) / np.bincount(index)


def subject_intervals(right: Bools, subject: npt.NDArray[np.int64], level: float = 0.95, draws: int = 2000) -> tuple[Floats, Floats]:
    """Return the bootstrap intervals of accuracies `(R, N)` over subjects drawn whole, which honour that one person's clips are alike.

    With few subjects even these are too narrow; with one they are the whole range.
    """
    subjects, index = np.unique(subject, return_inverse=True)
    if len(subjects) == 1:
        return np.zeros(len(right)), np.ones(len(right))
    own = (index[:, None] == np.arange(len(subjects))).astype(float)
    drawn = np.random.default_rng(0).integers(len(subjects), size=(draws, len(subjects)))
    places = (drawn + len(subjects) * np.arange(draws)[:, None]).ravel()
    times = np.bincount(places, minlength=drawn.size).reshape(drawn.shape).astype(float)
    accuracy = (right.astype(float) @ own) @ times.T / (times @ own.sum(axis=0))
    low, high = np.quantile(accuracy, [(1 - level) / 2, (1 + level) / 2], axis=1)
    return low, high


def t_within(t: Floats, freedom: int) -> Floats:
    """Return the share of Student's distribution between -t and t, a finite sum [Abramowitz and Stegun 1964, 26.7.3 and 26.7.4]."""
    odd, angle = freedom % 2, np.arctan(t / math.sqrt(freedom))
    cos = np.cos(angle)
    term = cos if odd else np.ones_like(cos)
    total = np.zeros_like(cos) if freedom == 1 else term
    for k in range(1 + odd, freedom - 2, 2):
        term = term * (k / (k + 1) * cos * cos)
        total = total + term
    share: Floats = np.sin(angle) * total
    return 2 / math.pi * (angle + share) if odd else share


@cache
def t_quantile(freedom: int, share: float) -> float:
    """Return a quantile of Student's distribution; raise `ValueError` for a share that is not at least a half and below one."""
    if not 0.5 <= share < 1:  # noqa: PLR2004 - the middle
        msg = f"share got {share}; it takes one of at least 0.5 and below 1."
        raise ValueError(msg)
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        below = float(t_within(np.array(math.sqrt(freedom) * math.tan(middle)), freedom)) < 2 * share - 1
        low, high = (middle, high) if below else (low, middle)
    return math.sqrt(freedom) * math.tan((low + high) / 2)


def seed_interval(mean: float, deviation: float, seeds: int, level: float = 0.95) -> tuple[float, float]:
    """Return Student's interval of the mean of values in [0, 1] of two or more seeds, cut to that range."""
    half = t_quantile(seeds - 1, (1 + level) / 2) * deviation / math.sqrt(seeds)
    return max(0.0, mean - half), min(1.0, mean + half)


def smallest_difference(clips: npt.NDArray[np.int64], seeds: int) -> float | None:
    """Return the difference in accuracy that a paired test over subjects finds with 80 % power at 5 %, or None where no test can.

    A planning figure. It takes two methods to disagree on a quarter of the clips, half of that anew with each seed, and their true
    difference to vary between subjects with a standard deviation of 4 points. Below six subjects, flipping signs never gives
    p < 0.05.

    Args:
        clips: test clips of each subject.
        seeds: trainings of each method.
    """
    disagreement, between, fewest = 0.25, 0.04, 6
    if len(clips) < fewest:
        return None
    variance = between**2 + disagreement * (0.5 + 0.5 / seeds) / clips
    error = np.sqrt(variance.mean() / len(clips))
    return float((t_quantile(len(clips) - 1, 0.975) + t_quantile(len(clips) - 1, 0.8)) * error)
