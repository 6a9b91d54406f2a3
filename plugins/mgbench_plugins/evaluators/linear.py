"""Linear evaluation of frozen features: one softmax layer, by a convex solver or by the recipes of the papers."""

import math

import attrs
import torch
from torch import Tensor, nn
from torch.nn import functional

from mgbench import Evaluation, Evaluator, Probe, Recipe
from mgbench.metrics import batch_mean_accuracy
from mgbench.model import standardise
from mgbench.train import descend, learning_rate, make_optimizer


@attrs.frozen
class Linear(Evaluator):
    """Fit a softmax layer on frozen features.

    The default solves the regularised problem to its only optimum, so that no learning rate decides a comparison. The papers'
    recipes are values: MGRL's `linear[optimizer=adam,lr=0.01,epochs=200,batch_size=32,weight_decay=0,standardise=false]`, which
    scores untrained features near chance, because it stops far from that optimum.

    Args:
        standardise: give every feature zero mean and unit variance over the training clips first.
        paper_habit: also report what the papers' code reports, the mean of batch accuracies at the best test epoch, as
            `top1_paper_habit`; it looks at the test labels to choose, and needs a recipe with epochs.
        recipe: `lbfgs` to the optimum with L2 `weight_decay` on the weights, or a gradient recipe.
    """

    name = "linear"

    standardise: bool = True
    paper_habit: bool = False
    recipe: Recipe = attrs.field(default=Recipe(optimizer="lbfgs", weight_decay=0.01, epochs=500), kw_only=True)

    def __attrs_post_init__(self) -> None:
        """Refuse the papers' habit where there are no epochs to choose from."""
        if self.paper_habit and self.recipe.optimizer == "lbfgs":
            msg = "paper_habit chooses among epochs, and 'lbfgs' has none; give optimizer=adam or sgd."
            raise ValueError(msg)

    def evaluate(self, probe: Probe) -> Evaluation:
        """Score the test features by the layer's logits."""
        train, test = probe.train.x, probe.test.x
        if self.standardise:
            train, test = (x.float() for x in standardise(train, test))
        if self.recipe.optimizer == "lbfgs":
            weight, bias = logistic_regression(train, probe.train.label, probe.classes, self.recipe.weight_decay, self.recipe.epochs)
            return Evaluation(test @ weight.T.to(test) + bias.to(test))
        return _by_epochs(self, probe, train, test)


def logistic_regression(x: Tensor, label: Tensor, classes: int, decay: float, iterations: int) -> tuple[Tensor, Tensor]:
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


def _by_epochs(linear: Linear, probe: Probe, train: Tensor, test: Tensor) -> Evaluation:
    """Train the layer by the recipe's epochs, as PSTL's and MGRL's code."""
    recipe, generator = linear.recipe, torch.Generator().manual_seed(probe.seed)
    weight = torch.randn(probe.classes, train.shape[1], generator=generator) * math.sqrt(2 / (probe.classes + train.shape[1]))
    layer = nn.Linear(train.shape[1], probe.classes).to(train.device)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.zero_()
    optimizer = make_optimizer(recipe, list(layer.parameters()))
    batches = math.ceil(len(train) / recipe.batch_size)
    best = 0.0
    for epoch in range(recipe.epochs):
        order = torch.randperm(len(train), generator=generator).to(train.device)
        for step, index in enumerate(order.split(recipe.batch_size)):
            loss = functional.cross_entropy(layer(train[index]), probe.train.label[index])
            descend(optimizer, loss, learning_rate(recipe, epoch * batches + step, recipe.epochs * batches), recipe.clip)
        if linear.paper_habit:
            with torch.no_grad():
                best = max(best, batch_mean_accuracy(layer(test).argmax(dim=1), probe.test.label, recipe.batch_size))
    with torch.no_grad():
        return Evaluation(layer(test), {"top1_paper_habit": best} if linear.paper_habit else {})
