"""Spatial graph convolution over a small dense graph, channels last, neighbours gathered at the narrower end.

    y[n, t, w] = sum_k sum_v (W_k x[n, t, v] + b_k) a_k[v, w]

The sums commute: where the width grows, neighbours are gathered before channels are mixed, elsewhere after. Nothing is permuted, since
a frame's `(V, C)` block is multiplied from the left by the graph and from the right by the weights. Kept joints are a smaller graph;
rows may also be masked softly, y = m A(m x).
"""

from types import ModuleType
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from mgbench.kernels.fused import fused


#: Fewer channels than this are one product of all frames: products frame by frame do not fill the machine's vectors.
_NARROW: Final = 16


def graph_conv_reference(x: Tensor, adjacency: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return `(N, O, T, V)` of `(N, C, T, V)` as the public code does: a 1x1 convolution to K x O channels, then a sum over neighbours."""
    subsets, outer, inner = weight.shape
    kernel = weight.reshape(subsets * outer, inner, 1, 1)
    mixed = torch.nn.functional.conv2d(x, kernel, None if bias is None else bias.flatten()).unflatten(1, (subsets, outer))
    words = "nkotv,nkvw->notw" if adjacency.dim() == 4 else "nkotv,kvw->notw"
    return torch.einsum(words, mixed, adjacency).contiguous()


def masked_graph_conv(
    x: Tensor,
    adjacency: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    importance: Tensor | None = None,
    joints: Tensor | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return `(N, T, V', O)` of `(N, T, V', C)` by an adjacency `(K, V, V)`, weights `(K, O, C)` and a bias `(K, O)`.

    Args:
        x: the kept joints of every clip.
        adjacency: from each joint (second axis) to each (third); without `joints` also one a clip, `(N, K, V', V')`.
        weight: of each subset of neighbours.
        bias: of each subset, spread by the adjacency as the public code does.
        importance: edge weights `(K, V, V)` that multiply the adjacency.
        joints: numbers of the kept joints, `(V',)` or clip by clip `(N, V')`; the adjacency between them is not renormalised.
        mask: factors of joints, `(N, V')` or `(N, T, V')`, on what goes in and on what comes out.

    Raises `ValueError` where shapes do not fit.
    """
    if mask is None:
        return measured_graph_conv(x, adjacency, weight, bias, importance=importance, joints=joints, measured=False)[0]
    if tuple(mask.shape) not in (tuple(x.shape[:3]), (x.shape[0], x.shape[2])):
        msg = f"A mask is (N, V') or (N, T, V') as the clips are; got {tuple(mask.shape)} for clips {tuple(x.shape)}."
        raise ValueError(msg)
    rows = (mask if mask.dim() == 3 else mask[:, None]).unsqueeze(3)
    x = _lowered(x)
    y, _ = measured_graph_conv(x * rows.to(x.dtype), adjacency, weight, bias, importance=importance, joints=joints, measured=False)
    return y * rows.to(y.dtype)


def measured_graph_conv(
    x: Tensor,
    adjacency: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    importance: Tensor | None = None,
    joints: Tensor | None = None,
    measured: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """Return the same without a mask, and for a batch norm behind it the moments of its channels, where a kernel has them at hand."""
    _check_graph(x, adjacency, importance, joints)
    graph = between(adjacency if importance is None else adjacency * importance, joints)
    _check(x, graph, weight, bias)
    y, _, moments = _forward(_lowered(x), _lowered(graph), _lowered(weight), None if bias is None else _lowered(bias), measured)
    return y, moments if moments.numel() else None


def _lowered(z: Tensor) -> Tensor:
    """Return z in autocast's dtype where that is on for its device; float64 stays, as with torch's own operators."""
    kind = z.device.type
    lowers = z.dtype != torch.float64 and torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    return z.to(torch.get_autocast_dtype(kind)) if lowers else z


def _check_graph(x: Tensor, adjacency: Tensor, importance: Tensor | None, joints: Tensor | None) -> None:
    if importance is not None and importance.shape != adjacency.shape[-3:]:
        msg = f"Edge weights are (K, V, V) as the adjacency is; got {tuple(importance.shape)} for {tuple(adjacency.shape)}."
        raise ValueError(msg)
    if joints is None:
        return
    if adjacency.dim() != 3:
        msg = f"Joints are chosen from an adjacency (K, V, V); got {tuple(adjacency.shape)}: choose its rows and columns before the call."
        raise ValueError(msg)
    whole = not (joints.is_floating_point() or joints.is_complex() or joints.dtype == torch.bool)
    if not whole or tuple(joints.shape) not in ((x.shape[2],), (x.shape[0], x.shape[2])):
        msg = f"Kept joints are whole numbers, (V',) or (N, V') of clips {tuple(x.shape)}; got {joints.dtype} {tuple(joints.shape)}."
        raise ValueError(msg)


def _check(x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    fits = x.dim() == 4 and weight.dim() == 3 and weight.shape[2] == x.shape[3] and (bias is None or bias.shape == weight.shape[:2])
    square = (len(weight), x.shape[2], x.shape[2])
    if not fits or tuple(graph.shape) not in (square, (len(x), *square)):
        told = ", ".join(str(tuple(z.shape)) for z in (x, graph, weight, *(() if bias is None else (bias,))))
        msg = f"Clips (N, T, V, C), graph (K, V, V) or (N, K, V, V), weights (K, O, C) and bias (K, O) do not fit: {told}."
        raise ValueError(msg)


def between(adjacency: Tensor, joints: Tensor | None) -> Tensor:
    """Return rows and columns of the kept joints: `(K, V', V')`, or `(N, K, V', V')` for joints a clip."""
    if joints is None:
        return adjacency
    if joints.dim() == 1:
        return adjacency.index_select(1, joints).index_select(2, joints)
    return adjacency[:, joints[:, :, None], joints[:, None, :]].transpose(0, 1)


def _first(weight: Tensor) -> bool:
    """Tell whether neighbours are gathered before channels are mixed: there are no more channels before than after."""
    return weight.shape[2] <= weight.shape[1]


def _rows(graph: Tensor, *, first: bool) -> Tensor:
    """Return the graph as one matrix: `((w k), v)` for what is gathered first, `(w, (v k))` for what is mixed first."""
    if graph.dim() == 4:
        graph = graph.unsqueeze(1)  # of a clip, for all its frames
    *batch, subsets, inner, outer = graph.shape
    if first:
        return graph.movedim(-1, -3).reshape(*batch, outer * subsets, inner)
    return graph.movedim(-3, -1).movedim(-2, -3).reshape(*batch, outer, inner * subsets)


def _mixing(weight: Tensor, *, first: bool) -> Tensor:
    """Return the weights as one matrix: `((k c), o)` for what is gathered first, `(c, (k o))` for what is mixed first."""
    subsets, outer, inner = weight.shape
    return weight.transpose(1, 2).reshape(subsets * inner, outer) if first else weight.reshape(subsets * outer, inner).T


def _kernels(x: Tensor, weight: Tensor) -> ModuleType | None:
    """Return the operator as one kernel, where there is a GPU and these channels fit it."""
    found = fused("graph_conv", x)
    return found if found is not None and found.serves(x, weight) else None


@torch.library.custom_op("mgbench::graph_conv", mutates_args=())
def _forward(x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor | None, measured: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Return the sum over neighbours, for the gradient what was gathered `(N, T, (w k), C)` or mixed `(N, T, (v k), O)`, and moments.

    One kernel does both at once, and gathers anew for the gradient: then there is nothing of it, and there are moments if they are wanted.
    """
    kernels = _kernels(x, weight)
    if kernels is not None:
        y, moments = kernels.forward(x, graph, weight, bias, measured=measured)
        return y, x.new_empty(0), moments
    clips, frames, inner, channels = x.shape
    subsets, outer, _ = weight.shape
    joints, first = graph.shape[-1], _first(weight)
    rows, mixing = _rows(graph, first=first), _mixing(weight, first=first)
    if first:
        between_ = _times(rows, x)
        y = (between_.view(-1, subsets * channels) @ mixing).view(clips, frames, joints, outer)
    else:
        between_ = (x.reshape(-1, channels) @ mixing).view(clips, frames, inner * subsets, outer)
        y = _times(rows, between_)
    if bias is not None:
        share = torch.einsum("...kvw,ko->...wo", graph, bias)
        y += share if share.dim() == 2 else share.unsqueeze(1)
    return y, between_, x.new_empty(0)


@_forward.register_fake
def _(x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor | None, measured: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    clips, frames, inner, channels = x.shape
    subsets, outer, _ = weight.shape
    joints, kernels = graph.shape[-1], _kernels(x, weight)
    y = x.new_empty(clips, frames, joints, outer)
    if kernels is not None:
        return y, x.new_empty(0), x.new_empty(kernels.moments(x, graph, weight, measured=measured), dtype=torch.float32)
    shape = (clips, frames, joints * subsets, channels) if _first(weight) else (clips, frames, inner * subsets, outer)
    return y, x.new_empty(shape), x.new_empty(0)


@register_flop_formula(torch.ops.mgbench.graph_conv)
def _flops(x: tuple[int, ...], graph: tuple[int, ...], weight: tuple[int, ...], *_: object, out_shape: object = None) -> int:
    """Return the operations of a forward pass, for torch's counter."""
    subsets, outer, inner = weight
    frames = x[0] * x[1]
    return 2 * subsets * frames * graph[-1] * (graph[-1] * min(inner, outer) + inner * outer)


@torch.library.custom_op("mgbench::graph_conv_backward", mutates_args=())
def _backward(
    grad: Tensor, x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor | None, between_: Tensor, wanted: list[bool]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of clips, graph, weights and bias; what is not wanted is not computed, and empty."""
    kernels = _kernels(x, weight)
    if kernels is not None:
        ours: tuple[Tensor, Tensor, Tensor, Tensor] = kernels.backward(grad, x, graph, weight, bias, wanted)
        return ours
    through = _through_first if _first(weight) else _through_last
    to_x, to_graph, to_weight = through(grad.contiguous(), x, graph, weight, between_, wanted)
    to_graph = to_graph.squeeze(1) if graph.dim() == 4 and wanted[1] else to_graph
    to_bias = x.new_empty(0)
    if bias is not None and (wanted[1] or wanted[3]):
        share = grad.sum(dim=1) if graph.dim() == 4 else grad.sum(dim=(0, 1))
        to_graph = to_graph + torch.einsum("ko,...wo->...kw", bias, share).unsqueeze(-2) if wanted[1] else to_graph
        to_bias = torch.einsum("...kvw,...wo->ko", graph, share) if wanted[3] else to_bias
    return to_x, to_graph.contiguous(), to_weight.contiguous(), to_bias


def _through_first(
    grad: Tensor, x: Tensor, graph: Tensor, weight: Tensor, between_: Tensor, wanted: list[bool]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of clips, graph and weights without the bias, where neighbours are gathered first."""
    subsets, outer, channels = weight.shape
    rows, flat = _rows(graph, first=True), grad.view(-1, outer)
    to_x, to_graph, to_weight = (x.new_empty(0) for _ in range(3))
    if wanted[0] or wanted[1]:
        inner = (flat @ _mixing(weight, first=True).T).view_as(between_)
        to_x = _times(rows.mT, inner) if wanted[0] else to_x
        to_graph = _paired(inner, x, rows).unflatten(-2, (-1, subsets)).movedim(-3, -1) if wanted[1] else to_graph
    if wanted[2]:
        to_weight = (between_.view(-1, subsets * channels).T @ flat).view(subsets, channels, outer).transpose(1, 2)
    return to_x, to_graph, to_weight


def _through_last(
    grad: Tensor, x: Tensor, graph: Tensor, weight: Tensor, between_: Tensor, wanted: list[bool]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the same where channels are mixed first."""
    subsets, outer, channels = weight.shape
    rows = _rows(graph, first=False)
    to_x, to_graph, to_weight = (x.new_empty(0) for _ in range(3))
    if wanted[0] or wanted[2]:
        flat = _times(rows.mT, grad).view(-1, subsets * outer)
        to_x = (flat @ _mixing(weight, first=False).T).view_as(x) if wanted[0] else to_x
        to_weight = (flat.T @ x.reshape(-1, channels)).view_as(weight) if wanted[2] else to_weight
    if wanted[1]:
        to_graph = _paired(grad, between_, rows).unflatten(-1, (-1, subsets)).movedim(-3, -1).movedim(-2, -3)
    return to_x, to_graph, to_weight


def _times(rows: Tensor, x: Tensor) -> Tensor:
    """Return `rows @ x[n, t]` of every frame, contiguous."""
    if rows.dim() == 2 and x.shape[-1] < _NARROW:
        blocks = (rows @ _side_by_side(x)).unflatten(1, (-1, x.shape[-1]))
        frames: Tensor = blocks.transpose(0, 1).contiguous()
        return frames.view(*x.shape[:2], len(rows), x.shape[-1])
    return torch.matmul(rows, x)


def _paired(left: Tensor, right: Tensor, rows: Tensor) -> Tensor:
    """Return the sum over frames of `left right^T`, shaped as the graph's rows: one for all clips, or one a clip."""
    if rows.dim() == 4:
        return torch.matmul(left, right.mT).sum(dim=1, keepdim=True)
    if left.shape[-1] < _NARROW:
        return _side_by_side(left) @ _side_by_side(right).T
    return torch.bmm(left.flatten(0, 1), right.flatten(0, 1).mT).sum(dim=0)


def _side_by_side(x: Tensor) -> Tensor:
    """Return the blocks `(V, C)` of all frames as one matrix of V rows."""
    return x.flatten(0, 1).transpose(0, 1).flatten(1)


@_backward.register_fake
def _(
    grad: Tensor, x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor | None, between_: Tensor, wanted: list[bool]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    shapes = [z.shape if z is not None and wants else (0,) for z, wants in zip((x, graph, weight, bias), wanted, strict=True)]
    return x.new_empty(shapes[0]), x.new_empty(shapes[1]), x.new_empty(shapes[2]), x.new_empty(shapes[3])


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:  # noqa: ANN401 - torch gives its context no type
    ctx.save_for_backward(*inputs[:4], output[1])
    ctx.mark_non_differentiable(*output[1:])


def _differentiate(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - torch gives its context no type
    wanted = list(ctx.needs_input_grad)[:4]
    gradients = _backward(grad, *ctx.saved_tensors, wanted)
    return *(gradient if wants else None for gradient, wants in zip(gradients, wanted, strict=True)), None


_forward.register_autograd(_differentiate, setup_context=_save)
