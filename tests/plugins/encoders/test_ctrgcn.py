"""CTR-GCN against a straightforward one with the same weights, written as its paper writes it."""

import itertools
from typing import Any

import pytest
import torch
from mgbench_plugins.encoders.ctrgcn import CTRGCN
from networks import LAYOUTS, built, clips, parameters
from plain import branched, convolved, entered, everyone, normalised
from torch import Tensor
from torch.nn import functional

from mgbench import load_skeleton
from mgbench.graph import directed_partition, load_graph


TINY = CTRGCN(width=8)
BATCH = torch.tensor([0, 2, 3, 5, 8, 12, 13, 19, 20, 24])
EACH = torch.tensor([[*range(17)], [*range(8, 25)], [*range(4), *range(6, 14), *range(16, 21)]])
MASKS = {"all": None, "batch": BATCH, "each": EACH}


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
    kept, training = everyone(clip, joints), network.training
    x = entered(clip, network.normalise.norm.norm, kept, training=training)
    kept = kept.repeat_interleave(clip.shape[1], dim=0)
    for number, unit in enumerate(network.units):
        stride = 2 if number in {4, 7} else 1
        y = normalised(refined(x, unit.spatial, kept), unit.norm, training=training)
        y = y + (x if isinstance(unit.down, torch.nn.Identity) else convolved(x, unit.down, 1, training=training))
        y = branched(functional.relu(y), unit.temporal, (1, 2), stride, training=training)
        if number > 0:
            y = y + (x if isinstance(unit.shortcut, torch.nn.Identity) else convolved(x, unit.shortcut, stride, training=training))
        x = functional.relu(y)
    return x.unflatten(0, (len(clip), clip.shape[1]))


def drawn(skeleton: str = "kinect25", persons: int = 1) -> Any:
    """Return a small network whose weights are all drawn, and whose ten units do not multiply to numbers that drown differences."""
    network = built(TINY, skeleton, persons)
    with torch.no_grad():
        for unit in network.units:
            unit.norm.weight.mul_(0.1)
            unit.temporal.norm.weight.mul_(0.1)
    return network


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("mask", sorted(MASKS))
@pytest.mark.parametrize("persons", [1, 2])
def test_map_and_gradients_are_those_of_the_plain_network(persons: int, mask: str, training: bool) -> None:
    """With joints dropped or not, for the batch or a clip, one person or two, values and gradients agree in float64."""
    network, joints = drawn(persons=persons).train(training), MASKS[mask]
    ours, theirs = (clips(persons=persons, frames=9).requires_grad_() for _ in range(2))
    features, expected = network(ours, joints), reference(network, theirs, joints)
    weights = list(network.parameters())
    direction = torch.randn(expected.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    torch.testing.assert_close(features, expected)
    found = torch.autograd.grad(features, [ours, *weights], direction)
    right = torch.autograd.grad(expected, [theirs, *weights], direction)
    rounding = 1e-13 * max(b.abs().max().item() for b in right)
    for a, b in zip(found, right, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=rounding)


@pytest.mark.parametrize(("skeleton", "persons"), LAYOUTS)
def test_other_skeletons_go_through_the_same_network(skeleton: str, persons: int) -> None:
    """The network takes any joints."""
    network, x = drawn(skeleton, persons).eval(), clips(2, persons, 7, skeleton)

    torch.testing.assert_close(network(x), reference(network, x))


def test_dropped_joints_are_gone() -> None:
    """What was recorded for dropped joints does not matter."""
    network, x = drawn().eval(), clips()
    other = x.clone()
    other[..., [joint for joint in range(25) if joint not in BATCH.tolist()]] = 99

    assert network(x, BATCH).shape[4] == len(BATCH)
    torch.testing.assert_close(network(other, BATCH), network(x, BATCH))


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
