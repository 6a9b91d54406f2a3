"""MS-G3D: joints at many distances, in one frame and across windows of frames, in three stages [Liu et al., CVPR 2020].

`scales=(13,6)` is the original, `(8,8)` that for Kinetics. Masked joints are removed from input, adjacencies and residual masks, without
renormalising, and from the statistics of all norms.
"""

from collections.abc import Callable
from typing import ClassVar

import attrs
from torch import Tensor, nn
from torch.nn import functional

from mgbench import Encoder, Network, Skeleton
from mgbench.graph import Graph, load_graph
from mgbench_plugins import works
from mgbench_plugins.encoders.layers import BranchedConv, PersonNorm, TemporalConv
from mgbench_plugins.encoders.multiscale import MultiScale, Windowed


#: Makes a convolution over time of so many channels, to so many, with a stride.
Temporal = Callable[[int, int, int], nn.Module]


def odd(_spec: object, field: "attrs.Attribute[tuple[int, ...]]", value: tuple[int, ...]) -> None:
    """Refuse windows that have no middle frame."""
    if any(window < 1 or window % 2 == 0 for window in value):
        msg = f"{field.name} got {value}; each must be odd, so that a window has a middle frame."
        raise ValueError(msg)


def in_sixths(_spec: object, field: "attrs.Attribute[int]", value: int) -> None:
    """Refuse channels that six branches cannot share."""
    if value < 1 or value % 6:
        msg = f"{field.name} got {value}; it must be a multiple of 6, because six branches share it."
        raise ValueError(msg)


@attrs.frozen
class MSG3D(Encoder):
    """MS-G3D, with graphs over single frames and over windows of them.

    Args:
        scales: how many distances, the joint itself counted, in one frame and in a window.
        windows: frames of each window.
        width: channels of the first stage; the others have two and four times as many.
        head: D of a linear layer at the end, 0 for none; then D is four times the width.
    """

    name = "msg3d"
    citation = works.MSG3D
    tiny = "scales=(3,2),windows=(3,),width=6"
    gives: ClassVar[frozenset[str]] = frozenset({"joint_map", "drop_joints"})

    scales: tuple[int, int] = attrs.field(default=(13, 6), validator=attrs.validators.deep_iterable(attrs.validators.ge(1)))
    windows: tuple[int, ...] = attrs.field(default=(3, 5), validator=odd)
    width: int = attrs.field(default=96, validator=in_sixths)
    head: int = attrs.field(default=0, validator=attrs.validators.ge(0))

    def build(self, skeleton: Skeleton, channels: int, persons: int) -> Network:
        """Make the network; its first norm holds numbers of each person."""
        norm, graph = PersonNorm(len(skeleton.joints), channels, persons), load_graph("bones", skeleton)
        return MultiScaleNetwork(norm, graph, (channels, self.width), self.scales, self.windows, _Branches, self.head)


class MultiScaleNetwork(Network):
    """The three stages of MS-G3D, with any convolution over time."""

    def __init__(
        self,
        norm: PersonNorm,
        graph: Graph,
        channels: tuple[int, int],
        scales: tuple[int, int],
        windows: tuple[int, ...],
        temporal: Temporal,
        head: int = 0,
    ) -> None:
        super().__init__()
        inner, width = channels
        self.width = head or 4 * width
        self.normalise = norm
        self.stages = nn.ModuleList(
            _Stage(graph, widths, stride, scales, windows, temporal)
            for widths, stride in (((inner, width, width), 1), ((width, width, 2 * width), 2), ((2 * width, 2 * width, 4 * width), 2))
        )
        self.head = nn.Linear(4 * width, head) if head else None

    def forward(self, x: Tensor, joints: Tensor | None = None) -> Tensor:
        """Return `(N, M, D, ceil(T / 4), V')`."""
        clips, persons = x.shape[:2]
        y, joints = self.normalise(x, joints)
        for stage in self.stages:
            y = stage(y, joints)
        if self.head is not None:
            y = self.head(y)
        features: Tensor = y.permute(0, 3, 1, 2).unflatten(0, (clips, persons))
        return features


class _Stage(nn.Module):
    """Both kinds of graph side by side, summed, then a convolution over time; `(N, T, V', C) -> (N, ceil(T / stride), V', C')`."""

    def __init__(
        self, graph: Graph, widths: tuple[int, int, int], stride: int, scales: tuple[int, int], windows: tuple[int, ...], temporal: Temporal
    ) -> None:
        super().__init__()
        inner, middle, outer = widths
        self.frame = MultiScale(inner, middle, graph, scales[0])
        self.first = temporal(middle, outer, stride)
        self.second = temporal(outer, outer, 1)
        self.windows = nn.ModuleList(Windowed(inner, middle, outer, graph, scales[1], window, stride) for window in windows)
        self.last = temporal(outer, outer, 1)

    def forward(self, x: Tensor, joints: Tensor | None) -> Tensor:
        y = self.second(functional.relu(self.first(self.frame(x, joints)), inplace=True))
        for window in self.windows:
            y = y + window(x, joints)
        return functional.relu(self.last(functional.relu(y, inplace=True)), inplace=True).contiguous()


class _Branches(nn.Module):
    """Branches of four dilations with a residual (MS-TCN), without the ReLU behind it."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.branches = BranchedConv(inner, outer, 3, (1, 2, 3, 4), stride)
        self.shortcut = TemporalConv(inner, outer, 1, stride) if inner != outer or stride != 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.branches(x) + self.shortcut(x)
        return y
