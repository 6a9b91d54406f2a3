"""2s-AGCN's graphs, its first weights, and as many weights as its public code counts."""

import itertools

import pytest
import torch
from mgbench_plugins.encoders.agcn import AGCN
from networks import built, parameters
from plain_units import tame

from mgbench import load_skeleton


def test_likeness_is_shared_out_among_sources() -> None:
    """What a joint takes from all sources by likeness sums to one."""
    part = tame(built(AGCN(width=4))).units[3].spatial
    x = torch.randn(2, 5, 25, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    torch.testing.assert_close(part.likeness(x).sum(dim=2), torch.ones(2, 3, 25, dtype=torch.float64))


def test_weights_are_drawn_as_published() -> None:
    """Standard deviations follow what goes out, of all three graphs for their product; norms before residuals start near zero."""
    torch.manual_seed(0)
    unit = AGCN().build(load_skeleton("kinect25"), 3, 1).units[7]  # type: ignore[union-attr, index] # modules' parts are of any type

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
