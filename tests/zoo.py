"""A one-file plugin for the tests: a data set of a second, and methods that fail in every way."""

import os
import signal
import time
from pathlib import Path
from typing import ClassVar

import attrs
import numpy as np
import torch
from torch import Generator, Tensor, nn

from mgbench import (
    Backbone,
    Batch,
    Clips,
    Dataset,
    Encoder,
    Method,
    Network,
    Objective,
    Recipe,
    SetAugmentation,
    Skeleton,
    View,
    ViewAugmentation,
    hookimpl,
    load_skeleton,
    make_clips,
)
from mgbench.components import Augmentation, Split


@attrs.frozen
class Waves(Dataset):
    """Four classes of waving joints, told apart by their tempo, and one class that only training has.

    Args:
        fault: what is wrong with the data.
    """

    name = "waves"

    clips: int = 40
    fault: str = "none"

    @property
    def skeleton(self) -> Skeleton:
        return load_skeleton("kinect25")

    @property
    def classes(self) -> tuple[str, ...]:
        return ("still", "slow", "quick", "hasty", "rare")

    def load(self, split: Split, folder: Path) -> Clips:
        rng = np.random.default_rng(len(split))
        label = np.arange(self.clips) % (5 if split == "train" else 4)
        first = {"train": 0, "val": 10, "test": 20}[split]
        arrays = [self._wave(rng, kind) for kind in label]
        if self.fault == "nan":
            arrays[3][2, 0, 4, 1] = np.nan
        if self.fault == "empty":
            arrays[3] = arrays[3][:0]
        if self.fault == "label":
            label = label + 3
        return make_clips(arrays, label, first + np.arange(self.clips) % 4, [f"{split}-{i}" for i in range(self.clips)])

    def _wave(self, rng: np.random.Generator, kind: int) -> np.ndarray:
        time = np.arange(rng.integers(12, 30))[:, None, None, None]
        wave = np.sin(0.4 * kind * time + rng.uniform(0, 6)) * rng.uniform(0.5, 1.5)
        body = np.random.default_rng(0).normal(size=(1, 1, 25, 3))
        return (body + 0.3 * wave + rng.normal(scale=0.05, size=(len(time), 1, 25, 3))).astype(np.float32)


@attrs.frozen
class Flat(Encoder):
    """One linear layer on each joint: the quickest encoder that trains, and it gives no joint map."""

    name = "flat"

    def build(self, skeleton: Skeleton, channels: int, persons: int) -> Network:
        return _Flat(channels)


class _Flat(Network):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.width = 8
        self.layer = nn.Linear(channels, 8)

    def forward(self, x: Tensor, joints: Tensor | None = None) -> Tensor:
        y: Tensor = self.layer(x.movedim(2, -1)).movedim(-1, 2)
        return y


@attrs.frozen
class Faulty(Method):
    """Fit clips to their mean, until it fails as it is told to.

    Args:
        how: raise, nan, collapse, segfault, orphan, memory where a batch has more than 8 clips, or none.
    """

    name = "faulty"

    how: str = "none"
    recipe: Recipe = attrs.field(default=Recipe(epochs=1, batch_size=8), kw_only=True)

    def build(self, backbone: Backbone, classes: int) -> Objective:
        return _Faulty(self, backbone)


class _Faulty(Objective):
    def __init__(self, method: Faulty, backbone: Backbone) -> None:
        super().__init__()
        self.backbone, self.how = backbone, method.how
        print(f"accelerators: {os.environ.get('CUDA_VISIBLE_DEVICES')}")  # noqa: T201 - into the cell's log

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        if self.how == "raise":
            raise RuntimeError("the method has a fault")
        if self.how == "memory" and len(batch.index) > 8:
            raise MemoryError("a batch of 8 would fit")
        if self.how == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.how == "orphan":
            print(f"process: {os.getpid()}", flush=True)  # noqa: T201 - into the cell's log
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(600)
        loss = (self.backbone(batch.views[0].x) - 1).square().mean()
        return {"loss": loss * float("nan") if self.how == "nan" else loss}

    def embedder(self) -> nn.Module:
        return _Point(self.backbone) if self.how == "collapse" else self.backbone


class _Point(nn.Module):
    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(self.backbone(x)) + 3.0


@attrs.frozen
class Spinning(Method):
    """Keep one core busy for half a second, in place of training."""

    name = "spinning"

    recipe: Recipe = attrs.field(default=Recipe(epochs=1, batch_size=40), kw_only=True)

    def build(self, backbone: Backbone, classes: int) -> Objective:
        return _Spinning(backbone)


class _Spinning(Objective):
    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        end = time.process_time() + 0.25
        while time.process_time() < end:
            pass
        return {"loss": self.backbone(batch.views[0].x).square().mean()}


@attrs.frozen
class Bomb(ViewAugmentation):
    """Leave clips as they are; kill the process at its n-th call.

    Args:
        fuse: the file that says at which.
    """

    name = "bomb"
    calls: ClassVar[list[int]] = []

    fuse: str = ""

    def apply(self, view: View, skeleton: Skeleton, generator: Generator) -> View:
        self.calls.append(1)
        if len(self.calls) == int(Path(self.fuse).read_text()):
            os.kill(os.getpid(), signal.SIGKILL)
        return view


@attrs.frozen
class Twice(SetAugmentation):
    """Every clip once more, without a word of where it comes from."""

    name = "twice"

    def apply(self, clips: Clips, skeleton: Skeleton, classes: tuple[str, ...], seed: int) -> Clips:
        names = [*clips.clip, *(f"{name} again" for name in clips.clip)]
        unlabelled = np.concatenate([clips.label, np.full(len(clips), -1)])
        return make_clips([clips[i] for i in range(len(clips))] * 2, unlabelled, np.tile(clips.subject, 2), names)


@hookimpl
def mgbench_datasets() -> list[type[Dataset]]:
    return [Waves]


@hookimpl
def mgbench_encoders() -> list[type[Encoder]]:
    return [Flat]


@hookimpl
def mgbench_methods() -> list[type[Method]]:
    return [Faulty, Spinning]


@hookimpl
def mgbench_augmentations() -> list[type[Augmentation]]:
    return [Bomb, Twice]
