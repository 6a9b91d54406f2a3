"""Skeleton-merge: a new clip of one person's upper and another's lower body [MGRL, section IV; SkeletonMix of Ta-CNN, Xu et al. 2022].

Joints J_u come from the first donor, untouched; J_l from the second, moved into the first's place (eq. 8). Where the papers are silent:
the second is brought to the first's length by repeating or leaving out frames, which keeps its bones as long as they were;
"centralization" moves it so that both bodies meet at the joint of the first part that the second hangs on; bodies without legs are cut
between trunk and arms.

The paper's normalisation of the data set, an affine map of each axis, commutes with taking joints from two bodies and with moving one of
them, so it changes distances between classes and no merged clip; `normalise=size` is the reading that does change it.
"""

from typing import Literal

import attrs
import numpy as np
import numpy.typing as npt

from mgbench import Skeleton, SpecError
from mgbench_plugins import works
from mgbench_plugins.augmentations.pairing import Array, Ints, PairAugmentation


@attrs.frozen
class MergeAugmentation(PairAugmentation):
    """A part of one body on another's.

    Args:
        parts: what the second donor gives: `legs`, `arms` with hands, or arm and hand of one `side`; `auto` is legs where there are any.
        align: whether it is moved to the first donor's place in every `frame`, by the `first` frame's distance in all, or not at all.
        normalise: whether it is also scaled by the ratio of both bodies' mean bone lengths (`size`).
        flip_hands: whether the joints of the first donor's left and right arms and hands change places.
        share: what the first donor weighs in a mixed label: `half`, or its share of the `joints`.
    """

    citation = works.MGRL

    parts: Literal["auto", "legs", "arms", "side"] = attrs.field(default="auto", kw_only=True)
    align: Literal["none", "first", "frame"] = attrs.field(default="frame", kw_only=True)
    normalise: Literal["none", "size"] = attrs.field(default="none", kw_only=True)
    flip_hands: bool = attrs.field(default=False, kw_only=True)
    share: Literal["half", "joints"] = attrs.field(default="joints", kw_only=True)

    def combine(self, first: Array, second: Array, skeleton: Skeleton, rng: np.random.Generator) -> tuple[Array, float]:
        """Return the first donor's clip with the second's part, and the first's weight."""
        given = second_part(skeleton, self.parts)
        merged = first[:, :, _crossed(skeleton)] if self.flip_hands else first.copy()
        other = second[nearest_frames(len(first), len(second))]
        moved = self._moved(first, other, second, skeleton)
        there = self._there(first, other, skeleton)
        merged[:, :, given] = np.where(there[:, :, None, None], moved, merged)[:, :, given]
        share = 0.5 if self.share == "half" else 1 - len(given) / len(skeleton.joints)
        return merged, share if there.any() else 1.0

    def _there(self, first: Array, other: Array, skeleton: Skeleton) -> npt.NDArray[np.bool_]:
        """Return which people of which frames get the second donor's part `(T, M)`: both are seen, and it is known where it belongs."""
        mine, theirs = seen(first, skeleton), seen(other, skeleton)
        there: npt.NDArray[np.bool_] = np.logical_or.reduce(mine, axis=2) & np.logical_or.reduce(theirs, axis=2)
        if self.align != "none" or self.normalise != "none":
            root = meeting_joint(skeleton, self.parts)
            there &= np.logical_or.reduce(mine[:, :, root], axis=0) & np.logical_or.reduce(theirs[:, :, root], axis=0)
        return there

    def _moved(self, first: Array, other: Array, second: Array, skeleton: Skeleton) -> Array:
        """Return the second donor's joints, moved and scaled; what was not seen stays zero."""
        root, axes = meeting_joint(skeleton, self.parts), skeleton.spatial_axes
        mine, theirs = _track(first, root, skeleton), _track(other, root, skeleton)
        target = {"none": theirs, "first": theirs + mine[:1] - theirs[:1], "frame": mine}[self.align]
        scale = body_size(first, skeleton) / body_size(second, skeleton) if self.normalise == "size" else 1.0
        moved = other.copy()
        placed = (other[..., :axes] - theirs[:, :, None]) * np.float32(scale) + target[:, :, None]
        if scale == 1.0 and self.align == "none":
            placed = other[..., :axes]  # untouched to the bit
        moved[..., :axes] = np.where(seen(other, skeleton)[..., None], placed, 0)
        return moved


@attrs.frozen
class Merge(MergeAugmentation):
    """Put one person's legs under another's body, aligned, donors from classes that are hard to tell apart."""

    name = "merge"


@attrs.frozen
class SkeletonMix(MergeAugmentation):
    """Merge any two clips as they lie, one new clip for each recorded one: what the MGRL paper calls toxic."""

    name = "skeletonmix"

    ratio: float = attrs.field(default=1.0, kw_only=True, validator=[attrs.validators.ge(0), attrs.validators.le(100)])
    prior: Literal["none", "classes", "clusters"] = attrs.field(default="none", kw_only=True)
    align: Literal["none", "first", "frame"] = attrs.field(default="none", kw_only=True)


#: The classes that the MGRL paper merges on SMG.
_LEGS = ("Moving legs", "Crossing legs")


@attrs.frozen
class MergeThreshold1(MergeAugmentation):
    """The MGRL paper's threshold 1 on SMG: 10 % new clips of moving and crossing legs."""

    name = "merge_threshold1"
    tiny = "classes=(one,two)"

    ratio: float = attrs.field(default=0.1, kw_only=True, validator=[attrs.validators.ge(0), attrs.validators.le(100)])
    classes: tuple[str, ...] = attrs.field(default=_LEGS, kw_only=True)


@attrs.frozen
class MergeThreshold2(MergeAugmentation):
    """The MGRL paper's threshold 2 on SMG: 20 % new clips of moving and crossing legs."""

    name = "merge_threshold2"
    tiny = "classes=(one,two)"

    classes: tuple[str, ...] = attrs.field(default=_LEGS, kw_only=True)


def second_part(skeleton: Skeleton, parts: Literal["auto", "legs", "arms", "side"]) -> list[int]:
    """Return the joints that come from the second donor, or raise `SpecError` where the skeleton has none of these."""
    limbs = {*skeleton.parts["arms"], *skeleton.parts["hands"]}
    found = {
        "legs": set(skeleton.parts["legs"]),
        "arms": limbs,
        "side": {right for _, right in skeleton.mirror if right in limbs},
        "auto": set(skeleton.parts["legs"]) or limbs,
    }[parts]
    if not found:
        allowed = ", ".join(one for one in ("arms", "side") if limbs) or "no part that could be merged"
        msg = f"merge[parts] got {parts!r}, but the skeleton {skeleton.name!r} has no such joints; it has {allowed}."
        raise SpecError(msg)
    return sorted(found)


def meeting_joint(skeleton: Skeleton, parts: Literal["auto", "legs", "arms", "side"]) -> int:
    """Return the joint of the first donor's part that the second's hangs on; the skeleton's root where it hangs on several."""
    given = set(second_part(skeleton, parts))
    cut = {a if b in given else b for a, b in skeleton.bones if (a in given) != (b in given)}
    return cut.pop() if len(cut) == 1 else skeleton.root


def nearest_frames(frames: int, others: int) -> Ints:
    """Return for each of so many frames the number of the nearest of the other clip's, both stretched to one length."""
    return np.minimum(((np.arange(frames) + 0.5) * others / frames).astype(np.int64), others - 1)


def seen(clip: Array, skeleton: Skeleton) -> npt.NDArray[np.bool_]:
    """Return which joints of `(T, M, V, C)` were seen, `(T, M, V)`."""
    there: npt.NDArray[np.bool_] = np.logical_or.reduce(clip[..., : skeleton.spatial_axes] != 0, axis=-1)
    return there


def body_size(clip: Array, skeleton: Skeleton) -> float:
    """Return the mean length of the bones whose ends were both seen; 1 where none was."""
    child, parent = np.array(skeleton.bones).T
    there = seen(clip, skeleton)
    flat = clip[..., : skeleton.spatial_axes].astype(np.float64)
    lengths = np.sqrt(((flat[:, :, child] - flat[:, :, parent]) ** 2).sum(axis=-1))[there[:, :, child] & there[:, :, parent]]
    return float(lengths.mean()) or 1.0 if len(lengths) else 1.0


def _track(clip: Array, joint: int, skeleton: Skeleton) -> Array:
    """Return where a joint is `(T, M, axes)`; in frames that do not show it, where it is in the nearest one that does."""
    track, there = clip[:, :, joint, : skeleton.spatial_axes].copy(), seen(clip, skeleton)[:, :, joint]
    for person in range(clip.shape[1]):
        known = np.flatnonzero(there[:, person])
        if 0 < len(known) < len(clip):
            nearest = known[np.abs(np.arange(len(clip))[:, None] - known).argmin(axis=1)]
            track[:, person] = track[nearest, person]
    return track


def _crossed(skeleton: Skeleton) -> list[int]:
    """Return the joint whose place each joint takes when left and right arms and hands change places."""
    limbs = {*skeleton.parts["arms"], *skeleton.parts["hands"]}
    return [other if joint in limbs else joint for joint, other in enumerate(skeleton.flip)]
