"""What the rules are made of: small clips, small backbones, and the ways a rule breaks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from mgbench import spec
from mgbench.clips import Clips, make_clips
from mgbench.components import Encoder
from mgbench.errors import MgbenchError
from mgbench.model import Backbone
from mgbench.registry import Entry, Registry
from mgbench.skeleton import load_skeleton


#: Skeletons and persons on which every encoder and augmentation is tried.
LAYOUTS = (("kinect25", 1), ("kinect25", 2), ("kinect22", 1), ("openpose18", 1))

#: Names of the classes of `recorded`.
CLASSES = ("one", "two", "three")

#: A rule is handed a component in its tiny form, and the registry it comes from.
Rule = Callable[[Any, Registry], None]


class CheckError(AssertionError):
    """A rule that a component breaks."""


class UnavailableError(MgbenchError):
    """A check that cannot be made here, such as of a data set whose files are missing."""


def tiny(entry: Entry, loaded: Registry) -> Any:  # noqa: ANN401 - a component of the entry's kind
    """Return the component with its `tiny` parameters."""
    call = spec.read(f"{entry.cls.name}[{entry.cls.tiny}]" if entry.cls.tiny else entry.cls.name)
    return next(spec.expand(entry.cls, call, loaded.find_type))


def hold(holds: object, fault: str) -> None:
    """Raise `CheckError` with the fault unless something holds."""
    if not holds:
        raise CheckError(fault)


def same(a: Tensor, b: Tensor, fault: str, tolerance: float = 1e-5) -> None:
    """Raise `CheckError` with the fault unless two tensors agree."""
    hold(a.shape == b.shape and torch.allclose(a, b, atol=tolerance, rtol=tolerance), fault)


def generator(seed: int = 0) -> Generator:
    """Return a generator of that seed."""
    return Generator().manual_seed(seed)


def clips(clips: int = 6, persons: int = 1, skeleton: str = "kinect25", frames: int = 20) -> Tensor:
    """Return random clips `(N, M, C, T, V)` of a skeleton."""
    joints, axes = len(load_skeleton(skeleton).joints), len(load_skeleton(skeleton).axes)
    return torch.randn(clips, persons, axes, frames, joints, generator=generator(1))


def recorded(skeleton: str = "kinect25", persons: int = 1) -> Clips:
    """Return eighteen random clips of several lengths, of the classes `CLASSES` and of six people."""
    layout, rng = load_skeleton(skeleton), np.random.default_rng(1)
    shape = (persons, len(layout.joints), len(layout.axes))
    arrays = [rng.normal(size=(12 + 3 * (i % 4), *shape)).astype(np.float32) for i in range(18)]
    return make_clips(arrays, [i % len(CLASSES) for i in range(18)], [i // 3 for i in range(18)], [f"clip{i}" for i in range(18)])


def backbone(encoder: Encoder, skeleton: str = "kinect25", persons: int = 1) -> Backbone:
    """Return the encoder built for a skeleton, always from the same seed."""
    torch.manual_seed(0)
    return Backbone(encoder, load_skeleton(skeleton), persons)
