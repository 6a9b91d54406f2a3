"""Ta-CNN against sums written out, with the same weights."""

from typing import Any

import attrs
import pytest
import torch
from mgbench_plugins.encoders.tacnn import TaCNN
from networks import LAYOUTS, built, clips, parameters
from torch import Tensor

from mgbench import load_skeleton


TINY = TaCNN(width=16, dropout=0.0)


def convolved(x: Tensor, layer: Any, groups: int = 1) -> Tensor:
    """Return a convolution with zeros around `(N, C, T, S)`, tap by tap and group by group."""
    taps_t, taps_s = layer.weight.shape[2:]
    frames, places = x.shape[2:]
    padded = x.new_zeros(*x.shape[:2], frames + taps_t - 1, places + taps_s - 1)
    padded[:, :, taps_t // 2 : taps_t // 2 + frames, taps_s // 2 : taps_s // 2 + places] = x
    parts = []
    for own, weight in zip(padded.chunk(groups, dim=1), layer.weight.chunk(groups, dim=0), strict=True):
        shifts = [(i, j) for i in range(taps_t) for j in range(taps_s)]
        taps = [torch.einsum("oc,ncts->nots", weight[:, :, i, j], own[:, :, i : i + frames, j : j + places]) for i, j in shifts]
        parts.append(torch.stack(taps).sum(dim=0))
    y = torch.cat(parts, dim=1)
    return y if layer.bias is None else y + layer.bias[:, None, None]


def halved(x: Tensor) -> Tensor:
    """Return the largest of every two by two frames and places; what is left over at the end stands for itself."""
    rows = [x[:, :, t : t + 2] for t in range(0, x.shape[2], 2)]
    return torch.stack([torch.stack([row[..., s : s + 2].amax(dim=(2, 3)) for s in range(0, x.shape[3], 2)], dim=2) for row in rows], dim=2)


def augmented(x: Tensor, part: Any, groups: int) -> Tensor:
    """Return map, attend, group, map: mapped channels weighed by what a squeeze of them says, and two convolutions in groups added."""
    y = convolved(x, part.enter).relu()
    squeezed = torch.einsum("oc,nc->no", part.squeeze.weight[:, :, 0, 0], y.mean(dim=(2, 3))).relu()
    gate = 1 / (1 + (-torch.einsum("oc,nc->no", part.excite.weight[:, :, 0, 0], squeezed)).exp())
    y = y * gate[:, :, None, None]
    y = convolved(y, part.wide, groups).relu() + convolved(y, part.point, groups // 2).relu()
    return convolved(y, part.leave).relu()


def streamed(x: Tensor, part: Any) -> Tensor:
    """Return one stream's map of `(N, C, T, V)`, in evaluation."""
    norm = part.norm
    y = convolved(x, part.points)
    y = (y - norm.running_mean[:, None, None]) / (norm.running_var[:, None, None] + 1e-5).sqrt()
    y = augmented((y * norm.weight[:, None, None] + norm.bias[:, None, None]).relu(), part.channels, 10)
    y = augmented(y.permute(0, 3, 2, 1), part.joints, 6)  # joints for channels
    return halved(convolved(halved(y), part.local))


def reference(network: Any, clip: Tensor) -> tuple[Tensor, Tensor]:
    """Return the map `(N, M, D, T')` and the feature, person by person, in evaluation."""
    people = []
    for x in clip.unbind(dim=1):
        motion = torch.zeros_like(x)
        for frame in range(1, x.shape[2]):
            motion[:, :, frame] = x[:, :, frame] - x[:, :, frame - 1]
        y = torch.cat([streamed(x, network.positions), streamed(motion, network.motion)], dim=1)
        y = halved(convolved(halved(convolved(y, network.joined)).relu(), network.last)).relu()
        people.append(torch.cat([y[:, channel].transpose(1, 2) for channel in range(y.shape[1])], dim=1))
    features = torch.stack(people, dim=1)
    return features, features.mean(dim=3).max(dim=1).values


@pytest.mark.parametrize(("skeleton", "persons"), LAYOUTS)
def test_map_and_feature_are_those_of_the_plain_network(skeleton: str, persons: int) -> None:
    """On every skeleton, one person or two, the map agrees in float64; the feature is the largest mean over time of any person."""
    network, x = built(TINY, skeleton, persons).eval(), clips(2, persons, 20, skeleton)
    features, (expected, feature) = network(x), reference(network, x)

    assert features.shape == (2, persons, 128, 2, 1)
    torch.testing.assert_close(features[..., 0], expected)
    torch.testing.assert_close(network.pool(features), feature)


def test_the_axis_that_is_left_of_channels_goes_into_features() -> None:
    """At width 32 two places are left, which stand beside one another for every channel."""
    network, x = built(TaCNN()).eval(), clips(1, frames=16)

    torch.testing.assert_close(network(x)[..., 0], reference(network, x)[0])


def test_gradients_are_those_of_the_plain_network() -> None:
    """Weights and clips get the gradients of the plain network."""
    network = built(TINY).eval()
    ours, theirs = (clips(2, frames=16).requires_grad_() for _ in range(2))
    weights = list(network.parameters())
    found = torch.autograd.grad(network.pool(network(ours)).square().sum(), [ours, *weights])
    expected = torch.autograd.grad(reference(network, theirs)[1].square().sum(), [theirs, *weights])

    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(("classes", "count"), [(60, 531_744), (17, 509_685)])
def test_it_has_as_many_parameters_as_published(classes: int, count: int) -> None:
    """With a classifier on its 512 features it has 531,744 parameters for 60 classes and 509,685 for 17, on Kinect-25."""
    assert parameters(TaCNN()) == parameters(TaCNN(), persons=2) == count - classes * (512 + 1)


@pytest.mark.parametrize(("frames", "left"), [(64, 4), (50, 4), (17, 2), (3, 1), (1, 1)])
def test_frames_are_halved_four_times_and_rounded_up(frames: int, left: int) -> None:
    """Sixty-four frames become four; a clip shorter than sixteen keeps one."""
    assert built(TINY).eval()(clips(1, frames=frames)).shape == (1, 1, 128, left, 1)


def test_weights_are_drawn_as_in_the_public_code() -> None:
    """Kernels are uniform within Xavier's bound, of a group's channels, and biases are zero."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network: Any = TaCNN().build(load_skeleton("kinect25"), 3, 1)
    wide = network.motion.joints.wide.weight
    bound = (6 / (9 * (30 // 6 + 30))) ** 0.5

    assert bound * 0.95 < wide.abs().max().item() <= bound
    assert network.last.bias.abs().max() == network.positions.local.bias.abs().max() == 0


def test_dropout_is_only_in_training() -> None:
    """Maps vary from one pass to the next in training, not in evaluation."""
    network, x = built(attrs.evolve(TINY, dropout=0.5)).train(), clips()

    assert not torch.equal(network(x), network(x))
    assert torch.equal(network.eval()(x), network(x))


@pytest.mark.parametrize("width", [0, 8, 24, -16])
def test_widths_that_cannot_be_halved_four_times_are_refused(width: int) -> None:
    """The width is a multiple of sixteen."""
    with pytest.raises(ValueError, match=f"width got {width}; it takes a multiple of 16"):
        TaCNN(width=width)
