"""EDGCN against a straightforward MS-G3D with plain convolutions over time, and as many weights as the paper prints."""

import pytest
import torch
from mgbench_plugins.encoders.edgcn import EDGCN
from networks import EACH, LAYOUTS, agree, built, clips, parameters
from plain import msg3d


TINY = EDGCN(width=4)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dropping", [False, True])
@pytest.mark.parametrize("encoder", [TINY, EDGCN(width=4, scales=(2, 2))], ids=str)
def test_map_and_gradients_are_those_of_the_plain_network(encoder: EDGCN, dropping: bool, training: bool) -> None:
    """With one scale or two, joints dropped or not, values and gradients agree in float64."""
    agree(built(encoder, persons=2).train(training), msg3d, EACH if dropping else None, persons=2, frames=11)


@pytest.mark.parametrize(("skeleton", "persons"), LAYOUTS)
def test_other_skeletons_go_through_the_same_network(skeleton: str, persons: int) -> None:
    """The network takes any joints."""
    network, x = built(TINY, skeleton, persons).eval(), clips(2, persons, 7, skeleton)

    torch.testing.assert_close(network(x), msg3d(network, x, skeleton=skeleton))


def test_with_one_scale_bones_mean_nothing() -> None:
    """As the paper has it every adjacency is the identity; with two scales neighbours are in."""
    alone, paired = (built(EDGCN(width=4, scales=scales)) for scales in ((1, 1), (2, 2)))

    assert torch.equal(alone.stages[0].frame.adjacency[0], torch.eye(25).double())
    assert torch.equal(alone.stages[0].windows[0].sum.adjacency[0], torch.eye(75).double())
    assert (paired.stages[0].frame.adjacency[1] > 0).sum() == 25 + 2 * 24


def test_it_has_the_papers_1_9_million_parameters() -> None:
    """1,898,021 with a classifier of 17, 1,903,796 with one of 32, and 1,452 more with second moments."""
    assert parameters(EDGCN()) == 1_891_476 == 1_898_021 - (384 * 17 + 17) == 1_903_796 - (384 * 32 + 32)
    assert parameters(EDGCN(lift="moment")) == 1_899_473 - (384 * 17 + 17) == 1_891_476 + 1_452


def counted(joints: int, persons: int, channels: int, scales: int = 1, width: int = 96, window: int = 3) -> int:
    """Count EDGCN's weights by a closed formula."""
    total = 2 * persons * channels * joints
    for inner, middle, outer in ((channels, width, width), (width, width, 2 * width), (2 * width, 2 * width, 4 * width)):
        total += scales * (joints**2 + (joints * window) ** 2 + 2 * inner * middle) + 2 * 3 * middle
        total += 3 * middle * outer + 2 * 3 * outer * outer + 3 * 3 * outer  # three convolutions over time
        total += window * middle * outer + 3 * outer
    return total


@pytest.mark.parametrize(("skeleton", "joints"), [("kinect25", 25), ("kinect22", 22), ("openpose18", 18), ("imigue22", 22)])
@pytest.mark.parametrize("persons", [1, 2])
def test_the_formula_holds_for_every_skeleton(skeleton: str, joints: int, persons: int) -> None:
    """Joints enter the first norm, linearly, and the residual masks, squared."""
    assert parameters(EDGCN(), skeleton, persons) == counted(joints, persons, 3)


def test_two_scales_cost_111486_parameters() -> None:
    """The variant that knows its neighbours has 2,009,507 with a classifier of 17."""
    assert parameters(EDGCN(scales=(2, 2))) == 2_009_507 - (384 * 17 + 17) == counted(25, 1, 3, scales=2)
