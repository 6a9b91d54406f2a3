"""The Barlow Twins loss of an anchor against one or more views, without the D x D matrix when the batch is smaller than D.

With columns normalised, U of the anchor and V_k of the views, C_k = U^T V_k and c_k its diagonal:

    L = sum_k [ sum_i (1 - c_ki)^2 + lambda (|C_k|^2 - sum_i c_ki^2) ]   and   sum_k |C_k|^2 = <U U^T, sum_k V_k V_k^T>,

two N x N matrices in place of the D x D ones. With d_k = 2 (1 - lambda) c_k - 2 and s the columns' scales, the gradients are

    P_U = sum_k V_k d_k + 2 lambda (sum_k V_k V_k^T) U,    P_k = U d_k + 2 lambda (U U^T) V_k,    dL/dz = (p - u (u^T p) / f) / s,

where f = |u|^2 without what keeps s from zero. Centring needs no step of its own: where columns are centred, so are the gradients.
"""

from typing import Any, Final, Literal

import torch
from torch import Tensor
from torch.nn import functional


#: `batch`: centred, divided by sqrt(variance + 1e-5) [Zbontar et al. 2021; PSTL]; `std`: centred, divided by the unbiased standard
#: deviation, C divided by N [lightly]; `l2`: divided by their length.
Norm = Literal["batch", "l2", "std"]
_EPS: Final = 1e-5


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
    streams = _stacked(anchor, *views)
    loss: Tensor = operator(streams, lambd, *settings(norm, len(anchor)), uses_grams(streams))[0]
    return loss


@torch.no_grad()
def redundancy(anchor: Tensor, *views: Tensor, norm: Norm = "batch") -> Tensor:
    """Return `(D,)`: how much each feature of the anchor repeats others of the views, the sum of its row's squares off the diagonals."""
    with torch.autocast(anchor.device.type, enabled=False):
        units, _ = _units(_stacked(anchor, *views), *settings(norm, len(anchor)))
        u, vs, grams = units[0], units[1:], uses_grams(units)
        products = _products(units, grams=grams)
        rows = (u * (products[1] @ u)).sum(dim=0) if grams else products.square().sum(dim=(0, 2))
        return rows - (u * vs).sum(dim=1).square().sum(dim=0)


def _stacked(anchor: Tensor, *views: Tensor) -> Tensor:
    """Return all of them, `(S, N, D)`."""
    shapes = {tuple(z.shape) for z in (anchor, *views)}
    if not views or len(shapes) != 1 or anchor.dim() != 2:
        msg = f"The loss takes an anchor (N, D) and views of its shape; got {[tuple(z.shape) for z in (anchor, *views)]}."
        raise ValueError(msg)
    if len(anchor) < 2:
        msg = f"The loss compares clips, so it takes two or more; got {len(anchor)}."
        raise ValueError(msg)
    return torch.stack([anchor, *views])


def settings(norm: Norm, clips: int) -> tuple[float, float, bool]:
    """Return what is added to a column's squared length, its squared length afterwards, and whether columns are centred."""
    known = {"batch": (clips * _EPS, 1.0, True), "l2": (0.0, 1.0, False), "std": (0.0, (clips - 1) / clips, True)}
    if norm not in known:
        msg = f"The norm {norm!r} is none of {', '.join(known)}."
        raise ValueError(msg)
    return known[norm]


def uses_grams(streams: Tensor) -> bool:
    """Tell whether the N x N matrices are the smaller ones."""
    return streams.shape[1] < streams.shape[2]


def _units(streams: Tensor, eps: float, factor: float, centre: bool) -> tuple[Tensor, Tensor]:
    """Return the normalised streams `(S, N, D)` and what each column was multiplied by, `(S, 1, D)`; zero where it does not vary."""
    wide = streams if streams.dtype == torch.float64 else streams.float()
    units = wide - wide.mean(dim=1, keepdim=True) if centre else wide.clone()
    least = units.square().sum(dim=1, keepdim=True).add_(eps)  # torch's norm over an axis that is not the last is ten times slower
    scale = least.rsqrt().mul_(factor**0.5)
    if not eps:
        scale.masked_fill_(least == 0, 0)
    return units.mul_(scale), scale


def _products(units: Tensor, *, grams: bool) -> Tensor:
    """Return U U^T and sum_k V_k V_k^T `(2, N, N)`, or the C_k `(K, D, D)`."""
    u, vs = units[0], units[1:]
    if not grams:
        return u.T @ vs
    both = u.new_empty(2, len(u), len(u))
    torch.mm(u, u.T, out=both[0])
    torch.mm(vs[0], vs[0].T, out=both[1])
    for v in vs[1:]:
        both[1].addmm_(v, v.T)
    return both


@torch.library.custom_op("mgbench::cross_correlation", mutates_args=())
def operator(
    streams: Tensor, lambd: float, eps: float, factor: float, centre: bool, grams: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the loss of `(S, N, D)`, and for the gradient: normalised streams, their scales, the diagonals `(K, D)`, the products."""
    units, scale = _units(streams, eps, factor, centre)
    diagonals = (units[0] * units[1:]).sum(dim=1)
    products = _products(units, grams=grams)
    squares = (products[0] * products[1]).sum() if grams else products.square().sum()
    loss = (1 - diagonals).square().sum() + lambd * (squares - diagonals.square().sum())
    return loss, units, scale, diagonals, products


@operator.register_fake
def _(streams: Tensor, lambd: float, eps: float, factor: float, centre: bool, grams: bool) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    count, clips, features = streams.shape
    like = streams.new_empty((), dtype=torch.float64 if streams.dtype == torch.float64 else torch.float32)
    products = like.new_empty((2, clips, clips) if grams else (count - 1, features, features))
    units, scale = like.new_empty((count, clips, features)), like.new_empty((count, 1, features))
    return like, units, scale, like.new_empty((count - 1, features)), products


@torch.library.custom_op("mgbench::cross_correlation_backward", mutates_args=())
def _backward(
    grad: Tensor, units: Tensor, scale: Tensor, diagonals: Tensor, products: Tensor, lambd: float, factor: float, grams: bool
) -> Tensor:
    """Return the gradient of every stream `(S, N, D)`."""
    u, weight = units[0], 2 * (1 - lambd) * diagonals - 2
    grads = torch.empty_like(units)
    torch.mul(units[1], weight[0], out=grads[0])
    for v, d in zip(units[2:], weight[1:], strict=True):
        grads[0].addcmul_(v, d)
    torch.mul(u, weight[:, None], out=grads[1:])
    if grams:
        grads[0].addmm_(products[1], u, alpha=2 * lambd)
        for p, v in zip(grads[1:], units[1:], strict=True):
            p.addmm_(products[0], v, alpha=2 * lambd)
    else:
        for p, v, c in zip(grads[1:], units[1:], products, strict=True):
            grads[0].addmm_(v, c.T, alpha=2 * lambd)
            p.addmm_(u, c, alpha=2 * lambd)
    along = (grads * units).sum(dim=1, keepdim=True).div_(factor)
    return grads.addcmul_(units, along, value=-1).mul_(scale * grad)


@_backward.register_fake
def _(grad: Tensor, units: Tensor, scale: Tensor, diagonals: Tensor, products: Tensor, lambd: float, factor: float, grams: bool) -> Tensor:
    return torch.empty_like(units)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:  # noqa: ANN401 - torch gives its context no type
    streams, ctx.lambd, _, ctx.factor, _, ctx.grams = inputs
    ctx.dtype = streams.dtype
    ctx.save_for_backward(*output[1:])
    ctx.mark_non_differentiable(*output[1:])


def _differentiate(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor, None, None, None, None, None]:  # noqa: ANN401 - torch gives its context no type
    return _backward(grad, *ctx.saved_tensors, ctx.lambd, ctx.factor, ctx.grams).to(ctx.dtype), None, None, None, None, None


operator.register_autograd(_differentiate, setup_context=_save)
for _device in ("cpu", "cuda"):
    operator.register_autocast(_device, torch.float32)
