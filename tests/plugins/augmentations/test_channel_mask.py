"""Channel mask: which axis is zero, and how often."""

import pytest
import torch
from chances import assert_alike, assert_as_often
from mgbench_plugins.augmentations.channel_mask import ChannelMask
from torch import Generator, Tensor

from mgbench import View, load_skeleton


def gone(mask: ChannelMask, count: int, skeleton: str = "kinect25") -> Tensor:
    """Return which channels `(N, C)` of so many clips are zero; the others are as they were, of all persons, frames and joints."""
    layout = load_skeleton(skeleton)
    x = torch.rand(count, 2, 3, 4, len(layout.joints), generator=Generator().manual_seed(0)) + 1
    y = mask.apply(View(x), layout, Generator().manual_seed(1)).x
    flat = (y == 0).transpose(1, 2).flatten(2).all(dim=2)

    assert torch.equal(y, x * ~flat[:, None, :, None, None])
    return flat


def test_one_axis_goes_and_each_as_often() -> None:
    """By default every clip loses exactly one axis, each in a third of them."""
    flat = gone(ChannelMask(), 2000)

    assert (flat.sum(dim=1) == 1).all()
    assert_alike(flat.int().argmax(dim=1), 3)


@pytest.mark.parametrize("p", [0.0, 0.5])
def test_each_clip_loses_one_with_probability_p(p: float) -> None:
    """The others stay whole."""
    assert_as_often(gone(ChannelMask(p=p), 2000).any(dim=1), p)


def test_a_score_never_goes() -> None:
    """On 2-D data x goes in half of the clips and y in the others."""
    flat = gone(ChannelMask(), 2000, "openpose18")

    assert not flat[:, 2].any()
    assert_alike(flat.int().argmax(dim=1), 2)


def test_drawn_per_batch_all_lose_the_same() -> None:
    """With `draw=batch` one axis goes for the batch."""
    assert len(gone(ChannelMask(draw="batch"), 30).unique(dim=0)) == 1
