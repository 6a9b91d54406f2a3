"""The Barlow Twins loss of an anchor against one or more views, without the D x D matrix when the batch is smaller than D.

With columns normalised, U of the anchor and V_k of the views, C_k = U^T V_k and c_k its diagonal:

    L = sum_k [ sum_i (1 - c_ki)^2 + lambda (|C_k|^2 - sum_i c_ki^2) ]   and   sum_k |C_k|^2 = <U U^T, sum_k V_k V_k^T>,

two N x N matrices in place of the D x D ones. With d_k = 2 (1 - lambda) c_k - 2 and s the columns' scales, the gradients are

    P_U = sum_k V_k d_k + 2 lambda (sum_k V_k V_k^T) U,    P_k = U d_k + 2 lambda (U U^T) V_k,    dL/dz = (p - u (u^T p) / f) / s,

where f = |u|^2 without what keeps s from zero. Centring needs no step of its own: where columns are centred, so are the gradients.

All but the N x N matrices is column by column. So columns are worked on some at a time, in cache, and normalised anew for the gradient:
besides it, only means, scales and diagonals are held. Where D is not the larger number, the C_k are, and U and V_k are kept.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

import torch
from torch import Tensor
from torch.nn import functional

from mgbench.kernels.fused import fused


#: `batch`: centred, divided by sqrt(variance + 1e-5) [Zbontar et al. 2021; PSTL]; `std`: centred, divided by the unbiased standard
#: deviation, C divided by N [lightly]; `l2`: divided by their length.
Norm = Literal["batch", "l2", "std"]
_EPS: Final = 1e-5

#: Numbers of a stream that are worked on at a time: what fits in cache and still fills the matrix products, measured.
_BLOCK: Final = 2**17


def cross_correlation_reference(anchor: Tensor, *views: Tensor, lambd: float, norm: Norm = "batch") -> Tensor:
    """Return the loss by its definition, `(N, D)` inputs, with the matrix C in memory as the public code has it."""
    za = _normalised(anchor, norm)
    total = anchor.new_zeros(())
    for view in views:
        c = za.T @ _normalised(view, norm)
        c = c if norm == "l2" else c / len(anchor)
        size = len(c)
        off = c.flatten()[:-1].view(size - 1, size + 1)[:, 1:]  # the diagonal is the first column of what is left
        total = total + (1 - c.diagonal()).square().sum() + lambd * off.flatten().square().sum()
    return total


def _normalised(z: Tensor, norm: Norm) -> Tensor:
    if norm == "batch":
        return functional.batch_norm(z, None, None, training=True, eps=_EPS)
    return functional.normalize(z, dim=0, eps=0.0) if norm == "l2" else (z - z.mean(dim=0)) / z.std(dim=0)


def cross_correlation_loss(anchor: Tensor, *views: Tensor, lambd: float, norm: Norm = "batch") -> Tensor:
    """Return the summed losses of the anchor `(N, D)` against each view `(N, D)`, a scalar in float32, or float64 where that is given.

    `lambd` weighs the redundancy term. A column that does not vary (with `l2`, one of zeros) correlates with nothing and has no gradient.

    Raises `ValueError` for an unknown norm, no view, shapes that differ, or fewer than two clips.
    """
    _check(anchor, *views)
    loss: Tensor = operator([anchor, *views], lambd, *settings(norm, len(anchor)), uses_grams(anchor))[0]
    return loss


@torch.no_grad()
def redundancy(anchor: Tensor, *views: Tensor, norm: Norm = "batch") -> Tensor:
    """Return `(D,)`: how much each feature of the anchor repeats others of the views, the sum of its row's squares off the diagonals."""
    _check(anchor, *views)
    with torch.autocast(anchor.device.type, enabled=False):
        units, _ = _units([anchor, *views], *settings(norm, len(anchor)))
        u, vs = units[0], units[1:]
        stacked = vs.transpose(0, 1).flatten(1)
        rows = (u * (stacked @ stacked.T @ u)).sum(dim=0) if uses_grams(anchor) else (u.T @ vs).square_().sum(dim=(0, 2))
        return rows - (u * vs).sum(dim=1).square().sum(dim=0)


def _check(anchor: Tensor, *views: Tensor) -> None:
    shapes = [tuple(z.shape) for z in (anchor, *views)]
    if not views or anchor.dim() != 2 or any(shape != shapes[0] for shape in shapes):
        msg = f"The loss takes an anchor (N, D) and views of its shape; got {shapes}."
        raise ValueError(msg)
    if len(anchor) < 2:
        msg = f"The loss compares clips, so it takes two or more; got {len(anchor)}."
        raise ValueError(msg)


def settings(norm: Norm, clips: int) -> tuple[float, float, bool]:
    """Return what is added to a column's squared length, its squared length afterwards, and whether columns are centred."""
    known = {"batch": (clips * _EPS, 1.0, True), "l2": (0.0, 1.0, False), "std": (0.0, (clips - 1) / clips, True)}
    if norm not in known:
        msg = f"The norm {norm!r} is none of {', '.join(known)}."
        raise ValueError(msg)
    return known[norm]


def uses_grams(z: Tensor) -> bool:
    """Tell whether the N x N matrices are the smaller ones, for a stream `(N, D)`."""
    return len(z) < z.shape[1]


def _blocks(z: Tensor, *, grams: bool) -> Iterator[slice]:
    """Yield the columns to work on at a time; all of them where the D x D matrices hold more anyway."""
    clips, features = z.shape
    width = max(_BLOCK // clips, 1) if grams else features
    return (slice(begin, begin + width) for begin in range(0, features, width))


def _kind(z: Tensor) -> Tensor:
    """Return an empty tensor of the dtype that is computed in: float32, or float64 where that is given."""
    return z.new_empty(0, dtype=torch.float64 if z.dtype == torch.float64 else torch.float32)


def _units(streams: Sequence[Tensor], eps: float, factor: float, centre: bool) -> tuple[Tensor, Tensor]:
    """Return normalised streams `(S, N, D)`, and what each column is multiplied by and shifted by then, `(2, S, 1, D)`.

    A column that does not vary is multiplied by zero.
    """
    units = _stacked(streams)
    columns = units.new_zeros(2, len(units), 1, units.shape[2])
    scale, shift = columns
    if centre:
        torch.mean(units, dim=1, keepdim=True, out=shift)
        units.sub_(shift)
    least = units.square().sum(dim=1, keepdim=True).add_(eps)  # torch's norm over an axis that is not the last is ten times slower
    torch.rsqrt(least, out=scale).mul_(factor**0.5)
    if not eps:
        scale.masked_fill_(least == 0, 0)
    shift.mul_(scale).neg_()
    return units.mul_(scale), columns


def _stacked(streams: Sequence[Tensor]) -> Tensor:
    """Return a copy of all streams `(S, N, D)` in the dtype that is computed in."""
    stacked = torch.stack(list(streams))
    return stacked if stacked.dtype == torch.float64 else stacked.float()


@torch.library.custom_op("mgbench::cross_correlation", mutates_args=())
def operator(
    streams: list[Tensor], lambd: float, eps: float, factor: float, centre: bool, grams: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the loss of streams `(N, D)`, and for the gradient: columns' means and scales, the diagonals `(K, D)`, products, U and V_k.

    The products are U U^T and sum_k V_k V_k^T, `(2, N, N)`, or the C_k, `(K, D, D)`; U and V_k are kept beside the C_k alone.
    """
    kernels = fused("cross_correlation", streams[0])
    if grams and kernels is not None and kernels.serves(streams):
        one: tuple[Tensor, Tensor, Tensor, Tensor, Tensor] = kernels.forward(streams, lambd, eps, factor, centre)
        return one
    wide, (clips, features) = _kind(streams[0]), streams[0].shape
    columns, diagonals = wide.new_empty(2, len(streams), 1, features), wide.new_empty(len(streams) - 1, features)
    products = wide.new_zeros((2, clips, clips) if grams else (len(streams) - 1, features, features))
    for block in _blocks(streams[0], grams=grams):
        units, columns[..., block] = _units([z[:, block] for z in streams], eps, factor, centre)
        if grams:
            torch.sum(units[0] * units[1:], dim=1, out=diagonals[:, block])
            products[0].addmm_(units[0], units[0].T)
            for v in units[1:]:
                products[1].addmm_(v, v.T)
            del units, v  # before the next ones are made
        else:
            torch.matmul(units[0].T, units[1:], out=products)
            diagonals.copy_(products.diagonal(dim1=1, dim2=2))
    squares = (products[0] * products[1] if grams else products.square()).sum()
    loss = (1 - diagonals).square().sum() + lambd * (squares - diagonals.square().sum())
    return loss, columns, diagonals, products, wide.new_empty(0) if grams else units


@operator.register_fake
def _(
    streams: list[Tensor], lambd: float, eps: float, factor: float, centre: bool, grams: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    like, count, (clips, features) = _kind(streams[0]), len(streams), streams[0].shape
    products = like.new_empty((2, clips, clips) if grams else (count - 1, features, features))
    units = like.new_empty(0 if grams else (count, clips, features))
    return like.new_empty(()), like.new_empty((2, count, 1, features)), like.new_empty((count - 1, features)), products, units


@torch.library.custom_op("mgbench::cross_correlation_backward", mutates_args=())
def _backward(grad: Tensor, streams: list[Tensor], kept: list[Tensor], lambd: float, factor: float, grams: bool) -> list[Tensor]:
    """Return the gradient of every stream `(N, D)`."""
    kernels = fused("cross_correlation", streams[0])
    if grams and kernels is not None and kernels.serves(streams):
        ours: list[Tensor] = kernels.backward(grad, streams, kept, lambd, factor)
        return ours
    columns, diagonals, products, normal = kept
    found = [torch.empty_like(z, memory_format=torch.contiguous_format) for z in streams]
    for block in _blocks(streams[0], grams=grams):
        (scale, shift), weight = columns[..., block], 2 * (1 - lambd) * diagonals[:, block] - 2
        units = _again([z[:, block] for z in streams], scale, shift) if grams else normal
        grads = _towards(units, weight, products, 2 * lambd, factor, grams)
        for one, p, by in zip(found, grads, scale * grad, strict=True):
            torch.mul(p, by, out=one[:, block])
        del units, grads, p  # before the next ones are made
    return found


def _again(streams: Sequence[Tensor], scale: Tensor, shift: Tensor) -> Tensor:
    """Return streams normalised as they were before."""
    units = _stacked(streams)
    return torch.addcmul(shift, units, scale, out=units)


def _towards(units: Tensor, weight: Tensor, products: Tensor, lambd: float, factor: float, grams: bool) -> Tensor:
    """Return s dL/dz of normalised streams `(S, N, D)`, given d_k, the products and 2 lambda."""
    u, vs, grads = units[0], units[1:], torch.empty_like(units)
    torch.mul(vs[0], weight[0], out=grads[0])
    for v, d in zip(vs[1:], weight[1:], strict=True):
        grads[0].addcmul_(v, d)
    torch.mul(u, weight[:, None], out=grads[1:])
    if grams:
        grads[0].addmm_(products[1], u, alpha=lambd)
        grads[1:].baddbmm_(products[0].expand(len(vs), -1, -1), vs, alpha=lambd)
    else:
        for v, c in zip(vs, products, strict=True):
            grads[0].addmm_(v, c.T, alpha=lambd)
        grads[1:].baddbmm_(u.expand(len(vs), -1, -1), products, alpha=lambd)
    along = (grads * units).sum(dim=1, keepdim=True).div_(factor)
    return grads.addcmul_(units, along, value=-1)


@_backward.register_fake
def _(grad: Tensor, streams: list[Tensor], kept: list[Tensor], lambd: float, factor: float, grams: bool) -> list[Tensor]:
    return [torch.empty_like(z, memory_format=torch.contiguous_format) for z in streams]


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:  # noqa: ANN401 - torch gives its context no type
    streams, ctx.lambd, _, ctx.factor, _, ctx.grams = inputs
    ctx.save_for_backward(*streams, *output[1:])
    ctx.mark_non_differentiable(*output[1:])


def _differentiate(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[list[Tensor], None, None, None, None, None]:  # noqa: ANN401 - torch gives its context no type
    *streams, columns, diagonals, products, units = ctx.saved_tensors
    kept = [columns, diagonals, products, units]
    return _backward(grad, streams, kept, ctx.lambd, ctx.factor, ctx.grams), None, None, None, None, None


operator.register_autograd(_differentiate, setup_context=_save)
for _device in ("cpu", "cuda"):
    operator.register_autocast(_device, torch.float32)
