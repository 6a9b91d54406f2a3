"""Skeleton cloud colorization: its colours, its distance, and its loss, point by point."""

from typing import Any

import pytest
import torch
from learning import losses
from mgbench_plugins.encoders.bigru import BiGRU
from mgbench_plugins.methods.cloud_colorization import CloudColorization, chamfer, colours_of, order_colours
from mgbench_plugins.methods.scaled import to_unit
from networks import clips
from torch import Generator, Tensor
from training import built, told


ENCODER = BiGRU(hidden=3, layers=1)
CPU = torch.device("cpu")


def apart(a: list[Tensor], b: list[Tensor]) -> float:
    """Return the mean over points of one cloud of the squared distance to the nearest of the other."""
    return sum(min((one - other).square().sum().item() for other in b) for one in a) / len(a)


@pytest.mark.parametrize(
    ("place", "colour"),
    [(0.0, [1, 0, 0]), (0.25, [0.5, 0.5, 0]), (0.5, [0, 1, 0]), (0.75, [0, 0.5, 0.5]), (1.0, [0, 0, 1])],
)
def test_colours_go_from_red_over_green_to_blue(place: float, colour: list[float]) -> None:
    """The formula at five places."""
    assert order_colours(torch.tensor(place)).tolist() == colour


def test_colours_tell_time_joint_or_person() -> None:
    """Points of one time, one joint or one person are painted alike, the last of them blue; one person alone is red."""
    time, joint, person = (colours_of(kind, 2, 4, 8, CPU) for kind in ("time", "joint", "person"))

    assert [tuple(found.shape) for found in (time, joint, person)] == [(2, 4, 8, 3)] * 3
    assert time[1, :, 5].tolist() == [[0.5, 0.5, 0], [0, 1, 0], [0, 0.5, 0.5], [0, 0, 1]]
    assert joint[0, 2, [1, 3, 7]].tolist() == [[0.5, 0.5, 0], [0, 1, 0], [0, 0, 1]]
    assert person[:, 3, 0].tolist() == [[1, 0, 0], [0, 0, 1]]
    assert colours_of("person", 1, 4, 8, CPU)[0, 0, 0].tolist() == [1, 0, 0]


def test_distance_is_chamfers() -> None:
    """Point by point over both clouds, without the points that are not there."""
    generator = Generator().manual_seed(0)
    a, b = (torch.randn(2, size, 4, generator=generator, dtype=torch.float64) for size in (6, 5))
    counts = torch.tensor([[True, True, False, True, True], [True, False, True, True, True]])
    left = [[point for point, counted in zip(cloud, own, strict=True) if counted] for cloud, own in zip(b, counts, strict=True)]
    expected = sum(apart([*one], other) + apart(other, [*one]) for one, other in zip(a, left, strict=True)) / 2

    assert chamfer(a, b, counts).item() == pytest.approx(expected)
    assert chamfer(a, a, torch.ones(2, 6, dtype=torch.bool)).item() == 0


def test_gradients_are_those_of_the_distance() -> None:
    """Both ways: a point moves towards its nearest one, and towards those whose nearest it is."""
    a, b = (torch.randn(1, size, 3, generator=Generator().manual_seed(size), dtype=torch.float64) for size in (4, 3))
    ours, theirs = a.clone().requires_grad_(), a.clone().requires_grad_()
    chamfer(ours, b, torch.ones(1, 3, dtype=torch.bool)).backward()
    distance = (theirs[0][:, None] - b[0]).square().sum(dim=2)
    (distance.amin(dim=1).mean() + distance.amin(dim=0).mean()).backward()

    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("persons", [1, 2])
@pytest.mark.parametrize("colours", ["time", "joint", "person"])
def test_the_loss_is_the_distance_of_clouds(colours: Any, persons: int) -> None:
    """Every joint at every time is a point, folded ones come from a grid and the feature together."""
    objective = built(CloudColorization(colours=colours, side=3, hidden=4), encoder=ENCODER, persons=persons)
    x = clips(2, persons, 3)
    painted, found = colours_of(colours, persons, 3, 25, CPU), 0.0
    for clip, feature in zip(to_unit(x), objective.embedder()(x), strict=True):
        points = [torch.tensor([u, v], dtype=torch.float64) for u in (-1, 0, 1) for v in (-1, 0, 1)]
        for fold in (objective.first, objective.second):
            weight = torch.cat([fold.point.weight, fold.feature.weight], dim=1)
            points = [fold.rest(weight @ torch.cat([point, feature]) + fold.point.bias) for point in points]
        places = [(m, t, v) for m in range(persons) for t in range(3) for v in range(25)]
        cloud = [torch.cat([clip[m, :, t, v], painted[m, t, v]]) for m, t, v in places]
        found += (apart(points, cloud) + apart(cloud, points)) / 2

    assert told(objective, x)["loss"].item() == pytest.approx(found)


def test_who_is_not_there_is_no_point() -> None:
    """A second person without coordinates, and frames behind the end, change nothing of the cloud."""
    objective = built(CloudColorization(side=3, hidden=4), encoder=ENCODER, persons=2)
    x = clips(2, 2, 3)
    x[:, 1] = 0
    scale = to_unit(x)[:, :1]
    points = objective.second(objective.first(objective.grid[None], objective.embedder()(x)), objective.embedder()(x))
    painted = colours_of("time", 1, 3, 25, CPU).expand(2, -1, -1, -1, -1)
    cloud = torch.cat([scale.permute(0, 1, 3, 4, 2), painted], dim=4).flatten(1, 3)

    torch.testing.assert_close(told(objective, x)["loss"], chamfer(points, cloud, torch.ones(2, 75, dtype=torch.bool)))
    length = torch.tensor([3, 2])
    changed = torch.where((torch.arange(3) >= length[:, None])[:, None, None, :, None], 99.0, x)
    torch.testing.assert_close(told(objective, changed, length)["loss"], told(objective, x, length)["loss"])


def test_the_loss_falls() -> None:
    """It falls by a third; without learning it stays."""
    method = CloudColorization(side=8, hidden=32)
    found, idle = (losses(method, BiGRU(hidden=8, layers=1), steps=30, lr=1e-2, learns=learns) for learns in (True, False))

    assert found[-5:].mean() < 0.67 * found[:3].mean()
    assert idle[-5:].mean() > 0.95 * idle[:3].mean()
