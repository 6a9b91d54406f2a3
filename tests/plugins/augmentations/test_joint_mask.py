"""Joint mask: which joints of which frames are zero."""

import pytest
import torch
from chances import assert_alike, assert_as_often
from mgbench_plugins.augmentations.joint_mask import JointMask
from torch import Generator, Tensor

from mgbench import SpecError, View, load_skeleton
from mgbench.registry import registry


def holes(mask: JointMask, count: int, frames: int = 20, skeleton: str = "kinect25") -> tuple[Tensor, Tensor]:
    """Return which joints `(N, V)` and which frames `(N, T)` of so many clips are masked; every hole is all of both, and nothing else."""
    layout = load_skeleton(skeleton)
    x = torch.rand(count, 2, 3, frames, len(layout.joints), generator=Generator().manual_seed(0)) + 1
    y = mask.apply(View(x), layout, Generator().manual_seed(1)).x
    gone = y == 0
    joints, then = gone.any(dim=3).any(dim=2).any(dim=1), gone.any(dim=4).any(dim=2).any(dim=1)

    assert torch.equal(gone, (then[:, None, None, :, None] & joints[:, None, None, None, :]).expand_as(gone))
    assert torch.equal(y, x.masked_fill(gone, 0))
    return joints, then


@pytest.mark.parametrize(
    ("skeleton", "frames", "joints", "then"),
    [
        ("kinect25", 150, (5, 15), (50, 100)),
        ("kinect25", 60, (5, 15), (20, 40)),
        ("kinect25", 50, (5, 15), (17, 33)),
        ("imigue22", 50, (4, 13), (17, 33)),
        ("openpose18", 20, (4, 11), (7, 13)),
        ("kinect20", 3, (4, 12), (1, 2)),
    ],
)
def test_how_many_follows_skeleton_and_length(skeleton: str, frames: int, joints: tuple[int, int], then: tuple[int, int]) -> None:
    """By default 5 to 15 of 25 joints go in 50 to 100 of 150 frames, and as great shares of others, every number alike often."""
    hidden, when = holes(JointMask(), 600, frames, skeleton)

    for chosen, (low, high) in ((hidden, joints), (when, then)):
        counts = chosen.sum(dim=1)
        assert (counts.min(), counts.max()) == (low, high)
        assert_alike(counts - low, high - low + 1)


def test_each_joint_and_frame_goes_as_often() -> None:
    """Of 25 joints 10 go on average, so each in 40 % of clips; of 20 frames 10, each in half of them."""
    hidden, when = holes(JointMask(), 2000)

    for joint in range(25):
        assert_as_often(hidden[:, joint], 0.4)
    for frame in range(20):
        assert_as_often(when[:, frame], 0.5)


def test_numbers_may_be_given() -> None:
    """Bounds are what they say, and no more go than there are."""
    hidden, when = holes(JointMask(joints=(3, 3), frames=(50, 100)), 10)

    assert (hidden.sum(dim=1) == 3).all()
    assert when.all()


def test_no_joint_may_go() -> None:
    """With `joints=(0,0)` clips stay."""
    hidden, when = holes(JointMask(joints=(0, 0)), 10)

    assert not hidden.any()
    assert not when.any()


def test_drawn_per_batch_clips_have_one_hole() -> None:
    """With `draw=batch` the same joints of the same frames go; by default each clip loses its own."""
    for each, draw in ((1, "batch"), (30, "clip")):
        hidden, when = holes(JointMask(draw=draw), 30)  # type: ignore[arg-type] # one of the literals
        assert len(hidden.unique(dim=0)) == len(when.unique(dim=0)) == each


def test_a_masked_joint_has_no_score() -> None:
    """On 2-D data the score is zero with the coordinates, which `holes` holds for all three channels."""
    hidden, when = holes(JointMask(), 5, skeleton="openpose18")

    assert hidden.any(dim=1).all()
    assert when.any(dim=1).all()


def test_kept_joints_stay() -> None:
    """A mask of removed joints is carried on."""
    joints = torch.arange(9)
    view = JointMask().apply(View(torch.ones(2, 1, 3, 20, 25), joints), load_skeleton("kinect25"), Generator().manual_seed(0))

    assert view.joints is joints


@pytest.mark.parametrize("field", ["joints", "frames"])
@pytest.mark.parametrize("bounds", ["(-1, 5)", "(6, 5)"])
def test_bounds_that_are_none_are_refused(field: str, bounds: str) -> None:
    """The fewest are at least none and at most the most."""
    with pytest.raises(SpecError) as error:
        registry().parse("augmentation", f"joint_mask[{field}={bounds.replace(' ', '')}]")

    allowed = "it takes the fewest, at least 0, and the most, not below it, such as (5,15)."
    assert str(error.value) == f"joint_mask: {field} got {bounds}; {allowed}"
