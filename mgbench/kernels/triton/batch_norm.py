"""Batch norm of the channels last, `(rows, C)`, by the rows' own statistics, and what follows it in the same pass.

    y = relu(f (x^ w + b) + r),    x^ = (x - mean) / sqrt(variance + eps),

f the factors of dropout, r a residual, either of which may be left out. With g = dy where y > 0 and h = f g the gradients are

    dr = g,    db = sum h,    dw = sum h x^,    dx = w / sqrt(variance + eps) (h - db / rows - x^ dw / rows).

A program owns some rows of some channels, for each of which it keeps sums; one launch with a program a channel puts them together, always
in one order, so that runs are equal bit for bit. Variances are made of deviations from a program's own mean, and never of large numbers'
difference. Factors are drawn anew for the gradient from a seed on the device and a number's place, and are nowhere stored.
"""

from typing import Final

import torch
import triton
from torch import Tensor
from triton import language as tl

from mgbench.kernels.triton.launch import launch, unhurried


#: Numbers of a tile; four tiles, one below the other, share a draw, since a draw gives four numbers.
_TILE: Final = 1024
#: Programs that share the sums of all channels: several for every processor.
_PROGRAMS: Final = 1024
#: Programs' sums that a program puts together at a time.
_TOGETHER: Final = 1024


@triton.jit
def _drawn(seed, group, column, columns, BR: tl.constexpr):
    """Return four tiles of numbers in [0, 1), one below the other, of a group of four times BR rows."""
    row = (group * BR + tl.arange(0, BR)).to(tl.int64)
    return tl.rand4x(tl.load(seed), row[:, None] * columns + column[None, :])


@triton.jit
def _tile(group, part, column, rows, columns, BR: tl.constexpr):
    """Return the places of one of a group's four tiles, and whether they are there."""
    row = ((group * 4 + part) * BR + tl.arange(0, BR)).to(tl.int64)
    return row[:, None] * columns + column[None, :], (row[:, None] < rows) & (column[None, :] < columns)


@triton.jit
def _channels(found, columns, BC: tl.constexpr):
    """Return a program's channels, whether they are there, their means and 1 / sqrt(variance + eps)."""
    column = tl.program_id(1) * BC + tl.arange(0, BC)
    real = column < columns
    mean, root = tl.load(found + column, mask=real, other=0.0), tl.load(found + columns + column, mask=real, other=0.0)
    return column, real, mean, root


@triton.jit
def _towards(grad, x, y, place, inside, mean, root):
    """Return the gradient behind the ReLU, and x normalised."""
    g = tl.load(grad + place, mask=inside, other=0.0).to(tl.float32)
    g = tl.where(tl.load(y + place, mask=inside, other=0.0).to(tl.float32) <= 0, 0.0, g)
    z = tl.load(x + place, mask=inside, other=0.0).to(tl.float32)
    return g, (z - mean[None, :]) * root[None, :]


@triton.jit(do_not_specialize=["rows"])
def _batch_norm_moments_kernel(x, moments, rows, columns, BR: tl.constexpr, BC: tl.constexpr):
    """Own every so many tiles of some channels: their count, means and sums of squares about them."""
    column = tl.program_id(1) * BC + tl.arange(0, BC)
    count, mean, squares = 0.0, tl.zeros([BC], tl.float32), tl.zeros([BC], tl.float32)
    for first in range(tl.program_id(0) * 4 * BR, rows, tl.num_programs(0) * 4 * BR):
        row = first + tl.arange(0, 4 * BR)
        inside = (row[:, None] < rows) & (column[None, :] < columns)
        z = tl.load(x + row[:, None].to(tl.int64) * columns + column[None, :], mask=inside, other=0.0).to(tl.float32)
        more = tl.minimum(rows - first, 4 * BR).to(tl.float32)
        centre = tl.sum(z, 0) / more
        z = tl.where(inside, z - centre[None, :], 0.0)
        missed = tl.sum(z, 0) / more  # what the first mean lost of a large number's digits
        centre += missed
        apart, share = centre - mean, more / (count + more)
        mean += apart * share
        squares += tl.sum(z * z, 0) - missed * missed * more + apart * apart * (count * share)
        count += more
    here, size = moments + tl.program_id(0), tl.num_programs(0)
    tl.store(here + column * size, mean, mask=column < columns)
    tl.store(here + (columns + column) * size, squares, mask=column < columns)
    if tl.program_id(1) == 0:
        tl.store(here + 2 * columns * size, count)


@triton.jit(do_not_specialize=["count", "columns"])
def _batch_norm_together_kernel(moments, found, count, columns, eps, BLOCK: tl.constexpr):
    """Own a channel: its mean, 1 / sqrt(variance + eps), and its unbiased variance."""
    column, place = tl.program_id(0), tl.arange(0, BLOCK)
    means, squares, counts = moments + column * count, moments + (columns + column) * count, moments + 2 * columns * count
    rows, total = tl.zeros([BLOCK], tl.float32), tl.zeros([BLOCK], tl.float32)
    origin = tl.load(means)  # sums are of deviations from the first, so that those of large means keep their digits
    for begin in range(0, count, BLOCK):
        inside = begin + place < count
        n = tl.load(counts + begin + place, mask=inside, other=0.0)
        rows += n
        total += n * (tl.load(means + begin + place, mask=inside, other=0.0) - origin)
    all_rows = tl.sum(rows, 0)
    mean = origin + tl.sum(total, 0) / all_rows
    total = tl.zeros([BLOCK], tl.float32)
    for begin in range(0, count, BLOCK):
        inside = begin + place < count
        apart = tl.load(means + begin + place, mask=inside, other=0.0) - mean
        n = tl.load(counts + begin + place, mask=inside, other=0.0)
        total += tl.load(squares + begin + place, mask=inside, other=0.0) + n * apart * apart
    square = tl.sum(total, 0)
    tl.store(found + column, mean)
    tl.store(found + columns + column, 1 / tl.sqrt(square / all_rows + eps))
    tl.store(found + 2 * columns + column, square / tl.maximum(all_rows - 1, 1.0))


@triton.jit(do_not_specialize=["rows"])
def _batch_norm_fwd_kernel(
    x, found, weight, bias, residual, seed, y, rows, columns, p, kept,
    DROPS: tl.constexpr, ADDS: tl.constexpr, BR: tl.constexpr, BC: tl.constexpr,
):  # fmt: skip
    """Own four tiles of some channels."""
    column, real, mean, root = _channels(found, columns, BC)
    scale = root * tl.load(weight + column, mask=real, other=0.0).to(tl.float32)
    shift = tl.load(bias + column, mask=real, other=0.0).to(tl.float32)
    if DROPS:
        r0, r1, r2, r3 = _drawn(seed, tl.program_id(0), column, columns, BR)
    for part in tl.static_range(4):
        place, inside = _tile(tl.program_id(0), part, column, rows, columns, BR)
        z = tl.load(x + place, mask=inside, other=0.0).to(tl.float32)
        z = (z - mean[None, :]) * scale[None, :] + shift[None, :]
        if DROPS:
            z = tl.where((r0 if part == 0 else r1 if part == 1 else r2 if part == 2 else r3) < p, 0.0, z * kept)
        if ADDS:
            z += tl.load(residual + place, mask=inside, other=0.0).to(tl.float32)
        tl.store(y + place, tl.where(z < 0, 0.0, z).to(y.dtype.element_ty), mask=inside)  # what is no number stays none


@triton.jit(do_not_specialize=["rows"])
def _batch_norm_bwd_sums_kernel(
    grad, x, y, found, seed, sums, rows, columns, p, kept, DROPS: tl.constexpr, BR: tl.constexpr, BC: tl.constexpr,
):  # fmt: skip
    """Own every so many groups of four tiles of some channels: the sums of h and of h x^."""
    column, real, mean, root = _channels(found, columns, BC)
    plain, along = tl.zeros([BC], tl.float32), tl.zeros([BC], tl.float32)
    for group in range(tl.program_id(0), tl.cdiv(rows, 4 * BR), tl.num_programs(0)):
        if DROPS:
            r0, r1, r2, r3 = _drawn(seed, group, column, columns, BR)
        for part in tl.static_range(4):
            place, inside = _tile(group, part, column, rows, columns, BR)
            h, z = _towards(grad, x, y, place, inside, mean, root)
            if DROPS:
                h = tl.where((r0 if part == 0 else r1 if part == 1 else r2 if part == 2 else r3) < p, 0.0, h * kept)
            plain += tl.sum(h, 0)
            along += tl.sum(h * z, 0)
    here, size = sums + tl.program_id(0), tl.num_programs(0)
    tl.store(here + column * size, plain, mask=real)
    tl.store(here + (columns + column) * size, along, mask=real)


@triton.jit(do_not_specialize=["count", "columns"])
def _batch_norm_bwd_together_kernel(sums, to_weight, to_bias, count, columns, BLOCK: tl.constexpr):
    """Own a channel: the sums of h and of h x^ over all programs."""
    column, place = tl.program_id(0), tl.arange(0, BLOCK)
    tl.store(to_bias + column, tl.sum(tl.load(sums + column * count + place, mask=place < count, other=0.0), 0))
    tl.store(to_weight + column, tl.sum(tl.load(sums + (columns + column) * count + place, mask=place < count, other=0.0), 0))


@triton.jit(do_not_specialize=["rows"])
def _batch_norm_bwd_kernel(
    grad, x, y, found, weight, seed, to_weight, to_bias, to_x, to_residual, rows, columns, p, kept, share,
    DROPS: tl.constexpr, ADDS: tl.constexpr, BR: tl.constexpr, BC: tl.constexpr,
):  # fmt: skip
    """Own four tiles of some channels."""
    column, real, mean, root = _channels(found, columns, BC)
    scale = root * tl.load(weight + column, mask=real, other=0.0).to(tl.float32)
    plain, along = (tl.load(to_bias + column, mask=real, other=0.0) * share, tl.load(to_weight + column, mask=real, other=0.0) * share)
    if DROPS:
        r0, r1, r2, r3 = _drawn(seed, tl.program_id(0), column, columns, BR)
    for part in tl.static_range(4):
        place, inside = _tile(tl.program_id(0), part, column, rows, columns, BR)
        h, z = _towards(grad, x, y, place, inside, mean, root)
        if ADDS:
            tl.store(to_residual + place, h.to(to_residual.dtype.element_ty), mask=inside)
        if DROPS:
            h = tl.where((r0 if part == 0 else r1 if part == 1 else r2 if part == 2 else r3) < p, 0.0, h * kept)
        h = (h - plain[None, :] - z * along[None, :]) * scale[None, :]
        tl.store(to_x + place, h.to(to_x.dtype.element_ty), mask=inside)


def moments_of(x: Tensor) -> Tensor:
    """Return programs' means, sums of squares about them, and counts, `(2 C + 1, programs)`, of the channels of `(..., C)`."""
    x = x.contiguous()
    rows, columns, br, bc = _sizes(x)
    programs = _programs(rows, columns, br, bc)
    moments = x.new_empty(2 * columns + 1, programs, dtype=torch.float32)
    grid = (programs, triton.cdiv(columns, bc))
    launch(_batch_norm_moments_kernel, grid, x, moments, rows, columns, BR=br, BC=bc, num_warps=4)
    return moments


def forward(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    eps: float = 1e-5,
    *,
    moments: Tensor | None = None,
    residual: Tensor | None = None,
    p: float = 0.0,
    seed: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return y as x, and `(3, C)`: means, 1 / sqrt(variance + eps) and unbiased variances, in float32.

    Args:
        x: `(..., C)`.
        weight: of each channel.
        bias: of each channel.
        eps: added to variances.
        moments: of x, where a kernel that made x left them.
        residual: as x.
        p: probability that dropout zeroes a number; needs a seed if it is not zero.
        seed: of dropout, a whole number of no dimension on the device of x.
    """
    x, moments = x.contiguous(), moments_of(x) if moments is None else moments
    rows, columns, br, bc = _sizes(x)
    y, found = torch.empty_like(x), x.new_empty(3, columns, dtype=torch.float32)
    launch(
        _batch_norm_together_kernel, (columns,), moments, found, moments.shape[1], columns, float(eps), BLOCK=_TOGETHER, num_warps=4
    )  # fmt: skip
    launch(
        _batch_norm_fwd_kernel, (triton.cdiv(rows, 4 * br), triton.cdiv(columns, bc)), x, found, weight.contiguous(), bias.contiguous(),
        x if residual is None else residual.contiguous(), x if seed is None else seed, y, rows, columns, float(p), 1 / (1 - p),
        DROPS=p > 0, ADDS=residual is not None, BR=br, BC=bc, num_warps=4,
    )  # fmt: skip
    return y, found


def backward(
    grad: Tensor, x: Tensor, y: Tensor, found: Tensor, weight: Tensor, *, adds: bool = False, p: float = 0.0, seed: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of x, weight, bias and, if one was added, the residual, else empty; the last in the type of y."""
    grad, x, y = (z.contiguous() for z in (grad, x, y))
    rows, columns, br, bc = _sizes(x)
    programs, across = _programs(rows, columns, br, bc), triton.cdiv(columns, bc)
    drawn = x if seed is None else seed
    sums = x.new_empty(2, columns, programs, dtype=torch.float32)
    to_weight, to_bias = (x.new_empty(columns, dtype=torch.float32) for _ in range(2))
    to_x, to_residual = torch.empty_like(x), torch.empty_like(y) if adds else y.new_empty(0)
    tiles = {"DROPS": p > 0, "BR": br, "BC": bc, "num_warps": 4, **unhurried()}
    chances = float(p), 1 / (1 - p)
    launch(_batch_norm_bwd_sums_kernel, (programs, across), grad, x, y, found, drawn, sums, rows, columns, *chances, **tiles)
    launch(_batch_norm_bwd_together_kernel, (columns,), sums, to_weight, to_bias, programs, columns, BLOCK=_PROGRAMS, num_warps=4)
    launch(
        _batch_norm_bwd_kernel, (triton.cdiv(rows, 4 * br), across), grad, x, y, found, weight.contiguous(), drawn, to_weight, to_bias,
        to_x, to_residual, rows, columns, *chances, 1 / rows, ADDS=adds, **tiles,
    )  # fmt: skip
    return to_x, to_weight.to(weight.dtype), to_bias.to(weight.dtype), to_residual


def _sizes(x: Tensor) -> tuple[int, int, int, int]:
    """Return rows, channels, and the rows and channels of a tile."""
    columns = x.shape[-1]
    bc = min(triton.next_power_of_2(columns), 128)
    return x.numel() // columns, columns, _TILE // bc, bc


def _programs(rows: int, columns: int, br: int, bc: int) -> int:
    """Return how many programs share the rows, each the same number of groups as far as that goes."""
    groups = triton.cdiv(rows, 4 * br)
    programs: int = triton.cdiv(groups, triton.cdiv(groups, max(_PROGRAMS // triton.cdiv(columns, bc), 1)))
    return programs
