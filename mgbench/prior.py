"""Which classes lie near each other: distance maps between groups of clips, by which set augmentations choose what they merge.

The MGRL paper (section IV-B) builds a map of Euclidean distances between classes and takes the nearest pairs for the hard ones. Here
clips are preprocessed as `frame50`, and each axis is brought to mean 0 and deviation 1 over the set. Groups are classes, or, so that no
label is read, clusters of the clips themselves.
"""

import hashlib
import json
import math
from typing import Any, Final, Literal, TypeAlias

import attrs
import numpy as np
import numpy.typing as npt

from mgbench.clips import Clips, Ints
from mgbench.errors import DataError
from mgbench.preprocess import densify
from mgbench.preprocessings import preprocessing
from mgbench.skeleton import Skeleton


Floats: TypeAlias = npt.NDArray[np.float64]
Distance: TypeAlias = Literal["mean", "samples", "dtw", "confusion"]
Groups: TypeAlias = Literal["classes", "clusters"]

#: Clips of a group that are warped onto those of another.
_WARPED: Final = 8


@attrs.frozen(eq=False)
class Prior:
    """Groups of clips and how far apart they are.

    Args:
        groups: their names `K`.
        group: the number of each clip's group `(N,)`.
        distance: symmetric `(K, K)`, zero on the diagonal; not a number where a group has no clip.
        data: the digest of the clips.
    """

    groups: tuple[str, ...]
    group: Ints
    distance: Floats
    data: str

    @property
    def counts(self) -> Ints:
        """Clips of each group `(K,)`."""
        return np.bincount(self.group, minlength=len(self.groups))

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """All pairs of groups that have clips, by increasing distance."""
        rows, columns = np.triu_indices(len(self.groups), 1)
        known = ~np.isnan(self.distance[rows, columns])
        rows, columns = rows[known], columns[known]
        order = np.argsort(self.distance[rows, columns], kind="stable")
        return list(zip(rows[order].tolist(), columns[order].tolist(), strict=True))

    def hard(self, quantile: float) -> list[tuple[int, int]]:
        """Return this share of the pairs, the nearest first, and at least one; raise `DataError` where no two groups have clips."""
        pairs = self.pairs
        if not pairs:
            msg = "A prior needs clips of at least two classes or clusters; got one."
            raise DataError(msg)
        return pairs[: max(1, math.ceil(quantile * len(pairs) - 1e-9))]

    def to_json(self) -> dict[str, Any]:
        """Return it for a file, with a digest of all the rest."""
        rounded = [[None if math.isnan(value) else float(f"{value:.6g}") for value in row] for row in self.distance]
        told = {"groups": list(self.groups), "clips": self.counts.tolist(), "distance": rounded, "data": self.data}
        return {**told, "digest": hashlib.blake2b(json.dumps(told).encode(), digest_size=8).hexdigest()}


def find_prior(
    clips: Clips, skeleton: Skeleton, classes: tuple[str, ...], groups: Groups, distance: Distance, clusters: int, rng: np.random.Generator
) -> Prior:
    """Return the prior of an augmentation whose generator, as yet unused, this is: of classes, or of so many clusters."""
    seed = int(rng.integers(2**31))
    if groups == "clusters":
        return cluster_prior(clips, skeleton, clusters, distance, seed)
    return class_prior(clips, skeleton, classes, distance, seed)


def class_prior(clips: Clips, skeleton: Skeleton, classes: tuple[str, ...], distance: Distance, seed: int = 0) -> Prior:
    """Return how far classes are apart.

    Args:
        clips: the training set.
        skeleton: of the clips.
        classes: their names.
        distance: Euclidean between class `mean`s (the paper's); the mean over all pairs of `samples`; the same after warping at most
            eight clips a class in time (`dtw`); or one less the share of clips whose nearest clip of someone else is of the other class
            (`confusion`), mean of both directions.
        seed: draws the clips that are warped.
    """
    features = _features(clips, skeleton)
    apart = _distances(features, clips.label, clips.subject, len(classes), distance, seed)
    return Prior(classes, clips.label, apart, clips.digest)


def cluster_prior(clips: Clips, skeleton: Skeleton, clusters: int, distance: Distance, seed: int = 0) -> Prior:
    """Return the same of so many clusters (k-means of the preprocessed clips), which reads no label."""
    from scipy.cluster.vq import kmeans2

    features = _features(clips, skeleton)
    count = min(clusters, len(clips))
    flat = features.reshape(len(clips), -1)
    group = kmeans2(flat, count, minit="++", rng=np.random.default_rng(seed), missing="warn")[1].astype(np.int64)
    apart = _distances(features, group, clips.subject, count, distance, seed)
    return Prior(tuple(f"cluster {number}" for number in range(count)), group, apart, clips.digest)


def _features(clips: Clips, skeleton: Skeleton) -> Floats:
    """Return clips as sequences `(N, T, M * C * V)` of coordinates alone, each axis with mean 0 and deviation 1 over the set."""
    x = densify(clips, skeleton, preprocessing("frame50")).numpy()[:, :, : skeleton.spatial_axes].astype(np.float64)
    seen = x.any(axis=2, keepdims=True)
    count = seen.sum() or 1
    mean = np.where(seen, x, 0).sum(axis=(0, 1, 3, 4), keepdims=True) / count
    centred = np.where(seen, x - mean, 0)
    spread = np.sqrt((centred**2).sum(axis=(0, 1, 3, 4), keepdims=True) / count)
    normal = centred / np.where(spread > 0, spread, 1)
    sequences: Floats = normal.transpose(0, 3, 1, 2, 4).reshape(len(x), x.shape[3], -1)
    return sequences


def _distances(features: Floats, group: Ints, subject: Ints, groups: int, distance: Distance, seed: int) -> Floats:
    flat = features.reshape(len(features), -1)
    member = (group[:, None] == np.arange(groups)).astype(np.float64)
    counts = member.sum(axis=0)
    apart: Floats
    with np.errstate(invalid="ignore", divide="ignore"):
        if distance == "mean":
            means = member.T @ flat / counts[:, None]
            apart = np.sqrt(((means[:, None] - means[None]) ** 2).sum(axis=2))
        elif distance == "samples":
            apart = member.T @ _pairwise(flat) @ member / np.outer(counts, counts)
            apart = (apart + apart.T) / 2  # sums in another order differ in the last bit
        elif distance == "confusion":
            confused = _confusions(flat, group, subject, groups) / counts[:, None]
            apart = 1 - (confused + confused.T) / 2
        else:
            apart = _warped(features, group, groups, seed)
    apart[np.diag_indices(groups)] = 0
    apart[counts == 0] = apart[:, counts == 0] = np.nan
    return apart


def _pairwise(flat: Floats) -> Floats:
    """Return the Euclidean distance of every two rows."""
    square = (flat**2).sum(axis=1)
    apart: Floats = np.sqrt(np.maximum(square[:, None] + square - 2 * flat @ flat.T, 0))
    return apart


def _confusions(flat: Floats, group: Ints, subject: Ints, groups: int) -> Floats:
    """Return how many clips of a group have their nearest clip in another `(K, K)`; of another person, where there are several."""
    apart = _pairwise(flat)
    same = subject[:, None] == subject
    apart[np.eye(len(flat), dtype=bool) if same.all() else same] = np.inf
    confused = np.zeros((groups, groups))
    np.add.at(confused, (group, group[apart.argmin(axis=1)]), 1)
    return confused


def _warped(features: Floats, group: Ints, groups: int, seed: int) -> Floats:
    """Return the mean warped distance between a few clips of every two groups `(K, K)`, drawn by the seed."""
    rng = np.random.default_rng(seed)
    drawn = np.concatenate([rng.permutation(np.flatnonzero(group == number))[:_WARPED] for number in range(groups)])
    rows, columns = np.triu_indices(len(drawn), 1)
    cost = np.empty(len(rows))
    for place in range(0, len(rows), 1024):  # so many at a time, for the sake of memory
        part = slice(place, place + 1024)
        cost[part] = _warp(features[drawn[rows[part]]], features[drawn[columns[part]]])
    total, count = np.zeros((groups, groups)), np.zeros((groups, groups))
    np.add.at(total, (group[drawn[rows]], group[drawn[columns]]), cost)
    np.add.at(count, (group[drawn[rows]], group[drawn[columns]]), 1)
    mean: Floats = (total + total.T) / (count + count.T)
    return mean


def _warp(one: Floats, other: Floats) -> Floats:
    """Return the cost of the cheapest alignment of each two sequences `(P, T, D)`, steps of one frame in either or both."""
    step = np.sqrt(np.maximum((one**2).sum(2)[:, :, None] + (other**2).sum(2)[:, None] - 2 * one @ other.mT, 0))
    pairs, frames, others = step.shape
    best = np.full((pairs, frames + 1, others + 1), np.inf)
    best[:, 0, 0] = 0
    for total in range(2, frames + others + 1):  # all cells of one antidiagonal at once
        i = np.arange(max(1, total - others), min(frames, total - 1) + 1)
        j = total - i
        before = np.minimum(np.minimum(best[:, i - 1, j], best[:, i, j - 1]), best[:, i - 1, j - 1])
        best[:, i, j] = step[:, i - 1, j - 1] + before
    found: Floats = best[:, -1, -1]
    return found
