"""The untrained floor: as initialised nothing moves, calibrated the statistics are means over batches."""

import copy
from typing import Any

import torch
from mgbench_plugins.encoders.stgcn import STGCN
from mgbench_plugins.methods.untrained import Untrained
from torch import Generator, Tensor, nn

from mgbench import Backbone, Batch, View, load_skeleton


def backbone() -> Backbone:
    """Return a small backbone with dropout, always the same."""
    torch.manual_seed(0)
    return Backbone(STGCN(width=4, features=16), load_skeleton("kinect25"), 1)


def batches() -> list[Tensor]:
    """Return three batches of different sizes and scales."""
    generator = Generator().manual_seed(1)
    return [torch.randn(n, 1, 3, 12, 25, generator=generator) * n for n in (4, 2, 3)]


def as_batch(x: Tensor) -> Batch:
    """Return a batch of one view."""
    return Batch((View(x),), None, torch.arange(len(x)), torch.full((len(x),), 12))


def norms(module: nn.Module) -> dict[str, Any]:
    """Return the batch norms by name."""
    return {name: norm for name, norm in module.named_modules() if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)}


def trained(method: Untrained, seed: int = 0) -> nn.Module:
    """Return the embedder after a pass over the batches."""
    objective = method.build(backbone(), 3).train()
    torch.manual_seed(seed)
    for x in batches():
        objective(as_batch(x), Generator())
    return objective.embedder()


def statistics_of(x: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Return mean and unbiased variance that each batch norm of a fresh backbone has of one batch, without dropout."""
    fresh = copy.deepcopy(backbone()).eval()
    for norm in norms(fresh).values():
        norm.train()
        norm.momentum = 1.0
    fresh(x)
    return {name: (norm.running_mean, norm.running_var) for name, norm in norms(fresh).items()}


def test_as_initialised_nothing_changes() -> None:
    """Weights and every buffer stay as drawn, whatever clips pass."""
    before = backbone().state_dict()

    for name, value in trained(Untrained()).state_dict().items():
        assert torch.equal(value, before[name]), name


def test_calibrated_statistics_are_the_means_of_those_of_batches() -> None:
    """Running mean and variance of each norm are the means over batches, each batch weighing the same."""
    found, single = norms(trained(Untrained(calibrate=True))), [statistics_of(x) for x in batches()]

    assert len(found) > 20
    for name, norm in found.items():
        torch.testing.assert_close(norm.running_mean, torch.stack([one[name][0] for one in single]).mean(dim=0))
        torch.testing.assert_close(norm.running_var, torch.stack([one[name][1] for one in single]).mean(dim=0))


def test_calibration_leaves_weights_alone() -> None:
    """No parameter moves."""
    before = dict(backbone().named_parameters())

    for name, value in trained(Untrained(calibrate=True)).named_parameters():
        assert torch.equal(value, before[name]), name


def test_calibration_draws_nothing() -> None:
    """Dropout is off, so the seed does not matter."""
    first, second = (trained(Untrained(calibrate=True), seed).state_dict() for seed in (0, 1))

    assert all(torch.equal(first[name], second[name]) for name in first)


def test_there_is_nothing_to_learn() -> None:
    """No parameter asks for a gradient, and the loss is zero."""
    objective = Untrained(calibrate=True).build(backbone(), 3).train()

    assert not any(parameter.requires_grad for parameter in objective.parameters())
    assert objective(as_batch(batches()[0]), Generator())["loss"].item() == 0
    assert not Untrained().learns
