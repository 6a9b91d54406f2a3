"""The cross-correlation loss against its definition, and against the numbers that random features must give."""

import pytest
import torch
from torch import Tensor

from mgbench.kernels import cross_correlation
from mgbench.kernels.cross_correlation import (
    Norm,
    cross_correlation_loss,
    cross_correlation_reference,
    operator,
    redundancy,
    settings,
)


SHAPES = [(6, 11), (8, 8), (7, 8), (9, 8), (20, 7), (5, 1), (2, 9), (31, 33), (33, 127), (100, 17)]
NORMS: tuple[Norm, ...] = ("batch", "l2", "std")


def views(clips: int, features: int, count: int = 3, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Return an anchor and views that share something with it."""
    generator = torch.Generator().manual_seed(clips * 100 + features)
    common = torch.randn(clips, features, generator=generator, dtype=torch.float64)
    noise = [torch.randn(clips, features, generator=generator, dtype=torch.float64) for _ in range(count)]
    return [(2 * common + one * (1 + k) + k).to(dtype) for k, one in enumerate(noise)]


def by_definition(anchor: Tensor, *others: Tensor, lambd: float, norm: Norm = "batch") -> Tensor:
    """Sum (C_ii - 1)^2 + lambda sum C_ij^2 over the entries of C, the mean or sum over clips of what two normalised columns give."""
    clips, features = anchor.shape

    def normal(z: Tensor) -> Tensor:
        if norm == "l2":
            return z / (z**2).sum(dim=0) ** 0.5
        centred = z - z.sum(dim=0) / clips
        variance = (centred**2).sum(dim=0) / clips + 1e-5 if norm == "batch" else (centred**2).sum(dim=0) / (clips - 1)
        return centred / variance**0.5

    total = anchor.new_zeros(())
    for other in others:
        entries = (normal(anchor)[:, :, None] * normal(other)[:, None, :]).sum(dim=0) / (1 if norm == "l2" else clips)
        same = torch.eye(features, dtype=torch.bool)
        total = total + torch.where(same, (entries - 1) ** 2, lambd * entries**2).sum()
    return total


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize(("clips", "features"), SHAPES)
def test_values_and_gradients_are_those_of_the_definition(clips: int, features: int, count: int, norm: Norm) -> None:
    """With fewer, as many and more clips than features, for one view and more, loss and gradients agree in float64."""
    ours, theirs = ([z.requires_grad_() for z in views(clips, features, count)] for _ in range(2))
    loss = cross_correlation_loss(*ours, lambd=0.3, norm=norm)
    expected = by_definition(*theirs, lambd=0.3, norm=norm)

    torch.testing.assert_close(loss, expected)
    for z, w in zip(torch.autograd.grad(loss, ours), torch.autograd.grad(expected, theirs), strict=True):
        torch.testing.assert_close(z, w)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("columns", [1, 4, 11])
def test_columns_that_are_worked_on_in_parts_change_nothing(
    columns: int, norm: Norm, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Value and gradients are those of all columns at once, up to rounding, however many are taken at a time."""
    ours, theirs = ([z.requires_grad_() for z in views(6, 11, dtype=dtype)] for _ in range(2))
    expected = cross_correlation_loss(*theirs, lambd=0.3, norm=norm)
    expected.backward()
    monkeypatch.setattr(cross_correlation, "_BLOCK", 6 * columns)
    loss = cross_correlation_loss(*ours, lambd=0.3, norm=norm)
    loss.backward()

    torch.testing.assert_close(loss, expected)
    for z, w in zip(ours, theirs, strict=True):
        assert z.grad is not None
        torch.testing.assert_close(z.grad, w.grad)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("clips", "features"), SHAPES)
def test_the_shipped_reference_is_the_definition(clips: int, features: int, norm: Norm) -> None:
    """What other kernels are compared with is itself right."""
    anchor, first, second = views(clips, features)

    torch.testing.assert_close(
        cross_correlation_reference(anchor, first, second, lambd=2e-4, norm=norm),
        by_definition(anchor, first, second, lambd=2e-4, norm=norm),
    )


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("clips", "features"), [(6, 11), (8, 8), (20, 7), (2, 9)])
def test_gradients_pass_gradcheck(clips: int, features: int, norm: Norm) -> None:
    """The gradient is the derivative of the loss."""
    inputs = tuple(z.requires_grad_() for z in views(clips, features))

    assert torch.autograd.gradcheck(lambda *z: cross_correlation_loss(*z, lambd=0.1, norm=norm), inputs)


@pytest.mark.parametrize("grams", [False, True])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("clips", "features"), [(5, 9), (9, 5)])
def test_the_operator_is_registered_in_full(clips: int, features: int, norm: Norm, grams: bool) -> None:
    """Schema, fake tensors, autograd and tracing agree, in either form."""
    streams = [z.requires_grad_() for z in views(clips, features, dtype=torch.float32)]

    torch.library.opcheck(operator, (streams, 2e-4, *settings(norm, clips), grams))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("clips", "features"), SHAPES)
def test_both_forms_are_one_loss(clips: int, features: int, norm: Norm) -> None:
    """Whatever the shape, N x N and D x D matrices give the same value and gradient."""
    by_grams, by_features = ([z.requires_grad_() for z in views(clips, features)] for _ in range(2))
    one = operator(by_grams, 0.3, *settings(norm, clips), True)[0]
    other = operator(by_features, 0.3, *settings(norm, clips), False)[0]

    torch.testing.assert_close(one, other)
    torch.testing.assert_close(torch.autograd.grad(one, by_grams), torch.autograd.grad(other, by_features))


def test_it_compiles_whole() -> None:
    """`torch.compile` sees no break, and gives the same value and gradient."""
    ours, theirs = ([z.requires_grad_() for z in views(6, 11, dtype=torch.float32)] for _ in range(2))
    compiled = torch.compile(lambda *z: 3 * cross_correlation_loss(*z, lambd=0.1), fullgraph=True, backend="aot_eager")
    compiled(*ours).backward()
    (3 * cross_correlation_loss(*theirs, lambd=0.1)).backward()

    for z, w in zip(ours, theirs, strict=True):
        assert z.grad is not None
        assert w.grad is not None
        torch.testing.assert_close(z.grad, w.grad)


@pytest.mark.parametrize(("clips", "features"), [(6, 11), (20, 7)])
def test_layout_does_not_matter(clips: int, features: int) -> None:
    """Transposed and sliced inputs, and a gradient that is one number seen through stride 0, give what contiguous ones give."""
    plain = [z.requires_grad_() for z in views(clips, features)]
    odd = [z.detach().T.contiguous().T.repeat(1, 2)[:, :features].requires_grad_() for z in plain]
    loss = cross_correlation_loss(*plain, lambd=0.1)
    loss.backward()
    cross_correlation_loss(*odd, lambd=0.1).expand(5).sum().div(5).backward()

    assert not odd[0].is_contiguous()
    for z, w in zip(plain, odd, strict=True):
        assert z.grad is not None
        assert w.grad is not None
        torch.testing.assert_close(z.grad, w.grad)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("clips", "features"), [(6, 11), (20, 7)])
def test_redundancy_is_what_rows_hold_off_the_diagonal(clips: int, features: int, norm: Norm) -> None:
    """The diagnostic sums to the loss's redundancy term, and is the sum over each row in float64."""
    anchor, first, second = views(clips, features)
    told = redundancy(anchor, first, second, norm=norm)
    whole, diagonal = (cross_correlation_loss(anchor, first, second, lambd=lambd, norm=norm) for lambd in (1.0, 0.0))
    alone = redundancy(anchor[:, [0]].expand(-1, features), first.roll(-1, dims=1), second.roll(-1, dims=1), norm=norm)

    torch.testing.assert_close(told.sum(), whole - diagonal)
    torch.testing.assert_close(alone[-1], told[0])  # beside its own feature, whose correlation is left out


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("clips", "features"), [(6, 11), (20, 7)])
def test_what_does_not_vary_correlates_with_nothing(clips: int, features: int, norm: Norm) -> None:
    """A column of zeros costs its diagonal entry, has no gradient, and leaves all others as they are without it."""
    anchor, view = views(clips, features, 2)
    dead = torch.cat([torch.zeros(clips, 1, dtype=torch.float64), anchor], dim=1).requires_grad_()
    other = torch.cat([torch.full((clips, 1), 0.0, dtype=torch.float64), view], dim=1)
    loss = cross_correlation_loss(dead, other, lambd=0.1, norm=norm)
    loss.backward()

    assert dead.grad is not None
    assert dead.grad[:, 0].eq(0).all()
    torch.testing.assert_close(loss.detach(), 1 + cross_correlation_loss(anchor, view, lambd=0.1, norm=norm))


def test_one_clip_is_refused() -> None:
    """A single clip has no correlation."""
    with pytest.raises(ValueError, match="takes two or more; got 1"):
        cross_correlation_loss(torch.ones(1, 3), torch.ones(1, 3), lambd=0.1)


@pytest.mark.parametrize(("given", "said"), [("batches", "The norm 'batches' is none of"), ("batch", "takes an anchor")])
def test_wrong_input_is_told(given: str, said: str) -> None:
    """An unknown norm and views of another shape are refused in words."""
    anchor, view = views(6, 11, 2)
    with pytest.raises(ValueError, match=said):
        cross_correlation_loss(anchor, view if given != "batch" else view[:, 1:], lambd=0.1, norm=given)  # type: ignore[arg-type] # the wrong name is the point


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
        cross_correlation_loss(anchor * scale + 7, view, lambd=0.1, norm="std"),
        cross_correlation_loss(anchor, view, lambd=0.1, norm="std"),
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

    assert cross_correlation_loss(white, white, lambd=1.0, norm="l2").item() == pytest.approx(0, abs=1e-12)


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
