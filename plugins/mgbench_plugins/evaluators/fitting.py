"""What evaluators fit: a softmax layer to its only optimum, or any module by the epochs of a recipe."""

import math
from collections.abc import Iterator

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from mgbench import Recipe
from mgbench.model import Part
from mgbench.train import descend, learning_rate, set_rate


def logistic_regression(x: Tensor, label: Tensor, classes: int, decay: float, iterations: int = 500) -> tuple[Tensor, Tensor]:
    """Return weights `(classes, D)` and biases that minimise mean cross-entropy + decay/2 |W|^2, in float64 by L-BFGS."""
    x = x.double()
    weight = torch.zeros(classes, x.shape[1], dtype=torch.float64, device=x.device, requires_grad=True)
    bias = torch.zeros(classes, dtype=torch.float64, device=x.device, requires_grad=True)
    solver = torch.optim.LBFGS(
        [weight, bias], max_iter=iterations, tolerance_grad=1e-6, tolerance_change=1e-12, history_size=20, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        solver.zero_grad()
        value = functional.cross_entropy(x @ weight.T + bias, label) + decay / 2 * weight.square().sum()
        value.backward()
        return value

    solver.step(loss)
    return weight.detach(), bias.detach()


def softmax_layer(features: int, classes: int, generator: Generator, device: torch.device) -> nn.Linear:
    """Return a layer `(N, D) -> (N, classes)` with Xavier-normal weights drawn on the processor, and no bias yet."""
    layer = nn.Linear(features, classes)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(classes, features, generator=generator) * math.sqrt(2 / (classes + features)))
        layer.bias.zero_()
    return layer.to(device)


def train_epochs(
    module: nn.Module,
    optimizer: Optimizer,
    recipe: Recipe,
    part: Part,
    generator: Generator,
    *,
    smoothing: float = 0.0,
    whole: bool = False,
) -> Iterator[int]:
    """Train a module `x -> (N, classes)` by cross-entropy, and yield the number of each epoch as it ends.

    Args:
        module: in training while an epoch lasts; the caller may put it into evaluation between two.
        optimizer: of its parameters, as the recipe has it.
        recipe: rates, epochs, batch size and limit of the gradients' norm.
        part: clips or features, and their labels.
        generator: of the orders of clips, on the processor.
        smoothing: of the labels.
        whole: whether an incomplete last batch is left out, unless it is the only one: statistics over few clips are poor.
    """
    clips = len(part.x)
    steps = max(clips // recipe.batch_size, 1) if whole else math.ceil(clips / recipe.batch_size)
    for epoch in range(recipe.epochs):
        module.train()
        order = torch.randperm(clips, generator=generator).to(part.x.device)
        for step, index in enumerate(order.split(recipe.batch_size)[:steps]):
            loss = functional.cross_entropy(module(part.x[index]), part.label[index], label_smoothing=smoothing)
            set_rate(optimizer, learning_rate(recipe, epoch * steps + step, recipe.epochs * steps))
            descend(optimizer, loss, recipe.clip)
        yield epoch
