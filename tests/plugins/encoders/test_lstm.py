"""AS-CAL's LSTM against its equations, one frame at a time."""

from typing import Any, Literal

import pytest
import torch
from mgbench_plugins.encoders.lstm import LSTM
from networks import LAYOUTS, built, clips, parameters
from torch import Tensor

from mgbench import load_skeleton


TINY = LSTM(hidden=5)


def stepped(network: Any, clip: Tensor) -> Tensor:
    """Return the outputs `(N, T, D)` of the gates' equations, layer by layer and frame by frame."""
    cells = network.recurrent
    x = torch.einsum("nmctv->ntmcv", clip).reshape(len(clip), clip.shape[3], -1)
    for layer in range(cells.num_layers):
        w, u, b, c = (getattr(cells, f"{kind}_l{layer}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        state = memory = x.new_zeros(len(x), cells.hidden_size)
        outputs = []
        for frame in x.unbind(dim=1):
            enter, forget, new, leave = (frame @ w.T + b + state @ u.T + c).chunk(4, dim=1)
            memory = forget.sigmoid() * memory + enter.sigmoid() * new.tanh()
            state = leave.sigmoid() * memory.tanh()
            outputs.append(state)
        x = torch.stack(outputs, dim=1)
    return x


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(("skeleton", "persons"), LAYOUTS)
def test_map_is_that_of_the_equations(skeleton: str, persons: int, layers: int) -> None:
    """On every skeleton the outputs are those of the gates, the same for every person, and their mean over time is the feature."""
    network, x = built(LSTM(hidden=5, layers=layers), skeleton, persons), clips(persons=persons, skeleton=skeleton)
    features, expected = network(x), stepped(network, x)

    assert features.shape == (3, persons, 5, 17, 1)
    for person in range(persons):
        torch.testing.assert_close(features[:, person, :, :, 0].transpose(1, 2), expected)
    torch.testing.assert_close(network.pool(features), expected.mean(dim=1))


def test_gradients_are_those_of_the_equations() -> None:
    """Weights and clips get the gradients of the plain network."""
    network, direction = built(TINY), torch.randn(3, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    ours, theirs = (clips().requires_grad_() for _ in range(2))
    weights = list(network.parameters())
    found = torch.autograd.grad(network.pool(network(ours)), [ours, *weights], direction)

    for a, b in zip(found, torch.autograd.grad(stepped(network, theirs).mean(dim=1), [theirs, *weights], direction), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("feature", ["mean", "final"])
def test_a_clip_ends_where_its_length_says(feature: Literal["mean", "final"]) -> None:
    """With lengths given, mean and final state are those of the valid frames, and the map repeats them behind the end."""
    network, x = built(LSTM(hidden=5, feature=feature)), clips()
    length = torch.tensor([17, 1, 9])
    features, outputs = network(x, length=length), stepped(network, x)
    expected = torch.stack([own[:end].mean(dim=0) if feature == "mean" else own[end - 1] for own, end in zip(outputs, length, strict=True)])

    torch.testing.assert_close(network.pool(features), expected)
    torch.testing.assert_close(features[2, 0, :, 9:, 0], expected[2, :, None].expand(-1, 8))
    torch.testing.assert_close(features[2, 0, :, :9, 0].T, outputs[2, :9])


def test_the_final_state_is_the_last_output() -> None:
    """With `feature=final` a clip's feature is its last output."""
    network, x = built(LSTM(hidden=5, feature="final")), clips()

    torch.testing.assert_close(network.pool(network(x)), stepped(network, x)[:, -1])


@pytest.mark.parametrize("feature", ["mean", "final"])
def test_it_reads_both_ways_where_asked(feature: Literal["mean", "final"]) -> None:
    """Backwards it is an LSTM over the clip from its own end; the halves are joined, and of either the last state is final."""
    network, x, length = built(LSTM(hidden=5, feature=feature, bidirectional=True)), clips(), [17, 1, 9]
    halves = [built(LSTM(hidden=5)) for _ in range(2)]
    for half, way in zip(halves, ("", "_reverse"), strict=True):
        half.recurrent.load_state_dict({name: getattr(network.recurrent, name + way) for name in half.recurrent.state_dict()})
    features = network(x, length=torch.tensor(length))
    for own, clip, end in zip(features, x[:, None], length, strict=True):
        there, back = stepped(halves[0], clip[..., :end, :]), stepped(halves[1], clip[..., :end, :].flip(3)).flip(1)
        outputs = torch.cat([there, back], dim=2)[0]
        expected = outputs.mean(dim=0) if feature == "mean" else torch.cat([there[0, -1], back[0, 0]])
        torch.testing.assert_close(own[0, :, :end, 0].T, outputs)
        torch.testing.assert_close(network.pool(own[None])[0], expected)
    torch.testing.assert_close(network(x)[0], features[0])


@pytest.mark.parametrize(("persons", "count"), [(2, 417_792), (1, 340_992)])
def test_as_cals_encoder_has_as_many_parameters_as_the_public_one(persons: int, count: int) -> None:
    """417,792 for 150 inputs, two persons of Kinect-25, and 340,992 for 75."""
    assert parameters(LSTM(), persons=persons) == count == 4 * 256 * (75 * persons + 256 + 2)


def test_weights_are_drawn_uniformly() -> None:
    """As torch draws them, which AS-CAL leaves as they are: between plus and minus the inverse root of the width."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = LSTM().build(load_skeleton("kinect25"), 3, 1)
    bound = 256**-0.5

    for parameter in network.parameters():
        assert bound * 0.98 < parameter.abs().max().item() <= bound
        assert parameter.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)


def test_autocast_is_close() -> None:
    """Under bfloat16 autocast features stay within a few per cent."""
    network, x = built(TINY).float(), clips().float()
    expected = network.pool(network(x))
    with torch.autocast("cpu", torch.bfloat16):
        features = network.pool(network(x))

    assert ((features.float() - expected).norm() / expected.norm()).item() < 0.05
