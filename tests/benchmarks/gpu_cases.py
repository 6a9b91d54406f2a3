"""What is measured on a GPU: the loss, the blocks of ST-GCN at a batch of 128 clips of two people, and what follows their convolutions."""

from functools import cache, partial
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from mgbench.kernels.batch_norm import batch_norm_relu
from mgbench.kernels.cases import Case, Form, Work, graph_case, loss_case


class Measured(NamedTuple):
    """A case that is timed, and the one whose errors stand for it: with dropout no two forms give the same."""

    timed: Case
    checked: Case


@cache
def _empty(width: int, device: torch.device, dtype: torch.dtype) -> nn.BatchNorm2d:
    """Return a norm without weights, made once: no measured call copies anything to a GPU."""
    norm = nn.BatchNorm2d(width, device=device, dtype=dtype)
    del norm.weight, norm.bias
    return norm


def _norm(weight: Tensor, bias: Tensor) -> nn.BatchNorm2d:
    """Return a norm whose weights are these tensors, so that they have gradients of their own."""
    norm = _empty(len(weight), weight.device, weight.dtype)
    norm.weight, norm.bias = weight, bias  # type: ignore[assignment]  # plain tensors will do
    return norm


def _wide(weight: Tensor, clips: Tensor) -> Tensor:
    """Return weights as norms keep them under autocast: in float32, whatever clips are stored in."""
    return weight.to(torch.promote_types(clips.dtype, torch.float32))


def _halves(clips: Tensor, adds: bool) -> tuple[Tensor, Tensor | None]:
    """Return what is normalised and the residual, which lie one behind the other, so that both are laid out alike."""
    if not adds:
        return clips, None
    x, residual = clips.chunk(2)
    return x, residual


def _public(clips: Tensor, weight: Tensor, bias: Tensor, adds: bool, p: float) -> Tensor:
    x, residual = _halves(clips, adds)
    y = functional.dropout(functional.batch_norm(x, None, None, _wide(weight, x), _wide(bias, x), training=True), p)
    return functional.relu(y if residual is None else y + residual)


def _ours(clips: Tensor, weight: Tensor, bias: Tensor, adds: bool, p: float) -> Tensor:
    x, residual = _halves(clips, adds)
    return batch_norm_relu(x, _norm(_wide(weight, x), _wide(bias, x)), dropout=p, residual=residual)


def _drawn(clips: int, frames: int, joints: int, width: int, adds: bool) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    sizes = ((clips * (2 if adds else 1), frames, joints, width), (width,), (width,))
    return tuple(torch.randn(size, generator=generator, dtype=torch.float64) for size in sizes)


def norm_case(clips: int, frames: int, joints: int, width: int, *, adds: bool, p: float) -> Case:
    """Return batch norm and ReLU, or with dropout and a residual between them.

    Statistics need x once, values x and the residual; of gradients, x, y and theirs are read for sums and once more for what is written.
    """
    forms = {
        "reference": Form(partial(_public, adds=adds, p=p), channels_first=True),
        "mgbench": Form(partial(_ours, adds=adds, p=p)),
    }
    size = clips * frames * joints * width
    touched, forward, both = (3, 4, 4 + 8) if adds else (2, 3, 3 + 7)
    work = {"forward": Work(touched * size, forward * size, 0), "both": Work(2 * touched * size, both * size, 0)}
    name = f"batch_norm{'_dropout_add' if adds else ''}_relu"
    return Case(name, f"{clips}x{frames}x{joints} {width}", partial(_drawn, clips, frames, joints, width, adds), forms, work)


def _alike(case: Case) -> Measured:
    return Measured(case, case)


def _dropped(clips: int, frames: int, joints: int, width: int) -> Measured:
    return Measured(*(norm_case(clips, frames, joints, width, adds=True, p=p) for p in (0.5, 0.0)))


#: Clips and features of the loss; clips, frames, joints, channels before and after; the same with one width, without and with a residual.
LOSSES: Final = ((128, 6144), (128, 1024), (512, 6144))
GRAPHS: Final = (
    *((256, 50, joints, *widths) for joints in (25, 17) for widths in ((3, 16), (16, 16), (16, 32))),
    *((256, 25, 25, *widths) for widths in ((32, 32), (32, 64))),
    *((256, 13, 25, *widths) for widths in ((64, 64), (64, 256))),
)
NORMS: Final = ((256, 50, 25, 16), (256, 13, 25, 256))
CASES: Final = (
    *(_alike(loss_case(*sizes)) for sizes in LOSSES),
    *(_alike(graph_case(*sizes)) for sizes in GRAPHS),
    *(_alike(norm_case(*sizes, adds=False, p=0.0)) for sizes in NORMS),
    *(_dropped(*sizes) for sizes in NORMS),
)
#: Every kind of case, small enough for a processor.
SMALL: Final = (
    _alike(loss_case(16, 64)), _alike(graph_case(4, 10, 17, 3, 16)),
    _alike(norm_case(4, 10, 5, 16, adds=False, p=0.0)), _dropped(4, 10, 5, 16),
)  # fmt: skip
