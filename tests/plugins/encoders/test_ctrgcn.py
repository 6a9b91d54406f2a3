"""CTR-GCN's graphs, its first weights, and as many weights as its public code counts."""

import itertools

import pytest
import torch
from mgbench_plugins.encoders.ctrgcn import CTRGCN
from networks import parameters

from mgbench import load_skeleton
from mgbench.graph import directed_partition, load_graph


def test_it_starts_from_the_bones_alone() -> None:
    """Shared graphs start as the skeleton's, and nothing refines them before alpha has learnt."""
    torch.manual_seed(0)
    skeleton = load_skeleton("imigue22")
    part = CTRGCN().build(skeleton, 3, 1).units[2].spatial  # type: ignore[union-attr, index] # modules' parts are of any type

    assert torch.equal(part.shared, directed_partition(load_graph("bones", skeleton)))
    assert part.alpha.item() == 0


def test_weights_are_drawn_as_published() -> None:
    """Standard deviations follow what goes out of each graph or branch; norms of branches lie around one."""
    torch.manual_seed(0)
    unit = CTRGCN().build(load_skeleton("kinect25"), 3, 1).units[7]  # type: ignore[union-attr, index] # modules' parts are of any type

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
