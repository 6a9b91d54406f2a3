"""ST-GCN against a straightforward one with the same weights, written as its paper and public code write it."""

import itertools
from typing import Any

import attrs
import pytest
import torch
from mgbench_plugins.encoders.stgcn import STGCN
from networks import MASKS, agree, clips, ignore_dropped, parameters
from torch import Tensor
from torch.nn import functional

from mgbench import load_skeleton
from mgbench.graph import load_graph, spatial_partition


TINY = STGCN(width=4, features=16, dropout=0.0)


def built(encoder: STGCN = TINY, skeleton: str = "kinect25") -> Any:
    """Return a network in float64 whose weights and statistics are all drawn, none one or zero by accident."""
    layout, generator = load_skeleton(skeleton), torch.Generator().manual_seed(0)
    network = encoder.build(layout, len(layout.axes), 1).double()
    with torch.no_grad():
        for name, value in [*network.named_parameters(), *network.named_buffers()]:
            noise = torch.rand(value.shape, generator=generator, dtype=torch.float64)
            if name.endswith(("running_mean", "bias")):
                value.copy_(noise - 0.5)
            elif name.endswith(("norm.weight", "running_var", "importance")):
                value.copy_(noise + 0.5)
            elif name.endswith(("spatial.weight", "temporal.weight", "shortcut.weight")):
                value.copy_((noise - 0.5) / value[0].numel() ** 0.5 * 4)
    return network


def normalised(x: Tensor, norm: Any, *, training: bool) -> Tensor:
    """Return batch norm of channels, without moving its running statistics."""
    mean, variance = (None, None) if training else (norm.running_mean, norm.running_var)
    return functional.batch_norm(x, mean, variance, norm.weight, norm.bias, training)


def normalised_joints(x: Tensor, norm: Any, kept: Tensor, *, training: bool) -> Tensor:
    """Return `(N, C, T, V)` with each joint's channels normalised, in training by the clips that keep the joint."""
    columns = []
    for joint in range(x.shape[3]):
        column, clip = x[..., joint], (kept == joint).any(dim=1)
        place = slice(joint * x.shape[1], (joint + 1) * x.shape[1])
        mean, variance = norm.running_mean[place], norm.running_var[place]
        if training and clip.any():
            mean, variance = column[clip].mean(dim=(0, 2)), column[clip].var(dim=(0, 2), unbiased=False)
        normal = (column - mean[:, None]) / (variance[:, None] + 1e-5).sqrt()
        columns.append(normal * norm.weight[place, None] + norm.bias[place, None])
    return torch.stack(columns, dim=3)


def reference(network: Any, clip: Tensor, joints: Tensor | None = None, skeleton: str = "kinect25") -> Tensor:
    """Return the map `(N, M, D, T', V')` in the order of the public code: channels, then neighbours, then time."""
    count, persons = clip.shape[:2]
    adjacency = spatial_partition(load_graph("bones", load_skeleton(skeleton))).to(clip)
    every = torch.arange(clip.shape[4]) if joints is None else joints
    kept = every.expand(count, -1).repeat_interleave(persons, dim=0)
    training = network.training

    x = normalised_joints(clip.flatten(0, 1), network.normalise.norm, kept, training=training)
    x = torch.stack([one[:, :, own] for one, own in zip(x, kept, strict=True)])
    for number, block in enumerate(network.blocks):
        weighted = adjacency * block.importance
        a = torch.stack([weighted[:, own][:, :, own] for own in kept])  # (N M, 3, V', V')
        z = functional.conv2d(x, block.spatial.weight, block.spatial.bias).unflatten(1, (3, -1))
        y = torch.einsum("nkctv,nkvw->nctw", z, a)
        y = functional.relu(normalised(y, block.spatial_norm, training=training))
        stride = 2 if number in {4, 7} else 1
        y = functional.conv2d(y, block.temporal.weight, block.temporal.bias, (stride, 1), (4, 0))
        y = normalised(y, block.temporal_norm, training=training)
        if block.shortcut is not None:
            shortcut = torch.einsum("nctv,oc->notv", x[:, :, ::stride], block.shortcut.weight)
            shortcut = shortcut + block.shortcut.bias[:, None, None]
            y = y + normalised(shortcut, block.shortcut_norm, training=training)
        elif number > 0:
            y = y + x
        x = functional.relu(y)
    return x.unflatten(0, (count, persons))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("mask", sorted(MASKS))
@pytest.mark.parametrize("persons", [1, 2])
def test_map_and_gradients_are_those_of_the_plain_network(persons: int, mask: str, training: bool) -> None:
    """With joints dropped or not, for the batch or a clip, one person or two, values and gradients agree in float64."""
    agree(built().train(training), reference, MASKS[mask], persons, frames=17)


@pytest.mark.parametrize("skeleton", ["kinect22", "openpose18"])
def test_other_skeletons_go_through_the_same_network(skeleton: str) -> None:
    """The graph is the skeleton's, whatever its joints."""
    network, x = built(skeleton=skeleton).eval(), clips(2, skeleton=skeleton)

    torch.testing.assert_close(network(x), reference(network, x, skeleton=skeleton))


@pytest.mark.parametrize("mask", sorted(MASKS))
def test_float32_is_close(mask: str) -> None:
    """In float32 the map stays within rounding of the plain network in float64."""
    network, x = built().eval(), clips()
    expected = reference(network, x, MASKS[mask])

    torch.testing.assert_close(network.float()(x.float(), MASKS[mask]), expected.float(), rtol=1e-4, atol=1e-4)


def test_float32_gradients_are_close() -> None:
    """In float32 the gradients stay within rounding of those of the plain network in float64."""
    network, x = built().eval(), clips(2, frames=8)
    expected = torch.autograd.grad(reference(network, x).square().sum(), list(network.parameters()))
    network.float()
    found = torch.autograd.grad(network(x.float()).square().sum(), list(network.parameters()))

    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b.float(), rtol=1e-3, atol=1e-5 * b.abs().max().item())


def test_wide_blocks_are_the_same_network() -> None:
    """Where the temporal convolution goes by the transform, values and gradients are the plain network's."""
    network, x = built(STGCN(width=16, features=64, dropout=0.0)).eval(), clips(1, frames=20)
    features, expected = network(x), reference(network, x)

    torch.testing.assert_close(features, expected)
    found = torch.autograd.grad(features.square().sum(), network.blocks[8].temporal.weight)
    torch.testing.assert_close(found, torch.autograd.grad(expected.square().sum(), network.blocks[8].temporal.weight))


def test_autocast_is_close() -> None:
    """Under bfloat16 autocast features stay within a few per cent."""
    network, x = built().eval().float(), clips().float()
    expected = network(x)
    with torch.autocast("cpu", torch.bfloat16):
        features = network(x)

    assert ((features.float() - expected).norm() / expected.norm()).item() < 0.05


@pytest.mark.parametrize(("frames", "left"), [(50, 13), (30, 8), (8, 2), (3, 1), (1, 1)])
def test_frames_are_halved_twice_and_rounded_up(frames: int, left: int) -> None:
    """Fifty frames become 25 and 13."""
    assert built().eval()(clips(1, frames=frames)).shape == (1, 1, 16, left, 25)


def test_dropped_joints_are_gone() -> None:
    """The map has the kept joints alone, and what was recorded for others does not matter."""
    ignore_dropped(built().eval())


def test_the_adjacency_of_kept_joints_is_cut_out_not_renormalised() -> None:
    """One joint kept of many still has its own share of the column, 1 / (1 + degree)."""
    alone = spatial_partition(load_graph("bones", load_skeleton("kinect25")))[:, 20, 20].sum().item()
    network = built().eval()
    joint = torch.tensor([20])
    x = clips(1)
    with torch.no_grad():
        for block in network.blocks:
            block.importance.fill_(1)
    expected = reference(network, x, joint)

    assert alone == pytest.approx(1 / 5)
    torch.testing.assert_close(network(x, joint), expected)


def test_persons_are_averaged() -> None:
    """Each person's map is that of the person alone, and pooling averages over persons, frames and joints."""
    network, x = built().eval(), clips(2, persons=2)
    features = network(x)
    alone = torch.cat([network(x[:, [person]]) for person in range(2)], dim=1)

    torch.testing.assert_close(features, alone)
    torch.testing.assert_close(network.pool(features), features.sum(dim=(1, 3, 4)) / (2 * 5 * 25))


def test_dropout_is_drawn_from_torchs_seed_and_only_in_training() -> None:
    """In training equal seeds give equal maps and others do not; in evaluation there is no dropout."""
    network, x = built(attrs.evolve(TINY, dropout=0.5)).train(), clips()
    maps = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        maps.append(network(x))

    assert torch.equal(maps[0], maps[1])
    assert not torch.equal(maps[0], maps[2])
    assert torch.equal(network.eval()(x), network(x))


def counted(joints: int, channels: int, width: int, features: int) -> int:
    """Count ST-GCN's weights: data norm, then a block's two convolutions, two norms, edge weights and shortcut."""
    widths = [channels, width, width, width, width, 2 * width, 2 * width, 2 * width, 4 * width, 4 * width, features]
    total = 2 * joints * channels
    for number, (inner, outer) in enumerate(itertools.pairwise(widths)):
        total += 3 * outer * (inner + 1) + outer * (9 * outer + 1) + 2 * 2 * outer + 3 * joints**2
        if number > 0 and (inner != outer or number in {4, 7}):
            total += outer * (inner + 1) + 2 * outer
    return total


def test_pstls_encoder_has_821380_parameters() -> None:
    """The default on Kinect-25 has as many parameters as PSTL's public encoder."""
    assert parameters(STGCN(), "kinect25") == 821_380 == counted(25, 3, 16, 256)


def test_the_original_has_as_many_parameters_as_published() -> None:
    """At width 64 it is ST-GCN of 17 classes, 3,087,781 parameters, less its classifier, 256 to 17."""
    assert parameters(STGCN(width=64), "kinect25") == 3_087_781 - (256 * 17 + 17)


@pytest.mark.parametrize(("skeleton", "joints"), [("kinect22", 22), ("openpose18", 18)])
def test_other_skeletons_change_the_count_by_their_joints_alone(skeleton: str, joints: int) -> None:
    """Joints enter the data norm, linearly, and the edge weights, squared."""
    difference = 2 * 3 * (joints - 25) + 10 * 3 * (joints**2 - 25**2)

    assert parameters(STGCN(), skeleton) == 821_380 + difference == counted(joints, 3, 16, 256)


def test_nine_lifted_channels_widen_the_first_block_alone() -> None:
    """With second moments as further channels, only the data norm and the first convolution grow."""
    assert parameters(STGCN(lift="moment"), "kinect25") == counted(25, 9, 16, 256)
