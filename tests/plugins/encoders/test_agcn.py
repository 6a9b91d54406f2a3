"""2s-AGCN against a straightforward one with the same weights, written as its paper writes it."""

import itertools
from typing import Any

import pytest
import torch
from mgbench_plugins.encoders.agcn import AGCN
from networks import LAYOUTS, MASKS, agree, built, clips, ignore_dropped, parameters
from plain import convolved, directions, tame, ten_units
from torch import Tensor

from mgbench import load_skeleton


TINY = AGCN(width=4)


def adapted(x: Tensor, part: Any, bones: Tensor, kept: Tensor) -> Tensor:
    """Return the sum over three graphs of `(N, C, T, V')`, clip by clip and graph by graph."""
    e, outer = part.embed.weight.shape[0] // 6, part.mix.weight.shape[0] // 3
    found = []
    for one, own in zip(x, kept, strict=True):
        total = torch.zeros(outer, *one.shape[1:]).to(one)
        for k in range(3):
            theta, phi = (
                torch.einsum("ctv,ec->etv", one, part.embed.weight[place]) + part.embed.bias[place, None, None]
                for place in (slice(k * e, (k + 1) * e), slice((3 + k) * e, (4 + k) * e))
            )
            likeness = torch.einsum("etv,etw->vw", theta, phi) / (e * one.shape[1])
            graph = (bones[k] + part.learnt[k])[own][:, own] + likeness.softmax(dim=0)
            place = slice(k * outer, (k + 1) * outer)
            total = total + torch.einsum("ctv,vw,oc->otw", one, graph, part.mix.weight[place])
            total = total + part.mix.bias[place, None, None]
        found.append(total)
    return torch.stack(found)


def reference(network: Any, clip: Tensor, joints: Tensor | None = None, skeleton: str = "kinect25") -> Tensor:
    """Return the map `(N, M, D, T', V')`."""
    bones = directions(skeleton).to(clip)
    return ten_units(
        network,
        clip,
        joints,
        lambda x, part, kept: adapted(x, part, bones, kept),
        lambda x, part, stride: convolved(x, part, stride, training=network.training),
    )


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
    """The graph is the skeleton's, whatever its joints."""
    network, x = drawn(skeleton, persons).eval(), clips(2, persons, 7, skeleton)

    torch.testing.assert_close(network(x), reference(network, x, skeleton=skeleton))


def test_dropped_joints_are_gone() -> None:
    """What was recorded for dropped joints does not matter, not for the likeness of others either."""
    ignore_dropped(drawn().eval())


def test_likeness_is_shared_out_among_sources() -> None:
    """What a joint takes from all sources by likeness sums to one."""
    part = drawn().units[3].spatial
    x = torch.randn(2, 5, 25, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    torch.testing.assert_close(part.likeness(x).sum(dim=2), torch.ones(2, 3, 25, dtype=torch.float64))


def test_weights_are_drawn_as_published() -> None:
    """Standard deviations follow what goes out, of all three graphs for their product; norms before residuals start near zero."""
    torch.manual_seed(0)
    unit = AGCN().build(load_skeleton("kinect25"), 3, 1).units[7]  # type: ignore[union-attr, index]

    assert unit.norm.weight.unique().item() == pytest.approx(1e-6)
    assert unit.spatial.learnt.unique().item() == pytest.approx(1e-6)
    for weight, variance in (
        (unit.spatial.embed.weight, 2 / 64),
        (unit.spatial.mix.weight, 2 / (256 * 128 * 3)),
        (unit.temporal.conv.weight, 2 / (256 * 9)),
        (unit.shortcut.conv.weight, 2 / 256),
    ):
        assert weight.var().item() == pytest.approx(variance, rel=0.05)
    assert not any(bias.any() for name, bias in unit.named_parameters() if name.endswith("bias"))


def counted(joints: int, persons: int, channels: int = 3, w: int = 64) -> int:
    """Count 2s-AGCN's weights by a closed formula."""
    widths = [channels, w, w, w, w, 2 * w, 2 * w, 2 * w, 4 * w, 4 * w, 4 * w]
    total = 2 * persons * channels * joints
    for number, (inner, outer) in enumerate(itertools.pairwise(widths)):
        total += 3 * joints**2 + 6 * (inner + 1) * (outer // 4) + 3 * (inner + 1) * outer + 2 * outer
        total += outer * (9 * outer + 1) + 2 * outer
        projections = (inner != outer) + (number > 0 and (inner != outer or number in {4, 7}))
        total += projections * ((inner + 1) * outer + 2 * outer)
    return total


@pytest.mark.parametrize(("persons", "classes", "published"), [(2, 60, 3_469_510), (1, 17, 3_458_309), (1, 32, 3_462_164)])
def test_it_has_as_many_parameters_as_the_public_code(persons: int, classes: int, published: int) -> None:
    """With a linear classifier the numbers are those of the public code, to the unit, and follow the formula."""
    assert parameters(AGCN(), persons=persons) == counted(25, persons) == published - (256 * classes + classes)


def test_the_formula_holds_for_other_skeletons_and_lifted_channels() -> None:
    """Joints enter the first norm and the learnt graphs, channels the first unit."""
    assert parameters(AGCN(), "openpose18") == counted(18, 1)
    assert parameters(AGCN(lift="moment")) == counted(25, 1, 9)
