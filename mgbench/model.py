"""What learns: views and batches, networks, backbones, objectives, and what an evaluator is handed."""

import abc
from typing import NamedTuple

import attrs
import torch
from torch import Generator, Tensor, nn

from mgbench.components import Encoder, Lift
from mgbench.skeleton import Skeleton


class View(NamedTuple):
    """An augmented batch, and what of it an encoder shall see; None stands for all of it.

    Args:
        x: clips `(N, M, C, T, V)`.
        joints: kept joints, `(V',)` or per clip `(N, V')`, for encoders that give `drop_joints`.
        tokens: kept cells of the T x V grid, numbered `t * V + v`, `(K,)` or per clip `(N, K)`, for encoders that give `drop_tokens`. They
            make whole tokens, as `mgbench.tokens.cells_of` names them.
        length: valid frames of each clip `(N,)`, for encoders that give `sequence`; every clip is T long after resizing.
    """

    x: Tensor
    joints: Tensor | None = None
    tokens: Tensor | None = None
    length: Tensor | None = None


@attrs.frozen(eq=False)
class Batch:
    """One step's clips.

    Args:
        views: its views.
        label: where the method uses labels, `(N,)`, or what each class weighs `(N, classes)` where set augmentations mixed labels.
        index: clip numbers `(N,)`.
        length: recorded lengths `(N,)`.
    """

    views: tuple[View, ...]
    label: Tensor | None
    index: Tensor
    length: Tensor


class Network(nn.Module, abc.ABC):
    """What an encoder builds; `width` is D."""

    width: int

    @abc.abstractmethod
    def forward(self, x: Tensor, joints: Tensor | None = None) -> Tensor:
        """Return the feature map `(N, M, D, T', V')` of clips `(N, M, C, T, V)`, computed from the kept joints alone.

        A network whose encoder gives `drop_tokens` also takes `tokens`, one that gives `sequence` also `length`, as in `View`.
        """

    def pool(self, features: Tensor) -> Tensor:
        """Return `(N, D)` from a feature map: its mean, unless the encoder's paper says otherwise."""
        return features.mean(dim=(1, 3, 4))


def lifted_channels(lift: Lift, channels: int) -> int:
    """Return how many channels a lift makes of so many."""
    return channels + channels * (channels + 1) // 2 if lift == "moment" else channels


def apply_lift(x: Tensor, lift: Lift) -> Tensor:
    """Append to `(N, M, C, T, V)` its second moments: C = 3 becomes x, y, z, xx, yy, zz, xy, xz, yz (Momenet; A-EDGCN)."""
    if lift == "none":
        return x
    pairs = [(i, i) for i in range(x.shape[2])] + [(i, j) for i in range(x.shape[2]) for j in range(i + 1, x.shape[2])]
    return torch.cat([x, *(x[:, :, i : i + 1] * x[:, :, j : j + 1] for i, j in pairs)], dim=2)


class Backbone(nn.Module):
    """An encoder built for one skeleton; called, it gives pooled features `(N, D)`."""

    def __init__(self, encoder: Encoder, skeleton: Skeleton, persons: int) -> None:
        super().__init__()
        self.encoder, self.skeleton, self.persons = encoder, skeleton, persons
        self.lift: Lift = encoder.lift
        self.network = encoder.build(skeleton, lifted_channels(encoder.lift, len(skeleton.axes)), persons)

    @property
    def width(self) -> int:
        """The number of features D."""
        return self.network.width

    @property
    def coordinates(self) -> int:
        """How many numbers a frame has, M C V; a lift adds none, for it is not recorded."""
        return self.persons * len(self.skeleton.axes) * len(self.skeleton.joints)

    def fresh(self) -> "Backbone":
        """Return another of the same encoder, its weights drawn anew."""
        return Backbone(self.encoder, self.skeleton, self.persons)

    def map(self, x: Tensor, joints: Tensor | None = None, tokens: Tensor | None = None, length: Tensor | None = None) -> Tensor:
        """Return the feature map `(N, M, D, T', V')` before pooling; arguments as in `View`."""
        given = {name: value for name, value in (("tokens", tokens), ("length", length)) if value is not None}
        features: Tensor = self.network(apply_lift(x, self.lift), joints, **given)
        return features

    def forward(self, x: Tensor, joints: Tensor | None = None, tokens: Tensor | None = None, length: Tensor | None = None) -> Tensor:
        """Return pooled features `(N, D)`; arguments as in `View`, so that `backbone(*view)` is a view's features."""
        return self.network.pool(self.map(x, joints, tokens, length))


class Objective(nn.Module, abc.ABC):
    """The module that computes a method's loss around a backbone."""

    backbone: Backbone

    @abc.abstractmethod
    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return `loss`, a scalar to minimise, and any further scalars to report."""

    def step(self, progress: float) -> None:
        """Move what gradients do not (momentum encoders, phases), after each optimiser step; `progress` rises from 0 to 1."""

    def embedder(self) -> nn.Module:
        """Return the module `(N, M, C, T, V) -> (N, D)` that is saved, probed and exported: the backbone, unless overridden."""
        return self.backbone


@attrs.frozen(eq=False)
class Part:
    """One side of a probe.

    Args:
        x: features `(N, D)` or clips `(N, M, C, T, V)`.
        label: class numbers `(N,)`.
        subject: who is seen `(N,)`, by rank among the people of this side; nobody is on both. One person where nobody says.
    """

    x: Tensor
    label: Tensor
    subject: Tensor = attrs.field(default=attrs.Factory(lambda part: torch.zeros_like(part.label), takes_self=True))


@attrs.frozen(eq=False)
class Probe:
    """What an evaluator is handed; `embedder` is a copy, given only where the evaluator reads the backbone."""

    train: Part
    test: Part
    classes: int
    seed: int
    embedder: nn.Module | None = None


def outputs(module: nn.Module, x: Tensor, batch_size: int = 64) -> Tensor:
    """Return what a module gives for each clip, in evaluation, on its own device; of so many clips at a time, for the sake of memory."""
    device = next((weight.device for weight in module.parameters()), x.device)
    module.eval()
    with torch.no_grad():  # not inference_mode: probes are trained on these
        return torch.cat([module(part.to(device)) for part in x.split(batch_size)])


def standardise(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Return both `(N, D)` in float64 with the mean and variance of the training side removed; features constant there become zero."""
    train, test = train.double(), test.double()
    mean, scale = train.mean(dim=0), train.std(dim=0)
    varies = scale > 1e-6 * mean.abs() + 1e-12  # below this it is rounding
    return tuple(torch.where(varies, (x - mean) / torch.where(varies, scale, 1.0), 0.0) for x in (train, test))  # type: ignore[return-value] # a generator over a pair gives a pair, which mypy does not count


@attrs.frozen(eq=False)
class Evaluation:
    """Scores of the test part `(N, classes)`, the highest for the predicted class, and further metrics in [0, 1].

    Where the evaluator's target is the person, scores are `(N, people)`, by their ranks in `Part.subject` of the test part.
    """

    scores: Tensor
    extra: dict[str, float] = attrs.field(factory=dict)
