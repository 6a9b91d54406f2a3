"""Gaussian noise: how large, on what, and how often."""

import pytest
import torch
from chances import assert_as_often
from mgbench_plugins.augmentations.noise import Noise
from scipy.stats import kstest
from torch import Generator, Tensor

from mgbench import View, load_skeleton


def clips(count: int, persons: int = 1, joints: int = 25) -> Tensor:
    """Return random clips."""
    return torch.randn(count, persons, 3, 10, joints, dtype=torch.float64, generator=Generator().manual_seed(0))


def noisy(noise: Noise, x: Tensor, skeleton: str = "kinect25") -> Tensor:
    """Apply the component."""
    return noise.apply(View(x), load_skeleton(skeleton), Generator().manual_seed(1)).x


@pytest.mark.parametrize("sigma", [0.05, 0.01])
def test_noise_is_gaussian_of_deviation_sigma(sigma: float) -> None:
    """What is added to every coordinate has the normal distribution of mean 0 and deviation sigma."""
    x = clips(20)
    added = (noisy(Noise(sigma=sigma), x) - x).flatten()

    assert kstest(added.numpy(), "norm", args=(0, sigma)).pvalue > 1e-6


def test_no_two_coordinates_get_the_same() -> None:
    """Persons, axes, frames and joints of a clip, and by default clips, have noise of their own."""
    x = clips(5, persons=2)
    added = noisy(Noise(), x) - x

    assert len(added.float().unique()) > 0.99 * x.numel()


def test_drawn_per_batch_clips_get_the_same() -> None:
    """With `draw=batch` one clip's noise is every clip's."""
    x = clips(5)
    added = noisy(Noise(draw="batch"), x) - x

    torch.testing.assert_close(added, added[:1].expand_as(added))


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_each_clip_is_noisy_with_probability_p(p: float) -> None:
    """A clip is changed or left to the bit."""
    x = clips(2000)
    assert_as_often((noisy(Noise(p=p), x) != x).flatten(1).any(dim=1), p)


def test_a_score_has_no_noise() -> None:
    """On 2-D data x and y are noisy, and the score stays."""
    x = clips(4, joints=18)
    y = noisy(Noise(), x, "openpose18")

    assert torch.equal(y[:, :, 2], x[:, :, 2])
    assert (y[:, :, :2] != x[:, :, :2]).all()


def test_nobody_is_made_of_noise() -> None:
    """Someone who is not in a frame stays out of it; a joint of someone who is may lie at the origin, and is noisy as any."""
    x = clips(3, persons=2)
    x[0, 1] = 0
    x[1, 1, :, 4:] = 0
    x[2, :, :, :, 20] = 0
    changed = noisy(Noise(), x) != x
    there = torch.ones_like(changed)
    there[0, 1] = there[1, 1, :, 4:] = False

    assert torch.equal(changed, there)
