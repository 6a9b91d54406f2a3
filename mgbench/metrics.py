"""What is measured on scores, predictions and features."""

import torch
from torch import Tensor


def batch_mean_accuracy(predicted: Tensor, label: Tensor, batch_size: int) -> float:
    """Return the mean accuracy of consecutive batches, the habit of the papers' code: a short last batch weighs as much as a full one."""
    right = (predicted == label).double()
    return float(torch.stack([batch.mean() for batch in right.split(batch_size)]).mean())


def effective_rank(features: Tensor) -> float:
    """Return RankMe of centred features `(N, D)`: exp of the entropy of their normalised singular values; 0 if they are constant.

    Singular values below rounding error, measured against the uncentred features, count as zero, so that noise around one
    point has no rank; the features' scale does not matter.
    """
    x = features.double()
    singular = torch.linalg.svdvals(x - x.mean(dim=0))
    singular = singular[singular > 1e-6 * torch.linalg.matrix_norm(x)]
    if not len(singular):
        return 0.0
    p = singular / singular.sum()
    return float(torch.exp(-(p * p.log()).sum()))
