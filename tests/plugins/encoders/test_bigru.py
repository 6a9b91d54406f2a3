"""The bidirectional GRU of P&C and MS2L against its equations, one frame at a time in either direction."""

from typing import Any, Literal

import pytest
import torch
from mgbench_plugins.encoders.bigru import BiGRU
from networks import LAYOUTS, built, clips, parameters
from torch import Tensor

from mgbench import load_skeleton


TINY = BiGRU(hidden=4, layers=2)
MS2L = BiGRU(hidden=300, layers=2, feature="mean", weights="orthogonal")


def swept(cells: Any, frames: Tensor, layer: int, way: str) -> Tensor:
    """Return one direction's outputs over one clip's frames `(T, inputs)`, in the order of time, by the gates' equations."""
    w, u, b, c = (getattr(cells, f"{kind}_l{layer}{way}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    state, outputs = frames.new_zeros(cells.hidden_size), []
    for frame in frames.flip(0) if way else frames:
        (reset, update, new), (resets, updates, news) = (w @ frame + b).chunk(3), (u @ state + c).chunk(3)
        share = (update + updates).sigmoid()
        state = (1 - share) * (new + (reset + resets).sigmoid() * news).tanh() + share * state
        outputs.append(state)
    return torch.stack(outputs[::-1] if way else outputs)


def stepped(network: Any, clip: Tensor) -> Tensor:
    """Return the outputs `(T, D)` of one clip `(M, C, T, V)`, forwards before backwards."""
    x = torch.einsum("mctv->tmcv", clip).flatten(1)
    for layer in range(network.recurrent.num_layers):
        x = torch.cat([swept(network.recurrent, x, layer, way) for way in ("", "_reverse")], dim=1)
    return x


@pytest.mark.parametrize(("skeleton", "persons"), LAYOUTS)
def test_map_is_that_of_the_equations(skeleton: str, persons: int) -> None:
    """On every skeleton the outputs are those of the gates, and the feature joins the last forwards and the first backwards."""
    network, x = built(TINY, skeleton, persons), clips(persons=persons, skeleton=skeleton)
    features, expected = network(x), torch.stack([stepped(network, one) for one in x])

    assert features.shape == (3, persons, 8, 17, 1)
    for person in range(persons):
        torch.testing.assert_close(features[:, person, :, :, 0].transpose(1, 2), expected)
    torch.testing.assert_close(network.pool(features), torch.cat([expected[:, -1, :4], expected[:, 0, 4:]], dim=1))


def test_gradients_are_those_of_the_equations() -> None:
    """Weights and clips get the gradients of the plain network."""
    network, direction = built(TINY), torch.randn(3, 17, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    ours, theirs = (clips().requires_grad_() for _ in range(2))
    weights = list(network.parameters())
    found = torch.autograd.grad(network(ours)[:, 0, :, :, 0].transpose(1, 2), [ours, *weights], direction)
    expected = torch.stack([stepped(network, one) for one in theirs])

    for a, b in zip(found, torch.autograd.grad(expected, [theirs, *weights], direction), strict=True):
        torch.testing.assert_close(a, b)


def test_it_reads_backwards_too() -> None:
    """The first frame decides the last output forwards, and the last frame the first output backwards: either final state sees all."""
    network, x = built(TINY), clips()
    for frame in (0, 16):
        other = x.clone()
        other[:, :, :, frame] += 1
        moved = (network.pool(network(other)) - network.pool(network(x))).abs().amin(dim=0)
        assert (moved > 0).all()


@pytest.mark.parametrize("feature", ["final", "mean"])
def test_a_clip_ends_where_its_length_says(feature: Literal["final", "mean"]) -> None:
    """With lengths given, either direction reads the valid frames alone, and the map repeats the feature behind the end."""
    network, x, length = built(BiGRU(hidden=4, layers=2, feature=feature)), clips(), [9, 17, 1]
    features = network(x, length=torch.tensor(length))
    for own, clip, end in zip(features, x, length, strict=True):
        outputs = stepped(network, clip[:, :, :end])
        expected = outputs.mean(dim=0) if feature == "mean" else torch.cat([outputs[-1, :4], outputs[0, 4:]])
        torch.testing.assert_close(own[0, :, :end, 0].T, outputs)
        torch.testing.assert_close(own[0, :, end:, 0].T, expected.expand(17 - end, -1))
        torch.testing.assert_close(network.pool(own[None])[0], expected)


def test_p_and_cs_encoder_has_44537856_parameters() -> None:
    """The default has as many parameters as P&C's for 75 inputs, one person of Kinect-25."""
    first, later = (3 * 1024 * (inputs + 1024 + 2) for inputs in (75, 2048))

    assert parameters(BiGRU()) == 44_537_856 == 2 * (first + 2 * later)


def test_ms2ls_encoder_has_2437200_parameters() -> None:
    """Two layers of 300 have as many parameters as MS2L's for 150 inputs, two persons of Kinect-25."""
    assert parameters(MS2L, persons=2) == 2_437_200


def test_weights_are_drawn_as_in_the_papers() -> None:
    """P&C's matrices are uniform within Xavier's bound; MS2L's turn the state and shift nothing."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ours, theirs = (spec.build(load_skeleton("kinect25"), 3, 1).recurrent for spec in (BiGRU(hidden=64), MS2L))
    for name in ("weight_ih_l0", "weight_hh_l1", "weight_ih_l2_reverse"):
        matrix = getattr(ours, name)
        bound = (6 / sum(matrix.shape)) ** 0.5
        assert bound * 0.98 < matrix.abs().max().item() <= bound
    turn = theirs.weight_hh_l1_reverse

    torch.testing.assert_close(turn.T @ turn, torch.eye(300), atol=1e-5, rtol=0)
    assert theirs.bias_ih_l0.abs().max() == theirs.bias_hh_l1_reverse.abs().max() == 0
    assert ours.bias_ih_l0.abs().max() > 0


def test_autocast_is_close() -> None:
    """Under bfloat16 autocast features stay within a few per cent, whether clips end early or not."""
    network, x = built(TINY).float(), clips().float()
    for length in (None, torch.tensor([9, 17, 1])):
        expected = network.pool(network(x, length=length))
        with torch.autocast("cpu", torch.bfloat16):
            features = network.pool(network(x, length=length))

        assert ((features.float() - expected).norm() / expected.norm()).item() < 0.05
