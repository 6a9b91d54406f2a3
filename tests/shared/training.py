"""Objectives in float64 around a small encoder, and batches of random clips for them."""

from collections.abc import Callable
from typing import Any

import torch
from mgbench_plugins.encoders.stgcn import STGCN
from torch import Generator, Tensor

from mgbench import Backbone, Batch, Encoder, Method, View, load_skeleton
from mgbench.data import Dense
from mgbench.train import draw_batch


SKELETON = load_skeleton("kinect25")
CLASSES = 3
SMALL = STGCN(width=4, features=16, dropout=0.0)


def clips(count: int = 6, frames: int = 20) -> Dense:
    """Return random clips in float32, ready for training."""
    x = torch.randn(count, 1, 3, frames, 25, generator=Generator().manual_seed(0))
    return Dense(x, torch.arange(count) % CLASSES, torch.full((count,), frames))


def built(method: Method, seed: int = 0, encoder: Encoder = SMALL, persons: int = 1) -> Any:
    """Return the method's objective in float64 and in training, around an ST-GCN without dropout or another encoder."""
    torch.manual_seed(seed)
    return method.build(Backbone(encoder, SKELETON, persons), CLASSES).double().train()


def drawn(method: Method, seed: int = 0, count: int = 6, frames: int = 20) -> Batch:
    """Return a batch of all clips in float64."""
    batch = draw_batch(method, clips(count, frames), torch.arange(count), SKELETON, Generator().manual_seed(seed))
    views = tuple(view._replace(x=view.x.double()) for view in batch.views)
    return Batch(views, batch.label, batch.index, batch.length)


def move(module: torch.nn.Module, seed: int = 0) -> None:
    """Change every weight a little, so that a momentum copy is told from what it copies: at first they are equal."""
    generator = Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype))


def slopes(loss: Tensor, objective: torch.nn.Module) -> list[Tensor]:
    """Return the gradients of what learns, in the order of its parameters; zero where the loss does not reach."""
    learned = [weight for weight in objective.parameters() if weight.requires_grad]
    return list(torch.autograd.grad(loss, learned, allow_unused=True, materialize_grads=True))


def loss_of(objective: Any, batch: Batch, seed: int = 0) -> Tensor:
    """Return the loss of a batch."""
    loss: Tensor = objective(batch, Generator().manual_seed(seed))["loss"]
    return loss


def told(objective: Any, x: Tensor, length: Tensor | None = None, seed: int = 0) -> dict[str, Tensor]:
    """Return the loss of one view of these clips, and whatever else is told of it."""
    index = torch.arange(len(x))
    found: dict[str, Tensor] = objective(Batch((View(x, length=length),), None, index, index), Generator().manual_seed(seed))
    return found


def ignore_behind_the_end(told: Callable[[Tensor, Tensor], dict[str, Tensor]], x: Tensor) -> None:
    """Hold what is told of three clips and their lengths to the frames before their ends."""
    length = torch.tensor([6, 4, 1])
    changed = torch.where((torch.arange(6) >= length[:, None])[:, None, None, :, None], 99.0, x)

    for name, value in told(x, length).items():
        torch.testing.assert_close(value, told(changed, length)[name])


def phases(method: Method, name: str) -> list[bool]:
    """Return what an objective's flag is after a step at which 49, 50 and 100 % of training are done."""
    objective, batch, found = built(method), drawn(method), []
    for progress in (0.49, 0.5, 1.0):
        loss_of(objective, batch)
        objective.step(progress)
        found.append(bool(getattr(objective, name)))
    return found
