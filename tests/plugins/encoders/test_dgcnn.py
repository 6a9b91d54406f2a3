"""DGCNN against a form that goes point by point and neighbour by neighbour."""

from typing import Any

import pytest
import torch
from mgbench_plugins.encoders.dgcnn import DGCNN
from networks import LAYOUTS, MASKS, agree, built, clips, ignore_dropped, parameters
from torch import Tensor


TINY = DGCNN(features=5, width=2, neighbours=3)


def normalised(x: Tensor, norm: Any, *, training: bool) -> Tensor:
    """Return rows `(R, C)` after a batch norm."""
    mean, variance = (x.mean(dim=0), x.var(dim=0, unbiased=False)) if training else (norm.running_mean, norm.running_var)
    return (x - mean) / (variance + 1e-5).sqrt() * norm.weight + norm.bias


def leaky(x: Tensor) -> Tensor:
    """Return x, a fifth of it where it is negative."""
    return torch.maximum(x, 0.2 * x)


def plain(network: Any, x: Tensor, joints: Tensor | None) -> Tensor:
    """Return the map: each point of each clip with each of its nearest points, one by one."""
    if joints is not None:
        x = torch.stack([clip[..., own] for clip, own in zip(x, joints.expand(len(x), -1), strict=True)])
    clouds = [[clip[m, :, t, v] for m in range(x.shape[1]) for t in range(x.shape[3]) for v in range(x.shape[4])] for clip in x]
    found: list[list[Tensor]] = [[] for _ in clouds]
    for layer in network.edges:
        edges = []
        for cloud in clouds:
            for point in cloud:
                far = [(point - other).square().sum().item() for other in cloud]
                near = sorted(range(len(cloud)), key=far.__getitem__)[: layer.neighbours]
                edges += [layer.mix.weight @ torch.cat([cloud[number] - point, point]) for number in near]
        rows = leaky(normalised(torch.stack(edges), layer.norm, training=network.training))
        rows = rows.view(len(clouds), len(clouds[0]), layer.neighbours, -1).amax(dim=2)
        clouds = [[*cloud] for cloud in rows]
        for every, cloud in zip(found, rows, strict=True):
            every.append(cloud)
    joined = torch.stack([torch.cat(every, dim=1) for every in found]).flatten(0, 1) @ network.join.weight.T
    y = leaky(normalised(joined, network.norm, training=network.training))
    return y.view(len(x), x.shape[1], x.shape[3], x.shape[4], -1).permute(0, 1, 4, 2, 3)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("mask", MASKS)
def test_map_and_gradients_are_those_of_the_plain_network(mask: str, training: bool) -> None:
    """In training and evaluation, with joints dropped for the batch or per clip, in float64."""
    agree(built(TINY).train(training), plain, MASKS[mask], persons=1, frames=2)


@pytest.mark.parametrize(("skeleton", "persons"), LAYOUTS)
def test_all_persons_are_one_cloud(skeleton: str, persons: int) -> None:
    """On every skeleton the map agrees, and the feature is its largest values."""
    network, x = built(TINY, skeleton, persons), clips(1, persons, 2, skeleton)
    features = network(x)

    torch.testing.assert_close(features, plain(network, x, None))
    torch.testing.assert_close(network.pool(features), features.flatten(3).amax(dim=3).amax(dim=1))


def test_the_order_of_points_does_not_matter() -> None:
    """A clip played backwards, or with its joints in another order, has the same feature."""
    network, x = built(TINY).eval(), clips(2, frames=4)

    for other in (x.flip(3), x.flip(4)):
        torch.testing.assert_close(network.pool(network(other)), network.pool(network(x)))


def test_dropped_joints_are_no_points() -> None:
    """Nothing of masked joints is seen, not even by whose neighbours they would be."""
    ignore_dropped(built(TINY))


def test_few_points_have_few_neighbours() -> None:
    """A cloud smaller than the number of neighbours is all near."""
    network, x = built(DGCNN(features=5, width=2, neighbours=30)), clips(2, frames=1)

    assert network(x).isfinite().all()


def test_it_has_617856_parameters() -> None:
    """Whatever the skeleton: four edge convolutions, one layer of 1,024 over all of them, and norms."""
    weights = 6 * 64 + 128 * 64 + 128 * 128 + 256 * 256 + 512 * 1024
    norms = 2 * (64 + 64 + 128 + 256 + 1024)

    assert parameters(DGCNN()) == parameters(DGCNN(), "openpose18", 2) == weights + norms == 617_856
