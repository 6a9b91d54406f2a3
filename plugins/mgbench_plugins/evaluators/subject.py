"""Who is seen, told from features: what a representation keeps of the person, where it shall keep the gesture alone."""

from typing import ClassVar

import attrs
import torch
from torch import Generator, Tensor

from mgbench import Evaluation, Evaluator, Probe
from mgbench.components import Target
from mgbench.model import standardise
from mgbench_plugins.evaluators.fitting import logistic_regression


@attrs.frozen
class Subject(Evaluator):
    """Tell the people of the test clips apart, none of whom training has seen.

    Each person's clips are dealt to folds from the seed; every fold is scored by a softmax layer fitted on the others, as in `linear`.
    Also told is `chance`, the share of the person with most clips.

    Args:
        folds: of cross-validation.
        weight_decay: L2 on the weights.
    """

    name = "subject"
    target: ClassVar[Target] = "subject"

    folds: int = attrs.field(default=5, validator=attrs.validators.ge(2))
    weight_decay: float = attrs.field(default=0.01, validator=attrs.validators.ge(0))

    def evaluate(self, probe: Probe) -> Evaluation:
        """Score people by the layers' logits."""
        x, who = probe.test.x, probe.test.subject
        counts = who.bincount()
        fold = dealt(who.cpu(), self.folds, Generator().manual_seed(probe.seed)).to(x.device)
        scores = torch.zeros(len(x), len(counts), dtype=torch.float64, device=x.device)
        for held in (fold == number for number in fold.unique()):
            train, test = standardise(x[~held], x[held])
            weight, bias = logistic_regression(train, who[~held], len(counts), self.weight_decay)
            scores[held] = test @ weight.T + bias
        return Evaluation(scores.float(), {"chance": float(counts.max() / len(x))})


def dealt(who: Tensor, folds: int, generator: Generator) -> Tensor:
    """Return each clip's fold `(N,)`: every person's clips in a random order, dealt in turn, so that each fold has its share of them."""
    order = torch.randperm(len(who), generator=generator)
    order = order[who[order].argsort(stable=True)]
    fold = torch.empty_like(order)
    fold[order] = torch.arange(len(who)) % folds
    return fold
