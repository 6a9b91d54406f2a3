"""PSTL: three views, two losses, and the values of its public code."""

import torch
from mgbench_plugins.augmentations.crop import Crop
from mgbench_plugins.augmentations.csm import CentralSpatialMasking
from mgbench_plugins.augmentations.flip import Flip
from mgbench_plugins.augmentations.matm import MotionTemporalMasking
from mgbench_plugins.augmentations.rotate import Rotate
from mgbench_plugins.augmentations.shear import Shear
from mgbench_plugins.encoders.stgcn import STGCN
from mgbench_plugins.methods.pstl import PSTL
from torch import Generator, Tensor

from mgbench import Backbone, Batch, Recipe, View, load_skeleton
from mgbench.data import Dense
from mgbench.train import draw_batch


SKELETON = load_skeleton("kinect25")


def batch(method: PSTL, frames: int = 20, seed: int = 0) -> Batch:
    """Draw a batch of six random clips."""
    x = torch.randn(6, 1, 3, frames, 25, generator=Generator().manual_seed(0))
    data = Dense(x, torch.arange(6) % 3, torch.full((6,), frames))
    return draw_batch(method, data, torch.arange(6), SKELETON, Generator().manual_seed(seed))


def by_definition(a: Tensor, b: Tensor, lambd: float) -> Tensor:
    """Return the loss of two sets of projections, with the D x D matrix written out."""
    a, b = ((z - z.mean(dim=0)) / (z.var(dim=0, unbiased=False) + 1e-5).sqrt() for z in (a, b))
    c = a.T @ b / len(a)
    diagonal = torch.eye(len(c), dtype=torch.bool)
    return (c[diagonal] - 1).square().sum() + lambd * c[~diagonal].square().sum()


def test_an_anchor_is_compared_with_a_spatial_and_a_temporal_view() -> None:
    """The anchor is whole, one view lacks joints and one lacks frames: 30 of 50 are left."""
    anchor, spatial, temporal = batch(PSTL(), frames=50).views

    assert anchor.x.shape == (6, 1, 3, 50, 25)
    assert anchor.joints is None
    assert spatial.x.shape == anchor.x.shape
    assert spatial.joints is not None
    assert 17 <= len(spatial.joints) <= 21
    assert temporal.x.shape == (6, 1, 3, 30, 25)
    assert temporal.joints is None


def test_the_loss_is_the_sum_of_two() -> None:
    """It is the anchor's loss against the spatial view plus that against the temporal one, each normalised alone."""
    torch.manual_seed(0)
    backbone = Backbone(STGCN(width=4, features=16, dropout=0.0), SKELETON, 1)
    method = PSTL(projector=32)
    objective = method.build(backbone, 3).double().train()
    drawn = batch(method)
    views = tuple(View(view.x.double(), view.joints) for view in drawn.views)
    loss = objective(Batch(views, None, drawn.index, drawn.length), Generator())["loss"]
    anchor, spatial, temporal = (
        objective.projector([backbone(view.x, view.joints)])[0]  # type: ignore[operator] # modules' parts are of any type
        for view in views
    )

    torch.testing.assert_close(loss, by_definition(anchor, spatial, 2e-4) + by_definition(anchor, temporal, 2e-4))


def test_the_three_views_are_drawn_independently() -> None:
    """Without masks the three views still differ: crop, shear, rotation and flip are drawn for each."""
    first, second, third = (view.x for view in batch(PSTL(views=((), (), ()))).views)

    assert not torch.equal(first, second)
    assert not torch.equal(first, third)
    assert not torch.equal(second, third)


def test_the_backbone_is_what_is_kept() -> None:
    """The projector is thrown away after training."""
    backbone = Backbone(STGCN(width=4, features=16), SKELETON, 1)

    assert PSTL(projector=32).build(backbone, 3).embedder() is backbone


def test_defaults_are_those_of_the_public_code() -> None:
    """Augmentations in order and drawn per batch, masks, lambda, projector and recipe are PSTL's."""
    method = PSTL()

    assert method.augment == (
        Crop(ratio=6),
        Shear(amplitude=1.0),
        Rotate(degrees=30.0, others=1.0),
        Flip(p=0.5, mode="index"),
    )
    assert all(step.draw == "batch" for step in method.augment)  # type: ignore[attr-defined] # modules' parts are of any type
    assert method.views == ((), (CentralSpatialMasking(),), (MotionTemporalMasking(extra_random_drop=True),))
    assert (method.projector, method.lambd) == (6144, 2e-4)
    assert method.recipe == Recipe(lr=5e-3, weight_decay=1e-5, warmup=10, epochs=150, batch_size=128)
    assert (method.recipe.optimizer, method.recipe.schedule) == ("adam", "cosine")
    assert method.needs == {"drop_joints"}
