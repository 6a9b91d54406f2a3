"""Means over batches, and the effective rank against its definition."""

import numpy as np
import pytest
import torch
from torch import Tensor

from mgbench.metrics import batch_mean_accuracy, effective_rank


def test_batch_means_overrate_the_last_two_of_smgs_610_test_clips() -> None:
    """At batch 32, 610 = 19 * 32 + 2: the last two clips weigh 1/20 together, and means are multiples of 1/640."""
    label = torch.zeros(610, dtype=torch.long)
    predicted = torch.ones(610, dtype=torch.long)
    predicted[:304] = 0  # 9 batches right, and half of the tenth
    predicted[608:] = 0  # the last two
    exact = (predicted == label).double().mean().item()

    assert exact == pytest.approx(306 / 610)
    assert batch_mean_accuracy(predicted, label, 32) == pytest.approx((9 + 0.5 + 9 * 0 + 1) / 20)
    assert (batch_mean_accuracy(predicted, label, 32) * 640) % 1 == pytest.approx(0)


def test_batch_means_of_equal_batches_are_the_exact_accuracy() -> None:
    """Where the batch size divides the clips, the habit changes nothing."""
    generator = torch.Generator().manual_seed(0)
    predicted, label = (torch.randint(3, (64,), generator=generator) for _ in range(2))

    assert batch_mean_accuracy(predicted, label, 16) == pytest.approx((predicted == label).double().mean().item())


def normal(clips: int, features: int, seed: int = 0) -> Tensor:
    """Return standard normal features in float64."""
    return torch.randn(clips, features, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_effective_rank_is_the_exponential_of_the_entropy_of_singular_values() -> None:
    """It is RankMe of the centred features."""
    x = normal(30, 8) @ torch.diag(torch.arange(1.0, 9.0, dtype=torch.float64))
    singular = np.linalg.svd((x - x.mean(dim=0)).numpy(), compute_uv=False)
    share = singular / singular.sum()

    assert effective_rank(x) == pytest.approx(np.exp(-(share * np.log(share)).sum()))


@pytest.mark.parametrize("value", [0.0, 1e-3, 7.3, 1e6])
def test_constant_features_have_no_rank(value: float) -> None:
    """Features that are alike for all clips have rank 0, whatever their value and rounding."""
    assert effective_rank(torch.full((50, 16), value)) == 0.0
    assert effective_rank((normal(1, 16) * value).float().expand(50, -1)) == 0.0


def test_features_along_one_line_have_rank_one() -> None:
    """Clips on a line through any point have rank 1."""
    x = normal(50, 1, 0) @ normal(1, 16, 1) + normal(1, 16, 2)

    assert effective_rank(x) == pytest.approx(1.0, abs=1e-3)


def test_isotropic_features_have_full_rank() -> None:
    """Equal variance in every direction gives D."""
    x, _ = torch.linalg.qr(normal(200, 12) - normal(200, 12).mean(dim=0))

    assert effective_rank(x) == pytest.approx(12, abs=0.01)
    assert effective_rank(normal(2000, 12)) == pytest.approx(12, abs=0.1)


@pytest.mark.parametrize("scale", [1e-6, 1e-2, 1e5])
def test_effective_rank_does_not_depend_on_scale(scale: float) -> None:
    """Features times a number have the same rank."""
    x = normal(40, 8) + 3

    assert effective_rank(x * scale) == pytest.approx(effective_rank(x))


def test_little_but_real_variation_around_a_large_constant_counts() -> None:
    """Untrained features, whose deviation is a thousandth of their mean, have the rank of what varies."""
    noise = normal(200, 12)

    assert effective_rank((1.0 + 1e-3 * noise).float()) == pytest.approx(effective_rank(noise), rel=1e-3)


def test_rounding_noise_around_a_large_constant_has_no_rank() -> None:
    """Variation below float32's rounding error is no variation, though in itself it looks isotropic."""
    x = (1.0 + 1e-8 * normal(200, 12)).double()

    assert effective_rank(x - 1.0) == pytest.approx(12, abs=0.5)
    assert effective_rank(x) == 0.0
