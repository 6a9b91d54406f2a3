"""Central spatial masking: how many joints go, and how often each."""

from math import comb

import pytest
import torch
from mgbench_plugins.augmentations.csm import CentralSpatialMasking
from torch import Generator, Tensor

from mgbench import View, load_skeleton


SKELETON = load_skeleton("kinect25")
DRAWS = 1500


def kept(csm: CentralSpatialMasking, generator: Generator, count: int = 2, skeleton: str = "kinect25") -> Tensor:
    """Return the kept joints of one draw."""
    layout = load_skeleton(skeleton)
    view = csm.apply(View(torch.zeros(count, 1, 3, 4, len(layout.joints))), layout, generator)
    assert view.joints is not None
    return view.joints


@pytest.fixture(scope="module")
def masked() -> Tensor:
    """Draw the default many times, and return whether each joint was masked `(draws, V)`."""
    generator, hidden = Generator().manual_seed(0), torch.ones(DRAWS, 25)
    for i in range(DRAWS):
        hidden[i, kept(CentralSpatialMasking(), generator)] = 0
    return hidden


def missing(degree: int) -> float:
    """Return the probability that none of a joint's tokens is among 8 of 48 drawn without replacement."""
    return comb(48 - degree, 8) / comb(48, 8)


def test_four_to_eight_joints_go_7_35_on_average(masked: Tensor) -> None:
    """Eight tokens name 7.35 distinct joints on average, eight of them in 47 % of draws, and never fewer than four."""
    distinct = masked.sum(dim=1)
    expected = sum(1 - missing(degree) for degree in SKELETON.degrees)

    assert expected == pytest.approx(7.35, abs=0.01)
    assert distinct.mean().item() == pytest.approx(expected, abs=4 * 0.7 / DRAWS**0.5)
    assert (distinct == 8).double().mean().item() == pytest.approx(0.468, abs=0.05)
    assert (distinct == 7).double().mean().item() == pytest.approx(0.419, abs=0.05)
    assert (distinct.min() >= 4) & (distinct.max() == 8)


def test_each_joint_goes_as_often_as_its_degree_says(masked: Tensor) -> None:
    """Joint 20 of four bones is masked in 53.0 % of draws, a leaf in 16.7 %, all as the hypergeometric law says."""
    expected = torch.tensor([1 - missing(degree) for degree in SKELETON.degrees])
    rate = masked.mean(dim=0)

    assert expected[20].item() == pytest.approx(0.530, abs=0.001)
    assert expected[3].item() == pytest.approx(0.167, abs=0.001)
    assert ((rate - expected).abs() < 4 * (expected * (1 - expected) / DRAWS).sqrt()).all()


def test_the_clips_themselves_stay() -> None:
    """Masked joints are named, not zeroed."""
    x = torch.randn(3, 1, 3, 4, 25, generator=Generator().manual_seed(0))
    view = CentralSpatialMasking().apply(View(x), SKELETON, Generator().manual_seed(0))

    assert torch.equal(view.x, x)


@pytest.mark.parametrize("draw", ["batch", "clip"])
def test_no_token_masks_nothing(draw: str) -> None:
    """With `count=0` every joint is kept."""
    joints = kept(CentralSpatialMasking(count=0, draw=draw), Generator().manual_seed(0))  # type: ignore[arg-type] # one of the literals

    assert torch.equal(joints, torch.arange(25).expand_as(joints))


@pytest.mark.parametrize("draw", ["batch", "clip"])
def test_a_joint_is_always_left(draw: str) -> None:
    """However many tokens are asked for, one joint remains."""
    csm = CentralSpatialMasking(count=99, draw=draw)  # type: ignore[arg-type] # one of the literals
    left = [kept(csm, Generator().manual_seed(seed)).shape[-1] for seed in range(20)]

    assert min(left) >= 1


@pytest.mark.parametrize(("skeleton", "count"), [("kinect25", 8), ("kinect22", 7), ("openpose18", 6)])
def test_the_number_of_tokens_follows_the_skeleton(skeleton: str, count: int) -> None:
    """By default 0.32 V tokens are drawn, rounded."""
    joints = kept(CentralSpatialMasking(draw="clip"), Generator().manual_seed(0), skeleton=skeleton)

    assert len(load_skeleton(skeleton).joints) - joints.shape[1] == count


def test_drawn_per_clip_as_many_distinct_joints_go_from_each() -> None:
    """With `draw=clip` every clip loses exactly `count` joints, its own, sorted, the centre more often than a leaf."""
    joints = kept(CentralSpatialMasking(count=8, draw="clip"), Generator().manual_seed(0), count=2000)
    hidden = torch.ones(2000, 25).scatter_(1, joints, 0.0)

    assert joints.shape == (2000, 17)
    assert (joints.diff(dim=1) > 0).all()
    assert len(joints.unique(dim=0)) > 1000
    assert hidden[:, 20].mean() > 0.5
    assert hidden[:, [3, 15, 19, 21, 23]].mean() < 0.25
    assert hidden[:, 0].mean() > hidden[:, 5].mean() > hidden[:, 3].mean()


def test_it_asks_for_an_encoder_that_drops_joints() -> None:
    """An encoder without that capability is told so before training."""
    assert CentralSpatialMasking().needs == {"drop_joints"}
