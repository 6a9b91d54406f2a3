"""ActCLR: actionlets, what is mixed, and its phases."""

import attrs
import pytest
import torch
from mgbench_plugins.methods.actclr import ActCLR, averaging, stretched, transferred
from mgbench_plugins.methods.aimclr import AimCLR
from torch import Generator, Tensor
from torch.nn import functional
from training import SKELETON, built, drawn, loss_of, move, slopes

from mgbench import View


ACTING = ActCLR(queue=10, projection=8, candidates=6, start=0.0)


def test_training_starts_as_aimclr() -> None:
    """Before actionlets are used, the loss is AimCLR's; then it is not."""
    method = ActCLR(queue=10, projection=8, candidates=6)
    objective, batch = built(method), drawn(method)
    aimclr = built(AimCLR(queue=10, projection=8, mining=method.mining))
    first = loss_of(objective, batch)
    torch.testing.assert_close(first, loss_of(aimclr, batch))


def test_three_stages_follow_each_other() -> None:
    """AimCLR, AimCLR with neighbours, and actionlets, each from its share of training on: epochs 150 and 300 of 650."""
    objective, batch = built(ActCLR(queue=10, projection=8, candidates=6)), drawn(ACTING)
    stages = []
    for progress in (2.9 / 13, 3 / 13, 5.9 / 13, 6 / 13, 1.0):
        loss_of(objective, batch)
        objective.step(progress)
        stages.append((objective.mining, objective.acting))

    assert stages == [(False, False), (True, False), (True, False), (True, True), (True, True)]


def test_an_actionlet_is_the_gradient_of_unlikeness_to_the_mean_clip() -> None:
    """Channels weighed by their mean gradient, negative sums cut off, averaged within body parts, the largest cell one."""
    objective, batch = built(ACTING).eval(), drawn(ACTING)
    view = batch.views[0]
    encoder = objective.key.module
    cells = encoder.backbone.map(view.x).detach().requires_grad_()
    anchor = encoder(View(view.x.mean(dim=0, keepdim=True)))
    unlike = 1 - functional.cosine_similarity(encoder.project(cells.mean(dim=(1, 3, 4))), anchor, dim=1)
    (slope,) = torch.autograd.grad(unlike.sum(), cells)
    heat = torch.zeros(6, 1, cells.shape[3], 25, dtype=torch.float64)
    for n in range(6):
        for channel in range(cells.shape[2]):
            heat[n] += slope[n, :, channel].mean() * cells[n, :, channel].detach()
    heat = heat.clamp_min(0)
    for part in SKELETON.body_parts:
        heat[..., list(part)] = heat[..., list(part)].mean(dim=-1, keepdim=True)
    found = objective.actionlet(view)

    torch.testing.assert_close(found, heat / heat.amax(dim=(1, 2, 3), keepdim=True).clamp_min(1e-12))
    assert float(found.max()) == 1


def test_an_actionlet_needs_no_label_and_leaves_no_gradient() -> None:
    """It comes from the key encoder, whose weights ask for none, nor does what it returns."""
    objective, batch = built(ACTING), drawn(ACTING)

    assert batch.label is None
    assert not objective.actionlet(batch.views[0]).requires_grad


def test_joints_of_a_part_get_its_mean() -> None:
    """And joints of other parts have no share in it."""
    x = torch.arange(25.0)[None]
    mean = x @ averaging(SKELETON.body_parts, 25)

    for part in SKELETON.body_parts:
        torch.testing.assert_close(mean[0, list(part)], x[0, list(part)].mean().expand(len(part)))


def test_a_mask_is_stretched_over_the_frames_of_its_cells() -> None:
    """Five cells over twenty frames are four frames each."""
    mask = torch.rand(2, 1, 5, 25, generator=Generator().manual_seed(0))

    torch.testing.assert_close(stretched(mask, torch.zeros(2, 1, 3, 20, 25)), mask.repeat_interleave(4, dim=2)[:, :, None])


def test_transferred_clips_have_the_donors_statistics() -> None:
    """Means and spreads of every joint over time are the donor's, the course is the clip's own."""
    x = torch.randn(3, 1, 3, 9, 25, generator=Generator().manual_seed(0), dtype=torch.float64)
    donor = torch.tensor([1, 2, 0])
    y = transferred(x, donor)

    torch.testing.assert_close(y.mean(dim=3), x[donor].mean(dim=3))
    torch.testing.assert_close(y.std(dim=3), x[donor].std(dim=3))
    torch.testing.assert_close(
        (y - y.mean(dim=3, keepdim=True)) / y.std(dim=3, keepdim=True), (x - x.mean(dim=3, keepdim=True)) / x.std(dim=3, keepdim=True)
    )


@pytest.mark.parametrize("candidates", [6, 10])
def test_likeness_is_compared_on_the_nearest_entries(candidates: int) -> None:
    """The divergence of squared likeness to the query over the entries most similar to the key; those above 0.95 are left out of both.

    With ten candidates of ten entries there is no other to take the place of what is left out.
    """
    objective = built(attrs.evolve(ACTING, candidates=candidates))
    key, query = (
        functional.normalize(torch.randn(4, 8, generator=Generator().manual_seed(seed), dtype=torch.float64), dim=1) for seed in (0, 1)
    )
    objective.queue.keys[3] = key[0]
    torch.testing.assert_close(objective._unlike(query, key), divergence(query, key, objective.queue.keys, candidates))


def test_it_trains_in_half_precision() -> None:
    """Actionlets, which weigh coordinates, are as precise as these; the loss is a number, and near that of full precision."""
    objective, batch = built(ACTING).float(), drawn(ACTING)
    batch = attrs.evolve(batch, views=tuple(view._replace(x=view.x.float()) for view in batch.views))
    expected = loss_of(objective, batch)
    with torch.autocast("cpu", torch.bfloat16):
        found = loss_of(objective, batch)

    torch.testing.assert_close(found, expected, rtol=0.1, atol=0.01)


def test_likeness_is_in_full_precision_under_autocast() -> None:
    """Divided by 0.04, the error of half precision would be as large as differences between entries."""
    objective = built(ACTING).float()
    key, query = (functional.normalize(torch.randn(4, 8, generator=Generator().manual_seed(seed)), dim=1) for seed in (0, 1))
    expected = objective._unlike(query, key)
    with torch.autocast("cpu", torch.bfloat16):
        found = objective._unlike(query, key)

    assert torch.equal(found, expected)


def test_where_nothing_is_left_nothing_is_asked() -> None:
    """A queue of nothing but the key costs nothing, and no loss is without a number."""
    objective = built(ACTING)
    objective.queue.keys[:] = objective.queue.keys[0]
    key = objective.queue.keys[:4].clone()

    assert objective._unlike(key.roll(1, 1), key) == 0


def test_three_queries_resemble_their_keys() -> None:
    """The loss, clip by clip: what is pasted into what, which two halves a key has, and what is mixed.

    Also, the keys alone join the queue, and they get no gradient.
    """
    objective, twin, batch = built(ACTING), built(ACTING), drawn(ACTING)
    move(objective.key)
    move(twin.key)
    loss = loss_of(objective, batch, seed=3)
    normal, second, extreme, swapped = (view.x for view in batch.views)
    generator = Generator().manual_seed(3)
    donor = torch.rand(6, generator=generator).argsort()
    share = torch.rand(6, 1, generator=generator).double()
    encoder = twin.key.module
    with torch.no_grad():
        cells, mask = encoder.backbone.map(second), twin.actionlet(batch.views[1])
        halves = [
            (cells[n].mean(dim=(0, 2, 3)) + (cells[n] * mask[n].unsqueeze(1)).sum(dim=(0, 2, 3)) / mask[n].sum()) / 2 for n in range(6)
        ]
        key = functional.normalize(encoder.head(torch.stack(halves)), dim=1)
    paste = twin.actionlet(batch.views[0]).repeat_interleave(4, dim=2)[:, :, None]
    queries = [twin.query(View(paste * normal + (1 - paste) * rest)) for rest in (extreme, transferred(swapped, donor))]
    mixed = torch.stack([share[n] * normal[n] + (1 - share[n]) * normal[donor[n]] for n in range(6)])
    targets = [key, key, functional.normalize(share * key + (1 - share) * key[donor], dim=1)]
    expected = sum(divergence(q, k, twin.queue.keys, 6) for q, k in zip([*queries, twin.query(View(mixed))], targets, strict=True))

    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(slopes(loss, objective), slopes(expected, twin))  # type: ignore[arg-type] # a sum of three
    torch.testing.assert_close(objective.fresh, key)


def divergence(query: Tensor, key: Tensor, queue: Tensor, candidates: int) -> Tensor:
    """Return the mean over clips of sum p (log p - log q), entry by entry."""
    total = torch.zeros((), dtype=torch.float64)
    for q, k in zip(query, key, strict=True):
        toward = queue @ k
        chosen = [i for i in toward.argsort(descending=True).tolist() if toward[i] <= 0.95][:candidates]
        p = (toward[chosen] / 0.04).softmax(dim=0)
        r = ((queue[chosen] @ q).square() / 0.1).softmax(dim=0)
        total = total + (p * (p.log() - r.log())).sum() / len(query)
    return total
