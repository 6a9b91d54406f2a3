"""The graph convolution's kernels in the interpreter, against the reference in float64."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from mgbench.kernels.graph_conv import graph_conv_reference
from mgbench.kernels.triton import graph_conv


#: Root mean square error over that of what is right. The interpreter cuts bfloat16 where a machine rounds it: errors are twice as large.
TOLERANCE = {torch.float32: 2e-6, torch.float16: 2e-3, torch.bfloat16: 1e-2}


class Case(NamedTuple):
    """Clips, frames, joints, channels before and after, and whether every clip has a graph of its own."""

    clips: int
    frames: int
    joints: int
    inner: int
    outer: int
    per_clip: bool = False
    subsets: int = 3


#: Frames that fill no span, joints of every skeleton, channels of several blocks before, after, and both.
CASES = [
    Case(2, 7, 25, 3, 16), Case(2, 7, 17, 16, 33, per_clip=True), Case(1, 1, 22, 33, 3), Case(5, 1, 17, 16, 16, per_clip=True),
    Case(1, 13, 25, 16, 3), Case(1, 2, 17, 64, 70, per_clip=True), Case(1, 3, 25, 70, 64), Case(2, 1, 5, 1, 1, subsets=1),
]  # fmt: skip


def draw(case: Case, dtype: torch.dtype) -> list[Tensor]:
    """Return clips, graph, weights and bias, and a gradient of what they give."""
    generator = torch.Generator().manual_seed(hash(case) % 2**31)
    n, t, v, c, o, per_clip, k = case
    shapes = [(n, t, v, c), (n, k, v, v) if per_clip else (k, v, v), (k, o, c), (k, o), (n, t, v, o)]
    return [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]


def reference(x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return what the public code gives, channels last."""
    return graph_conv_reference(x.permute(0, 3, 1, 2), graph, weight, bias).permute(0, 2, 3, 1)


def error(found: Tensor, right: Tensor) -> float:
    """Return the root mean square error over that of what is right; whatever is not a number is not close."""
    return ((found.double() - right).norm() / right.norm()).item() if found.isfinite().all() else float("inf")


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_and_gradients_are_those_of_the_reference(case: Case, biased: bool) -> None:
    """In float32 the value and every gradient agree with float64, for one graph and for one a clip."""
    _agrees(case, torch.float32, biased=biased)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("case", CASES[:2], ids=str)
def test_fewer_bits_cost_little(case: Case, dtype: torch.dtype) -> None:
    """In types of 16 bits the errors are those of rounding, and results are of the type of what they belong to."""
    _agrees(case, dtype)


def _agrees(case: Case, dtype: torch.dtype, *, biased: bool = True) -> None:
    *inputs, towards = draw(case, dtype)
    inputs = inputs if biased else inputs[:3]
    wide = [z.double().requires_grad_() for z in inputs]
    x, graph, weight, bias = (*inputs, None)[:4]
    y, _ = graph_conv.forward(x, graph, weight, bias)
    found = graph_conv.backward(towards, x, graph, weight, bias, [True, True, True, biased])
    right = reference(*(*wide, None)[:4])

    assert y.is_contiguous()
    assert error(y, right.detach()) < TOLERANCE[dtype]
    for z, wanted in zip(found, torch.autograd.grad(right, wide, towards.double()), strict=False):
        assert z.dtype == dtype
        assert z.is_contiguous()
        assert error(z, wanted) < TOLERANCE[dtype]


@pytest.mark.parametrize("case", [Case(2, 7, 17, 3, 5), Case(2, 7, 17, 3, 70, per_clip=True)], ids=str)
def test_moments_are_those_of_the_output(case: Case) -> None:
    """Means, squares about them and counts of all programs make up the channels' mean and variance, also far from zero."""
    x, graph, weight, bias, _ = draw(case, torch.float32)
    y, moments = graph_conv.forward(x, graph, weight, bias + 100 * bias.sign(), measured=True)
    means, squares, counts = moments[: case.outer].double(), moments[case.outer : -1].double(), moments[-1].double()
    flat = y.double().flatten(0, 2)
    mean = (means * counts).sum(1) / len(flat)

    assert counts.sum() == len(flat)
    torch.testing.assert_close(mean, flat.mean(0), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close((squares + counts * (means - mean[:, None]) ** 2).sum(1), flat.var(0) * (len(flat) - 1), rtol=1e-5, atol=0)


def test_what_nobody_wants_is_not_computed() -> None:
    """Without a wish a gradient is empty, and the others stay as they are."""
    *inputs, towards = draw(CASES[0], torch.float32)
    whole = graph_conv.backward(towards, *inputs, [True] * 4)
    for one in range(4):
        found = graph_conv.backward(towards, *inputs, [one == z for z in range(4)])

        assert [z.numel() > 0 for z in found] == [one == z for z in range(4)]
        assert torch.equal(found[one], whole[one])


def test_layout_does_not_matter() -> None:
    """Clips that came channels first, transposed graphs and weights, and a gradient of stride 0, give what contiguous ones give."""
    x, graph, weight, bias, _ = draw(Case(2, 3, 17, 3, 5, per_clip=True), torch.float32)
    odd = [
        x.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1),
        graph.mT.contiguous().mT,
        weight.mT.contiguous().mT,
        bias.T.contiguous().T,
    ]
    y, _ = graph_conv.forward(x, graph, weight, bias)
    ones = torch.ones_like(y)
    found = graph_conv.backward(ones[:1, :1, :1, :1].expand_as(y), *odd, [True] * 4)

    assert not any(z.is_contiguous() for z in odd)
    assert torch.equal(graph_conv.forward(*odd)[0], y)
    for z, w in zip(found, graph_conv.backward(ones, x, graph, weight, bias, [True] * 4), strict=True):
        assert z.is_contiguous()
        assert torch.equal(z, w)


def test_a_clip_of_nothing_gives_the_bias_alone() -> None:
    """A clip all of whose joints are masked is zero before the call: it gives what the bias spreads, and takes nothing of the weights."""
    x, graph, weight, bias, towards = draw(Case(2, 3, 17, 3, 5), torch.float32)
    x[1] = 0
    y, _ = graph_conv.forward(x, graph, weight, bias)
    alone = graph_conv.backward(towards[:1], x[:1], graph, weight, bias, [False, False, True, False])
    both = graph_conv.backward(towards, x, graph, weight, bias, [False, False, True, False])

    torch.testing.assert_close(y[1, 0], torch.einsum("kvw,ko->wo", graph, bias))
    torch.testing.assert_close(both[2], alone[2])


def test_runs_are_equal_bit_for_bit() -> None:
    """Shares are summed in one order."""
    *inputs, towards = draw(Case(2, 5, 17, 3, 5, per_clip=True), torch.float32)
    first, second = (graph_conv.backward(towards, *inputs, [True] * 4) for _ in range(2))

    assert torch.equal(graph_conv.forward(*inputs)[0], graph_conv.forward(*inputs)[0])
    assert all(torch.equal(z, w) for z, w in zip(first, second, strict=True))


def test_what_the_library_does_better_is_left_to_it() -> None:
    """Wide layers, more joints than a program holds, float64 and nothing at all are not served."""
    x, weight = torch.empty(2, 3, 25, 64), torch.empty(3, 256, 64)

    assert graph_conv.serves(x, weight)
    assert not graph_conv.serves(torch.empty(2, 3, 25, 384), torch.empty(3, 384, 384))
    assert not graph_conv.serves(torch.empty(2, 3, 50, 64), weight)
    assert not graph_conv.serves(x.double(), weight.double())
    assert not graph_conv.serves(x[:0], weight)
