"""Batch norm of the channels last and what follows it in a block: dropout, a residual, ReLU.

    y = relu(f (x^ w + b) + r),    x^ = (x - mean) / sqrt(variance + eps),

f the factors of dropout. On a GPU with Triton one launch reads x, or the kernel that made x leaves its moments behind; one puts the
statistics together, one writes y. Nothing but x and y is kept for the gradient: dropout's factors are drawn anew from a seed, which is
drawn from torch's generator and never leaves the device. Elsewhere, and outside of training, these are torch's operators one by one.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mgbench.kernels.dropout import byte_dropout
from mgbench.kernels.fused import fuses, kernels


def batch_norm_relu(
    x: Tensor, norm: nn.BatchNorm2d, *, dropout: float = 0.0, residual: Tensor | None = None, moments: Tensor | None = None
) -> Tensor:
    """Return `(N, T, V, C)` of clips `(N, T, V, C)`, and move the norm's running statistics as torch does.

    Args:
        x: what is normalised.
        norm: of its channels.
        dropout: probability that a number becomes zero behind the norm, whatever the norm's mode.
        residual: as x, added behind the dropout.
        moments: of x, where the graph convolution that made x left them.
    """
    if _serves(x, norm, residual):
        return _fused(x, norm, dropout, residual, moments)
    y = norm(x.permute(0, 3, 1, 2))
    y = byte_dropout(y, dropout) if dropout else y
    y = y if residual is None else y + residual.permute(0, 3, 1, 2)
    return functional.relu(y, inplace=True).permute(0, 2, 3, 1)


def _serves(x: Tensor, norm: nn.BatchNorm2d, residual: Tensor | None) -> bool:
    """Tell whether the kernels compute this: batch statistics that are kept with a momentum, of clips of one type that is not float64."""
    usual = norm.training and norm.affine and norm.track_running_stats and norm.momentum is not None and norm.weight.dtype == torch.float32
    alike = residual is None or (residual.dtype == x.dtype and residual.shape == x.shape)
    narrow = x.dtype in {torch.float32, torch.bfloat16, torch.float16}
    return fuses(x) and usual and alike and narrow and x.numel() > x.shape[-1]  # torch says what is wrong with a single row


def _fused(x: Tensor, norm: nn.BatchNorm2d, dropout: float, residual: Tensor | None, moments: Tensor | None) -> Tensor:
    """Return the same by the kernels."""
    mean, variance, count, momentum = norm.running_mean, norm.running_var, norm.num_batches_tracked, norm.momentum
    assert mean is not None and variance is not None and count is not None and momentum is not None  # noqa: PT018, S101 - served
    seed = torch.randint(2**63 - 1, (), dtype=torch.int64, device=x.device) if dropout else None
    y, found = _forward(x, norm.weight, norm.bias, residual, seed, moments, norm.eps, dropout)
    with torch.no_grad():
        count.add_(1)
        mean.lerp_(found[0], momentum)
        variance.lerp_(found[2], momentum)
    made: Tensor = y
    return made


@torch.library.custom_op("mgbench::batch_norm_relu", mutates_args=())
def _forward(
    x: Tensor, weight: Tensor, bias: Tensor, residual: Tensor | None, seed: Tensor | None, moments: Tensor | None, eps: float, p: float
) -> tuple[Tensor, Tensor]:
    """Return y, and `(3, C)`: means, 1 / sqrt(variance + eps) and unbiased variances."""
    made: tuple[Tensor, Tensor] = kernels("batch_norm").forward(x, weight, bias, eps, moments=moments, residual=residual, p=p, seed=seed)
    return made


@_forward.register_fake
def _(
    x: Tensor, weight: Tensor, bias: Tensor, residual: Tensor | None, seed: Tensor | None, moments: Tensor | None, eps: float, p: float
) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x, memory_format=torch.contiguous_format), x.new_empty(3, x.shape[-1], dtype=torch.float32)


@torch.library.custom_op("mgbench::batch_norm_relu_backward", mutates_args=())
def _backward(
    grad: Tensor, x: Tensor, y: Tensor, found: Tensor, weight: Tensor, seed: Tensor | None, adds: bool, p: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of x, weight, bias and the residual; the last is empty where none was added."""
    made: tuple[Tensor, Tensor, Tensor, Tensor] = kernels("batch_norm").backward(grad, x, y, found, weight, adds=adds, p=p, seed=seed)
    return made


@_backward.register_fake
def _(
    grad: Tensor, x: Tensor, y: Tensor, found: Tensor, weight: Tensor, seed: Tensor | None, adds: bool, p: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    to_x, to_residual = torch.empty_like(y), torch.empty_like(y) if adds else y.new_empty(0)
    return to_x, torch.empty_like(weight), torch.empty_like(weight), to_residual


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:  # noqa: ANN401 - torch gives its context no type
    x, weight, _, residual, seed, _, _, ctx.p = inputs
    ctx.adds = residual is not None
    ctx.save_for_backward(x, *output, weight, seed)
    ctx.mark_non_differentiable(output[1])


def _differentiate(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - torch gives its context no type
    to_x, to_weight, to_bias, to_residual = _backward(grad, *ctx.saved_tensors, ctx.adds, ctx.p)
    return to_x, to_weight, to_bias, to_residual if ctx.adds else None, None, None, None, None


_forward.register_autograd(_differentiate, setup_context=_save)
