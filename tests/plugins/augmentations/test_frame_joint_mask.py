"""Masks of frames and joints: what goes, how much, and that all goes alike."""

import pytest
import torch
from mgbench_plugins.augmentations.frame_joint_mask import FrameJointMasking
from torch import Generator, Tensor

from mgbench import View, load_skeleton
from mgbench.tokens import tokens_of


KINECT = load_skeleton("kinect25")


def kept(mask: FrameJointMasking, count: int = 3, frames: int = 20, seed: int = 0) -> list[dict[int, list[int]]]:
    """Return the kept joints of each kept time of each clip."""
    x = torch.zeros(count, 1, 3, frames, 25)
    cells = mask.apply(View(x), KINECT, Generator().manual_seed(seed)).tokens
    assert cells is not None
    return [by_time(tokens_of(row, mask.length or 1, 25)) for row in cells]


def by_time(tokens: Tensor) -> dict[int, list[int]]:
    """Return the joints of numbered tokens, time by time."""
    found: dict[int, list[int]] = {}
    for token in sorted(set(tokens.tolist())):
        found.setdefault(token // 25, []).append(token % 25)
    return found


@pytest.mark.parametrize(
    ("mask", "times", "joints"),
    [
        (FrameJointMasking(), 10, 13),
        (FrameJointMasking(length=4), 3, 13),
        (FrameJointMasking(frames=0.9, joints=0.2), 2, 20),
        (FrameJointMasking(frames=0.0, joints=0.9), 20, 3),
        (FrameJointMasking(frames=1.0, joints=1.0), 1, 1),
    ],
    ids=str,
)
def test_so_many_times_and_joints_are_kept(mask: FrameJointMasking, times: int, joints: int) -> None:
    """Of five times of four frames three are left, half of five being rounded to two; at each 13 of 25 joints; never nothing."""
    for clip in kept(mask):
        assert len(clip) == times
        assert {len(places) for places in clip.values()} == {joints}


def test_each_clip_and_each_time_is_drawn_by_itself() -> None:
    """Clips lose different times, and times different joints."""
    clips = kept(FrameJointMasking(), count=8)

    assert len({tuple(clip) for clip in clips}) == 8
    assert len({tuple(places) for places in clips[0].values()}) == 10


def test_times_and_joints_go_alike() -> None:
    """Over many clips every time stays half of the time, and every joint, where its time stays, 13 times of 25."""
    clips = kept(FrameJointMasking(), count=400)
    times = torch.tensor([time for clip in clips for time in clip]).bincount(minlength=20) / 400
    joints = torch.tensor([joint for clip in clips for places in clip.values() for joint in places]).bincount(minlength=25) / 4000

    assert (times - 0.5).abs().max() < 0.1
    assert (joints - 13 / 25).abs().max() < 0.04
