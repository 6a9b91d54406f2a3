"""Temporal crop against numpy's symmetric padding."""

import numpy as np
import pytest
import torch
from mgbench_plugins.augmentations.crop import Crop
from torch import Generator, Tensor

from mgbench import SpecError, View, load_skeleton
from mgbench.registry import registry


SKELETON = load_skeleton("kinect25")


def clips(count: int, frames: int) -> Tensor:
    """Return clips in which every frame is different."""
    return torch.randn(count, 1, 3, frames, 25, generator=Generator().manual_seed(0))


def windows(x: Tensor, pad: int) -> list[Tensor]:
    """Return every window of the old length out of the clips mirrored by `pad` at each end, end frames repeated."""
    wide = torch.from_numpy(np.pad(x.numpy(), [(0, 0)] * 3 + [(pad, pad), (0, 0)], mode="symmetric"))
    return [wide[:, :, :, start : start + x.shape[3]] for start in range(2 * pad + 1)]


def place(x: Tensor, allowed: list[Tensor]) -> int:
    """Return which of the windows x is."""
    (found,) = [start for start, window in enumerate(allowed) if torch.equal(x, window)]
    return found


@pytest.mark.parametrize(("frames", "ratio", "pad"), [(50, 6, 8), (20, 6, 3), (20, 2, 10), (7, 6, 1)])
def test_every_window_occurs_and_no_other(frames: int, ratio: int, pad: int) -> None:
    """The result is any window of T frames out of the clip mirrored by T // ratio at each end, 17 for fifty frames."""
    x, generator = clips(2, frames), Generator().manual_seed(1)
    allowed = windows(x, pad)
    found = {place(Crop(ratio=ratio).apply(View(x), SKELETON, generator).x, allowed) for _ in range(12 * len(allowed))}

    assert found == set(range(2 * pad + 1))


def test_a_clip_too_short_to_mirror_stays() -> None:
    """With fewer frames than the ratio there is nothing to shift."""
    x = clips(2, 5)

    assert torch.equal(Crop().apply(View(x), SKELETON, Generator().manual_seed(0)).x, x)


def test_drawn_per_clip_each_clip_has_a_window_of_its_own() -> None:
    """With `draw=clip` every clip is one of its own windows, and their starts are drawn apart."""
    x = clips(30, 20)
    y = Crop(draw="clip").apply(View(x), SKELETON, Generator().manual_seed(0)).x
    starts = [place(y[i : i + 1], windows(x[i : i + 1], 3)) for i in range(30)]

    assert set(starts) == set(range(7))


def test_kept_joints_stay() -> None:
    """A mask drawn before is carried on."""
    joints = torch.arange(9)

    assert Crop().apply(View(clips(2, 20), joints), SKELETON, Generator().manual_seed(0)).joints is joints


def test_a_ratio_below_one_is_refused() -> None:
    """The ratio is a divisor."""
    with pytest.raises(SpecError, match=r"^crop: 'ratio' must be >= 1: 0$"):
        registry().parse("augmentation", "crop[ratio=0]")
