"""SkeleMixCLR: what is pasted, how it is pooled, and which keys must be found."""

from collections.abc import Sequence

import pytest
import torch
from mgbench_plugins.encoders.skeleton_transformer import SkeletonTransformer
from mgbench_plugins.methods.contrast import info_nce, similarities
from mgbench_plugins.methods.skelemixclr import SkeleMixCLR, membership, pasted, pooled
from torch import Generator
from training import SKELETON, SMALL, built, drawn, loss_of, move

from mgbench import Encoder


METHOD = SkeleMixCLR(queue=10, projection=8)
BODY = SKELETON.body_parts
LONG_TOKENS = SkeletonTransformer(features=16, blocks=1, heads=2, patch=5, frames=20)


def masks(method: SkeleMixCLR, count: int, cells: int = 16) -> list[torch.Tensor]:
    """Return many draws."""
    generator = Generator().manual_seed(0)
    return [pasted(method, membership(BODY, 25), cells, generator) for _ in range(count)]


def test_whole_parts_are_pasted_during_one_span() -> None:
    """Two or three of the five parts in 7 to 11 of 16 cells, each number drawn sometimes; spans lie anywhere."""
    parts, spans, starts = set(), set(), set()
    for mask in masks(METHOD, 300):
        joints, cells = mask.any(dim=0), mask.any(dim=1)
        assert torch.equal(mask, cells[:, None] & joints)
        inside = [bool(joints[list(part)].all()) for part in BODY]
        assert [bool(joints[list(part)].any()) for part in BODY] == inside
        place = cells.nonzero().flatten()
        assert len(place) == place[-1] - place[0] + 1
        parts.add(sum(inside))
        spans.add(len(place))
        starts.add(int(place[0]))

    assert (parts, spans, starts) == ({2, 3}, {7, 8, 9, 10, 11}, set(range(10)))


def test_never_all_parts_are_pasted() -> None:
    """On a body of three parts at most two are, so that both clips are there."""
    three = BODY[:3]
    generator = Generator().manual_seed(0)
    drawn_parts = [pasted(METHOD, membership(three, 25), 16, generator).any(dim=0) for _ in range(50)]

    assert {sum(bool(joints[list(part)].all()) for part in three) for joints in drawn_parts} == {2}


def test_pooling_is_the_mean_of_the_cells_that_count() -> None:
    """Over persons, and the cells of weight one."""
    features = torch.randn(2, 2, 5, 4, 3, generator=Generator().manual_seed(0), dtype=torch.float64)
    weight = torch.zeros(4, 3, dtype=torch.float64)
    weight[1, 2] = weight[3, 0] = 1

    torch.testing.assert_close(pooled(features, weight), (features[:, :, :, 1, 2] + features[:, :, :, 3, 0]).mean(dim=1) / 2)


@pytest.mark.parametrize(("encoder", "places"), [(SMALL, range(5)), (LONG_TOKENS, (0, 1, 3, 4))], ids=["stgcn", "long tokens"])
def test_each_source_is_told_by_its_own_key(encoder: Encoder, places: Sequence[int]) -> None:
    """Pasted cells meet the donor's key, the others the own key, besides the ordinary contrast.

    A map of four times over twenty frames takes each from the one of five in whose stretch its middle lies: 2.5, 7.5, 12.5 and 17.5.
    """
    objective, twin, batch = built(METHOD, encoder=encoder), built(METHOD, encoder=encoder), drawn(METHOD, frames=20)
    move(objective.key)
    move(twin.key)
    loss = loss_of(objective, batch, seed=3)
    generator = Generator().manual_seed(3)
    own = twin.query(batch.views[0])
    keys = twin.key(batch.views[1])
    shift = int(torch.randint(1, 6, (), generator=generator))
    mask = pasted(METHOD, membership(BODY, 25), 5, generator)
    x, donor = batch.views[0].x, torch.arange(6).roll(-shift)
    mixed = torch.stack([torch.where(mask.repeat_interleave(4, dim=0), x[donor[i]], x[i]) for i in range(6)])
    features = twin.backbone.map(mixed)
    cells = mask[list(places)].double()
    expected = info_nce(similarities(own, keys, twin.queue.keys), 0.2)
    for weight, wanted in ((cells, keys[donor]), (1 - cells, keys)):
        expected = expected + info_nce(similarities(twin.query.project(pooled(features, weight)), wanted, twin.queue.keys), 0.2)

    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("values", [{"parts": (3, 2)}, {"parts": (0, 2)}, {"span": (0.5, 1.5)}])
def test_ranges_that_are_none_are_refused(values: dict[str, tuple[float, float]]) -> None:
    """Two numbers within bounds, the smaller first."""
    with pytest.raises(ValueError, match="the smaller first"):
        SkeleMixCLR(**values)  # type: ignore[arg-type] # parametrised
