"""What a component is: five kinds, each an abstract class whose final subclasses are frozen attrs classes.

A component is data. Its fields are its hyperparameters, its command-line text and its record; what learns is an
`nn.Module` that it builds. Constructors validate and do nothing else. This module imports no torch.
"""

import abc
import inspect
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self, TypeAlias

import attrs

from mgbench import spec
from mgbench.clips import Clips
from mgbench.skeleton import Skeleton


if TYPE_CHECKING:
    import torch

    from mgbench.model import Backbone, Evaluation, Network, Objective, Probe, View


Split: TypeAlias = Literal["train", "val", "test"]
Lift: TypeAlias = Literal["none", "moment"]
Stream: TypeAlias = Literal["joint", "bone", "motion"]
Precision: TypeAlias = Literal["fp32", "tf32", "bf16"]
#: What scores may be of: the class of a clip, or the person in it.
Target: TypeAlias = Literal["class", "subject"]

#: What an encoder can give and a method can need.
CAPABILITIES = {
    "joint_map": "features for each joint and time step, before pooling",
    "drop_joints": "a forward pass from which masked joints are removed",
    "drop_tokens": "a forward pass from which masked (joint, time) tokens are removed",
    "sequence": "the length of each clip is honoured, and a final state given",
}


@attrs.frozen
class Component(abc.ABC):
    """Anything with a name that a plugin offers."""

    #: The word users type.
    name: ClassVar[str]
    #: Raised when the component's results change.
    version: ClassVar[int] = 1
    #: BibTeX of the work it implements.
    citation: ClassVar[str] = ""
    #: Parameters, as in a spec, that make it small enough for the checks of `mgbench.testing` to run in a second.
    tiny: ClassVar[str] = ""

    def __str__(self) -> str:
        """Return the spec that `mgbench` reads back as this component."""
        return spec.write(self)

    @classmethod
    def summary(cls) -> str:
        """Return the first line of the docstring."""
        return (inspect.getdoc(cls) or "").partition("\n")[0]


@attrs.frozen
class Dataset(Component):
    """Labelled clips of one skeleton in subject-disjoint splits.

    Where the files lie is never a field: the core finds the folder and hands it to `load`. A class may assign `folders`, `persons` and
    `splits`; they are properties where they depend on fields.
    """

    #: Who grants the data and what the folder must hold, shown when it is missing.
    how: ClassVar[str] = ""
    #: Whether its recordings may be passed on; of others no clip is named or drawn unasked.
    public: ClassVar[bool] = False

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of the folder under the data root, in order of preference; none for data that is made, not read."""
        return ()

    @property
    def persons(self) -> int:
        """People in a clip."""
        return 1

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits it has; without `val`, `--select` is refused."""
        return ("train", "val", "test")

    @property
    @abc.abstractmethod
    def skeleton(self) -> Skeleton:
        """The layout of every clip."""

    @property
    @abc.abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the labels; a class may be absent from a split."""

    @property
    def published(self) -> Mapping[Split, int | tuple[int, ...]]:
        """How many clips its owners count in a split, in all or one number a class; what they do not tell is left out."""
        return {}

    def at(self, folder: Path) -> "Dataset":
        """Return the data set as this folder holds it: itself, unless the files tell skeleton, classes, persons or splits."""
        return self

    @abc.abstractmethod
    def load(self, split: Split, folder: Path) -> Clips:
        """Read a split; `train` excludes `val`. Raise `DataError` that names file, line and rule for malformed files."""


@attrs.frozen
class Encoder(Component):
    """A family of networks from clips to features.

    Args:
        lift: channels that the backbone adds before the network, in training and evaluation alike.
    """

    #: Words of `CAPABILITIES`.
    gives: ClassVar[frozenset[str]] = frozenset()

    lift: Lift = attrs.field(default="none", kw_only=True)

    @property
    def token(self) -> int:
        """Frames of one joint that make a token, where it gives `drop_tokens`: they are kept or dropped together."""
        return 1

    @abc.abstractmethod
    def build(self, skeleton: Skeleton, channels: int, persons: int) -> "Network":
        """Make the network for clips `(N, M=persons, C=channels, T, V)` of one skeleton, drawing weights from torch's default generator."""


@attrs.frozen
class Augmentation(Component):
    """A change of clips; either of views in training, or of a set before it."""


@attrs.frozen
class ViewAugmentation(Augmentation):
    """A random change of a batch on its device, drawn anew at every step."""

    #: What it asks of the encoder, in words of `CAPABILITIES`.
    needs: ClassVar[frozenset[str]] = frozenset()
    #: Whether shapes depend on what it draws, as where a mask keeps more joints or fewer. Such a one reads and changes no coordinate, and
    #: its generator is the processor's, so that no step waits for the device to tell how large its tensors are.
    decides_shapes: ClassVar[bool] = False

    def suited(self, encoder: Encoder) -> "ViewAugmentation":
        """Return it with what it takes from the encoder filled in, such as how long a token is: itself, unless overridden."""
        return self

    @abc.abstractmethod
    def apply(self, view: "View", skeleton: Skeleton, generator: "torch.Generator") -> "View":
        """Return the changed view and leave the given one as it is; every random number comes from the generator."""


@attrs.frozen
class SetAugmentation(Augmentation):
    """New training clips made once before training."""

    #: Whether `Clips.made` tells the donors of every new clip, from which follows its label where a method uses labels.
    mixes_labels: ClassVar[bool] = False

    @property
    def guided(self) -> bool:
        """Whether labels decide what it makes; boards say so of self-supervised methods."""
        return False

    @abc.abstractmethod
    def apply(self, clips: Clips, skeleton: Skeleton, classes: tuple[str, ...], seed: int) -> Clips:
        """Return the given clips and behind them new ones, which carry the label -1 and a name that tells where they come from."""


Pipeline: TypeAlias = tuple[ViewAugmentation, ...]
SetPipeline: TypeAlias = tuple[SetAugmentation, ...]


@attrs.frozen
class Recipe:
    """How a method is trained: what its paper prints. Its keys stand beside the method's own in a spec.

    Args:
        optimizer: `adam` (L2 weight decay), `adamw` (decoupled), `sgd`, or `lbfgs` for convex probes.
        lr: learning rate at the top of the schedule.
        schedule: `cosine` down to `lr_end`, `exponential` down to `lr_end`, `constant`, or `step`, times `gamma` at each milestone.
        lr_end: learning rate at the end of `cosine` and `exponential`.
        milestones: of `step`, as shares of training, so that they scale with any budget.
        gamma: of `step`.
        warmup: epochs of linear warm-up from zero.
        weight_decay: as the optimiser has it.
        momentum: of `sgd`.
        nesterov: whether `sgd` looks ahead.
        clip: largest norm of all gradients together, 0 for no limit.
        epochs: passes over the training clips.
        batch_size: clips a step.
    """

    inlined: ClassVar[bool] = True

    optimizer: Literal["adam", "adamw", "sgd", "lbfgs"] = "adam"
    lr: float = attrs.field(default=1e-3, validator=[attrs.validators.gt(0), attrs.validators.lt(math.inf)])
    schedule: Literal["cosine", "exponential", "constant", "step"] = "cosine"
    lr_end: float = attrs.field(default=0.0, validator=[attrs.validators.ge(0), attrs.validators.lt(math.inf)])
    milestones: tuple[float, ...] = attrs.field(
        default=(0.6, 0.8), validator=attrs.validators.deep_iterable([attrs.validators.ge(0), attrs.validators.le(1)])
    )
    gamma: float = attrs.field(default=0.1, validator=[attrs.validators.gt(0), attrs.validators.le(1)])
    warmup: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    weight_decay: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))
    momentum: float = attrs.field(default=0.9, validator=[attrs.validators.ge(0), attrs.validators.lt(1)])
    nesterov: bool = True
    clip: float = attrs.field(default=0.0, validator=[attrs.validators.ge(0), attrs.validators.lt(math.inf)])
    epochs: int = attrs.field(default=100, validator=attrs.validators.ge(0))
    batch_size: int = attrs.field(default=128, validator=attrs.validators.ge(2))  # a batch of one has no statistics

    def __attrs_post_init__(self) -> None:
        """Refuse a schedule that cannot end where it shall."""
        if self.lr_end > self.lr:
            msg = f"lr_end got {self.lr_end}; a schedule falls, so it is at most lr, {self.lr}."
            raise ValueError(msg)
        if self.schedule == "exponential" and self.lr_end == 0:
            msg = "lr_end got 0.0, which 'exponential' never reaches; give a rate above 0, or schedule=cosine."
            raise ValueError(msg)


@attrs.frozen
class Method(Component):
    """A recipe that trains a backbone.

    Args:
        augment: the pipeline that every view starts with.
        views: further pipelines, one a view.
        prepare: set augmentations, applied once.
        recipe: optimiser and schedule.
    """

    #: Whether the objective sees labels; boards say so.
    uses_labels: ClassVar[bool] = False
    #: False for floors, which no budget applies to.
    learns: ClassVar[bool] = True
    #: The streams it takes; a method that makes bones and motion itself takes joints alone.
    streams: ClassVar[frozenset[Stream]] = frozenset({"joint", "bone", "motion"})
    #: What the objective asks of the encoder, in words of `CAPABILITIES`; augmentations add theirs.
    requires: ClassVar[frozenset[str]] = frozenset()

    augment: Pipeline = attrs.field(default=(), kw_only=True)
    views: tuple[Pipeline, ...] = attrs.field(default=((),), kw_only=True)
    prepare: SetPipeline = attrs.field(default=(), kw_only=True)
    recipe: Recipe = attrs.field(default=Recipe(), kw_only=True)

    @property
    def needs(self) -> frozenset[str]:
        """Everything that the encoder must give for this method with these views."""
        augmentations = [*self.augment, *(step for view in self.views for step in view)]
        return self.requires.union(*(step.needs for step in augmentations))

    def suited(self, encoder: Encoder) -> Self:
        """Return the method whose view augmentations have taken from the encoder what they ask of it."""
        augment, *views = (tuple(step.suited(encoder) for step in pipeline) for pipeline in (self.augment, *self.views))
        return attrs.evolve(self, augment=augment, views=tuple(views))

    @abc.abstractmethod
    def build(self, backbone: "Backbone", classes: int) -> "Objective":
        """Make the module that computes the loss; parameters outside the backbone are drawn from torch's default generator."""


@attrs.frozen
class Evaluator(Component):
    """A protocol that scores frozen features, a backbone, or the clips themselves."""

    #: `clips` runs once a data set, `features` on embeddings computed once a cell, `backbone` on a copy of the embedder.
    reads: ClassVar[Literal["clips", "features", "backbone"]] = "features"
    #: What its scores are of; boards never mix two targets.
    target: ClassVar[Target] = "class"

    @abc.abstractmethod
    def evaluate(self, probe: "Probe") -> "Evaluation":
        """Fit on the training part and score the test part; test labels serve no score, only the figures of `extra`.

        Where the target is the person, training has nobody of the test part, so what is fitted is fitted within that.
        """


#: Kind -> abstract class; hooks are named `mgbench_<kind>s`.
KINDS: dict[str, type[Component]] = {
    "dataset": Dataset,
    "encoder": Encoder,
    "method": Method,
    "augmentation": Augmentation,
    "evaluator": Evaluator,
}
