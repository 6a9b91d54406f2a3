"""Spatial flip: which joints change places, how often, and with or without the x axis."""

import pytest
import torch
from mgbench_plugins.augmentations.flip import Flip
from torch import Generator, Tensor

from mgbench import View, load_skeleton


ORDER = [0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 16, 17, 18, 19, 12, 13, 14, 15, 20, 23, 24, 21, 22]
SKELETON = load_skeleton("kinect25")


def clips(count: int = 4) -> Tensor:
    """Return random clips."""
    return torch.randn(count, 1, 3, 5, 25, generator=Generator().manual_seed(0))


def flipped(flip: Flip, x: Tensor, seed: int = 0) -> Tensor:
    """Apply a flip."""
    return flip.apply(View(x), SKELETON, Generator().manual_seed(seed)).x


def test_joint_numbers_are_swapped_as_published() -> None:
    """With `index` left joints stand in right joints' places, coordinates unchanged."""
    x = clips()

    assert torch.equal(flipped(Flip(p=1.0), x), x[..., ORDER])


def test_mirrored_bodies_are_mirror_images() -> None:
    """With `mirror` x changes its sign too, y and z do not."""
    x = clips()
    sign = torch.tensor([-1.0, 1.0, 1.0])[:, None, None]

    assert torch.equal(flipped(Flip(p=1.0, mode="mirror"), x), x[..., ORDER] * sign)


@pytest.mark.parametrize("mode", ["index", "mirror"])
def test_flipping_twice_changes_nothing(mode: str) -> None:
    """A flip is its own inverse."""
    x, flip = clips(), Flip(p=1.0, mode=mode)  # type: ignore[arg-type] # one of the literals

    assert torch.equal(flipped(flip, flipped(flip, x)), x)


def test_with_p_zero_nothing_is_flipped() -> None:
    """`p` is a probability: none at 0."""
    x = clips()

    assert all(torch.equal(flipped(Flip(p=0.0), x, seed), x) for seed in range(20))


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_a_batch_is_flipped_whole_with_probability_p(p: float) -> None:
    """By default one decision is drawn for the batch, `p` of the time for."""
    x, generator = clips(2), Generator().manual_seed(0)
    decisions = []
    for _ in range(600):
        y = Flip(p=p).apply(View(x), SKELETON, generator).x
        assert torch.equal(y, x) or torch.equal(y, x[..., ORDER])
        decisions.append(not torch.equal(y, x))

    assert sum(decisions) / 600 == pytest.approx(p, abs=0.06)


def test_drawn_per_clip_some_clips_are_flipped() -> None:
    """With `draw=clip` each clip is flipped whole or not at all, half of them at p = 0.5."""
    x = clips(400)
    y = flipped(Flip(draw="clip"), x)
    same, other = ((y == z).flatten(1).all(dim=1) for z in (x, x[..., ORDER]))

    assert (same ^ other).all()
    assert other.double().mean().item() == pytest.approx(0.5, abs=0.08)


def test_a_score_is_not_mirrored() -> None:
    """On 2-D data `mirror` negates x alone, and scores go with their joints."""
    skeleton = load_skeleton("openpose18")
    x = torch.rand(2, 1, 3, 4, 18, generator=Generator().manual_seed(0))
    y = Flip(p=1.0, mode="mirror").apply(View(x), skeleton, Generator().manual_seed(0)).x

    assert torch.equal(y[:, :, 0], -x[:, :, 0][..., list(skeleton.flip)])
    assert torch.equal(y[:, :, 1:], x[:, :, 1:][..., list(skeleton.flip)])
