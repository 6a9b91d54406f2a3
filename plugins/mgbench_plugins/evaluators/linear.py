"""Linear evaluation of frozen features: one softmax layer, by a convex solver or by the recipes of the papers."""

import attrs
import torch
from torch import Tensor

from mgbench import Evaluation, Evaluator, Probe, Recipe
from mgbench.metrics import batch_mean_accuracy
from mgbench.model import Part, outputs, standardise
from mgbench.train import make_optimizer
from mgbench_plugins.evaluators.fitting import logistic_regression, softmax_layer, train_epochs


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


def _by_epochs(linear: Linear, probe: Probe, train: Tensor, test: Tensor) -> Evaluation:
    """Train the layer by the recipe's epochs, as PSTL's and MGRL's code."""
    recipe, generator = linear.recipe, torch.Generator().manual_seed(probe.seed)
    layer = softmax_layer(train.shape[1], probe.classes, generator, train.device)
    optimizer = make_optimizer(recipe, layer.parameters())
    best = 0.0
    for _ in train_epochs(layer, optimizer, recipe, Part(train, probe.train.label), generator):
        if linear.paper_habit:
            predicted = outputs(layer, test).argmax(dim=1)
            best = max(best, batch_mean_accuracy(predicted, probe.test.label, recipe.batch_size))
    return Evaluation(outputs(layer, test), {"top1_paper_habit": best} if linear.paper_habit else {})
