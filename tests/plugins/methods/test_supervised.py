"""The supervised ceiling: cross-entropy of a linear layer on pooled features."""

import pytest
import torch
from mgbench_plugins.encoders.stgcn import STGCN
from mgbench_plugins.methods.supervised import Supervised
from torch import Generator, Tensor

from mgbench import Backbone, Batch, Objective, SpecError, View, load_skeleton
from mgbench.data import Dense
from mgbench.registry import registry
from mgbench.train import draw_batch


SKELETON = load_skeleton("kinect25")


def objective(method: Supervised, classes: int = 5) -> Objective:
    """Return a small objective without dropout, in float64."""
    torch.manual_seed(0)
    return method.build(Backbone(STGCN(width=4, features=16, dropout=0.0), SKELETON, 1), classes).double().train()


def batch(views: int = 1) -> Batch:
    """Return six labelled clips, each view with its own values."""
    generator = Generator().manual_seed(0)
    drawn = tuple(View(torch.randn(6, 1, 3, 12, 25, generator=generator, dtype=torch.float64)) for _ in range(views))
    return Batch(drawn, torch.tensor([0, 4, 2, 2, 1, 0]), torch.arange(6), torch.full((6,), 12))


def cross_entropy(logits: Tensor, label: Tensor, smoothing: float) -> Tensor:
    """Return the mean of -sum_c q_c log p_c; q gives the label 1 - smoothing and each class smoothing / classes."""
    share = logits.exp() / logits.exp().sum(dim=1, keepdim=True)
    wanted = torch.full_like(logits, smoothing / logits.shape[1])
    wanted[torch.arange(len(label)), label] += 1 - smoothing
    return -(wanted * share.log()).sum(dim=1).mean()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_cross_entropy(smoothing: float) -> None:
    """It is the cross-entropy of the linear layer's logits against the labels, smoothed where asked."""
    module, drawn = objective(Supervised(smoothing=smoothing)), batch()
    logits = module.head(module.backbone(drawn.views[0].x))  # type: ignore[operator] # modules' parts are of any type
    assert drawn.label is not None
    expected = cross_entropy(logits, drawn.label, smoothing)

    torch.testing.assert_close(module(drawn, Generator())["loss"], expected, check_dtype=False, rtol=1e-5, atol=1e-6)


def test_several_views_are_averaged() -> None:
    """With more than one view the loss is the mean of theirs."""
    module, drawn = objective(Supervised()), batch(views=3)
    alone = [Batch((view,), drawn.label, drawn.index, drawn.length) for view in drawn.views]
    single = [module(one, Generator())["loss"] for one in alone]

    torch.testing.assert_close(module(drawn, Generator())["loss"], torch.stack(single).mean())


def test_labels_are_those_of_the_clips_drawn() -> None:
    """Each clip of a batch comes with its own label."""
    x = torch.randn(6, 1, 3, 12, 25, generator=Generator().manual_seed(0))
    data = Dense(x, torch.tensor([5, 4, 3, 2, 1, 0]), torch.full((6,), 12))
    drawn = draw_batch(Supervised(augment=()), data, torch.tensor([4, 0]), SKELETON, Generator().manual_seed(0))

    assert drawn.label is not None
    assert drawn.label.tolist() == [1, 5]
    assert torch.equal(drawn.views[0].x, x[[4, 0]])


def test_the_layer_has_one_output_a_class() -> None:
    """The head goes from D to the classes of the data set."""
    assert objective(Supervised(), classes=7).head.weight.shape == (7, 16)  # type: ignore[union-attr] # modules' parts are of any type


def test_the_backbone_is_what_is_kept() -> None:
    """It is probed like any other encoder, without its head."""
    module = objective(Supervised())

    assert module.embedder() is module.backbone


def test_boards_are_told_that_labels_were_used() -> None:
    """The method says so itself."""
    assert Supervised().uses_labels


@pytest.mark.parametrize("value", ["-0.1", "1.0"])
def test_smoothing_is_a_share_below_one(value: str) -> None:
    """Smoothing out of range is refused."""
    with pytest.raises(SpecError, match="supervised: 'smoothing' must be"):
        registry().parse("method", f"supervised[smoothing={value}]")
