"""The loss's kernels against float64: values and every gradient, on shapes that fill no tile, in each type of numbers."""

import pytest
import torch
from torch import Generator, Tensor

from mgbench.kernels import cross_correlation as plain
from mgbench.kernels.cross_correlation import Norm
from mgbench.kernels.triton import cross_correlation as kernels


LAMBD = 2e-3
#: Root-mean-square errors of the loss and of gradients, relative.
ALLOWED = {torch.float32: (1e-6, 2e-6), torch.bfloat16: (2e-3, 5e-2), torch.float16: (2e-3, 1e-2)}


def streams(clips: int, features: int, views: int, alike: float = 1.0) -> list[Tensor]:
    """Return an anchor and views of it in float64."""
    generator = Generator().manual_seed(0)
    common = torch.randn(clips, features, generator=generator, dtype=torch.float64)
    return [common + alike * torch.randn(clips, features, generator=generator, dtype=torch.float64) for _ in range(1 + views)]


def fused(given: list[Tensor], norm: Norm, towards: Tensor | None = None) -> tuple[Tensor, list[Tensor]]:
    """Return loss and gradients by the kernels."""
    eps, factor, centre = plain.settings(norm, len(given[0]))
    loss, *kept = kernels.forward(given, LAMBD, eps, factor, centre)
    return loss, kernels.backward(torch.ones(()) if towards is None else towards, given, kept, LAMBD, factor)


def exact(given: list[Tensor], norm: Norm) -> tuple[Tensor, list[Tensor]]:
    """Return both by the definition in float64."""
    wide = [z.double().requires_grad_() for z in given]
    loss = plain.cross_correlation_reference(*wide, lambd=LAMBD, norm=norm)
    return loss.detach(), list(torch.autograd.grad(loss, wide))


def hold(given: list[Tensor], norm: Norm, allowed: tuple[float, float]) -> None:
    """Hold loss and gradients to errors that are allowed."""
    (loss, grads), (right, wanted) = fused(given, norm), exact(given, norm)

    assert float((loss - right).abs() / right) <= allowed[0]
    for grad, want, z in zip(grads, wanted, given, strict=True):
        assert grad.dtype == z.dtype
        assert grad.shape == z.shape
        assert float((grad - want).norm() / want.norm()) <= allowed[1]
        assert float((grad - want).abs().max() / want.abs().max()) <= 10 * allowed[1]


@pytest.mark.parametrize("norm", ["batch", "l2", "std"])
@pytest.mark.parametrize(
    ("clips", "features", "views"), [(3, 40, 2), (31, 257, 2), (33, 1, 2), (64, 100, 1), (100, 127, 2), (128, 16, 1), (150, 170, 2)]
)
def test_values_and_gradients_are_those_of_the_definition(norm: Norm, clips: int, features: int, views: int) -> None:
    """In float32, by any norm, with one view or two."""
    hold([z.float() for z in streams(clips, features, views)], norm, ALLOWED[torch.float32])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_streams_of_fewer_bits_are_computed_in_float32(dtype: torch.dtype) -> None:
    """Only what is read and written is rounded: the truth is that of the rounded streams."""
    for clips in (33, 140):
        hold([z.to(dtype) for z in streams(clips, 65, 2)], "batch", ALLOWED[dtype])


def test_views_that_are_nearly_alike_cost_few_digits() -> None:
    """Near its minimum the loss is a small difference of large sums."""
    hold([z.float() for z in streams(64, 130, 2, alike=0.05)], "batch", (1e-5, 2e-5))


@pytest.mark.parametrize("clips", [20, 130])
def test_what_is_kept_is_what_the_other_form_keeps(clips: int) -> None:
    """Scales, shifts, diagonals and matrices are those of the operator elsewhere, so that either may compute the gradient."""
    given = [z.float() for z in streams(clips, 50, 2)]
    settings = plain.settings("batch", clips)
    ours, theirs = kernels.forward(given, LAMBD, *settings), plain.operator(given, LAMBD, *settings, True)

    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("norm", ["batch", "l2", "std"])
def test_a_column_that_does_not_vary_has_no_gradient(norm: Norm) -> None:
    """It correlates with nothing; the others are as without it, but for the terms that it adds to the loss."""
    given = [z.float() for z in streams(12, 20, 2)]
    for z in given:
        z[:, 3] = 0.0 if norm == "l2" else 2.5
    loss, grads = fused(given, norm)
    rest = [torch.cat([z[:, :3], z[:, 4:]], dim=1) for z in given]
    without, wanted = fused(rest, norm)

    torch.testing.assert_close(loss, without + 2)
    for grad, want in zip(grads, wanted, strict=True):
        assert float(grad[:, 3].abs().max()) == 0
        torch.testing.assert_close(torch.cat([grad[:, :3], grad[:, 4:]], dim=1), want)


def test_streams_and_gradients_may_be_strided() -> None:
    """Columns of a larger matrix, and the gradient of a sum, which is one number expanded."""
    wide = [torch.randn(9, 80, generator=Generator().manual_seed(k)) for k in range(3)]
    given = [z[:, ::2] for z in wide]
    towards = torch.ones(1).expand(3)[1]
    loss, grads = fused(given, "batch", towards)
    again, wanted = fused([z.contiguous() for z in given], "batch")

    assert torch.equal(loss, again)
    assert all(torch.equal(grad, want) for grad, want in zip(grads, wanted, strict=True))


def test_runs_are_equal_bit_for_bit() -> None:
    """Shares are summed in one order, also where a program owns several blocks of columns."""
    given = [z.float() for z in streams(16, 2100, 2)]
    one, other = fused(given, "batch"), fused(given, "batch")

    assert torch.equal(one[0], other[0])
    assert all(torch.equal(a, b) for a, b in zip(one[1], other[1], strict=True))
    hold(given, "batch", ALLOWED[torch.float32])
