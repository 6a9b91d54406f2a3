"""The Barlow Twins loss of more clips than a program can hold: columns are normalised by one kernel, matrices multiplied by the library.

A program owns whole columns of all streams and goes through their clips some at a time: twice for mean and length, once to write U and
V_k and to sum the diagonals. Towards the streams it is the same: the library multiplies, one kernel adds the diagonal terms, projects and
scales, and U and V_k are made anew. Notation as in mgbench.kernels.cross_correlation.
"""

from collections.abc import Sequence
from typing import Final

import torch
import triton
from torch import Tensor
from triton import language as tl

from mgbench.kernels.triton.launch import launch, unhurried


#: Columns that a program owns, and clips that it reads at a time.
_COLUMNS, _ROWS, _WARPS = 32, 64, 4
#: How a column is known to a kernel: among how many others, and of how many clips.
_TILES: Final = {"BR": _ROWS, "BD": _COLUMNS, "num_warps": _WARPS}


@triton.jit
def _columns_of(z, begin, column, clips, features, BR: tl.constexpr):
    """Return some clips' numbers in some columns `[BR, BD]`, where they lie, and which of them are real."""
    row = begin + tl.arange(0, BR)
    inside = (row[:, None] < clips) & (column[None, :] < features)
    place = row[:, None].to(tl.int64) * features + column[None, :]
    return tl.load(z + place, mask=inside, other=0.0).to(tl.float32), place, inside


@triton.jit
def _statistics(z, column, clips, features, eps, root, CENTRE: tl.constexpr, BR: tl.constexpr, BD: tl.constexpr):
    """Return what each column is multiplied by, and what is added then."""
    mean = tl.zeros([BD], tl.float32)
    if CENTRE:
        for begin in range(0, clips, BR):
            mean += tl.sum(_columns_of(z, begin, column, clips, features, BR)[0], 0)
        mean /= clips
    length = tl.zeros([BD], tl.float32)
    for begin in range(0, clips, BR):
        x, _, inside = _columns_of(z, begin, column, clips, features, BR)
        x = tl.where(inside, x - mean[None, :], 0.0)
        length += tl.sum(x * x, 0)
    length += eps
    scale = tl.where(length > 0, root / tl.sqrt(tl.where(length > 0, length, 1.0)), 0.0)
    return scale, -mean * scale


@triton.jit(do_not_specialize=["clips"])
def _normalise_fwd_kernel(
    anchor, first, second, units, columns, diagonals, clips, features, eps, root,
    VIEWS: tl.constexpr, CENTRE: tl.constexpr, BR: tl.constexpr, BD: tl.constexpr,
):  # fmt: skip
    """Own some columns: their statistics, U and V_k, and the diagonals."""
    column = tl.program_id(0) * BD + tl.arange(0, BD)
    real, size = column < features, clips.to(tl.int64) * features
    scale_u, shift_u = _statistics(anchor, column, clips, features, eps, root, CENTRE, BR, BD)
    tl.store(columns + column, scale_u, mask=real)
    tl.store(columns + (VIEWS + 1) * features + column, shift_u, mask=real)
    for k in tl.static_range(VIEWS):
        view = first if k == 0 else second
        scale, shift = _statistics(view, column, clips, features, eps, root, CENTRE, BR, BD)
        tl.store(columns + (k + 1) * features + column, scale, mask=real)
        tl.store(columns + (VIEWS + 2 + k) * features + column, shift, mask=real)
        c = tl.zeros([BD], tl.float32)
        for begin in range(0, clips, BR):
            u, place, inside = _columns_of(anchor, begin, column, clips, features, BR)
            v, _, _ = _columns_of(view, begin, column, clips, features, BR)
            u = tl.where(inside, u * scale_u[None, :] + shift_u[None, :], 0.0)
            v = tl.where(inside, v * scale[None, :] + shift[None, :], 0.0)
            if k == 0:
                tl.store(units + place, u, mask=inside)
            tl.store(units + (k + 1) * size + place, v, mask=inside)
            c += tl.sum(u * v, 0)
        tl.store(diagonals + k * features + column, c, mask=real)


@triton.jit(do_not_specialize=["clips"])
def _normalise_bwd_kernel(
    units, gathered, columns, diagonals, grad, to_anchor, to_first, to_second, clips, features, lambd, rest,
    VIEWS: tl.constexpr, BR: tl.constexpr, BD: tl.constexpr,
):  # fmt: skip
    """Own some columns: add the diagonal terms to what the matrices gave, project, scale, and write the gradients."""
    column = tl.program_id(0) * BD + tl.arange(0, BD)
    real, size = column < features, clips.to(tl.int64) * features
    towards = tl.load(grad).to(tl.float32)
    for stream in tl.static_range(VIEWS + 1):
        found = to_anchor if stream == 0 else to_first if stream == 1 else to_second
        along = tl.zeros([BD], tl.float32)
        for begin in range(0, clips, BR):
            p, x, _, _ = _pulled(units, gathered, diagonals, begin, column, clips, features, size, lambd, stream, VIEWS, BR)
            along += tl.sum(p * x, 0)
        scale = tl.load(columns + stream * features + column, mask=real, other=0.0) * towards
        for begin in range(0, clips, BR):
            p, x, place, inside = _pulled(units, gathered, diagonals, begin, column, clips, features, size, lambd, stream, VIEWS, BR)
            g = (p - x * (along * rest)[None, :]) * scale[None, :]
            tl.store(found + place, g.to(found.dtype.element_ty), mask=inside)


@triton.jit
def _pulled(
    units, gathered, diagonals, begin, column, clips, features, size, lambd, stream: tl.constexpr, VIEWS: tl.constexpr, BR: tl.constexpr
):
    """Return the gradient of some normalised numbers, these, where they lie, and which are real."""
    x, place, inside = _columns_of(units + stream * size, begin, column, clips, features, BR)
    p = 2 * lambd * _columns_of(gathered + stream * size, begin, column, clips, features, BR)[0]
    for k in tl.static_range(VIEWS):
        if stream == 0 or stream == k + 1:
            weight = 2 * (1 - lambd) * tl.load(diagonals + k * features + column, mask=column < features, other=0.0) - 2
            other = k + 1 if stream == 0 else 0
            p += _columns_of(units + other * size, begin, column, clips, features, BR)[0] * weight[None, :]
    return p, x, place, inside


def forward(
    streams: Sequence[Tensor], lambd: float, eps: float, factor: float, centre: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return what mgbench.kernels.cross_correlation.operator returns, for any number of clips."""
    (clips, features), views = streams[0].shape, len(streams) - 1
    like = streams[0].new_empty(0, dtype=torch.float32)
    units, columns = like.new_empty(views + 1, clips, features), like.new_empty(2, views + 1, 1, features)
    diagonals = like.new_empty(views, features)
    launch(
        _normalise_fwd_kernel, (triton.cdiv(features, _COLUMNS),), streams[0], streams[1], streams[-1], units, columns, diagonals,
        clips, features, float(eps), factor**0.5, VIEWS=views, CENTRE=centre, **_TILES,
    )  # fmt: skip
    products = torch.stack([units[0] @ units[0].T, torch.bmm(units[1:], units[1:].mT).sum(dim=0)])
    loss = (1 - diagonals).square().sum() + lambd * ((products[0] * products[1]).sum() - diagonals.square().sum())
    return loss, columns, diagonals, products, like


def backward(grad: Tensor, streams: Sequence[Tensor], kept: Sequence[Tensor], lambd: float, factor: float) -> list[Tensor]:
    """Return the gradient of every stream `(N, D)`, from what `forward` kept."""
    columns, diagonals, products, _ = kept
    (clips, features), views = streams[0].shape, len(streams) - 1
    units = torch.addcmul(columns[1], torch.stack(list(streams)).float(), columns[0])
    gathered = torch.empty_like(units)
    torch.mm(products[1], units[0], out=gathered[0])
    torch.matmul(products[0], units[1:], out=gathered[1:])
    found = [torch.empty_like(z) for z in streams]
    launch(
        _normalise_bwd_kernel, (triton.cdiv(features, _COLUMNS),), units, gathered, columns, diagonals, grad,
        found[0], found[1], found[-1], clips, features, lambd, 1 / factor, VIEWS=views, **_TILES, **unhurried(),
    )  # fmt: skip
    return found
