"""Motion attention temporal masking against its definition, frame by frame."""

import pytest
import torch
from mgbench_plugins.augmentations.matm import MotionTemporalMasking
from torch import Generator, Tensor

from mgbench import View, load_skeleton


SKELETON = load_skeleton("kinect25")


def clips(count: int = 4, frames: int = 50, persons: int = 1) -> Tensor:
    """Return clips in which every frame is different, and motion too."""
    return torch.randn(count, persons, 3, frames, 25, generator=Generator().manual_seed(0)).cumsum(dim=3)


def masked(matm: MotionTemporalMasking, x: Tensor, seed: int = 0) -> Tensor:
    """Apply the mask."""
    return matm.apply(View(x), SKELETON, Generator().manual_seed(seed)).x


def numbers(y: Tensor, x: Tensor) -> list[list[int]]:
    """Return which frames of x those of y are, clip by clip."""
    same = (y[:, :, :, :, None] == x[:, :, :, None]).flatten(5).all(dim=5).all(dim=2).all(dim=1)  # (N, T', T)
    assert (same.sum(dim=2) == 1).all()
    return same.int().argmax(dim=2).tolist()


def by_motion(x: Tensor, drop: int) -> list[list[int]]:
    """Return the frames that stay when the `drop` of greatest squared step to the next go, the last having none."""
    stay = []
    for clip in x.double():
        change = [(clip[:, :, t + 1] - clip[:, :, t]).pow(2).sum().item() for t in range(clip.shape[2] - 1)] + [0.0]
        gone = sorted(range(len(change)), key=change.__getitem__, reverse=True)[:drop]
        stay.append([t for t in range(len(change)) if t not in gone])
    return stay


@pytest.mark.parametrize("persons", [1, 2])
def test_frames_of_greatest_motion_go(persons: int) -> None:
    """Without the random part, exactly the ten frames of greatest motion of each clip go, the others stay in order."""
    x = clips(persons=persons)

    assert numbers(masked(MotionTemporalMasking(frames=10, extra_random_drop=False), x), x) == by_motion(x, 10)


@pytest.mark.parametrize("draw", ["batch", "clip"])
def test_as_many_go_again_at_random(draw: str) -> None:
    """With the random part 30 of 50 frames are left, in order, all among those that motion spared."""
    x = clips()
    y = masked(MotionTemporalMasking(draw=draw), x)  # type: ignore[arg-type] # one of the literals

    assert y.shape == (4, 1, 3, 30, 25)
    for found, spared in zip(numbers(y, x), by_motion(x, 10), strict=True):
        assert found == sorted(found)
        assert set(found) <= set(spared)


def places(matm: MotionTemporalMasking, count: int = 4) -> list[list[int]]:
    """Return where the random part's frames stood among those that motion spared, clip by clip."""
    x = clips(count, frames=20)
    rows = zip(numbers(masked(matm, x), x), by_motion(x, 4), strict=True)
    return [[spared.index(frame) for frame in found] for found, spared in rows]


def test_drawn_per_batch_the_same_places_go_from_every_clip() -> None:
    """By default one random set serves the batch."""
    first, *others = places(MotionTemporalMasking())

    assert all(other == first for other in others)


def test_drawn_per_clip_each_clip_loses_its_own() -> None:
    """With `draw=clip` random sets differ."""
    found = places(MotionTemporalMasking(draw="clip"))

    assert len({tuple(one) for one in found}) == 4


def test_random_frames_are_drawn_evenly() -> None:
    """Over many draws each of the 16 places that motion spares of 20 stays three times in four."""
    count = torch.zeros(16)
    for found in places(MotionTemporalMasking(draw="clip"), count=200):
        count[found] += 1

    assert (count / 200 - 0.75).abs().max() < 0.12


def test_the_last_frame_goes_only_at_random() -> None:
    """The last frame has no motion, so motion never takes it, however still the clip; the random part may."""
    x = clips()
    by_motion_alone = numbers(masked(MotionTemporalMasking(frames=49, extra_random_drop=False), x), x)
    ends = {numbers(masked(MotionTemporalMasking(), x, seed), x)[0][-1] for seed in range(20)}

    assert by_motion_alone == [[49]] * 4
    assert 49 in ends
    assert len(ends) > 1


@pytest.mark.parametrize(("frames", "left"), [(50, 30), (20, 12), (64, 38), (3, 1), (2, 2), (1, 1)])
def test_the_number_of_frames_follows_the_length(frames: int, left: int) -> None:
    """By default 0.2 T frames go by motion and as many at random, and one is always left."""
    assert masked(MotionTemporalMasking(), clips(frames=frames)).shape[3] == left


@pytest.mark.parametrize("extra", [True, False])
def test_a_frame_is_always_left(extra: bool) -> None:
    """However many frames are asked for, at least one remains."""
    assert masked(MotionTemporalMasking(frames=99, extra_random_drop=extra), clips(frames=9)).shape[3] == 1


def test_one_clip_alone_is_masked_like_any() -> None:
    """A batch of one works, where the public code fails."""
    x = clips(1)

    assert numbers(masked(MotionTemporalMasking(extra_random_drop=False), x), x) == by_motion(x, 10)


def test_no_frame_masked_changes_nothing() -> None:
    """With `frames=0` the clip stays whole."""
    x = clips()

    assert torch.equal(masked(MotionTemporalMasking(frames=0), x), x)


def test_kept_joints_stay() -> None:
    """A mask of joints drawn before is carried on."""
    joints = torch.arange(9)

    assert MotionTemporalMasking().apply(View(clips(), joints), SKELETON, Generator().manual_seed(0)).joints is joints
