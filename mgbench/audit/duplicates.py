"""Clips that are there twice, within a split and across splits: equal in every byte, or alike but for place, size, rate and rounding."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import attrs
import numpy as np

from mgbench.audit.measures import FEWEST, Measures
from mgbench.clips import Ints
from mgbench.components import Split


#: Near copies differ by less than these shares of the body's size and of the movement; the last is what rounding leaves of a clip
#: without movement. Copies at five times the rate differ by 0.005; the most even takes of one person, in UI-PRMD, by 0.0135.
_POSTURE, _MOVEMENT, _ROUNDING = 0.01, 0.25, 2e-4
#: So many dimensions of a fingerprint are searched, for so many neighbours of each clip.
_SEARCHED, _NEIGHBOURS = 16, 9

Pair: TypeAlias = tuple[int, int]
Place: TypeAlias = tuple[Split, int]


@attrs.frozen
class Copies:
    """Clips of one split that are copies of clips of another, or of the same.

    Args:
        kind: `equal` or `near`.
        first: the split that is copied.
        second: the split that holds the copies.
        number: clips of the second split that are copies.
        relabelled: how many of them carry another class than what they copy.
        clips: names of both sides, `split/name`.
    """

    kind: str
    first: Split
    second: Split
    number: int
    relabelled: int
    clips: tuple[str, ...]


def find_copies(measured: Mapping[Split, Measures]) -> list[Copies]:
    """Return what is there twice; clips of zeros, which are all alike, and near copies among clips of a few frames are left out."""
    if not measured:
        return []
    places = [(split, index) for split, one in measured.items() for index in range(len(one.clip))]
    names, order = list(measured), {split: number for number, split in enumerate(measured)}
    found = {"equal": list(_equal(measured, places)), "near": list(_near(measured, places))}
    copies = []
    for kind, pairs in found.items():
        for first in names:
            for second in names[order[first] :]:
                chosen = [(places[i][1], places[j][1]) for i, j in pairs if (places[i][0], places[j][0]) == (first, second)]
                if chosen:
                    copies.append(_copies(kind, first, second, chosen, measured))
    return copies


def _copies(kind: str, first: Split, second: Split, pairs: list[Pair], measured: Mapping[Split, Measures]) -> Copies:
    a, b = measured[first], measured[second]
    relabelled = {j for i, j in pairs if a.label[i] != b.label[j]}
    names = [f"{split}/{name}" for i, j in sorted(pairs) for split, name in ((first, a.clip[i]), (second, b.clip[j]))]
    return Copies(kind, first, second, len({j for _, j in pairs}), len(relabelled), tuple(dict.fromkeys(names)))


def _equal(measured: Mapping[Split, Measures], places: list[Place]) -> Iterator[Pair]:
    """Yield, of each group of equal clips, each clip with the first of its own split and of each split before."""
    groups: dict[bytes, list[int]] = {}
    for number, (split, index) in enumerate(places):
        if measured[split].holds[index]:
            groups.setdefault(measured[split].digest[index], []).append(number)
    for group in groups.values():
        firsts: dict[str, int] = {}
        for number in group:
            firsts.setdefault(places[number][0], number)
            yield from ((first, number) for first in firsts.values() if first != number)


def _near(measured: Mapping[Split, Measures], places: list[Place]) -> Iterator[Pair]:
    """Yield pairs of clips that are alike, found among each clip's nearest neighbours; of equal clips only the first is looked at."""
    from scipy.spatial import KDTree

    sound = np.concatenate([one.holds & (one.frames >= FEWEST) for one in measured.values()])
    _, firsts = np.unique([measured[split].digest[index] for split, index in places], return_index=True)
    usable = np.sort(firsts[sound[firsts]])
    if len(usable) < 2:  # noqa: PLR2004 - a pair
        return
    whole, moving = np.moveaxis(np.concatenate([one.fingerprint for one in measured.values()])[usable], 1, 0)
    searched = whole[:, :_SEARCHED] * np.sqrt(whole.shape[1] / _SEARCHED)
    count = min(_NEIGHBOURS, len(usable))
    _, neighbours = KDTree(searched).query(searched, k=count, distance_upper_bound=2 * _POSTURE)
    pairs = np.stack([np.repeat(np.arange(len(usable)), count), np.asarray(neighbours).ravel()], axis=1)
    pairs = pairs[(pairs[:, 1] < len(usable)) & (pairs[:, 0] != pairs[:, 1])]
    i, j = np.unique(np.sort(pairs, axis=1), axis=0).T
    norm = np.linalg.norm(moving, axis=1)
    alike = np.linalg.norm(whole[i] - whole[j], axis=1) <= _POSTURE
    alike &= np.linalg.norm(moving[i] - moving[j], axis=1) <= _MOVEMENT * np.maximum(norm[i], norm[j]) + _ROUNDING
    chosen: Ints = usable[np.stack([i, j], axis=1)[alike]]
    yield from ((int(a), int(b)) for a, b in chosen)
