"""The cross-correlation loss against its definition, and against the numbers that random features must give."""

import pytest
import torch
from torch import Tensor

from mgbench.kernels.cross_correlation import cross_correlation_loss, cross_correlation_reference


SHAPES = [(6, 11), (8, 8), (20, 7), (5, 1), (2, 9)]


def views(clips: int, features: int, count: int = 3, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Return an anchor and views that share something with it."""
    generator = torch.Generator().manual_seed(clips * 100 + features)
    common = torch.randn(clips, features, generator=generator, dtype=torch.float64)
    noise = [torch.randn(clips, features, generator=generator, dtype=torch.float64) for _ in range(count)]
    return [(2 * common + one * (1 + k) + k).to(dtype) for k, one in enumerate(noise)]


def by_definition(anchor: Tensor, *others: Tensor, lambd: float, eps: float = 1e-5) -> Tensor:
    """Sum (C_ii - 1)^2 + lambda sum C_ij^2 over the entries of C = z_a^T z_b / N of whitened columns, one by one."""
    clips, features = anchor.shape

    def standard(z: Tensor) -> Tensor:
        centred = z - z.sum(dim=0) / clips
        return centred / ((centred**2).sum(dim=0) / clips + eps) ** 0.5

    total = anchor.new_zeros(())
    for other in others:
        a, b = standard(anchor), standard(other)
        for i in range(features):
            for j in range(features):
                entry = (a[:, i] * b[:, j]).sum() / clips
                total = total + ((entry - 1) ** 2 if i == j else lambd * entry**2)
    return total


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(("clips", "features"), SHAPES)
def test_values_and_gradients_are_those_of_the_definition(clips: int, features: int, count: int) -> None:
    """With fewer, as many and more clips than features, for one view and two, loss and gradients agree in float64."""
    ours, theirs = ([z.requires_grad_() for z in views(clips, features, count)] for _ in range(2))
    loss = cross_correlation_loss(*ours, lambd=0.3)
    expected = by_definition(*theirs, lambd=0.3)

    torch.testing.assert_close(loss, expected)
    for z, w in zip(torch.autograd.grad(loss, ours), torch.autograd.grad(expected, theirs), strict=True):
        torch.testing.assert_close(z, w)


@pytest.mark.parametrize(("clips", "features"), SHAPES)
def test_the_shipped_reference_is_the_definition(clips: int, features: int) -> None:
    """What other kernels are compared with is itself right."""
    anchor, first, second = views(clips, features)

    torch.testing.assert_close(
        cross_correlation_reference(anchor, first, second, lambd=2e-4), by_definition(anchor, first, second, lambd=2e-4)
    )


@pytest.mark.parametrize(("clips", "features"), SHAPES)
def test_gradients_pass_gradcheck(clips: int, features: int) -> None:
    """The gradient is the derivative of the loss."""
    inputs = tuple(z.requires_grad_() for z in views(clips, features))

    assert torch.autograd.gradcheck(lambda *z: cross_correlation_loss(*z, lambd=0.1), inputs)


@pytest.mark.parametrize(("clips", "features"), [(32, 256), (64, 48)])
def test_float32_is_close(clips: int, features: int) -> None:
    """In float32 value and gradient stay within rounding of float64, in both forms."""
    single = [z.requires_grad_() for z in views(clips, features, dtype=torch.float32)]
    double = [z.requires_grad_() for z in views(clips, features)]
    loss, expected = cross_correlation_loss(*single, lambd=2e-4), cross_correlation_loss(*double, lambd=2e-4)

    torch.testing.assert_close(loss, expected.float(), rtol=1e-5, atol=0)
    for z, w in zip(torch.autograd.grad(loss, single), torch.autograd.grad(expected, double), strict=True):
        torch.testing.assert_close(z, w.float(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_changes_nothing(dtype: torch.dtype) -> None:
    """Under autocast the loss is computed and returned in float32 from whatever it is given."""
    inputs = views(8, 40, dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16):
        loss = cross_correlation_loss(*inputs, lambd=2e-4)

    assert loss.dtype == torch.float32
    assert torch.equal(loss, cross_correlation_loss(*(z.float() for z in inputs), lambd=2e-4))


def test_scale_and_place_of_a_feature_do_not_matter() -> None:
    """Columns are centred and scaled, so an affine change of each leaves the loss."""
    anchor, view = views(40, 12, 2)
    scale = torch.arange(1, 13, dtype=torch.float64)

    torch.testing.assert_close(
        cross_correlation_loss(anchor * scale + 7, view, lambd=0.1, eps=0.0),
        cross_correlation_loss(anchor, view, lambd=0.1, eps=0.0),
    )


def test_views_are_summed() -> None:
    """The loss against two views is the sum of the losses against each."""
    anchor, first, second = views(6, 30)
    apart = cross_correlation_loss(anchor, first, lambd=0.1) + cross_correlation_loss(anchor, second, lambd=0.1)

    torch.testing.assert_close(cross_correlation_loss(anchor, first, second, lambd=0.1), apart)


def test_identical_whitened_views_cost_nothing() -> None:
    """Uncorrelated features that two views share give the identity matrix."""
    z = torch.randn(64, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    white, _ = torch.linalg.qr(z - z.mean(dim=0))

    assert cross_correlation_loss(white, white, lambd=1.0, eps=0.0).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("clips", "features"), [(32, 512), (64, 32)])
def test_independent_views_cost_what_chance_gives(clips: int, features: int) -> None:
    """Of independent features each squared entry is 1/(N-1) on average, so the diagonal costs D (1 + 1/(N-1))."""
    generator = torch.Generator().manual_seed(0)
    draws = [(torch.randn(2, clips, features, generator=generator, dtype=torch.float64)) for _ in range(20)]
    diagonal = torch.stack([cross_correlation_loss(a, b, lambd=0.0) for a, b in draws]).mean().item()
    whole = torch.stack([cross_correlation_loss(a, b, lambd=1.0) for a, b in draws]).mean().item()

    assert diagonal == pytest.approx(features * (1 + 1 / (clips - 1)), rel=0.02)
    assert whole - diagonal == pytest.approx(features * (features - 1) / (clips - 1), rel=0.02)


def test_features_that_do_not_vary_cost_the_diagonal() -> None:
    """A collapsed batch correlates with nothing: the loss is D, and it is finite with a finite gradient."""
    flat = torch.ones(8, 24, requires_grad=True)
    loss = cross_correlation_loss(flat, flat * 3, lambd=2e-4)
    loss.backward()

    assert loss.item() == 24
    assert flat.grad is not None
    assert flat.grad.isfinite().all()
