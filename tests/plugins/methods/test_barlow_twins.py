"""Barlow Twins: the projector of PSTL's code, and the loss of two independently drawn views."""

import pytest
import torch
from mgbench_plugins.encoders.stgcn import STGCN
from mgbench_plugins.methods.barlow_twins import BarlowTwins, Projector
from torch import Generator, Tensor, nn

from mgbench import Backbone, Batch, Recipe, View, load_skeleton
from mgbench.data import Dense
from mgbench.train import draw_batch


SKELETON = load_skeleton("kinect25")


def plain(projector: Projector) -> nn.Sequential:
    """Return the same projector as a chain of torch's layers, weights shared."""
    first, second, third = projector.layers
    return nn.Sequential(first, projector.norms[0], nn.ReLU(), second, projector.norms[1], nn.ReLU(), third)


def dense(clips: int = 6, frames: int = 20) -> Dense:
    """Return random clips ready for training."""
    x = torch.randn(clips, 1, 3, frames, 25, generator=Generator().manual_seed(0))
    return Dense(x, torch.arange(clips) % 3, torch.full((clips,), frames))


def two_views(method: BarlowTwins, seed: int = 0) -> Batch:
    """Draw a batch of all clips."""
    return draw_batch(method, dense(), torch.arange(6), SKELETON, Generator().manual_seed(seed))


def by_definition(a: Tensor, b: Tensor, lambd: float) -> Tensor:
    """Return the loss of two sets of projections, with the D x D matrix written out."""
    a, b = ((z - z.mean(dim=0)) / (z.var(dim=0, unbiased=False) + 1e-5).sqrt() for z in (a, b))
    c = a.T @ b / len(a)
    diagonal = torch.eye(len(c), dtype=torch.bool)
    return (c[diagonal] - 1).square().sum() + lambd * c[~diagonal].square().sum()


def test_the_projector_has_as_many_parameters_as_pstls() -> None:
    """From 256 features to three layers of 6144 it has 77,094,912 parameters."""
    with torch.device("meta"):
        projector = Projector(256, 6144)

    assert sum(parameter.numel() for parameter in projector.parameters()) == 77_094_912


def test_the_projector_is_three_layers_with_norm_and_relu_between() -> None:
    """Each view gets what a chain of linear, batch norm and ReLU layers without biases gives for that view alone."""
    torch.manual_seed(0)
    projector = Projector(8, 16).double()
    views = [torch.randn(n, 8, generator=Generator().manual_seed(n), dtype=torch.float64) for n in (7, 5, 9)]
    expected = [plain(projector)(view) for view in views]

    for found, wanted in zip(projector(views), expected, strict=True):
        torch.testing.assert_close(found, wanted)


def test_the_projectors_statistics_move_once_a_view() -> None:
    """Running statistics see the views one after another, as in separate passes."""
    torch.manual_seed(0)
    together = Projector(8, 16)
    apart = Projector(8, 16)
    apart.load_state_dict(together.state_dict())
    views = [torch.randn(6, 8, generator=Generator().manual_seed(n)) for n in range(3)]
    together(views)
    for view in views:
        plain(apart)(view)

    for name, value in apart.state_dict().items():
        torch.testing.assert_close(together.state_dict()[name], value)


@pytest.mark.parametrize("lambd", [2e-4, 1.0])
def test_the_loss_is_that_of_the_two_views_projections(lambd: float) -> None:
    """Each view passes backbone and projector by itself; the loss is the definition's."""
    torch.manual_seed(0)
    backbone = Backbone(STGCN(width=4, features=16, dropout=0.0), SKELETON, 1)
    method = BarlowTwins(projector=32, lambd=lambd)
    objective = method.build(backbone, 3).double().train()
    batch = two_views(method)
    first, second = (View(view.x.double()) for view in batch.views)
    loss = objective(Batch((first, second), None, batch.index, batch.length), Generator())["loss"]
    projector = plain(objective.projector)  # type: ignore[arg-type] # is one
    expected = by_definition(projector(backbone(first.x)), projector(backbone(second.x)), lambd)

    torch.testing.assert_close(loss, expected)


def test_views_are_drawn_independently() -> None:
    """Two views of one pipeline differ, another seed gives others, and the same seed the same."""
    first, second = (view.x for view in two_views(BarlowTwins()).views)

    assert not torch.equal(first, second)
    assert not torch.equal(first, two_views(BarlowTwins(), seed=1).views[0].x)
    assert torch.equal(first, two_views(BarlowTwins()).views[0].x)


def test_labels_are_not_given() -> None:
    """A self-supervised method sees clips alone."""
    assert two_views(BarlowTwins()).label is None


def test_defaults_are_pstls() -> None:
    """Projector, lambda, augmentations and recipe are those of PSTL's code, so that methods differ by views alone."""
    method = BarlowTwins()

    assert (method.projector, method.lambd) == (6144, 2e-4)
    assert [step.name for step in method.augment] == ["crop", "shear", "rotate", "flip"]
    assert method.views == ((), ())
    assert method.recipe == Recipe(lr=5e-3, weight_decay=1e-5, warmup=10, epochs=150, batch_size=128)
