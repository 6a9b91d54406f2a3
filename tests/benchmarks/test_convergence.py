"""What makes a step fast does not change what is learned: loss curves over the same batches, from the same parameters."""

from collections.abc import Callable
from functools import cache

import pytest
import torch
from made import SKELETON, make_clips, make_pair
from mgbench_plugins.encoders.stgcn import STGCN
from mgbench_plugins.methods.mgrl import MGRL
from torch import Tensor, nn

from mgbench import Batch, Recipe
from mgbench.train import draw_batch, make_optimizer


STEPS = 24
METHOD = MGRL(projector=64, recipe=Recipe(lr=2e-4, batch_size=16))
SMALL = STGCN(width=4, features=64, dropout=0.0)


def batches() -> list[Batch]:
    """Return the views of every step, drawn once."""
    data, generator = make_clips(32, persons=1), torch.Generator().manual_seed(0)
    return [draw_batch(METHOD, data, torch.randperm(32, generator=generator)[:16], SKELETON, generator) for _ in range(STEPS)]


def train(model: nn.Module, optimizer: torch.optim.Optimizer, loss_of: Callable[[Batch], Tensor]) -> Tensor:
    """Return the loss of every step."""
    losses = []
    for batch in batches():
        loss = loss_of(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))

    assert all(parameter.grad is not None for parameter in model.parameters())
    return torch.tensor(losses)


@cache
def straightforward() -> Tensor:
    """Return the curve of the straightforward step."""
    step = make_pair(METHOD, SMALL).step
    recipe = METHOD.recipe
    adam = torch.optim.Adam(step.parameters(), recipe.lr, weight_decay=recipe.weight_decay, foreach=False, fused=False)
    return train(step, adam, step)


def ours(*, bf16: bool = False, compiled: bool = False) -> Tensor:
    """Return the curve of the step that is shipped."""
    objective, generator = make_pair(METHOD, SMALL).objective, torch.Generator()
    call = torch.compile(objective, dynamic=False, backend="aot_eager") if compiled else objective

    def loss_of(batch: Batch) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            return call(batch, generator)["loss"]  # type: ignore[no-any-return] # objectives are typed loosely

    return train(objective, make_optimizer(METHOD.recipe, list(objective.parameters())), loss_of)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("curve", "apart"),
    [(ours, 0.02), (lambda: ours(bf16=True), 0.05), (lambda: ours(compiled=True), 0.02)],
    ids=["fp32", "bf16", "compile"],
)
def test_the_loss_falls_as_in_the_straightforward_step(curve: Callable[[], Tensor], apart: float) -> None:
    """Each choice stays beside the plain curve, on average over steps, and is far from the same numbers in another order."""
    plain, fast = straightforward(), curve()
    shuffled = plain.flip(0)

    assert plain[-8:].mean() < 0.9 * plain[:8].mean()
    assert ((fast - plain).abs() / plain).mean() < apart
    assert ((fast - shuffled).abs() / plain).mean() > 2 * apart
