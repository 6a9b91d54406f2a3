"""Nearest neighbours by cosine similarity, which trains nothing [P&C, Su et al. 2020; ISC, Thoker et al. 2021]."""

import attrs
import torch
from torch.nn import functional

from mgbench import Evaluation, Evaluator, Probe
from mgbench.model import standardise


@attrs.frozen
class KNN(Evaluator):
    """Let the k training clips nearest in angle vote.

    Args:
        k: neighbours; 1 in P&C and ISC.
        standardise: give every feature zero mean and unit variance over the training clips first.
    """

    name = "knn"

    k: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    standardise: bool = True

    def evaluate(self, probe: Probe) -> Evaluation:
        """Score classes by votes, ties by the nearest neighbour of each class."""
        train, test = probe.train.x, probe.test.x
        if self.standardise:
            train, test = standardise(train, test)
        similarity = functional.normalize(test, dim=1) @ functional.normalize(train, dim=1).T
        nearest = similarity.topk(min(self.k, len(train)), dim=1)
        votes = torch.zeros(len(test), probe.classes, device=test.device, dtype=test.dtype)
        labels = probe.train.label[nearest.indices]
        votes.scatter_add_(1, labels, torch.ones_like(nearest.values))
        best = torch.full_like(votes, -1.0).scatter_reduce_(1, labels, nearest.values, "amax")
        return Evaluation(votes + 0.25 * best)
