"""The graph convolution in one launch, its gradients in one to five; formulas as in mgbench.kernels.graph_conv, whose notation this has.

A program owns some frames of a clip, whole, and some channels of what comes out: it gathers neighbours, `Z_k = A_k^T X`, and multiplies
by the weights, `Y = sum_k Z_k W_k^T`, without either leaving the chip. Clips that share a graph are one long clip. The gradient of the
clips is the same kernel with graph and weights transposed. For the gradients of weights and graph neighbours are gathered anew, so that
nothing but the inputs is kept; their shares are summed in one order, so that runs are equal bit for bit.
"""

from typing import Final

import torch
import triton
from torch import Tensor
from triton import language as tl

from mgbench.kernels.triton.graph_tiles import MOST_JOINTS, product, shared_by, sizes, tiles
from mgbench.kernels.triton.launch import INTERPRETED, launch, power, summed, unhurried


#: Weights of a subset beyond which time goes into the products alone, which the library multiplies faster.
MOST_WEIGHTS: Final = 64 * 256
#: Numbers that one program of the last launch sums.
_SUMMED: Final = 256


@triton.jit
def _operand(z, like, WIDE: tl.constexpr):
    """Return numbers in the type that `like` points to, as products take them; the interpreter takes float32 alone."""
    z = z.to(like.dtype.element_ty)
    return z.to(tl.float32) if WIDE else z


@triton.jit
def _joints_by_frames(x, begin, frames, joints, C: tl.constexpr, BT: tl.constexpr, BV: tl.constexpr, BC: tl.constexpr, WIDE: tl.constexpr):
    """Return channels from `begin` of some frames as `[BV, (BT BC)]`, zero beyond."""
    joint, place = tl.arange(0, BV), tl.arange(0, BT * BC)
    frame, channel = place // BC, begin + place % BC
    inside = (joint[:, None] < joints) & (frame[None, :] < frames) & (channel[None, :] < C)
    return _operand(tl.load(x + (frame[None, :] * joints + joint[:, None]) * C + channel[None, :], mask=inside, other=0.0), x, WIDE)


@triton.jit
def _rows(x, begin, frames, joints, C: tl.constexpr, BT: tl.constexpr, BV: tl.constexpr, BC: tl.constexpr, WIDE: tl.constexpr):
    """Return the same as `[(BV BT), BC]`."""
    row, channel = tl.arange(0, BV * BT), begin + tl.arange(0, BC)
    joint, frame = row // BT, row % BT
    inside = (joint[:, None] < joints) & (frame[:, None] < frames) & (channel[None, :] < C)
    return _operand(tl.load(x + (frame[:, None] * joints + joint[:, None]) * C + channel[None, :], mask=inside, other=0.0), x, WIDE)


@triton.jit
def _neighbours(graph, joints, of_from, of_to, like, BV: tl.constexpr, WIDE: tl.constexpr):
    """Return a subset's graph as `[BV, BV]`, from each joint (column) to each (row), zero beyond."""
    joint = tl.arange(0, BV)
    inside = (joint[:, None] < joints) & (joint[None, :] < joints)
    return _operand(tl.load(graph + joint[:, None] * of_to + joint[None, :] * of_from, mask=inside, other=0.0), like, WIDE)


@triton.jit
def _matrix(weight, row, column, of_row, of_column, ROWS: tl.constexpr, COLUMNS: tl.constexpr, like, WIDE: tl.constexpr):
    """Return some rows and columns of a subset's weights, zero beyond."""
    inside = (row[:, None] < ROWS) & (column[None, :] < COLUMNS)
    return _operand(tl.load(weight + row[:, None] * of_row + column[None, :] * of_column, mask=inside, other=0.0), like, WIDE)


@triton.jit
def _spread(z, BT: tl.constexpr, BV: tl.constexpr):
    """Return a number a joint as one a row."""
    return tl.reshape(tl.broadcast_to(z[:, None], [BV, BT]), [BV * BT])


@triton.jit(do_not_specialize=["clips", "frames", "joints", "of_clip"])
def _graph_conv_fwd_kernel(
    x, graph, weight, bias, y, moments, clips, frames, joints, of_clip, of_from, of_to, of_inner, of_outer,
    BIASED: tl.constexpr, MEASURED: tl.constexpr, K: tl.constexpr, C: tl.constexpr, CO: tl.constexpr,
    BT: tl.constexpr, BV: tl.constexpr, BC: tl.constexpr, BO: tl.constexpr, PRODUCT: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Own some frames of a clip and some channels of the output, with their count, means and squares about them if they are wanted."""
    blocks: tl.constexpr = (CO + BO - 1) // BO
    block, spans = tl.program_id(0) // blocks, tl.cdiv(frames, BT)
    clip, first = (block // spans).to(tl.int64), block % spans * BT
    rest, begin = frames - first, (clip * frames + first) * joints
    x, y, graph = x + begin * C, y + begin * CO, graph + clip * of_clip
    outer, row = tl.program_id(0) % blocks * BO + tl.arange(0, BO), tl.arange(0, BV * BT)
    total = tl.zeros([BV * BT, BO], tl.float32)
    for inner in range(0, C, BC):
        x_ = _joints_by_frames(x, inner, rest, joints, C, BT, BV, BC, WIDE)
        for k in range(K):
            a = _neighbours(graph + k * joints * joints, joints, of_from, of_to, x, BV, WIDE)
            z = _operand(tl.dot(a, x_, input_precision=PRODUCT), x, WIDE)
            w = _matrix(weight + k * C * CO, inner + tl.arange(0, BC), outer, of_inner, of_outer, C, CO, x, WIDE)
            total = tl.dot(tl.reshape(z, [BV * BT, BC]), w, total, input_precision=PRODUCT)
    if BIASED:
        for k in range(K):
            a = _neighbours(graph + k * joints * joints, joints, of_from, of_to, x, BV, WIDE)
            b = tl.load(bias + k * CO + outer, mask=outer < CO, other=0.0).to(tl.float32)
            total += _spread(tl.sum(a.to(tl.float32), 1), BT, BV)[:, None] * b[None, :]
    joint, frame = row // BT, row % BT
    real = (joint[:, None] < joints) & (frame[:, None] < rest) & (outer[None, :] < CO)
    total = total.to(y.dtype.element_ty)
    tl.store(y + (frame[:, None] * joints + joint[:, None]) * CO + outer[None, :], total, mask=real)
    if MEASURED:
        total, count = tl.where(real, total.to(tl.float32), 0.0), (tl.minimum(rest, BT) * joints).to(tl.float32)
        mean = tl.sum(total, 0) / count
        apart = tl.where(real, total - mean[None, :], 0.0)
        here, size = moments + block, clips * spans
        tl.store(here + outer * size, mean, mask=outer < CO)
        tl.store(here + (CO + outer) * size, tl.sum(apart * apart, 0), mask=outer < CO)
        tl.store(here + 2 * CO * size, count, mask=tl.program_id(0) % blocks == 0)


@triton.jit(do_not_specialize=["clips", "frames", "joints", "of_clip"])
def _graph_conv_bwd_weight_kernel(
    x, graph, grad, shares, clips, frames, joints, of_clip, K: tl.constexpr, C: tl.constexpr, CO: tl.constexpr,
    BT: tl.constexpr, BV: tl.constexpr, BC: tl.constexpr, BO: tl.constexpr, PRODUCT: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Own a block of one subset's weights, and every so many spans of frames: their share of its gradient and of the bias's."""
    k, block = tl.program_id(0) % K, tl.program_id(0) // K
    blocks: tl.constexpr = (CO + BO - 1) // BO
    inner, outer = block // blocks * BC, block % blocks * BO
    spans = tl.cdiv(frames, BT)
    total, apart = tl.zeros([BC, BO], tl.float32), tl.zeros([BO], tl.float32)
    for span in range(tl.program_id(1), clips * spans, tl.num_programs(1)):
        clip, first = (span // spans).to(tl.int64), span % spans * BT
        rest, begin = frames - first, (clip * frames + first) * joints
        x_ = _joints_by_frames(x + begin * C, inner, rest, joints, C, BT, BV, BC, WIDE)
        a = _neighbours(graph + clip * of_clip + k * joints * joints, joints, joints, 1, x, BV, WIDE)
        z = tl.reshape(_operand(tl.dot(a, x_, input_precision=PRODUCT), x, WIDE), [BV * BT, BC])
        g = _rows(grad + begin * CO, outer, rest, joints, CO, BT, BV, BO, WIDE)
        total = tl.dot(tl.trans(z), g, total, input_precision=PRODUCT)
        apart += tl.sum(_spread(tl.sum(a.to(tl.float32), 1), BT, BV)[:, None] * g.to(tl.float32), 0)
    row, column = inner + tl.arange(0, BC), outer + tl.arange(0, BO)
    here = shares + tl.program_id(1).to(tl.int64) * (K * CO * (C + 1))  # all weights, then all biases
    tl.store(here + (k * CO + column[None, :]) * C + row[:, None], total, mask=(row[:, None] < C) & (column[None, :] < CO))
    if inner == 0:
        tl.store(here + K * CO * C + k * CO + column, apart, mask=column < CO)


@triton.jit(do_not_specialize=["clips", "frames", "joints"])
def _graph_conv_bwd_graph_kernel(
    x, grad, weight, bias, shares, clips, frames, joints, BIASED: tl.constexpr, K: tl.constexpr, C: tl.constexpr, CO: tl.constexpr,
    BT: tl.constexpr, BV: tl.constexpr, BC: tl.constexpr, BO: tl.constexpr, PRODUCT: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Own one subset's graph of one clip, and every so many spans of its frames: their share of its gradient."""
    k, clip = tl.program_id(0) % K, (tl.program_id(0) // K).to(tl.int64)
    total, apart = tl.zeros([BV, BV], tl.float32), tl.zeros([BV * BT], tl.float32)
    for first in range(tl.program_id(1) * BT, frames, tl.num_programs(1) * BT):
        rest, begin = frames - first, (clip * frames + first) * joints
        for inner in range(0, C, BC):
            h = tl.zeros([BV * BT, BC], tl.float32)
            for outer in range(0, CO, BO):
                g = _rows(grad + begin * CO, outer, rest, joints, CO, BT, BV, BO, WIDE)
                w = _matrix(weight + k * C * CO, outer + tl.arange(0, BO), inner + tl.arange(0, BC), C, 1, CO, C, x, WIDE)
                h = tl.dot(g, w, h, input_precision=PRODUCT)
                if BIASED:  # noqa: SIM102 - known when the kernel is compiled, unlike the other
                    if inner == 0:
                        column = outer + tl.arange(0, BO)
                        b = tl.load(bias + k * CO + column, mask=column < CO, other=0.0).to(tl.float32)
                        apart += tl.sum(g.to(tl.float32) * b[None, :], 1)
            x_ = _joints_by_frames(x + begin * C, inner, rest, joints, C, BT, BV, BC, WIDE)
            h_ = tl.reshape(_operand(h, x, WIDE), [BV, BT * BC])
            total = tl.dot(x_, tl.trans(h_), total, input_precision=PRODUCT)
    total += tl.sum(tl.reshape(apart, [BV, BT]), 1)[None, :]
    joint = tl.arange(0, BV)
    here = shares + ((tl.program_id(1) * clips + clip) * K + k) * joints * joints
    inside = (joint[:, None] < joints) & (joint[None, :] < joints)
    tl.store(here + joint[:, None] * joints + joint[None, :], total, mask=inside)


@triton.jit(do_not_specialize=["size", "part", "count"])
def _graph_conv_sum_kernel(shares, found, beside, size, part, count, BLOCK: tl.constexpr):
    """Sum the shares of some numbers, always in the same order; from the number `part` on they belong elsewhere."""
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    total = summed(shares, size, count, place, place < size, BLOCK)
    tl.store(found + place, total.to(found.dtype.element_ty), mask=place < part)
    tl.store(beside + place - part, total.to(beside.dtype.element_ty), mask=(place >= part) & (place < size))


def serves(x: Tensor, weight: Tensor) -> bool:
    """Tell whether these kernels are the way for clips `(N, T, V, C)` and weights `(K, O, C)`; library products are where they are not."""
    fits = x.shape[2] <= MOST_JOINTS and weight.shape[1] * weight.shape[2] <= MOST_WEIGHTS and min(*x.shape, *weight.shape) > 0
    return fits and x.dtype in {torch.float32, torch.bfloat16, torch.float16}


def moments(x: Tensor, graph: Tensor, weight: Tensor, *, measured: bool) -> tuple[int, ...]:
    """Return the shape of what `forward` measures."""
    clips, frames, *_ = sizes(x, graph)
    _, outer, inner = weight.shape
    return (2 * outer + 1, clips * triton.cdiv(frames, tiles(x, inner, outer)[0])) if measured else (0,)


def forward(x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor | None, *, measured: bool = False) -> tuple[Tensor, Tensor]:
    """Return `(N, T, V, O)` of clips `(N, T, V, C)`, a graph `(K, V, V)` or `(N, K, V, V)`, weights `(K, O, C)` and a bias `(K, O)`.

    Beside it, if they are wanted, the moments of its channels as mgbench.kernels.triton.batch_norm takes them, else nothing.
    """
    return _products(x, graph, weight, bias, turned=False, measured=measured)


def backward(
    grad: Tensor, x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor | None, wanted: list[bool]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of clips, graph, weights and bias; what is not wanted is not computed, and empty."""
    empty = x.new_empty(0)
    to_x = _products(grad, graph, weight, None, turned=True, measured=False)[0] if wanted[0] else empty
    to_graph = _to_graph(grad, x, graph, weight, bias) if wanted[1] else empty
    to_weight, to_bias = _to_weight(grad, x, graph, weight, bias) if wanted[2] or wanted[3] else (empty, empty)
    return to_x, to_graph, to_weight if wanted[2] else empty, to_bias if wanted[3] else empty


def _products(x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor | None, *, turned: bool, measured: bool) -> tuple[Tensor, Tensor]:
    """Return `Y` and its moments, empty unless they are wanted; turned, the graph's and the weights' two sides change places."""
    x, graph, weight = (z.contiguous() for z in (x, graph, weight))
    clips, frames, joints, one_clip = sizes(x, graph)
    subsets, outer, inner = weight.shape
    sides = (1, joints, inner, 1) if turned else (joints, 1, 1, inner)
    inner, outer = (outer, inner) if turned else (inner, outer)
    bt, bc, bo, warps = tiles(x, inner, outer)
    spans = clips * triton.cdiv(frames, bt)
    y = x.new_empty(*x.shape[:3], outer)
    moments = x.new_empty((2 * outer + 1, spans) if measured else (0,), dtype=torch.float32)
    launch(
        _graph_conv_fwd_kernel, (spans * triton.cdiv(outer, bo),), x, graph, weight, x if bias is None else bias.contiguous(), y, moments,
        clips, frames, joints, one_clip, *sides, BIASED=bias is not None, MEASURED=measured, K=subsets, C=inner, CO=outer,
        BT=bt, BV=power(joints), BC=bc, BO=bo, PRODUCT=product(x), WIDE=INTERPRETED, num_warps=warps, num_stages=1,
        **(unhurried() if turned else {}),
    )  # fmt: skip
    return y, moments


def _to_weight(grad: Tensor, x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the gradients of weights and bias, of which both are had in one."""
    grad, x, graph = (z.contiguous() for z in (grad, x, graph))
    clips, frames, joints, one_clip = sizes(x, graph)
    subsets, outer, inner = weight.shape
    bt, bc, bo, warps = tiles(x, inner, outer, anew=True)
    blocks = subsets * triton.cdiv(inner, bc) * triton.cdiv(outer, bo)
    programs = shared_by(clips * triton.cdiv(frames, bt), blocks)
    shares = x.new_empty(programs, subsets * outer * (inner + 1), dtype=torch.float32)
    launch(
        _graph_conv_bwd_weight_kernel, (blocks, programs), x, graph, grad, shares, clips, frames, joints, one_clip,
        K=subsets, C=inner, CO=outer, BT=bt, BV=power(joints), BC=bc, BO=bo, PRODUCT=product(x), WIDE=INTERPRETED,
        num_warps=warps, num_stages=1, **unhurried(),
    )  # fmt: skip
    to_weight = torch.empty_like(weight, memory_format=torch.contiguous_format)
    to_bias = (weight if bias is None else bias).new_empty(subsets, outer)
    _sum(shares, to_weight, to_bias)
    return to_weight, to_bias


def _to_graph(grad: Tensor, x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return the gradient of the graph."""
    grad, x, weight = (z.contiguous() for z in (grad, x, weight))
    clips, frames, joints, _ = sizes(x, graph)
    subsets, outer, inner = weight.shape
    bt, bc, bo, warps = tiles(x, inner, outer, anew=True)
    blocks = subsets * clips
    programs = shared_by(triton.cdiv(frames, bt), blocks)
    shares = x.new_empty(programs, clips * subsets * joints * joints, dtype=torch.float32)
    launch(
        _graph_conv_bwd_graph_kernel, (blocks, programs), x, grad, weight, x if bias is None else bias.contiguous(), shares,
        clips, frames, joints, BIASED=bias is not None, K=subsets, C=inner, CO=outer,
        BT=bt, BV=power(joints), BC=bc, BO=bo, PRODUCT=product(x), WIDE=INTERPRETED, num_warps=warps, num_stages=1,
        **unhurried(),
    )  # fmt: skip
    to_graph = torch.empty_like(graph, memory_format=torch.contiguous_format)
    _sum(shares, to_graph, to_graph)
    return to_graph


def _sum(shares: Tensor, found: Tensor, beside: Tensor) -> None:
    """Write the sums of the shares to one tensor, and what does not fit there to the one beside it."""
    count, size = shares.shape
    grid = (triton.cdiv(size, _SUMMED),)
    launch(_graph_conv_sum_kernel, grid, shares, found, beside, size, found.numel(), count, BLOCK=_SUMMED, num_warps=4)
