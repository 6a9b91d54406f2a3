"""Transfer between bodies: what fits is carried over, joints go by name, and nothing is skipped silently."""

import json
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import torch
from click.testing import Result
from mgbench_plugins.encoders.stgcn import STGCN
from mgbench_plugins.methods.mgrl import MGRL
from mgbench_plugins.methods.supervised import Supervised
from torch import nn

from mgbench import Method, Skeleton, load_skeleton
from mgbench.data import Dense
from mgbench.records import read_records
from mgbench.transfer import Transfer, recalibrate, smaller


ENCODER = STGCN(width=4, features=16)
SOURCE = load_skeleton("kinect25")


def _trained(transfer: Transfer, skeleton: Skeleton) -> nn.Module:
    """Return an embedder whose every tensor differs from what building gives."""
    torch.manual_seed(1)
    embedder = transfer.embedder(skeleton)
    with torch.no_grad():
        for tensor in embedder.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.1 * torch.rand_like(tensor))  # positive, as variances must be
    return embedder


@pytest.mark.parametrize("method", [Supervised(), MGRL(projector=16)])
def test_to_the_same_body_everything_goes(method: Method) -> None:
    """Nothing is made anew, and the outputs are the trained ones."""
    transfer = Transfer(ENCODER, method, 4, 1)
    trained = _trained(transfer, SOURCE).eval()
    moved, report = transfer.move(trained, SOURCE, SOURCE)
    x = torch.randn(3, 1, 3, 20, 25)

    assert not report.anew
    torch.testing.assert_close(moved.eval()(x), trained(x))


@pytest.mark.parametrize("name", ["kinect22", "openpose18"])
def test_to_another_body_every_tensor_is_accounted_for(name: str) -> None:
    """Convolutions are carried over, data batch norm is made anew, learned adjacencies go by joint names."""
    target, transfer = load_skeleton(name), Transfer(ENCODER, Supervised(), 4, 1)
    trained = _trained(transfer, SOURCE)
    moved, report = transfer.move(trained, SOURCE, target)
    state, old = moved.state_dict(), trained.state_dict()
    fresh = transfer.embedder(target).state_dict()

    assert sorted([*report.whole, *report.by_name, *report.anew]) == sorted(state)
    assert all(torch.equal(state[key], old[key]) for key in report.whole)
    assert {key.rpartition(".")[2] for key in report.by_name} == {"importance"}
    assert all("normalise" in key for key in report.anew)
    assert all(torch.equal(state[key], fresh[key]) for key in report.anew)
    assert torch.equal(moved.network.adjacency, transfer.embedder(target).network.adjacency)
    assert {key for key in report.whole if "blocks" not in key} == {"network.normalise.norm.num_batches_tracked"}


def test_joints_go_by_name_and_not_by_number() -> None:
    """The entry of two joints that both bodies name is the source's; one with a joint of its own is as it was made."""
    target, transfer = load_skeleton("kinect22"), Transfer(ENCODER, Supervised(), 4, 1)
    trained = _trained(transfer, SOURCE)
    moved, report = transfer.move(trained, SOURCE, target)
    old, new = (embedder.state_dict()["network.blocks.0.importance"] for embedder in (trained, moved))
    shared = [name for name in target.joints if name in SOURCE.joints]
    own = next(j for j, name in enumerate(target.joints) if name not in SOURCE.joints)
    at = [(target.joint(name), SOURCE.joint(name)) for name in shared]

    assert report.shared_joints == len(shared) > 3
    assert all(torch.equal(new[:, i, j], old[:, k, m]) for i, k in at for j, m in at)
    assert torch.equal(new[:, own], torch.ones_like(new[:, own]))


def test_equally_many_joints_are_not_taken_for_the_same() -> None:
    """A body with as many joints in another order gets them by name, and a data batch norm of its own."""
    order = list(reversed(range(25)))
    place = {joint: i for i, joint in enumerate(order)}
    target = attrs.evolve(
        SOURCE,
        name="reversed",
        joints=tuple(SOURCE.joints[j] for j in order),
        bones=tuple((place[a], place[b]) for a, b in SOURCE.bones),
        mirror=tuple((place[a], place[b]) for a, b in SOURCE.mirror),
        root=place[SOURCE.root],
        centre=place[SOURCE.centre],
        spine=place[SOURCE.spine],
        parts={part: tuple(place[j] for j in joints) for part, joints in SOURCE.parts.items()},
    )
    transfer = Transfer(ENCODER, Supervised(), 4, 1)
    trained = _trained(transfer, SOURCE).eval()
    moved, report = transfer.move(trained, SOURCE, target)
    old, new = (embedder.state_dict()["network.blocks.3.importance"] for embedder in (trained, moved))

    assert torch.equal(new, old.flip(1, 2))
    assert {key.rpartition(".")[2] for key in report.anew} == {"weight", "bias", "running_mean", "running_var"}


def test_calibration_gives_the_statistics_of_the_clips() -> None:
    """Afterwards the first batch norm holds mean and variance of what it sees, dropout and gradients have had no part."""
    torch.manual_seed(0)
    embedder = Transfer(ENCODER, Supervised(), 4, 1).embedder(SOURCE)
    x = 5 + 2 * torch.randn(40, 1, 3, 10, 25)
    recalibrate(embedder, Dense(x, torch.zeros(40, dtype=torch.long), torch.full((40,), 10)))
    norm = embedder.network.normalise.norm

    torch.testing.assert_close(norm.running_mean, x.permute(4, 2, 0, 1, 3).reshape(75, -1).mean(dim=1), atol=1e-4, rtol=0)
    assert norm.momentum == 0.1
    assert all(parameter.grad is None for parameter in embedder.parameters())


@pytest.mark.parametrize("name", ["kinect25", "kinect22", "openpose18"])
def test_a_smaller_body_is_a_body(name: str) -> None:
    """One joint is gone, and the rest still is a valid skeleton."""
    skeleton = load_skeleton(name)
    less = smaller(skeleton)

    assert set(skeleton.joints) > set(less.joints)
    assert len(less.joints) == len(skeleton.joints) - 1
    assert less.joints[less.root] == skeleton.joints[skeleton.root]


def test_a_finished_source_is_not_trained_again(mgbench: Callable[..., Result], tmp_path: Path) -> None:
    """A cell takes the weights of the source's own finished cell, to the same bits as when it trains on the source itself."""
    zoo = Path(__file__).parent / "zoo.py"
    common = ("-e", "flat", "-m", "faulty", "-E", "knn", "--no-floors", "--plugin", zoo)
    transfer = ("run", "-d", "waves", "--pretrain-on", "waves:clips=20", *common)
    alone = mgbench(*transfer, "--store", tmp_path / "alone")
    source = mgbench("run", "-d", "waves:clips=20", *common, "--store", tmp_path / "both")
    both = mgbench(*transfer, "--store", tmp_path / "both")
    (first,), (second,) = (list((tmp_path / store / "cells").glob("*-on-*")) for store in ("alone", "both"))

    assert alone.exit_code == source.exit_code == both.exit_code == 0, both.output
    assert (first / "pretrained/embedder.safetensors").read_bytes() == (second / "pretrained/embedder.safetensors").read_bytes()
    assert "step" in (first / "log.txt").read_text()
    assert "step" not in (second / "log.txt").read_text()
    assert read_records(tmp_path / "alone")["pretrain_on"].to_list() == ["waves[clips=20]"]


def test_none_stands_beside_transfer(mgbench: Callable[..., Result], tmp_path: Path) -> None:
    """`none` trains on the data set itself; floors, which learn nothing, are no transfer; neither is a data set to itself."""
    zoo = Path(__file__).parent / "zoo.py"
    sources = ("--pretrain-on", "none,waves,waves[clips=20]")
    done = mgbench(
        "plan", "-d", "waves", "-e", "flat", "-m", "faulty", "-E", "knn", "--plugin", zoo, *sources, "--store", tmp_path, "--json"
    )
    names = [json.loads(line)["cell"] for line in done.output.splitlines()]

    assert sum("-on-" in name for name in names) == 1
    assert sum("faulty" in name for name in names) == 2
    assert sum("untrained" in name for name in names) == 2
