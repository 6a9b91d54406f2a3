"""Gaussian blur against numpy's convolution."""

import math

import numpy as np
import pytest
import torch
from chances import assert_as_often, assert_uniform
from mgbench_plugins.augmentations.blur import Blur
from torch import Generator, Tensor

from mgbench import SpecError, View, load_skeleton
from mgbench.registry import registry


def clips(count: int, frames: int = 30, joints: int = 25) -> Tensor:
    """Return random clips of two persons."""
    return torch.randn(count, 2, 3, frames, joints, dtype=torch.float64, generator=Generator().manual_seed(0))


def blurred(blur: Blur, x: Tensor, skeleton: str = "kinect25", length: Tensor | None = None) -> Tensor:
    """Apply the component."""
    return blur.apply(View(x, length=length), load_skeleton(skeleton), Generator().manual_seed(1)).x


def convolved(x: Tensor, sigma: float, kernel: int, *, normalise: bool) -> Tensor:
    """Return every series in time convolved with a Gaussian, frames beyond the ends being zero, by numpy."""
    window = np.exp(-0.5 * (np.arange(kernel) - kernel // 2) ** 2 / sigma**2)

    def one(series: np.ndarray) -> np.ndarray:
        wide = np.pad(series, kernel // 2)
        return np.convolve(wide, window, mode="valid")

    total = one(np.ones(x.shape[3]))[:, None] if normalise else 1.0
    return torch.from_numpy(np.apply_along_axis(one, 3, x.numpy()) / total)


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize(("sigma", "kernel", "frames"), [(2.0, 15, 30), (0.7, 15, 30), (1.5, 3, 30), (2.0, 15, 5), (1.0, 1, 9)])
def test_it_is_a_convolution(normalise: bool, sigma: float, kernel: int, frames: int) -> None:
    """Every series is convolved with exp(-d^2 / 2 sigma^2), by default over the sum of the weights that fall on frames."""
    x = clips(2, frames)
    blur = Blur(kernel=kernel, sigma=(sigma, sigma), p=1.0, normalise=normalise)

    torch.testing.assert_close(blurred(blur, x), convolved(x, sigma, kernel, normalise=normalise))


def test_what_stands_still_stays() -> None:
    """Blur leaves a constant as it is, at the ends too."""
    x = clips(20, 1).expand(-1, -1, -1, 12, -1)

    torch.testing.assert_close(blurred(Blur(p=1.0), x), x)


@pytest.mark.parametrize(("sigma", "gain"), [(2.0, 5.0125), (1.0, 2.5066), (0.1, 1.0)])
def test_the_public_codes_kernel_makes_bodies_grow(sigma: float, gain: float) -> None:
    """Not normalised, a constant grows by the sum of the weights away from the ends, and by half the sum and half a weight at them."""
    exact = sum(math.exp(-(d**2) / (2 * sigma**2)) for d in range(-7, 8))
    y = blurred(Blur(sigma=(sigma, sigma), p=1.0, normalise=False), torch.ones(1, 1, 3, 30, 25, dtype=torch.float64))

    assert exact == pytest.approx(gain, abs=1e-3)
    assert y[0, 0, 0, 15, 0].item() == pytest.approx(exact)
    assert y[0, 0, 0, 0, 0].item() == pytest.approx((exact + 1) / 2)


def test_the_deviation_is_uniform() -> None:
    """By default it lies between 0.1 and 2, and each clip has its own, read off from what an instant becomes."""
    x = torch.zeros(1500, 1, 3, 31, 25, dtype=torch.float64)
    x[:, :, :, 15] = 1
    y = blurred(Blur(p=1.0), x)[:, 0, 0, :, 0]
    sigma = (-0.5 / (y[:, 16] / y[:, 15]).log()).sqrt()

    assert_uniform(sigma, 0.1, 2.0)


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5])
def test_each_clip_is_blurred_with_probability_p(p: float) -> None:
    """A clip is changed or left to the bit."""
    x = clips(1500, 5)

    assert_as_often((blurred(Blur(p=p), x) != x).flatten(1).any(dim=1), p)


def test_drawn_per_batch_clips_are_blurred_alike() -> None:
    """With `draw=batch` all clips have one deviation, or none is blurred."""
    x = clips(1).expand(6, -1, -1, -1, -1)
    y = blurred(Blur(p=1.0, draw="batch"), x)

    torch.testing.assert_close(y, y[:1].expand_as(y))
    assert not torch.equal(y, x)


def test_a_score_stays_sharp() -> None:
    """On 2-D data x and y are blurred, and the score stays."""
    x = clips(3, joints=18)
    y = blurred(Blur(sigma=(2.0, 2.0), p=1.0), x, "openpose18")

    assert torch.equal(y[:, :, 2], x[:, :, 2])
    torch.testing.assert_close(y[:, :, :2], convolved(x[:, :, :2], 2.0, 15, normalise=True))


def test_what_lies_behind_the_end_does_not_come_in() -> None:
    """A clip that ends early is blurred as its frames alone."""
    x = clips(2)
    y = blurred(Blur(sigma=(2.0, 2.0), p=1.0), x, length=torch.tensor([30, 11]))

    torch.testing.assert_close(y[:1], convolved(x[:1], 2.0, 15, normalise=True))
    torch.testing.assert_close(y[1:, :, :, :11], convolved(x[1:, :, :, :11], 2.0, 15, normalise=True))
    assert y.isfinite().all()


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("blur[kernel=14]", "blur: kernel got 14; it takes an odd number, such as 15."),
        ("blur[sigma=(0.0,2.0)]", "blur: sigma got (0.0, 2.0); it takes a smallest above 0 and a largest not below it, such as (0.1,2.0)."),
        ("blur[sigma=(2.0,1.0)]", "blur: sigma got (2.0, 1.0); it takes a smallest above 0 and a largest not below it, such as (0.1,2.0)."),
    ],
)
def test_a_kernel_without_a_middle_or_width_is_refused(spec: str, told: str) -> None:
    """An even kernel has no middle frame, and a deviation is above zero."""
    with pytest.raises(SpecError) as error:
        registry().parse("augmentation", spec)

    assert str(error.value) == told
