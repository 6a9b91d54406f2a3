"""VICReg, BYOL and SimSiam: their losses written out, and what gets no gradient."""

import pytest
import torch
from mgbench_plugins.methods.byol import BYOL, distance
from mgbench_plugins.methods.simsiam import SimSiam
from mgbench_plugins.methods.vicreg import VICReg, redundancy, spread
from torch import Generator, Tensor
from training import built, drawn, loss_of, move, slopes


def embeddings(rows: int, width: int, seed: int = 0) -> Tensor:
    """Return random embeddings in float64."""
    return torch.randn(rows, width, generator=Generator().manual_seed(seed), dtype=torch.float64) * 3


@pytest.mark.parametrize(("rows", "width"), [(5, 9), (9, 5), (6, 6)])
def test_redundancy_is_the_square_of_covariances_between_features(rows: int, width: int) -> None:
    """The same number whichever of the two products is made."""
    z = embeddings(rows, width)
    covariance = torch.cov(z.T)
    expected = (covariance.square().sum() - covariance.diagonal().square().sum()) / width

    torch.testing.assert_close(redundancy(z), expected)


def test_spread_punishes_features_that_vary_less_than_one() -> None:
    """The hinge is 1 - sqrt(var + 1e-4), and zero for features that vary more."""
    z = torch.tensor([[0.0, 10.0], [1.0, -10.0]], dtype=torch.float64)

    torch.testing.assert_close(spread(z), torch.tensor((1 - (0.5 + 1e-4) ** 0.5) / 2, dtype=torch.float64))


def test_vicreg_is_its_three_terms() -> None:
    """25 times the squared distance, 25 times the mean hinge of both views, and both views' covariances."""
    method = VICReg(projector=32)
    objective, batch = built(method), drawn(method)
    a, b = objective.projector([objective.backbone(*view) for view in batch.views])
    hinges = [torch.relu(1 - (z.var(dim=0) + 1e-4).sqrt()).mean() for z in (a, b)]
    covariances = [torch.cov(z.T).fill_diagonal_(0).square().sum() / 32 for z in (a, b)]
    expected = 25 * torch.nn.functional.mse_loss(a, b) + 25 * sum(hinges) / 2 + sum(covariances)

    torch.testing.assert_close(loss_of(objective, batch), expected)


def test_distance_is_half_the_squared_distance_of_unit_vectors() -> None:
    """One minus the cosine; the target gets no gradient."""
    prediction, target = (embeddings(4, 6, seed).requires_grad_() for seed in (0, 1))
    loss = distance(prediction, target)
    loss.backward()  # type: ignore[no-untyped-call] # torch's own
    halves = torch.nn.functional.normalize(prediction, dim=1) - torch.nn.functional.normalize(target, dim=1)

    torch.testing.assert_close(loss, halves.square().sum(dim=1).mean() / 2)
    assert prediction.grad is not None
    assert target.grad is None


def test_byol_predicts_the_copys_projection_of_the_other_view() -> None:
    """Both ways round; the copy gets no gradient, and its momentum rises from `ema` to one."""
    method = BYOL(projection=8, hidden=16, ema=0.9)
    objective, twin, batch = built(method), built(method), drawn(method)
    move(objective.target)
    move(twin.target)
    loss = loss_of(objective, batch)
    first, second = ((twin.predictor(twin.online.projector(twin.backbone(*view)))) for view in batch.views)
    targets = [twin.target.module.projector(twin.target.module.backbone(*view)) for view in reversed(batch.views)]
    expected = sum(1 - torch.nn.functional.cosine_similarity(p, t, dim=1).mean() for p, t in zip((first, second), targets, strict=True))

    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(slopes(loss, objective), slopes(expected, twin))


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.1), (0.25, 0.1 * (2 + 2**0.5) / 4), (0.5, 0.05), (1.0, 0.0)])
def test_byols_copy_follows_ever_less(progress: float, share: float) -> None:
    """Its momentum is 1 - (1 - ema) (cos(pi progress) + 1) / 2: `ema` at first, one at last, and not halfway along a line between."""
    objective = built(BYOL(projection=8, hidden=16, ema=0.9))
    weight, copied = objective.online.projector[0].weight, objective.target.module.projector[0].weight
    before = copied.clone()
    with torch.no_grad():
        weight += 1
    objective.step(progress)

    torch.testing.assert_close(copied - before, torch.full_like(copied, share))


def test_simsiam_predicts_the_other_views_projection() -> None:
    """The mean of both directions; nothing flows back through a target, so a predictor that is constant teaches nothing."""
    method = SimSiam(projection=16)
    objective, batch = built(method), drawn(method)
    first, second = (objective.projector(objective.backbone(*view)) for view in batch.views)
    cosine = torch.nn.functional.cosine_similarity
    expected = 1 - (cosine(objective.predictor(first), second).mean() + cosine(objective.predictor(second), first).mean()) / 2
    torch.testing.assert_close(loss_of(objective, batch), expected)

    with torch.no_grad():
        objective.predictor[-1].weight.zero_()
    loss_of(objective, batch).backward()  # type: ignore[no-untyped-call] # torch's own
    assert all(not weight.grad.any() for weight in objective.projector.parameters())
