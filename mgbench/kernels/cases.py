"""What the kernels are measured and checked on: shapes of the field, inputs, competing forms, and the least that a machine must do."""

from collections.abc import Callable
from functools import partial
from typing import Final

import attrs
import torch
from torch import Tensor

from mgbench.kernels import cross_correlation, graph_conv, temporal_conv


Form = Callable[..., Tensor]


@attrs.frozen
class Case:
    """One operator at one shape.

    Args:
        op: its name.
        shape: in words.
        draw: makes its inputs in float64; those of floating point are differentiated.
        forms: ways to compute it, by name; the first is the straightforward one, the second what mgbench ships.
        traffic: numbers that forward and backward must at least read and write.
        flops: operations that forward and backward need at least in the cheapest order of sums, none of them by a transform.
    """

    op: str
    shape: str
    draw: Callable[[], tuple[Tensor, ...]]
    forms: dict[str, Form]
    traffic: int
    flops: int

    @property
    def name(self) -> str:
        """Operator and shape."""
        return f"{self.op} {self.shape}"


#: Root-mean-square and largest error that a dtype allows, relative to the root mean square and the largest of what is right.
TOLERANCE: Final = {torch.float64: (1e-11, 1e-10), torch.float32: (1e-5, 1e-4), torch.bfloat16: (3e-2, 1e-1)}


def _normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _views(clips: int, features: int) -> tuple[Tensor, ...]:
    common = _normal(clips, features, seed=0)
    return tuple(common + _normal(clips, features, seed=1 + k) for k in range(3))


def _loss_by(grams: bool, *streams: Tensor) -> Tensor:
    stacked = torch.stack(streams)
    loss: Tensor = cross_correlation.operator(stacked, 2e-4, *cross_correlation.settings("batch", stacked.shape[1]), grams)[0]
    return loss


def loss_case(clips: int, features: int) -> Case:
    """Return the loss of an anchor and two views."""
    forms: dict[str, Form] = {
        "reference": partial(cross_correlation.cross_correlation_reference, lambd=2e-4),
        "mgbench": partial(cross_correlation.cross_correlation_loss, lambd=2e-4),
        "grams": partial(_loss_by, True),
        "features": partial(_loss_by, False),
    }
    least = min(clips, features)
    flops = 12 * clips * features * least
    return Case("cross_correlation", f"{clips}x{features}", partial(_views, clips, features), forms, 9 * clips * features, flops)


def _graph(clips: int, frames: int, joints: int, inner: int, outer: int) -> tuple[Tensor, ...]:
    graph = _normal(3, joints, joints, seed=1).abs().softmax(dim=1)
    weight = _normal(3, outer, inner, seed=2) / (3 * inner) ** 0.5
    return _normal(clips, frames, joints, inner, seed=0), graph, weight, _normal(3, outer, seed=3)


def graph_case(clips: int, frames: int, joints: int, inner: int, outer: int) -> Case:
    """Return the graph convolution of a block."""
    forms: dict[str, Form] = {"reference": graph_conv.graph_conv_reference, "mgbench": graph_conv.masked_graph_conv}
    rows, narrow = clips * frames * joints, min(inner, outer)
    flops = 3 * (2 * 3 * rows * joints * narrow + 2 * 3 * rows * inner * outer)
    shape = f"{clips}x{frames}x{joints} {inner}->{outer}"
    draw = partial(_graph, clips, frames, joints, inner, outer)
    return Case("graph_conv", shape, draw, forms, rows * (3 * inner + 2 * outer), flops)


def _temporal(clips: int, frames: int, joints: int, width: int, stride: int) -> tuple[Tensor, ...]:
    return _normal(clips, frames, joints, width, seed=0), _normal(width, width, 9, 1, seed=1) / (9 * width) ** 0.5, _normal(width, seed=2)


def temporal_case(clips: int, frames: int, joints: int, width: int, stride: int = 1) -> Case:
    """Return the convolution over nine frames of a block."""
    forms: dict[str, Form] = {
        "reference": partial(temporal_conv.temporal_conv_reference, stride=stride),
        "mgbench": partial(temporal_conv.temporal_conv, stride=stride),
    }
    rows = clips * frames * joints // stride
    shape = f"{clips}x{frames}x{joints} {width}" + (f" /{stride}" if stride > 1 else "")
    draw = partial(_temporal, clips, frames, joints, width, stride)
    return Case("temporal_conv", shape, draw, forms, 5 * rows * width, 3 * 2 * 9 * rows * width * width)


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
