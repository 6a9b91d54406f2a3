"""What can be measured of recorded clips, one at a time: what is missing, jumps, changing bones, and a fingerprint of each."""

import hashlib
import math
from functools import cache
from typing import Any, Final, TypeAlias

import attrs
import numpy as np
import numpy.typing as npt

from mgbench.clips import Clips, Ints
from mgbench.skeleton import Skeleton


Floats: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]

#: A joint that moves farther than this from one frame to the next, in units of the body's size, has jumped.
JUMP: Final = 1.0
#: Frames below which spread, and likeness of movements, mean nothing.
FEWEST: Final = 4
#: A fingerprint takes the means of so many spans of equal length, and keeps so many random directions of them.
_SPANS, WIDTH = 8, 64


@attrs.frozen(eq=False)
class Measures:
    """What was measured of the clips of one split.

    Args:
        frames: length of each clip `(N,)`.
        label: class numbers `(N,)`.
        subject: numbers of the people recorded `(N,)`.
        clip: names.
        persons: people in a frame.
        digest: a hash of length and coordinates of each clip.
        infinite: values of each clip that are no finite number `(N,)`.
        empty: frames of each clip without any joint `(N,)`.
        expected: joints of each clip that a person who is there should have `(N,)`.
        missing: how many of those are zero `(N,)`.
        seen: whether a joint is ever there `(N, V)`.
        jumps: frames of each clip in which a joint jumps `(N,)`.
        length: mean length of each bone `(N, B)`; not a number where it is never seen.
        spread: standard deviation of that length over the clip, divided by the mean `(N, B)`; as above.
        feet: cosine of the angle between where feet and chest point, in the median frame `(N,)`; not a number where that is not known.
        fingerprint: the body's movement without place and size, and without its mean posture, `(N, 2, WIDTH)`.
    """

    frames: Ints
    label: Ints
    subject: Ints
    clip: tuple[str, ...]
    persons: int
    digest: tuple[bytes, ...]
    infinite: Ints
    empty: Ints
    expected: Ints
    missing: Ints
    seen: Flags
    jumps: Ints
    length: Floats
    spread: Floats
    feet: Floats
    fingerprint: Floats

    @property
    def holds(self) -> Flags:
        """Clips that hold anything but zeros `(N,)`."""
        there: Flags = np.logical_or.reduce(self.seen, axis=1)
        return there


def measure(clips: Clips, skeleton: Skeleton) -> Measures:
    """Measure every clip of a split, whose layout must be the skeleton's; one at a time, so that mapped clips are never all in memory."""
    rows = [_measure(clips[index], skeleton) for index in range(len(clips))]
    names = [field.name for field in attrs.fields(_Row) if field.name != "digest"]
    arrays: dict[str, Any] = {name: np.array([getattr(row, name) for row in rows]) for name in names}
    digest = tuple(row.digest for row in rows)
    return Measures(clips.frames, clips.label, clips.subject, clips.clip, clips.x.shape[1], digest=digest, **arrays)


@attrs.frozen(eq=False)
class _Row:
    """The measures of one clip."""

    digest: bytes
    infinite: int
    empty: int
    expected: int
    missing: int
    seen: Flags
    jumps: int
    length: Floats
    spread: Floats
    feet: float
    fingerprint: Floats


def _measure(raw: npt.NDArray[np.float32], skeleton: Skeleton) -> _Row:
    finite = np.isfinite(raw)
    whole = np.logical_and.reduce(finite[..., : skeleton.spatial_axes], axis=-1, keepdims=True)
    x = np.where(whole, raw[..., : skeleton.spatial_axes], 0.0).astype(np.float64)
    seen: Flags = np.logical_or.reduce(x != 0, axis=-1)  # (T, M, V)
    there: Flags = np.logical_or.reduce(seen, axis=-1)
    size = _size(x, seen)
    length, spread = _bones(x, seen, skeleton)
    anybody: Flags = np.logical_or.reduce(there, axis=-1)
    return _Row(
        digest=hashlib.blake2b(repr(raw.shape).encode() + raw.tobytes(), digest_size=16).digest(),
        infinite=int(raw.size - finite.sum()),
        empty=int((~anybody).sum()),
        expected=int(there.sum()) * seen.shape[2],
        missing=int((~seen[there]).sum()),
        seen=np.logical_or.reduce(seen, axis=(0, 1)),
        jumps=_jumps(x, seen, size),
        length=length,
        spread=spread,
        feet=_feet(x, seen, skeleton),
        fingerprint=_fingerprint(x, seen, size),
    )


def _size(x: Floats, seen: Flags) -> float:
    """Return how far joints lie from their middle: the median over frames and persons of their root mean square distance."""
    count = seen.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = np.einsum("tmvc,tmv->tmc", x, seen) / count[..., None]
        square = np.einsum("tmvc,tmv->tm", (x - middle[:, :, None]) ** 2, seen) / count
    known = square[count > 0]
    return float(np.sqrt(np.median(known))) if known.size else 0.0


def _jumps(x: Floats, seen: Flags, size: float) -> int:
    """Count the frames into which a joint that both frames show has jumped."""
    step = np.linalg.norm(np.diff(x, axis=0), axis=-1)
    jumped = (step > JUMP * size) & seen[1:] & seen[:-1]
    return int(jumped.any(axis=(1, 2)).sum()) if size else 0


def _bones(x: Floats, seen: Flags, skeleton: Skeleton) -> tuple[Floats, Floats]:
    """Return mean length and relative spread of each bone `(B,)`; of several persons, those whose bone changes most."""
    child, parent = np.array(skeleton.bones).T
    both = seen[:, :, child] & seen[:, :, parent]
    length = np.where(both, np.linalg.norm(x[:, :, child] - x[:, :, parent], axis=-1), 0.0)
    count = both.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count >= FEWEST, length.sum(axis=0) / count, np.nan)
        spread = np.sqrt(np.where(both, (length - mean) ** 2, 0.0).sum(axis=0) / count) / mean
    most = np.nan_to_num(spread, nan=-1.0).argmax(axis=0)[None]
    return np.take_along_axis(mean, most, axis=0)[0], np.take_along_axis(spread, most, axis=0)[0]


def _feet(x: Floats, seen: Flags, skeleton: Skeleton) -> float:
    """Return the cosine between where feet point and where the chest does, which is left times up where axes are right-handed."""
    words = [f"{joint}_{side}" for joint in ("shoulder", "hip", "ankle", "foot") for side in ("left", "right")]
    if skeleton.spatial_axes < 3 or not {*words, "head"} <= {*skeleton.joints}:  # noqa: PLR2004 - depth is needed
        return math.nan
    chosen = [skeleton.joint(word) for word in (*words, "head")]
    whole = np.logical_and.reduce(seen[..., chosen], axis=-1)
    shoulders, hips, ankles, feet = (x[whole][:, pair] for pair in (chosen[0:2], chosen[2:4], chosen[4:6], chosen[6:8]))
    left = (shoulders + hips)[:, 0] - (shoulders + hips)[:, 1]
    ahead = np.cross(left, x[whole][:, chosen[8]] - hips.mean(axis=1))
    toes = (feet - ankles).sum(axis=1)
    length = np.linalg.norm(ahead, axis=1) * np.linalg.norm(toes, axis=1)
    cosine = (ahead * toes).sum(axis=1)[length > 0] / length[length > 0]
    return float(np.median(cosine)) if cosine.size else math.nan


@cache
def _directions(width: int) -> Floats:
    """Return random directions `(width, WIDTH)` onto which lengths keep their expectation; always the same ones."""
    directions: Floats = np.random.default_rng(0).standard_normal((width, WIDTH)) / np.sqrt(WIDTH)
    return directions


def _fingerprint(x: Floats, seen: Flags, size: float) -> Floats:
    """Return what a copy keeps whose place, scale, frame rate or rounding changed, `(2, WIDTH)`: movement, and movement less posture."""
    middle = x[seen].mean(axis=0) if seen.any() else 0.0
    body = np.where(seen[..., None], x - middle, 0.0) / (size or 1.0)
    weight = _spans(seen)[..., None]
    spans = np.divide(_spans(body), weight, out=np.zeros((_SPANS, *x.shape[1:])), where=weight > 0)
    flat = spans.reshape(_SPANS, -1) / np.sqrt(_SPANS * max(seen.any(axis=0).sum(), 1))
    moving = flat - flat.mean(axis=0)
    both: Floats = np.stack([flat.ravel(), moving.ravel()])
    fingerprint: Floats = both @ _directions(flat.size)
    return fingerprint


def _spans(values: npt.NDArray[np.generic]) -> Floats:
    """Return sums over spans of equal length, `(_SPANS, ...)`; a frame on the border counts for both sides by its share."""
    frames = len(values)
    total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0, dtype=np.float64)])
    border = np.linspace(0, frames, _SPANS + 1)
    low = np.minimum(border.astype(np.int64), frames - 1) if frames else np.zeros(_SPANS + 1, dtype=np.int64)
    share = (border - low).reshape(-1, *[1] * (values.ndim - 1))
    at = total[low] + share * (total[np.minimum(low + 1, frames)] - total[low])
    spans: Floats = np.diff(at, axis=0)
    return spans
