"""Time reversal: what it does to frames, and how often."""

import pytest
import torch
from chances import assert_as_often
from mgbench_plugins.augmentations.reverse import Reverse
from torch import Generator, Tensor

from mgbench import View, load_skeleton


SKELETON = load_skeleton("kinect25")


def clips(count: int, frames: int = 20) -> Tensor:
    """Return clips of two persons in which every frame is different."""
    return torch.randn(count, 2, 3, frames, 25, generator=Generator().manual_seed(0))


def reversed_(view: View, seed: int = 0, **fields: float | str) -> View:
    """Apply the component."""
    return Reverse(**fields).apply(view, SKELETON, Generator().manual_seed(seed))  # type: ignore[arg-type] # fields of any kind


def test_the_last_frame_comes_first() -> None:
    """With `p=1` frame t is frame T - 1 - t, of every person, axis and joint."""
    x = clips(3, 7)
    y = reversed_(View(x), p=1.0).x

    assert all(torch.equal(y[:, :, :, t], x[:, :, :, 6 - t]) for t in range(7))


def test_twice_is_nothing() -> None:
    """Backwards and backwards again is forwards."""
    x = clips(3)

    assert torch.equal(reversed_(reversed_(View(x), p=1.0), p=1.0).x, x)


def test_what_lies_behind_the_end_stays_there() -> None:
    """A clip that ends early turns about its own middle, and keeps its length."""
    x, length = clips(3, 6), torch.tensor([6, 4, 1])
    view = reversed_(View(x, length=length), p=1.0)
    order = torch.tensor([[5, 4, 3, 2, 1, 0], [3, 2, 1, 0, 4, 5], [0, 1, 2, 3, 4, 5]])

    assert view.length is length
    assert all(torch.equal(view.x[i], x[i][:, :, order[i]]) for i in range(3))


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5])
def test_each_clip_is_reversed_with_probability_p(p: float) -> None:
    """By default each clip is reversed whole or not at all, `p` of the time."""
    x = clips(3000, 3)
    y = reversed_(View(x), p=p).x
    same, other = ((y == z).flatten(1).all(dim=1) for z in (x, x.flip(3)))

    assert (same ^ other).all()
    assert_as_often(other, p)


def test_drawn_per_batch_clips_turn_together() -> None:
    """With `draw=batch` one decision serves the batch, half of the time for."""
    x = clips(2, 3)
    views = [reversed_(View(x), seed, draw="batch").x for seed in range(500)]

    assert all(torch.equal(y, x) or torch.equal(y, x.flip(3)) for y in views)
    assert_as_often(torch.tensor([not torch.equal(y, x) for y in views]), 0.5)


def test_kept_joints_stay() -> None:
    """A mask drawn before is carried on."""
    joints = torch.arange(9)

    assert reversed_(View(clips(2), joints)).joints is joints
