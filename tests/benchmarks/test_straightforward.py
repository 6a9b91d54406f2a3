"""The training step is the straightforward one, only faster: same loss, same gradients."""

import pytest
import torch
from made import SKELETON, make_clips, make_pair
from mgbench_plugins.encoders.stgcn import STGCN
from mgbench_plugins.methods.barlow_twins import BarlowTwins
from mgbench_plugins.methods.mgrl import MGRL
from mgbench_plugins.methods.pstl import PSTL
from torch import Tensor

from mgbench import Batch, Method
from mgbench.train import draw_batch


METHODS = [MGRL(projector=64), PSTL(projector=64), BarlowTwins(projector=64), MGRL(projector=16), BarlowTwins(projector=8)]


def both(method: Method, dtype: torch.dtype, clips: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return loss and gradients of the step that is shipped and of the straightforward one, from the same views and parameters."""
    objective, step, names = make_pair(method, STGCN(width=8, features=64, dropout=0.0))
    generator = torch.Generator().manual_seed(3)
    batch = draw_batch(method, make_clips(clips, persons=1), torch.arange(clips), SKELETON, generator)
    batch = Batch(tuple(view._replace(x=view.x.to(dtype)) for view in batch.views), None, batch.index, batch.length)
    loss, expected = objective.to(dtype)(batch, generator)["loss"], step.to(dtype)(batch)
    loss.backward()
    expected.backward()
    mine, theirs = dict(objective.named_parameters()), dict(step.named_parameters())

    assert set(names.values()) == set(mine)

    ours, straight = {"loss": loss.detach()}, {"loss": expected.detach()}
    for name, other in names.items():
        one, two = mine[other].grad, theirs[name].grad
        assert one is not None, other
        assert two is not None, name
        ours[name], straight[name] = one.view_as(two), two
    return ours, straight


def distance(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Return the root of the summed squares of all differences between gradients, relative to those of the second."""
    names = one.keys() - {"loss"}
    apart = sum(float((one[name].double() - other[name].double()).square().sum()) for name in names)
    return float((apart / sum(float(other[name].double().square().sum()) for name in names)) ** 0.5)


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_loss_and_every_gradient_are_those_of_the_straightforward_step(method: Method) -> None:
    """In float64, without dropout: the loss to 1e-12, each gradient to 1e-10 of the largest."""
    ours, straight = both(method, torch.float64, 12)
    largest = max(float(gradient.abs().max()) for name, gradient in straight.items() if name != "loss")

    torch.testing.assert_close(ours["loss"], straight["loss"], rtol=1e-12, atol=0)
    for name, gradient in straight.items():
        assert float((ours[name] - gradient).abs().max()) < 1e-10 * largest, name


@pytest.mark.parametrize("method", METHODS[:3], ids=str)
def test_float32_is_as_good_as_the_straightforward_float32(method: Method) -> None:
    """Ten blocks of batch norm and ReLU turn rounding into a thousandth of the gradient; channels last, batch norm rounds more."""
    (ours, straight), (truth, _) = both(method, torch.float32, 32), both(method, torch.float64, 32)

    torch.testing.assert_close(ours["loss"].double(), truth["loss"], rtol=1e-5, atol=0)
    assert distance(straight, truth) > 1e-4  # no float32 comes nearer
    assert distance(ours, truth) < 2e-2
