"""AimCLR: its three terms, its attention drop, and its mining phase, written out."""

import pytest
import torch
from mgbench_plugins.methods.aimclr import AimCLR, attention_drop
from mgbench_plugins.methods.contrast import similarities
from torch import Generator, Tensor
from training import built, drawn, loss_of, move, phases, slopes


METHOD = AimCLR(queue=10, projection=8)


def dropped_by_loops(x: Tensor, threshold: float) -> Tensor:
    """Drop joints, then cells, of one clip and person `(D, T, V)`, one by one, as the paper's code does; attention is the whole's."""
    apart = (x - x.mean(dim=(1, 2), keepdim=True)).square()
    variance = apart.sum(dim=(1, 2), keepdim=True) / (x[0].numel() - 1)
    attention = 1 / (1 + torch.exp(-(apart / (4 * (variance + 1e-4)) + 0.5)))
    joints = [v for v in range(x.shape[2]) if float(attention[:, :, v].mean()) < threshold] or range(x.shape[2])
    cells = [place for place in torch.ones_like(x).nonzero().tolist() if float(attention[tuple(place)]) < threshold]
    y = torch.zeros_like(x)
    for d, t, v in cells or torch.ones_like(x).nonzero().tolist():
        y[d, t, v] = x[d, t, v] * (v in joints) * x.shape[2] / len(joints) * x.numel() / (len(cells) or x.numel())
    return y


@pytest.mark.parametrize("threshold", [0.0, 0.65, 0.67, 0.7, 1.0])
def test_what_stands_out_is_dropped(threshold: float) -> None:
    """Joints whose mean attention reaches the threshold, and cells that do; the rest is scaled up; where all would go, all stay."""
    x = torch.randn(3, 2, 5, 4, 6, generator=Generator().manual_seed(0), dtype=torch.float64).pow(3)
    expected = torch.stack([torch.stack([dropped_by_loops(x[n, m], threshold) for m in range(2)]) for n in range(3)])

    torch.testing.assert_close(attention_drop(x, threshold), expected)


def test_a_quarter_of_ordinary_cells_stands_out() -> None:
    """At 0.7 cells go that lie 1.18 deviations off, 24 % of normal ones; their mean attention is 0.68, so that joints go rarely."""
    x = torch.randn(4, 1, 32, 13, 25, generator=Generator().manual_seed(0), dtype=torch.float64)

    assert float((attention_drop(x, 0.7) == 0).double().mean()) == pytest.approx(0.24, abs=0.02)


@pytest.mark.parametrize("mining", [0.0, 1.0])
def test_the_loss_is_its_three_terms(mining: float) -> None:
    """InfoNCE of the normal view, with the three queries' neighbours once mining began, and half the two cross-entropies to its shares.

    Those shares are a target, so they get no gradient.
    """
    method = AimCLR(queue=10, projection=8, mining=mining)
    objective, twin, batch = built(method), built(method), drawn(method)
    move(objective.key)
    move(twin.key)
    loss = loss_of(objective, batch)
    normal = twin.query(batch.views[0])
    key = twin.key(batch.views[1])
    features = twin.backbone.map(*batch.views[2])
    queries = [normal, twin.query.project_map(features), twin.query.project_map(attention_drop(features, 0.7))]
    logits = [similarities(query, key, twin.queue.keys) / 0.07 for query in queries]
    target = logits[0].softmax(dim=1).detach()
    expected = torch.zeros((), dtype=torch.float64)
    for n in range(6):
        positives = {0} | ({1 + int(each[n, 1:].argmax()) for each in logits} if mining == 0 else set())
        share = logits[0][n].log_softmax(dim=0)
        expected = expected - sum(share[p] for p in positives) / len(positives) / 6
        for other in logits[1:]:
            expected = expected - (target[n] * other[n].log_softmax(dim=0)).sum() / 2 / 6

    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(slopes(loss, objective), slopes(expected, twin))


def test_mining_begins_when_its_share_of_training_is_done() -> None:
    """Half of training by default, as 150 of 300 epochs."""
    assert phases(METHOD, "mining") == [False, True, True]


def test_the_extreme_view_is_the_papers() -> None:
    """Flip, rotation, noise, blur and a masked axis upon crop and shear, each drawn clip by clip."""
    assert [step.name for step in METHOD.views[2]] == ["flip", "rotate", "noise", "blur", "channel_mask"]
    assert METHOD.views[:2] == ((), ())
