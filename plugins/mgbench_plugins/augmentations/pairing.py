"""What skeleton-merge and mixup share: how many new clips are made, and of which two recorded ones each [MGRL, section IV-B].

Every augmentation of this family takes two clips and returns one. Which two is decided here: any two, or two of classes that a
prior holds for hard to tell apart.
"""

import abc
from collections.abc import Iterator
from typing import ClassVar, Literal, TypeAlias

import attrs
import numpy as np
import numpy.typing as npt

from mgbench import Clips, DataError, Made, SetAugmentation, Skeleton, SpecError
from mgbench.prior import Distance, Prior, find_prior


Array: TypeAlias = npt.NDArray[np.float32]
Ints: TypeAlias = npt.NDArray[np.int64]


@attrs.frozen
class PairAugmentation(SetAugmentation):
    """New clips of two recorded ones each.

    The first donors of the new clips are shared among hard classes as the recorded clips are (largest remainders), and so are the
    second donors of each among the classes that are hard to tell from it. Within a class each clip has its turn before one comes again.

    Args:
        ratio: new clips for each recorded one.
        prior: whether donors are any two clips (`none`), of two `classes` near each other, or of two `clusters`, which reads no label.
        distance: between classes: of their `mean`s, mean over `samples`, the same after warping (`dtw`), or one less their `confusion`.
        pair_quantile: share of the pairs of classes, the nearest first, that count as hard; at least one does.
        classes: names of the hard classes, in place of what distances say; every two of them are a pair.
        clusters: how many, where the prior is made of clusters.
    """

    mixes_labels: ClassVar[bool] = True

    ratio: float = attrs.field(default=0.2, kw_only=True, validator=[attrs.validators.ge(0), attrs.validators.le(100)])
    prior: Literal["none", "classes", "clusters"] = attrs.field(default="classes", kw_only=True)
    distance: Distance = attrs.field(default="mean", kw_only=True)
    pair_quantile: float = attrs.field(default=0.05, kw_only=True, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    classes: tuple[str, ...] = attrs.field(default=(), kw_only=True)
    clusters: int = attrs.field(default=16, kw_only=True, validator=attrs.validators.ge(2))

    def __attrs_post_init__(self) -> None:
        """Refuse classes beside a prior that does not ask for them."""
        if self.classes and (self.prior != "classes" or len(set(self.classes)) < 2):  # noqa: PLR2004 - a pair
            got = ", ".join(map(repr, self.classes))
            msg = f"{self.name}[classes] got {got}; name at least two different classes, and leave prior=classes."
            raise SpecError(msg)

    @property
    def guided(self) -> bool:
        """Whether classes decide what is merged."""
        return self.prior == "classes" and self.ratio > 0

    def apply(self, clips: Clips, skeleton: Skeleton, classes: tuple[str, ...], seed: int) -> Clips:
        """Return the clips and behind them round(ratio N) new ones; raise `DataError` where the hard classes have no clips."""
        recorded = np.flatnonzero(clips.label >= 0)
        count = round(self.ratio * len(recorded))
        if not count:
            return clips
        rng = np.random.default_rng(seed)
        donors, note = self._donors(clips.select(recorded), skeleton, classes, count, rng)
        donors = recorded[donors]
        arrays, share = [], np.empty(count)
        for place, (one, other) in enumerate(donors):
            array, share[place] = self.combine(clips[one], clips[other], skeleton, rng)
            arrays.append(array)
        names = [f"{self.name}:{place}({clips.clip[i]}&{clips.clip[j]})" for place, (i, j) in enumerate(donors, len(clips))]
        return clips.grown(arrays, names, Made(donors, share, (note,)))

    @abc.abstractmethod
    def combine(self, first: Array, second: Array, skeleton: Skeleton, rng: np.random.Generator) -> tuple[Array, float]:
        """Return a clip `(T, M, V, C)` as long as the first, made of both, and what the first weighs in its label."""

    def _named(self, found: Prior) -> list[tuple[int, int]]:
        numbers = []
        for name in self.classes:
            if name not in found.groups:
                msg = f"{self.name}[classes] names {name!r}, which is no class here; allowed are {', '.join(map(repr, found.groups))}."
                raise SpecError(msg)
            numbers.append(found.groups.index(name))
            if not found.counts[numbers[-1]]:
                msg = f"{self.name}[classes] names {name!r}, of which there is no clip to train on."
                raise DataError(msg)
        return [(a, b) for place, a in enumerate(numbers) for b in numbers[place + 1 :]]

    def _donors(
        self, clips: Clips, skeleton: Skeleton, classes: tuple[str, ...], count: int, rng: np.random.Generator
    ) -> tuple[Ints, dict[str, object]]:
        """Return numbers of first and second donors `(count, 2)`, and what the cell shall keep of the prior."""
        if self.prior == "none":
            if len(clips) < 2:  # noqa: PLR2004 - a pair
                msg = f"{self.name} needs two clips; got {len(clips)}."
                raise DataError(msg)
            return _draw(np.zeros(len(clips), dtype=np.int64), [(0, 0)], count, rng), {"augmentation": str(self)}
        found = find_prior(clips, skeleton, classes, self.prior, self.distance, self.clusters, rng)
        hard = self._named(found) if self.classes else found.hard(self.pair_quantile)
        named = [[found.groups[a], found.groups[b]] for a, b in hard]
        return _draw(found.group, hard, count, rng), {
            "augmentation": str(self),
            "guided": self.guided,
            "hard": named,
            "prior": found.to_json(),
        }


def _draw(group: Ints, pairs: list[tuple[int, int]], count: int, rng: np.random.Generator) -> Ints:
    """Return donors `(count, 2)` whose groups are a pair in either order, each role shared among groups as clips are."""
    sizes = np.bincount(group)
    partners: dict[int, list[int]] = {}
    for a, b in pairs:
        partners.setdefault(a, []).append(b)
        if a != b:
            partners.setdefault(b, []).append(a)
    turns = {(role, a): _turns(np.flatnonzero(group == a), rng) for role in (0, 1) for a in sorted(partners)}
    donors = []
    firsts = sorted(partners)
    for a, share in zip(firsts, quotas(sizes[firsts], count), strict=True):
        others = sorted(partners[a])
        for b, part in zip(others, quotas(sizes[others], share), strict=True):
            for _ in range(part):
                one = next(turns[0, a])
                donors.append((one, next(other for other in turns[1, b] if other != one)))
    return np.array(donors, dtype=np.int64).reshape(-1, 2)


def _turns(numbers: Ints, rng: np.random.Generator) -> Iterator[int]:
    """Yield the numbers in random order, for ever, each once before any comes again."""
    while True:
        yield from rng.permutation(numbers).tolist()


def quotas(weights: npt.ArrayLike, count: int) -> list[int]:
    """Return whole numbers that sum to count, in proportion to the weights: largest remainders, the first of equal ones."""
    exact = np.asarray(weights, dtype=np.float64) / np.sum(weights) * count
    found = np.floor(exact).astype(int)
    for place in np.argsort(found - exact, kind="stable")[: count - found.sum()]:
        found[place] += 1
    return [int(number) for number in found]
