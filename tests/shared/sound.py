"""One sound component a kind, whose field `fault` makes it break a rule of its kind."""

from pathlib import Path
from typing import ClassVar, Literal

import attrs
import numpy as np
import torch
from torch import Generator, Tensor, nn

import mgbench
from mgbench import Backbone, Batch, Clips, Evaluation, Network, Objective, Probe, Skeleton, View
from mgbench.components import Split


@attrs.frozen
class SoundEncoder(mgbench.Encoder):
    """One linear map of every joint's coordinates."""

    name = "sound_encoder"
    gives: ClassVar[frozenset[str]] = frozenset({"joint_map", "drop_joints", "drop_tokens", "sequence"})

    fault: str = "none"

    def build(self, skeleton: Skeleton, channels: int, persons: int) -> Network:
        """Make the network."""
        return _Network(channels, self.fault)


class _Network(Network):
    def __init__(self, channels: int, fault: str) -> None:
        super().__init__()
        self.width, self.fault = 4, fault
        self.layer = nn.Linear(channels, 4)
        if fault == "idler":
            self.idle = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, joints: Tensor | None = None, tokens: Tensor | None = None, length: Tensor | None = None) -> Tensor:
        kept = x
        if joints is not None and self.fault != "blind":
            kept = torch.stack([one[..., own] for one, own in zip(x, joints.expand(len(x), -1), strict=True)])
        if tokens is not None and self.fault != "token_blind":
            cells = [one.flatten(2)[..., own, None] for one, own in zip(x, tokens.expand(len(x), -1), strict=True)]
            kept = torch.stack(cells)
        y: Tensor = self.layer(kept.movedim(2, -1)).movedim(-1, 2)
        if length is not None and self.fault != "overrun":
            y = self.ended(y, length)
        if self.fault == "gossip":  # about the other clips
            return y - y.mean(dim=0)
        given = {"peeper": joints, "token_peeper": tokens, "late_peeper": length}.get(self.fault)
        if given is not None:  # at what is masked
            return y + x.mean(dim=(1, 2, 3, 4), keepdim=True)
        return y.mean(dim=4) if self.fault == "flat" else y

    def ended(self, y: Tensor, length: Tensor) -> Tensor:
        """Return a map that repeats a clip's mean behind its end, or with a fault nothing, so that its mean is diluted."""
        inside = (torch.arange(y.shape[3]) < length[:, None])[:, None, None, :, None]
        mean = (y * inside).sum(dim=3, keepdim=True) / length.view(-1, 1, 1, 1, 1)
        return torch.where(inside, y, mean * (self.fault != "diluted"))

    def pool(self, features: Tensor) -> Tensor:
        return features.flatten(3).mean(dim=(1, 3))


@attrs.frozen
class SoundAugmentation(mgbench.ViewAugmentation):
    """Moves clips at random."""

    name = "sound_augmentation"
    calls: ClassVar[list[int]] = []

    fault: str = "none"
    draw: Literal["batch", "clip"] = "batch"

    @property
    def decides_shapes(self) -> bool:  # type: ignore[override] # a class says so for good; this one can lie
        """Whether it says that it draws shapes."""
        return self.fault == "reader"

    def apply(self, view: View, skeleton: Skeleton, generator: Generator) -> View:
        """Return the moved clips."""
        draws = len(view.x) if self.draw == "clip" and self.fault != "one_draw" else 1
        source = torch.default_generator if self.fault == "gambler" else generator
        moved = view.x + torch.randn(draws, 1, 1, 1, 1, generator=source)
        self.calls.append(1)
        if self.fault == "mutator" and view.x.is_contiguous():
            view.x.mul_(2)
        if self.fault in {"reader", "ragged"}:
            some = int(view.x.any()) if self.fault == "reader" else int(torch.randint(9, (), generator=generator))
            return view._replace(x=view.x if self.fault == "reader" else moved, joints=torch.arange(9 + some))
        if self.fault == "unsorted":
            return View(moved, torch.randperm(len(skeleton.joints), generator=generator)[:9])
        tokens = torch.tensor([0, 99999]) if self.fault == "astray" else None
        return View(moved, torch.arange(9) + len(self.calls) % 2 if self.fault == "moody" else view.joints, tokens)


@attrs.frozen
class SoundEvaluator(mgbench.Evaluator):
    """Scores by the distance to class means."""

    name = "sound_evaluator"

    fault: str = "none"

    def evaluate(self, probe: Probe) -> Evaluation:
        """Score the test clips."""
        train, test = probe.train.x, probe.test.x
        if self.fault == "in_place":
            test.sub_(train.mean(dim=0))
            train.sub_(train.mean(dim=0))
        means = torch.stack([train[probe.train.label == c].mean(dim=0) for c in range(probe.classes)])
        scores = -torch.cdist(test, means)
        if self.fault == "unseeded":
            scores = scores + 0.1 * torch.randn(len(test), 1)
        if self.fault == "cheat":
            scores = nn.functional.one_hot(probe.test.label, probe.classes).float()
        if self.fault == "witness":
            scores = scores + nn.functional.one_hot(probe.test.subject, probe.classes)
        return Evaluation(scores, {"purity": 87.0} if self.fault == "percent" else {})


@attrs.frozen
class SoundMethod(mgbench.Method):
    """Makes features small."""

    name = "sound_method"

    fault: str = "none"

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective."""
        return _Objective(backbone, self.fault)


class _Objective(Objective):
    calls: ClassVar[list[int]] = []

    def __init__(self, backbone: Backbone, fault: str) -> None:
        super().__init__()
        self.backbone, self.fault, self.phase = backbone, fault, 1
        if fault == "idle_head":
            self.head = nn.Linear(2, 2)

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        (view,) = batch.views
        loss = self.backbone(view.x, view.joints).square().mean()
        self.calls.append(1)
        if self.fault == "counter":
            loss = loss * len(self.calls)
        loss = loss * self.phase
        return {"loss": loss.expand(2) if self.fault == "two_losses" else loss}

    def step(self, progress: float) -> None:
        self.phase += self.fault == "forgetful"

    def embedder(self) -> nn.Module:
        whitening = nn.BatchNorm1d(self.backbone.width, track_running_stats=False)
        return nn.Sequential(self.backbone, whitening) if self.fault == "whitening" else self.backbone


@attrs.frozen
class SoundData(mgbench.Dataset):
    """Six constant clips a split."""

    name = "sound_data"
    loads: ClassVar[list[int]] = []

    fault: str = "none"

    @property
    def skeleton(self) -> Skeleton:
        """Kinect-25."""
        return mgbench.load_skeleton("kinect25")

    @property
    def classes(self) -> tuple[str, ...]:
        """Two."""
        return ("one", "two")

    def load(self, split: Split, folder: Path) -> Clips:
        """Make a split."""
        person = 0 if self.fault == "shared" else ("train", "val", "test").index(split)
        self.loads.append(1)
        x = np.ones((4, 2 if self.fault == "crowd" else 1, 25, 3))
        if self.fault == "restless":
            x *= len(self.loads)
        if self.fault == "holes":
            x[1, 0, 7, 2] = np.nan
        label = [0, 7 if self.fault == "label" else 1] * 3
        return mgbench.make_clips([x] * 6, label, [person] * 6, [f"{split}{i}" for i in range(6)])


SOUND = {cls.name: cls for cls in (SoundEncoder, SoundAugmentation, SoundEvaluator, SoundMethod, SoundData)}
