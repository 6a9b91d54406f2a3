"""Neighbours in angle, for evaluators that let training clips answer for test clips."""

import torch
from torch import Tensor
from torch.nn import functional

from mgbench import Probe
from mgbench.model import standardise


def directions(probe: Probe, *, standardised: bool) -> tuple[Tensor, Tensor]:
    """Return the features of both sides with length one, before that with zero mean and unit variance over training where asked."""
    train, test = standardise(probe.train.x, probe.test.x) if standardised else (probe.train.x, probe.test.x)
    return functional.normalize(train, dim=1), functional.normalize(test, dim=1)


def nearest_of_class(similarity: Tensor, label: Tensor, classes: int) -> Tensor:
    """Return the highest similarity of each class `(N, classes)` to N clips, -1 for a class without any; label and similarity `(N, K)`."""
    least = torch.full((len(similarity), classes), -1.0, dtype=similarity.dtype, device=similarity.device)
    return least.scatter_reduce_(1, label, similarity, "amax")
