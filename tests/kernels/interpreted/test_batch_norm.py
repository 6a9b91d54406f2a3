"""Batch norm's kernels in the interpreter, against torch's own in float64 with the factors that the kernel draws."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mgbench.kernels.triton import batch_norm, graph_conv


#: Root mean square error over that of what is right. The interpreter cuts bfloat16 where a machine rounds it: errors are twice as large.
TOLERANCE = {torch.float32: 2e-6, torch.float16: 2e-3, torch.bfloat16: 1e-2}


class Case(NamedTuple):
    """What comes in, and what follows: dropout with some probability, a residual."""

    shape: tuple[int, ...]
    p: float = 0.0
    adds: bool = False


CASES = [
    Case((2, 7, 17, 16)), Case((2, 13, 25, 3), 0.5, adds=True), Case((1, 3, 22, 33), 0.1, adds=True), Case((5, 1, 17, 33)),
    Case((700, 16), 0.5), Case((2, 3), adds=True), Case((3, 130), 0.9, adds=True),
]  # fmt: skip


def draw(case: Case, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return numbers of other means and scales in every channel, a weight, a bias, a residual and a gradient."""
    generator = torch.Generator().manual_seed(hash(case) % 2**31)
    channels = case.shape[-1]
    x, residual, towards = (torch.randn(case.shape, generator=generator) for _ in range(3))
    scale, shift, weight, bias = (torch.randn(channels, generator=generator) for _ in range(4))
    return (x * scale.exp() + 3 * shift).to(dtype), weight, bias, residual.to(dtype), towards.to(dtype)


def seed(number: int = 2**40 + 3) -> Tensor:
    """Return a seed."""
    return torch.tensor(number)


def factors(shape: tuple[int, ...], p: float, number: int = 2**40 + 3) -> Tensor:
    """Return what dropout multiplies by: what is left of ones."""
    channels = shape[-1]
    return batch_norm.forward(torch.zeros(shape), torch.zeros(channels), torch.ones(channels), p=p, seed=seed(number))[0].double()


def reference(z: list[Tensor], case: Case) -> Tensor:
    """Return what torch gives, of x, a weight, a bias and a residual."""
    flat = functional.batch_norm(z[0].reshape(-1, case.shape[-1]), None, None, z[1], z[2], training=True)
    y = flat.reshape(case.shape) * factors(case.shape, case.p)
    return functional.relu(y + z[3] if case.adds else y)


def error(found: Tensor, right: Tensor) -> float:
    """Return the root mean square error over that of what is right; whatever is not a number is not close."""
    return ((found.double() - right).norm() / right.norm()).item() if found.isfinite().all() else float("inf")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_and_gradients_are_those_of_torch(case: Case) -> None:
    """In float32 the value, the statistics and every gradient agree with float64."""
    _agrees(case, torch.float32)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("case", CASES[:2], ids=str)
def test_fewer_bits_cost_little(case: Case, dtype: torch.dtype) -> None:
    """In types of 16 bits the errors are those of rounding, and sums are in float32."""
    _agrees(case, dtype)


def _agrees(case: Case, dtype: torch.dtype) -> None:
    x, weight, bias, residual, towards = draw(case, dtype)
    given = seed() if case.p else None
    y, found = batch_norm.forward(x, weight, bias, residual=residual if case.adds else None, p=case.p, seed=given)
    gradients = batch_norm.backward(towards, x, y, found, weight, adds=case.adds, p=case.p, seed=given)
    wide = [z.double().requires_grad_() for z in (x, weight, bias, residual)][: 4 if case.adds else 3]
    right = reference(wide, case)
    flat = x.double().reshape(-1, case.shape[-1])
    # with two rows x^ is 1 or -1, and the gradient of x is what remains of numbers that cancel
    few = 20 if len(flat) == 2 else 1

    assert y.dtype == dtype
    assert error(y, right.detach()) < TOLERANCE[dtype]
    for z, wanted in zip(found, (flat.mean(0), (flat.var(0, unbiased=False) + 1e-5).rsqrt(), flat.var(0)), strict=True):
        assert error(z, wanted) < TOLERANCE[torch.float32]
    for z, wanted in zip(gradients, torch.autograd.grad(right, wide, towards.double()), strict=False):
        assert error(z, wanted) < TOLERANCE[dtype] * few
    assert [z.dtype for z in gradients] == [dtype, torch.float32, torch.float32, dtype]
    assert gradients[3].numel() == (x.numel() if case.adds else 0)


def test_statistics_far_from_zero_are_right() -> None:
    """Means a thousand deviations away take no digits from the variance."""
    x = torch.randn(900, 5, generator=torch.Generator().manual_seed(0)) + 1000
    found = batch_norm.forward(x, torch.ones(5), torch.zeros(5))[1]

    torch.testing.assert_close(found[0].double(), x.double().mean(0), rtol=1e-7, atol=0)
    torch.testing.assert_close(found[2].double(), x.double().var(0), rtol=1e-5, atol=0)


def test_a_channel_that_does_not_vary_gives_its_bias() -> None:
    """Neither its value nor its gradients are infinite."""
    x, weight, bias, _, towards = draw(Case((40, 3)))
    x[:, 1], bias[1] = 0.3, 0.7
    y, found = batch_norm.forward(x, weight, bias)
    gradients = batch_norm.backward(towards, x, y, found, weight)

    torch.testing.assert_close(y[:, 1], torch.full((40,), 0.7), rtol=1e-5, atol=0)
    assert found[2, 1] < 1e-12
    assert all(z.isfinite().all() for z in gradients)


def test_moments_of_the_kernel_before_do() -> None:
    """The graph convolution leaves them, and x is not read for them again."""
    generator = torch.Generator().manual_seed(0)
    x, graph, weight, bias = (torch.randn(shape, generator=generator) for shape in ((2, 5, 17, 3), (3, 17, 17), (3, 5, 3), (3, 5)))
    mixed, moments = graph_conv.forward(x, graph, weight, bias, measured=True)
    y, found = batch_norm.forward(mixed, weight[0, :, 0], bias[0], moments=moments)
    z, others = batch_norm.forward(mixed, weight[0, :, 0], bias[0])

    torch.testing.assert_close(found, others, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(y, z, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_dropout_has_its_rate(p: float) -> None:
    """As many numbers are zero as a fair draw gives, within five deviations; the others are scaled so that the mean stays."""
    drawn = factors((3000, 4), p)
    zeros = drawn.eq(0).double().mean().item()

    assert abs(zeros - p) < 5 * (p * (1 - p) / drawn.numel()) ** 0.5
    torch.testing.assert_close(drawn[drawn > 0], torch.full_like(drawn[drawn > 0], 1 / (1 - p)))
    for part in range(4):  # a draw's four numbers lie a tile's rows apart
        assert abs(drawn.view(-1, 4)[part::4].eq(0).double().mean().item() - p) < 0.05


def test_dropout_is_as_its_seed() -> None:
    """One seed draws one set of factors, another seed another, and every row its own."""
    one, again, other = (factors((600, 4), 0.5, number) for number in (1, 1, 2))

    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert len({tuple(row) for row in one.view(-1, 40).tolist()}) == 60


def test_layout_does_not_matter() -> None:
    """Numbers that came channels first and a gradient of stride 0 give what contiguous ones give."""
    x, weight, bias, residual, _ = draw(Case((2, 5, 17, 5)))
    odd, beside = (z.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1) for z in (x, residual))
    y, found = batch_norm.forward(x, weight, bias, residual=residual, p=0.5, seed=seed())
    z, others = batch_norm.forward(odd, weight, bias, residual=beside, p=0.5, seed=seed())
    ones = torch.ones_like(y)
    plain = batch_norm.backward(ones, x, y, found, weight, adds=True, p=0.5, seed=seed())
    strange = batch_norm.backward(ones[:1, :1, :1, :1].expand_as(y), odd, z, others, weight, adds=True, p=0.5, seed=seed())

    assert not odd.is_contiguous()
    assert torch.equal(y, z)
    assert all(torch.equal(a, b) for a, b in zip(plain, strange, strict=True))


def test_runs_are_equal_bit_for_bit() -> None:
    """Sums are taken in one order."""
    x, weight, bias, residual, towards = draw(Case((900, 5)))
    runs = []
    for _ in range(2):
        y, found = batch_norm.forward(x, weight, bias, residual=residual, p=0.3, seed=seed())
        runs.append((y, found, *batch_norm.backward(towards, x, y, found, weight, adds=True, p=0.3, seed=seed())))

    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


def test_what_is_no_number_stays_none() -> None:
    """A training that diverged is seen."""
    x, weight, bias, _, _ = draw(Case((40, 3)))
    x[3, 1] = float("nan")

    assert batch_norm.forward(x, weight, bias)[0][:, 1].isnan().all()
