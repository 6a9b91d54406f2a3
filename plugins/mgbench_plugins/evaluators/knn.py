"""Nearest neighbours by cosine similarity, which trains nothing [P&C, Su et al. 2020; ISC, Thoker et al. 2021; ActCLR, Lin et al. 2023]."""

import math

import attrs
import torch

from mgbench import Evaluation, Evaluator, Probe
from mgbench_plugins.evaluators.neighbours import directions, nearest_of_class


@attrs.frozen
class KNN(Evaluator):
    """Let the k training clips nearest in angle vote.

    Args:
        k: neighbours; 1 in P&C and ISC, 10, 20 and 40 in ActCLR.
        temperature: a vote weighs exp(similarity / temperature), 0.1 in ActCLR; with 0 all votes weigh the same.
        standardise: give every feature zero mean and unit variance over the training clips first.
    """

    name = "knn"

    k: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    temperature: float = attrs.field(default=0.0, validator=[attrs.validators.ge(0), attrs.validators.lt(math.inf)])
    standardise: bool = True

    def evaluate(self, probe: Probe) -> Evaluation:
        """Score classes by votes, ties of equal ones by the nearest neighbour of each class."""
        train, test = directions(probe, standardised=self.standardise)
        nearest = (test @ train.T).topk(min(self.k, len(train)), dim=1)
        labels = probe.train.label[nearest.indices]
        votes = torch.zeros(len(test), probe.classes, device=test.device, dtype=test.dtype)
        if self.temperature:
            weights = ((nearest.values - nearest.values[:, :1]) / self.temperature).exp()  # the nearest one's is 1, whatever the scale
            return Evaluation(votes.scatter_add_(1, labels, weights))
        votes.scatter_add_(1, labels, torch.ones_like(nearest.values))
        return Evaluation(votes + 0.25 * nearest_of_class(nearest.values, labels, probe.classes))
