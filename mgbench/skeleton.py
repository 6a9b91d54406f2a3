"""Skeletons as data: named joints, bones, mirror pairs, parts and axes, checked when they are made."""

import tomllib
from collections import Counter
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import attrs

from mgbench.errors import DataError, nearest


#: Parts that every skeleton file lists; together they hold each joint exactly once.
STANDARD_PARTS = ("head", "trunk", "arms", "hands", "legs")


@attrs.frozen
class Skeleton:
    """A body layout; joints are numbered in the order of `joints`, and every other field uses those numbers.

    Args:
        name: the name of the layout, such as `kinect25`.
        joints: joint names.
        bones: (child, parent) pairs that form a tree.
        mirror: (left, right) pairs; a joint in no pair is its own mirror image.
        root: the joint that merged and transferred bodies are aligned at (pelvis where there is one).
        centre: the joint that preprocessing centres on and that graph partitions count hops from.
        spine: the joint whose first position fixes a clip that is centred once and keeps its motion.
        parts: the standard parts as joint numbers.
        axes: the meaning of the channels, `("x", "y", "z")` or `("x", "y", "score")`.
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    mirror: tuple[tuple[int, int], ...]
    root: int
    centre: int
    spine: int
    parts: dict[str, tuple[int, ...]] = attrs.field(hash=False)
    axes: tuple[str, ...] = ("x", "y", "z")

    def __attrs_post_init__(self) -> None:
        """Refuse a layout that is no tree or whose parts and pairs do not fit its joints."""
        self._require(len(set(self.joints)) == len(self.joints), "names a joint twice")
        used = {self.root, self.centre, self.spine, *(joint for pair in (*self.bones, *self.mirror) for joint in pair)}
        self._require(used <= set(range(len(self.joints))), "uses the number of a joint that it does not have")
        self._require(len(self.bones) == len(self.joints) - 1, "needs exactly one bone fewer than joints")
        self._require(len(self._reached()) == len(self.joints), "has joints that no chain of bones reaches")
        paired = Counter(joint for pair in self.mirror for joint in pair)
        self._require(all(n == 1 for n in paired.values()), "mirrors a joint twice")
        listed = sorted(joint for part in self.parts.values() for joint in part)
        self._require(listed == list(range(len(self.joints))), "must list each joint in exactly one part")
        self._require(self.axes in {("x", "y", "z"), ("x", "y", "score")}, "has axes that are neither x y z nor x y score")

    def _require(self, holds: bool, fault: str) -> None:
        if not holds:
            msg = f"Skeleton {self.name!r} {fault}."
            raise DataError(msg)

    def _reached(self) -> set[int]:
        reached, grew = {self.centre}, True
        while grew:
            before = len(reached)
            reached |= {joint for bone in self.bones for joint in bone if reached & set(bone)}
            grew = len(reached) > before
        return reached

    @property
    def degrees(self) -> tuple[int, ...]:
        """Bones at each joint, `(V,)`."""
        count = Counter(joint for bone in self.bones for joint in bone)
        return tuple(count[joint] for joint in range(len(self.joints)))

    @property
    def flip(self) -> tuple[int, ...]:
        """The joint that stands at each joint's place in the mirror image, `(V,)`."""
        swap = dict(self.mirror) | {right: left for left, right in self.mirror}
        return tuple(swap.get(joint, joint) for joint in range(len(self.joints)))

    @property
    def body_parts(self) -> tuple[tuple[int, ...], ...]:
        """Trunk with head, each arm with its hand, each leg, in joint numbers; what a body does not have is left out [ActCLR]."""
        sides = tuple(zip(*self.mirror, strict=True)) or ((), ())
        limbs = [(*self.parts["arms"], *self.parts["hands"]), self.parts["legs"]]
        split = [tuple(joint for joint in limb if joint in side) for limb in limbs for side in sides]
        return tuple(part for part in ((*self.parts["trunk"], *self.parts["head"]), *split) if part)

    @property
    def spatial_axes(self) -> int:
        """How many of the first channels are coordinates: 3, or 2 where the last is a score."""
        return 2 if self.axes[-1] == "score" else 3

    def joint(self, name: str) -> int:
        """Return the number of the joint of that name, or raise `DataError` with the nearest one."""
        if name not in self.joints:
            msg = f"Skeleton {self.name!r} has no joint {name!r}; {nearest(name, self.joints)}"
            raise DataError(msg)
        return self.joints.index(name)

    def part(self, name: str) -> tuple[int, ...]:
        """Return the joints of a standard part, or of `upper` and `lower`, the two halves cut above the legs."""
        if name == "lower":
            return self.parts["legs"]
        if name == "upper":
            return tuple(j for j in range(len(self.joints)) if j not in self.parts["legs"])
        if name not in self.parts:
            msg = f"Skeleton {self.name!r} has no part {name!r}; {nearest(name, [*self.parts, 'upper', 'lower'])}"
            raise DataError(msg)
        return self.parts[name]


def _from_table(name: str, table: dict[str, Any]) -> Skeleton:
    try:
        number = {joint: i for i, joint in enumerate(table["joints"])}
        return Skeleton(
            name=name,
            joints=tuple(table["joints"]),
            bones=tuple((number[child], number[parent]) for child, parent in table["bones"]),
            mirror=tuple((number[left], number[right]) for left, right in table["mirror"]),
            root=number[table["root"]],
            centre=number[table["centre"]],
            spine=number[table["spine"]],
            parts={part: tuple(number[j] for j in table["parts"].get(part, ())) for part in STANDARD_PARTS},
            axes=tuple(table["axes"]),
        )
    except KeyError as missing:
        msg = f"Skeleton {name!r} lacks or misspells {missing.args[0]!r}; see mgbench/skeletons/kinect25.toml for the form."
        raise DataError(msg) from missing
    except (TypeError, ValueError, AttributeError) as error:
        msg = f"Skeleton {name!r} has a value of the wrong kind ({error}); see mgbench/skeletons/kinect25.toml for the form."
        raise DataError(msg) from error


def skeleton_from(table: dict[str, Any]) -> Skeleton:
    """Rebuild a skeleton from the JSON of its fields, in which tuples became lists."""
    pairs = {key: tuple(map(tuple, table[key])) for key in ("bones", "mirror")}
    parts = {name: tuple(joints) for name, joints in table["parts"].items()}
    return Skeleton(**{**table, **pairs, "parts": parts, "joints": tuple(table["joints"]), "axes": tuple(table["axes"])})


def read_skeleton(path: Path) -> Skeleton:
    """Read a skeleton of one's own from a TOML file in the form of `mgbench/skeletons/kinect25.toml`."""
    try:
        return _from_table(path.stem, tomllib.loads(path.read_text()))
    except (OSError, ValueError) as error:  # no file, no UTF-8, no TOML
        msg = f"Cannot read the skeleton {str(path)!r}: {error}."
        raise DataError(msg) from error


def skeleton_names() -> list[str]:
    """Return the names of the skeletons that come with mgbench."""
    return sorted(f.name.removesuffix(".toml") for f in resources.files("mgbench.skeletons").iterdir() if f.name.endswith(".toml"))


@cache
def load_skeleton(name: str) -> Skeleton:
    """Return the skeleton of that name, or raise `DataError` with the nearest one."""
    if name not in skeleton_names():
        msg = f"There is no skeleton {name!r}; {nearest(name, skeleton_names())}"
        raise DataError(msg)
    return _from_table(name, tomllib.loads((resources.files("mgbench.skeletons") / f"{name}.toml").read_text()))
