"""The Barlow Twins loss, of up to 128 clips in three launches; formulas as in mgbench.kernels.cross_correlation, whose notation this has.

All but the N x N matrices is column by column, so a program owns whole columns of all streams: one read gives it their statistics,
diagonals and a share of both matrices, and neither U nor V_k is ever stored. Shares are summed in one order, so that runs are equal bit
for bit; the program that ends last adds up the loss. The gradient reads the streams again and makes U and V_k anew in registers.
"""

from collections.abc import Sequence
from typing import Final

import torch
import triton
from torch import Tensor
from triton import language as tl

from mgbench.kernels.triton import normalised
from mgbench.kernels.triton.launch import launch, machine, power, products, summed, unhurried, wanted_precision


#: Clips that a program can hold, and views.
MOST_CLIPS: Final = 128
MOST_VIEWS: Final = 2
#: Programs that share one matrix: with those of the other about as many as there are processors, since each keeps a share as large as it.
_PROGRAMS: Final = 64
#: Numbers of a matrix that one program of the second launch sums.
_SUMMED: Final = 256


@triton.jit
def _normalised(z, place, inside, clips, eps, root, CENTRE: tl.constexpr):
    """Return whole columns of a stream normalised, what each is multiplied by, and what is added then."""
    x = tl.load(z + place, mask=inside, other=0.0).to(tl.float32)  # [BN, BD]
    mean = tl.sum(x, 0) / clips if CENTRE else tl.sum(x, 0) * 0.0
    x = tl.where(inside, x - mean[None, :], 0.0)
    length = tl.sum(x * x, 0) + eps
    scale = tl.where(length > 0, root / tl.sqrt(tl.where(length > 0, length, 1.0)), 0.0)
    return x * scale[None, :], scale, -mean * scale


@triton.jit(do_not_specialize=["clips"])
def _cross_correlation_fwd_kernel(
    anchor, first, second, columns, diagonals, shares, losses, clips, features, eps, root, lambd,
    VIEWS: tl.constexpr, CENTRE: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, PRODUCT: tl.constexpr,
):  # fmt: skip
    """Own every so many blocks of columns, for one of both matrices: its share over them all, and what of the columns it needs or gives.

    Both at once would not fit into registers; so the anchor is read twice, and what is given of it comes from the first.
    """
    row, of_views = tl.arange(0, BN), tl.program_id(1)
    grams = tl.zeros([BN, BN], tl.float32)
    loss = 0.0
    for begin in range(tl.program_id(0) * BD, features, tl.num_programs(0) * BD):
        column = begin + tl.arange(0, BD)
        real = column < features
        inside = (row[:, None] < clips) & real[None, :]
        place = row[:, None].to(tl.int64) * features + column[None, :]
        u, scale, shift = _normalised(anchor, place, inside, clips, eps, root, CENTRE)
        if of_views == 0:
            tl.store(columns + column, scale, mask=real)
            tl.store(columns + (VIEWS + 1) * features + column, shift, mask=real)
            grams = tl.dot(u, tl.trans(u), grams, input_precision=PRODUCT)
        else:
            for k in range(VIEWS):  # one after the other: both at once do not fit into registers
                view = tl.where(k == 0, first, second)
                v, scale, shift = _normalised(view, place, inside, clips, eps, root, CENTRE)
                tl.store(columns + (k + 1) * features + column, scale, mask=real)
                tl.store(columns + (VIEWS + 2 + k) * features + column, shift, mask=real)
                grams = tl.dot(v, tl.trans(v), grams, input_precision=PRODUCT)
                c = tl.sum(u * v, 0)
                tl.store(diagonals + k * features + column, c, mask=real)
                loss += tl.sum(tl.where(real, (1 - c) * (1 - c) - lambd * c * c, 0.0), 0)
    own = shares + (tl.program_id(0).to(tl.int64) * 2 + of_views) * BN * BN
    tl.store(own + row[:, None] * BN + row[None, :], grams)
    if of_views == 1:
        tl.store(losses + tl.program_id(0), loss)


@triton.jit(do_not_specialize=["count", "clips"])
def _cross_correlation_sum_kernel(
    shares, losses, products_, parts, ended, total, count, clips, lambd, BN: tl.constexpr, BLOCK: tl.constexpr, PARTS: tl.constexpr
):
    """Sum the shares of some numbers of both matrices; the program that ends last adds up the loss, always in the same order."""
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    row, column = place // BN, place % BN
    real = (row < clips) & (column < clips)
    u = summed(shares, 2 * BN * BN, count, place, real, BLOCK)
    v = summed(shares + BN * BN, 2 * BN * BN, count, place, real, BLOCK)
    tl.store(products_ + row * clips + column, u, mask=real)
    tl.store(products_ + clips * clips + row * clips + column, v, mask=real)
    tl.store(parts + tl.program_id(0), tl.sum(u * v, 0))
    tl.debug_barrier()  # what all threads of this program wrote is there before it is counted
    if tl.atomic_add(ended, 1, sem="acq_rel") == PARTS - 1:
        squares = tl.sum(tl.load(parts + tl.arange(0, PARTS), cache_modifier=".cg"), 0)
        rest = 0.0
        for program in range(count):
            rest += tl.load(losses + program)
        tl.store(total, rest + lambd * squares)


@triton.jit
def _projected(p, x, scale, grad, rest):
    """Return the gradient of a stream's columns from that of the normalised ones."""
    along = tl.sum(p * x, 0) * rest
    return (p - x * along[None, :]) * (scale * grad)[None, :]


@triton.jit(do_not_specialize=["clips"])
def _cross_correlation_bwd_kernel(
    anchor, first, second, columns, diagonals, products_, grad, to_anchor, to_first, to_second, clips, features, lambd, rest,
    VIEWS: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, PRODUCT: tl.constexpr,
):  # fmt: skip
    """Own a block of columns of all streams: normalise them anew, and write their gradients."""
    row, column = tl.arange(0, BN), tl.program_id(0) * BD + tl.arange(0, BD)
    real = column < features
    inside = (row[:, None] < clips) & real[None, :]
    place = row[:, None].to(tl.int64) * features + column[None, :]
    square = (row[:, None] < clips) & (row[None, :] < clips)
    inner = row[:, None] * clips + row[None, :]
    grams_u = tl.load(products_ + inner, mask=square, other=0.0) * (2 * lambd)
    grams_v = tl.load(products_ + clips * clips + inner, mask=square, other=0.0) * (2 * lambd)
    towards = tl.load(grad).to(tl.float32)
    scale_u = tl.load(columns + column, mask=real, other=0.0)
    shift_u = tl.load(columns + (VIEWS + 1) * features + column, mask=real, other=0.0)
    u = tl.load(anchor + place, mask=inside, other=0.0).to(tl.float32)
    u = tl.where(inside, u * scale_u[None, :] + shift_u[None, :], 0.0)
    p_u = tl.dot(grams_v, u, input_precision=PRODUCT)
    for k in tl.static_range(VIEWS):
        view = first if k == 0 else second
        to_view = to_first if k == 0 else to_second
        scale = tl.load(columns + (k + 1) * features + column, mask=real, other=0.0)
        shift = tl.load(columns + (VIEWS + 2 + k) * features + column, mask=real, other=0.0)
        v = tl.load(view + place, mask=inside, other=0.0).to(tl.float32)
        v = tl.where(inside, v * scale[None, :] + shift[None, :], 0.0)
        weight = 2 * (1 - lambd) * tl.load(diagonals + k * features + column, mask=real, other=0.0) - 2
        p_u += v * weight[None, :]
        p_v = tl.dot(grams_u, v, u * weight[None, :], input_precision=PRODUCT)
        tl.store(to_view + place, _projected(p_v, v, scale, towards, rest).to(to_view.dtype.element_ty), mask=inside)
    tl.store(to_anchor + place, _projected(p_u, u, scale_u, towards, rest).to(to_anchor.dtype.element_ty), mask=inside)


def serves(streams: Sequence[Tensor]) -> bool:
    """Tell whether these kernels can compute the loss of streams `(N, D)`: of few views, in float32 or fewer bits."""
    narrow = streams[0].dtype in {torch.float32, torch.bfloat16, torch.float16}
    return narrow and len(streams) - 1 <= MOST_VIEWS and streams[0].numel() > 0


def forward(
    streams: Sequence[Tensor], lambd: float, eps: float, factor: float, centre: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return what mgbench.kernels.cross_correlation.operator returns where N x N matrices are used, for up to `MOST_VIEWS` views."""
    streams = [z.contiguous() for z in streams]
    if len(streams[0]) > MOST_CLIPS:
        return normalised.forward(streams, lambd, eps, factor, centre)
    clips, features = streams[0].shape
    like, views = streams[0].new_empty(0, dtype=torch.float32), len(streams) - 1
    width, warps, bn = _tiles(clips)
    programs = _programs(triton.cdiv(features, width))
    columns, diagonals = like.new_empty(2, views + 1, 1, features), like.new_empty(views, features)
    shares, losses = like.new_empty(programs, 2, bn, bn), like.new_empty(programs)
    product = products(wanted_precision())
    launch(
        _cross_correlation_fwd_kernel, (programs, 2), streams[0], streams[1], streams[-1], columns, diagonals, shares, losses,
        clips, features, float(eps), factor**0.5, lambd,
        VIEWS=views, CENTRE=centre, BN=bn, BD=width, PRODUCT=product, num_warps=warps, num_stages=1, **unhurried(),
    )  # fmt: skip
    found, total, ended = like.new_empty(2, clips, clips), like.new_empty(()), torch.zeros((), dtype=torch.int32, device=like.device)
    parts = bn * bn // _SUMMED
    launch(
        _cross_correlation_sum_kernel, (parts,), shares, losses, found, like.new_empty(parts), ended, total, programs, clips, lambd,
        BN=bn, BLOCK=_SUMMED, PARTS=parts, num_warps=4,
    )  # fmt: skip
    return total, columns, diagonals, found, like


def backward(grad: Tensor, streams: Sequence[Tensor], kept: Sequence[Tensor], lambd: float, factor: float) -> list[Tensor]:
    """Return the gradient of every stream `(N, D)`, from what `forward` kept."""
    streams, kept = [z.contiguous() for z in streams], [z.contiguous() for z in kept]
    if len(streams[0]) > MOST_CLIPS:
        return normalised.backward(grad.contiguous(), streams, kept, lambd, factor)
    columns, diagonals, matrices, _ = kept
    clips, features = streams[0].shape
    width, warps, bn = _tiles(clips)
    found = [torch.empty_like(z) for z in streams]
    launch(
        _cross_correlation_bwd_kernel, (triton.cdiv(features, width),), streams[0], streams[1], streams[-1],
        columns, diagonals, matrices, grad.contiguous(), found[0], found[1], found[-1],
        clips, features, lambd, 1 / factor,
        VIEWS=len(streams) - 1, BN=bn, BD=width, PRODUCT=products(wanted_precision()), num_warps=warps, num_stages=1, **unhurried(),
    )  # fmt: skip
    return found


def _tiles(clips: int) -> tuple[int, int, int]:
    """Return how many columns a program works on at a time, its warps, and how many rows its tiles have."""
    rows = power(clips)
    wide = products(wanted_precision()) == "tf32" and (rows <= 32 or machine() == "sm_90")
    return (32 if wide else 16), max(2, rows // 16), rows


def _programs(blocks: int) -> int:
    """Return how many programs share the blocks of columns, each the same number as far as that goes."""
    return int(triton.cdiv(blocks, triton.cdiv(blocks, _PROGRAMS)))
