"""CTR-GCN against a straightforward one with the same weights, written as its paper writes it."""

import itertools
from typing import Any

import pytest
import torch
from mgbench_plugins.encoders.ctrgcn import CTRGCN
from networks import LAYOUTS, MASKS, agree, built, clips, ignore_dropped, parameters
from plain import branched, tame, ten_units
from torch import Tensor

from mgbench import load_skeleton
from mgbench.graph import directed_partition, load_graph


TINY = CTRGCN(width=8)


def refined(x: Tensor, part: Any, kept: Tensor) -> Tensor:
    """Return the sum over three graphs a channel of `(N, C, T, V')`, clip by clip and graph by graph."""
    r, outer = part.relate.weight.shape[0] // 6, part.mix.weight.shape[0] // 3

    def product(z: Tensor, layer: Any, place: slice) -> Tensor:
        return torch.einsum("cab,oc->oab", z, layer.weight[place]) + layer.bias[place, None, None]

    found = []
    for one, own in zip(x, kept, strict=True):
        total = torch.zeros(outer, *one.shape[1:]).to(one)
        for k in range(3):
            target = product(one, part.relate, slice(k * r, (k + 1) * r)).mean(dim=1)
            source = product(one, part.relate, slice((3 + k) * r, (4 + k) * r)).mean(dim=1)
            apart = torch.tanh(target[:, :, None] - source[:, None, :])
            place = slice(k * outer, (k + 1) * outer)
            graph = part.shared[k][own][:, own] + part.alpha * product(apart, part.refine, place)
            total = total + torch.einsum("cuv,ctv->ctu", graph, product(one, part.mix, place))
        found.append(total)
    return torch.stack(found)


def reference(network: Any, clip: Tensor, joints: Tensor | None = None) -> Tensor:
    """Return the map `(N, M, D, T', V')`."""
    return ten_units(network, clip, joints, refined, lambda x, part, stride: branched(x, part, (1, 2), stride, training=network.training))


def drawn(skeleton: str = "kinect25", persons: int = 1) -> Any:
    """Return a small network whose weights are all drawn."""
    return tame(built(TINY, skeleton, persons))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("mask", sorted(MASKS))
@pytest.mark.parametrize("persons", [1, 2])
def test_map_and_gradients_are_those_of_the_plain_network(persons: int, mask: str, training: bool) -> None:
    """With joints dropped or not, for the batch or a clip, one person or two, values and gradients agree in float64."""
    agree(drawn(persons=persons).train(training), reference, MASKS[mask], persons, frames=9, atol=None)


@pytest.mark.parametrize(("skeleton", "persons"), LAYOUTS)
def test_other_skeletons_go_through_the_same_network(skeleton: str, persons: int) -> None:
    """The network takes any joints."""
    network, x = drawn(skeleton, persons).eval(), clips(2, persons, 7, skeleton)

    torch.testing.assert_close(network(x), reference(network, x))


def test_dropped_joints_are_gone() -> None:
    """What was recorded for dropped joints does not matter."""
    ignore_dropped(drawn().eval())


def test_it_starts_from_the_bones_alone() -> None:
    """Shared graphs start as the skeleton's, and nothing refines them before alpha has learnt."""
    torch.manual_seed(0)
    skeleton = load_skeleton("imigue22")
    part = CTRGCN().build(skeleton, 3, 1).units[2].spatial  # type: ignore[union-attr, index]

    assert torch.equal(part.shared, directed_partition(load_graph("bones", skeleton)))
    assert part.alpha.item() == 0


def test_weights_are_drawn_as_published() -> None:
    """Standard deviations follow what goes out of each graph or branch; norms of branches lie around one."""
    torch.manual_seed(0)
    unit = CTRGCN().build(load_skeleton("kinect25"), 3, 1).units[7]  # type: ignore[union-attr, index]

    assert unit.norm.weight.unique().item() == pytest.approx(1e-6)
    for weight, variance in (
        (unit.spatial.relate.weight, 2 / 16),
        (unit.spatial.refine.weight, 2 / 256),
        (unit.spatial.mix.weight, 2 / 256),
        (unit.temporal.enter.weight, 2 / 64),
        (unit.temporal.convs[1].weight, 2 / (64 * 5)),
        (unit.temporal.skip.weight, 2 / 64),
        (unit.temporal.norm.weight, 0.02**2),
    ):
        assert weight.var().item() == pytest.approx(variance, rel=0.2)


def counted(joints: int, persons: int, channels: int = 3, w: int = 64) -> int:
    """Count CTR-GCN's weights by a closed formula."""
    widths = [channels, w, w, w, w, 2 * w, 2 * w, 2 * w, 4 * w, 4 * w, 4 * w]
    total = 2 * persons * channels * joints
    for number, (inner, outer) in enumerate(itertools.pairwise(widths)):
        r, b = max(8, inner // 8), outer // 4
        total += 3 * joints**2 + 1 + 3 * (2 * (inner + 1) * r + (r + 1) * outer + (inner + 1) * outer) + 2 * outer
        total += 4 * (outer + 1) * b + 2 * 3 * b + 2 * (5 * b * b + b) + 2 * outer
        projections = (inner != outer) + (number > 0 and (inner != outer or number in {4, 7}))
        total += projections * ((inner + 1) * outer + 2 * outer)
    return total


@pytest.mark.parametrize(("persons", "classes", "published"), [(2, 60, 1_446_672), (1, 17, 1_435_471), (1, 32, 1_439_326)])
def test_it_has_as_many_parameters_as_the_public_code(persons: int, classes: int, published: int) -> None:
    """With a linear classifier the numbers are those of the public code, to the unit, and follow the formula."""
    assert parameters(CTRGCN(), persons=persons) == counted(25, persons) == published - (256 * classes + classes)


def test_the_formula_holds_for_other_skeletons_and_lifted_channels() -> None:
    """Joints enter the first norm and the shared graphs, channels the first unit."""
    assert parameters(CTRGCN(), "openpose18") == counted(18, 1)
    assert parameters(CTRGCN(lift="moment")) == counted(25, 1, 9)


def test_a_width_that_four_branches_cannot_share_is_refused() -> None:
    """The width is a multiple of four."""
    with pytest.raises(ValueError, match="must be a multiple of 4"):
        CTRGCN(width=6)
