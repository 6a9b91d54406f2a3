"""Retrieval: each test clip asks for the training clips of its class, nearest in angle first."""

from typing import Final

import attrs
import torch
from torch import Tensor

from mgbench import Evaluation, Evaluator, Probe
from mgbench.model import Part
from mgbench_plugins.evaluators.neighbours import directions, nearest_of_class


#: Ranks up to which precision is told, and queries at a time, for the sake of memory.
_RANKS: Final = (1, 5, 10)
_AT_ONCE: Final = 256


@attrs.frozen
class Retrieval(Evaluator):
    """Rank all training clips for each test clip; the class of the first is the answer.

    Also told are the mean average precision over the test clips whose class occurs in training, and the precision among the first 1, 5
    and 10.

    Args:
        standardise: give every feature zero mean and unit variance over the training clips first.
    """

    name = "retrieval"

    standardise: bool = True

    def evaluate(self, probe: Probe) -> Evaluation:
        """Score classes by their nearest training clip."""
        train, test = directions(probe, standardised=self.standardise)
        queries = [Part(x, label) for x, label in zip(test.split(_AT_ONCE), probe.test.label.split(_AT_ONCE), strict=True)]
        found = [_ask(query, Part(train, probe.train.label), probe.classes) for query in queries]
        scores, average, *precision = (torch.cat(column) for column in zip(*found, strict=True))
        told = average[average.isfinite()]
        extra = {f"precision_at_{rank}": float(values.mean()) for rank, values in zip(_RANKS, precision, strict=True)}
        return Evaluation(scores, {"mean_average_precision": float(told.mean()) if len(told) else 0.0, **extra})


def _ask(query: Part, bank: Part, classes: int) -> tuple[Tensor, ...]:
    """Return for each query the scores of classes, the average precision, and the precision up to each rank."""
    similarity = query.x @ bank.x.T
    order = similarity.argsort(dim=1, descending=True, stable=True)
    precision, relevant = ranked_precision(bank.label[order] == query.label[:, None])
    average = (precision * relevant).sum(dim=1) / relevant.sum(dim=1)  # no number where nothing is relevant
    scores = nearest_of_class(similarity, bank.label.expand(len(query.x), -1), classes)
    return scores, average, *(precision[:, min(rank, len(bank.x)) - 1] for rank in _RANKS)


def ranked_precision(right: Tensor) -> tuple[Tensor, Tensor]:
    """Return the share that is right up to each rank `(N, K)`, and as numbers what is right, given whether each rank is `(N, K)`."""
    relevant = right.double()
    return relevant.cumsum(dim=1) / torch.arange(1, right.shape[1] + 1, device=right.device), relevant
