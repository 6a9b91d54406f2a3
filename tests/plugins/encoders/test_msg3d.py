"""MS-G3D against a straightforward one with the same weights, and as many weights as its public code counts."""

from typing import Any

import pytest
import torch
from mgbench_plugins.encoders.msg3d import MSG3D
from mgbench_plugins.encoders.multiscale import Windowed
from networks import LAYOUTS, MASKS, agree, built, clips, ignore_dropped, parameters
from plain import msg3d, rings

from mgbench import load_skeleton
from mgbench.graph import load_graph, ring_adjacencies


TINY = MSG3D(scales=(3, 2), windows=(3, 5), width=6)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("mask", sorted(MASKS))
@pytest.mark.parametrize("persons", [1, 2])
def test_map_and_gradients_are_those_of_the_plain_network(persons: int, mask: str, training: bool) -> None:
    """With joints dropped or not, for the batch or a clip, one person or two, values and gradients agree in float64."""
    agree(built(TINY, persons=persons).train(training), msg3d, MASKS[mask], persons, frames=11)


def test_a_head_is_a_linear_layer_at_the_end() -> None:
    """With `head` the map has so many channels, and agrees."""
    network = built(MSG3D(scales=(1, 1), windows=(3,), width=6, head=5)).eval()

    assert network.width == 5
    agree(network, msg3d, None, persons=1, frames=11)


@pytest.mark.parametrize(("skeleton", "persons"), LAYOUTS)
def test_other_skeletons_go_through_the_same_network(skeleton: str, persons: int) -> None:
    """The graph is the skeleton's, whatever its joints."""
    network, x = built(TINY, skeleton, persons).eval(), clips(2, persons, 7, skeleton)

    torch.testing.assert_close(network(x), msg3d(network, x, skeleton=skeleton))


@pytest.mark.parametrize("mask", sorted(MASKS))
@pytest.mark.parametrize(("inner", "middle"), [(3, 8), (8, 8), (8, 3)])
def test_windows_need_not_be_unfolded(inner: int, middle: int, mask: str) -> None:
    """Where channels are mixed before the sum the numbers are those of the sum before the mixing, in training."""
    graph, joints = load_graph("bones", load_skeleton("kinect25")), MASKS[mask]
    torch.manual_seed(0)
    block = Windowed(inner, middle, 8, graph, 2, 5, 2).double()
    with torch.no_grad():
        block.sum.residual.normal_()
    x = torch.randn(3, 9, 25 if joints is None else joints.shape[-1], inner, dtype=torch.float64)
    maps = []
    for first in (True, False):
        block.first = first
        maps.append(block(x, joints))

    torch.testing.assert_close(*maps)


@pytest.mark.parametrize("frames", [1, 2, 8, 50])
def test_frames_are_halved_twice_and_rounded_up(frames: int) -> None:
    """Fifty frames become 25 and 13."""
    assert built(TINY).eval()(clips(1, frames=frames)).shape == (1, 1, 24, -(-frames // 4), 25)


def test_dropped_joints_are_gone() -> None:
    """The map has the kept joints alone, and what was recorded for others does not matter."""
    ignore_dropped(built(TINY).eval())


def test_float32_is_close() -> None:
    """In float32 the map stays within rounding of the plain network in float64."""
    network, x = built(TINY).eval(), clips()
    expected = msg3d(network, x)

    torch.testing.assert_close(network.float()(x.float()), expected.float(), rtol=1e-4, atol=1e-4)


def test_autocast_is_close() -> None:
    """Under bfloat16 autocast features stay within a few per cent."""
    network, x = built(TINY).eval().float(), clips().float()
    expected = network(x)
    with torch.autocast("cpu", torch.bfloat16):
        features = network(x)

    assert ((features.float() - expected).norm() / expected.norm()).item() < 0.05


def test_persons_meet_in_pooling_alone() -> None:
    """Pooling averages over persons, frames and joints; each person has a first norm of its own."""
    network, x = built(TINY, persons=2).eval(), clips(2, persons=2)
    features = network(x)

    torch.testing.assert_close(network.pool(features), features.sum(dim=(1, 3, 4)) / (2 * 5 * 25))
    assert not torch.allclose(network(x.flip(1)).flip(1), features)


def counted(channels: int, joints: int, persons: int, encoder: MSG3D) -> int:
    """Count MS-G3D's weights by a closed formula."""

    def over_time(inner: int, outer: int, stride: int) -> int:
        b = outer // 6
        projected = inner * outer + 3 * outer if inner != outer or stride != 1 else 0
        return 4 * ((inner * b + 3 * b) + (3 * b * b + 3 * b)) + (inner * b + 5 * b) + (inner * b + 3 * b) + projected

    w, (one, many) = encoder.width, encoder.scales
    total = 2 * persons * channels * joints
    for inner, middle, outer, stride in ((channels, w, w, 1), (w, w, 2 * w, 2), (2 * w, 2 * w, 4 * w, 2)):
        total += one * joints**2 + one * inner * middle + 3 * middle
        total += over_time(middle, outer, stride) + 2 * over_time(outer, outer, 1)
        for window in encoder.windows:
            total += many * (joints * window) ** 2 + many * inner * middle + 3 * middle + middle * outer * window + 3 * outer
    return total


@pytest.mark.parametrize(
    ("scales", "skeleton", "persons", "classes", "published"),
    [
        ((13, 6), "kinect25", 1, 17, 3_177_890), ((13, 6), "kinect25", 2, 17, 3_178_040), ((13, 6), "kinect25", 2, 32, 3_183_815),
        ((13, 6), "kinect25", 2, 60, 3_194_595), ((6, 3), "kinect25", 1, 17, 2_370_731), ((6, 3), "kinect25", 2, 17, 2_370_881),
        ((6, 3), "kinect25", 2, 32, 2_376_656), ((6, 3), "kinect25", 2, 60, 2_387_436), ((1, 1), "kinect25", 1, 17, 1_816_544),
        ((1, 1), "kinect25", 2, 17, 1_816_694), ((1, 1), "kinect25", 2, 32, 1_822_469), ((1, 1), "kinect25", 2, 60, 1_833_249),
        ((8, 8), "kinect25", 2, 17, 3_249_797), ((8, 8), "kinect25", 2, 32, 3_255_572), ((8, 8), "kinect25", 2, 60, 3_266_352),
        ((13, 6), "imigue22", 1, 32, 3_091_856), ((6, 3), "imigue22", 1, 32, 2_330_804),
    ],
)  # fmt: skip
def test_it_has_as_many_parameters_as_the_public_code(
    scales: tuple[int, int], skeleton: str, persons: int, classes: int, published: int
) -> None:
    """With a linear classifier the numbers are those of the public code, to the unit, and follow the formula."""
    encoder = MSG3D(scales=scales)
    backbone = parameters(encoder, skeleton, persons)

    assert backbone + 384 * classes + classes == published
    assert backbone == counted(3, len(load_skeleton(skeleton).joints), persons, encoder)


@pytest.mark.parametrize(("scales", "told"), [((13, 13), 4_365_307), ((6, 3), 2_462_746), ((1, 1), 1_908_559)])
def test_a_head_of_256_gives_the_counts_that_edgcns_paper_may_mean(scales: tuple[int, int], told: int) -> None:
    """EDGCN's paper prints 4.36 M, 2.46 M and 1.9 M; these are the only settings found that meet all three."""
    assert parameters(MSG3D(scales=scales, head=256)) == told


def test_lifted_channels_widen_the_first_stage_alone() -> None:
    """With second moments as further channels the formula holds."""
    assert parameters(MSG3D(lift="moment")) == counted(9, 25, 1, MSG3D())


@pytest.mark.parametrize("window", [1, 3])
def test_adjacencies_are_those_of_the_definition(window: int) -> None:
    """Rings by distances are rings by powers of A + I, over a window of the same graph in all frames."""
    skeleton = load_skeleton("kinect25")
    ours = ring_adjacencies(load_graph("bones", skeleton), 13, window)
    bones = torch.zeros(25, 25)
    for child, parent in skeleton.bones:
        bones[child, parent] = bones[parent, child] = 1
    linked = torch.kron(bones + torch.eye(25), torch.ones(window, window)) if window > 1 else bones

    torch.testing.assert_close(ours, rings(linked.double(), 13).float())


@pytest.mark.parametrize("wrong", [{"windows": (4,)}, {"windows": (0,)}, {"width": 8}, {"scales": (0, 1)}])
def test_what_cannot_be_built_is_refused(wrong: dict[str, Any]) -> None:
    """Even windows have no middle, and six branches share the width."""
    with pytest.raises(ValueError, match=r"must be"):
        MSG3D(**wrong)
