"""What the kernels are measured and checked on: shapes of the field, inputs, competing forms, and the least that a machine must do."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Literal

import attrs
import torch
from torch import Tensor

from mgbench.kernels import cross_correlation, graph_conv, temporal_conv


Mode = Literal["forward", "both"]


@attrs.frozen
class Form:
    """One way to compute an operator.

    Args:
        compute: its value, from inputs of which the first are the clips.
        channels_first: clips go in and come out as `(N, C, T, V)`, contiguous, as the public code has them, in place of `(N, T, V, C)`.
    """

    compute: Callable[..., Tensor]
    channels_first: bool = False

    def laid(self, clips: Tensor) -> Tensor:
        """Return clips `(N, T, V, C)` in the layout of this form."""
        return clips.permute(0, 3, 1, 2).contiguous() if self.channels_first else clips

    def common(self, clips: Tensor) -> Tensor:
        """Return clips of this form as `(N, T, V, C)`."""
        return clips.permute(0, 2, 3, 1) if self.channels_first else clips

    def inputs(self, drawn: Sequence[Tensor]) -> list[Tensor]:
        """Return what is drawn as this form takes it, wanting gradients."""
        return [x.detach().requires_grad_() for x in (self.laid(drawn[0]), *drawn[1:])]


@attrs.frozen
class Work:
    """The least that a machine must do.

    Args:
        touched: numbers that are read or written at all, gradients among them.
        traffic: reads and writes of them.
        flops: operations, in the cheapest order of sums that is known here.
    """

    touched: int
    traffic: int
    flops: int


@attrs.frozen
class Case:
    """One operator at one shape.

    Args:
        op: its name.
        shape: in words.
        draw: makes its inputs in float64; those of floating point are differentiated.
        forms: ways to compute it, by name; the first is the straightforward one, the second what mgbench ships.
        work: the least to do for the value, and for value and gradients.
    """

    op: str
    shape: str
    draw: Callable[[], tuple[Tensor, ...]]
    forms: dict[str, Form]
    work: dict[Mode, Work]

    @property
    def name(self) -> str:
        """Operator and shape."""
        return f"{self.op} {self.shape}"


def _work(inputs: int, outputs: int, forward: int, both: int) -> dict[Mode, Work]:
    """Return the least to do: gradients need the inputs and the gradient of the output, and write as many numbers as there are inputs."""
    once = inputs + outputs
    return {"forward": Work(once, once, forward), "both": Work(2 * once, once + 2 * inputs + outputs, both)}


#: Root-mean-square and largest error that a dtype allows, relative to the root mean square and the largest of what is right.
TOLERANCE: Final = {torch.float64: (1e-11, 1e-10), torch.float32: (1e-5, 1e-4), torch.bfloat16: (3e-2, 1e-1)}


def _normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _views(clips: int, features: int) -> tuple[Tensor, ...]:
    common = _normal(clips, features, seed=0)
    return tuple(common + _normal(clips, features, seed=1 + k) for k in range(3))


def _loss_by(grams: bool, *streams: Tensor) -> Tensor:
    loss: Tensor = cross_correlation.operator(list(streams), 2e-4, *cross_correlation.settings("batch", len(streams[0])), grams)[0]
    return loss


def loss_case(clips: int, features: int) -> Case:
    """Return the loss of an anchor and two views.

    By N x N matrices, three symmetric products take N^2 D each, of which half are computed, and the gradients three whole ones 2 N^2 D
    each. By D x D matrices, none of which is symmetric, the value takes two products and the gradients four, 2 N D^2 each.
    """
    forms = {
        "reference": Form(partial(cross_correlation.cross_correlation_reference, lambd=2e-4)),
        "mgbench": Form(partial(cross_correlation.cross_correlation_loss, lambd=2e-4)),
        "grams": Form(partial(_loss_by, True)),
        "features": Form(partial(_loss_by, False)),
    }
    grams, matrices = clips**2 * features, clips * features**2
    work = _work(3 * clips * features, 1, min(3 * grams, 4 * matrices), min(9 * grams, 12 * matrices))
    return Case("cross_correlation", f"{clips}x{features}", partial(_views, clips, features), forms, work)


def _graph(clips: int, frames: int, joints: int, inner: int, outer: int) -> tuple[Tensor, ...]:
    graph = _normal(3, joints, joints, seed=1).abs().softmax(dim=1)
    weight = _normal(3, outer, inner, seed=2) / (3 * inner) ** 0.5
    return _normal(clips, frames, joints, inner, seed=0), graph, weight, _normal(3, outer, seed=3)


def graph_case(clips: int, frames: int, joints: int, inner: int, outer: int) -> Case:
    """Return the graph convolution of a block: neighbours summed at the narrower end, channels mixed; two gradients of each."""
    forms = {"reference": Form(graph_conv.graph_conv_reference, channels_first=True), "mgbench": Form(graph_conv.masked_graph_conv)}
    rows = clips * frames * joints
    flops = 2 * 3 * rows * (joints * min(inner, outer) + inner * outer)
    work = _work(rows * inner + 3 * (joints**2 + inner * outer + outer), rows * outer, flops, 3 * flops)
    shape = f"{clips}x{frames}x{joints} {inner}->{outer}"
    return Case("graph_conv", shape, partial(_graph, clips, frames, joints, inner, outer), forms, work)


def _temporal(clips: int, frames: int, joints: int, width: int) -> tuple[Tensor, ...]:
    return _normal(clips, frames, joints, width, seed=0), _normal(width, width, 9, 1, seed=1) / (9 * width) ** 0.5, _normal(width, seed=2)


def _temporal_flops(clips: int, frames: int, joints: int, width: int, stride: int) -> int:
    """Return the operations of the value: of the taps that meet a frame, or without a stride of the transform where they are fewer."""
    meet = sum(0 <= centre + tap - 4 < frames for centre in range(0, frames, stride) for tap in range(9))
    direct = 2 * meet * clips * joints * width**2
    into_and_back, kernels = 2 * frames * clips * joints * width, 9 * width**2
    transform = 2 * temporal_conv.products(frames, 9) * (clips * joints * width**2 + into_and_back + kernels)
    return direct if stride > 1 else min(direct, transform)


def temporal_case(clips: int, frames: int, joints: int, width: int, stride: int = 1) -> Case:
    """Return the convolution over nine frames of a block; its two gradients need as many operations as the value each."""
    forms = {
        "reference": Form(partial(temporal_conv.temporal_conv_reference, stride=stride), channels_first=True),
        "mgbench": Form(partial(temporal_conv.temporal_conv, stride=stride)),
    }
    flops = _temporal_flops(clips, frames, joints, width, stride)
    row = clips * joints * width
    work = _work(frames * row + 9 * width**2 + width, -(-frames // stride) * row, flops, 3 * flops)
    shape = f"{clips}x{frames}x{joints} {width}" + (f" /{stride}" if stride > 1 else "")
    return Case("temporal_conv", shape, partial(_temporal, clips, frames, joints, width), forms, work)


#: Batches and projections of the papers; the blocks of ST-GCN at width 16 for whole and masked views, of MS-G3D and Ta-CNN.
CASES: Final = (
    *(loss_case(clips, features) for features in (128, 1024, 4096, 6144, 8192) for clips in (32, 128, 512)),
    *(graph_case(64, 50, joints, *widths) for joints in (25, 17) for widths in ((3, 16), (16, 16), (16, 32))),
    *(graph_case(64, 25, 25, *widths) for widths in ((32, 32), (32, 64))),
    *(graph_case(64, 13, joints, *widths) for joints in (25, 17) for widths in ((64, 64), (64, 256))),
    graph_case(64, 13, 22, 64, 256), graph_case(64, 13, 18, 64, 64), graph_case(64, 13, 20, 9, 32),
    graph_case(16, 300, 25, 64, 64), graph_case(4, 100, 25, 384, 384), graph_case(32, 13, 25, 256, 64),
    temporal_case(64, 50, 25, 16), temporal_case(64, 50, 25, 32, 2), temporal_case(64, 13, 25, 64),
    temporal_case(64, 13, 25, 256), temporal_case(64, 8, 25, 256), temporal_case(64, 13, 17, 256),
)  # fmt: skip
