"""The reconstructed AGC-LSTM against its paper's equations, frame by frame and joint by joint."""

import itertools
from typing import Any

import attrs
import pytest
import torch
from mgbench_plugins.encoders.agc_lstm import AGCLSTM
from networks import LAYOUTS, built, clips, parameters
from torch import Tensor

from mgbench import load_skeleton
from mgbench.graph import load_graph, spatial_partition


TINY = AGCLSTM(hidden=4, dropout=0.0)


def lstm_step(x: Tensor, state: Tensor, memory: Tensor, cells: Any) -> tuple[Tensor, Tensor]:
    """Return the next state and memory of torch's LSTM, whose gates stand in the order in, forget, new, out."""
    sums = x @ cells.weight_ih_l0.T + cells.bias_ih_l0 + state @ cells.weight_hh_l0.T + cells.bias_hh_l0
    admit, forget, new, show = sums.chunk(4, dim=-1)
    memory = forget.sigmoid() * memory + admit.sigmoid() * new.tanh()
    return show.sigmoid() * memory.tanh(), memory


def spread(x: Tensor, graph: Tensor, weight: Tensor) -> Tensor:
    """Return the graph convolution of one frame `(V, C)`: a sum over subsets and neighbours."""
    return sum(torch.einsum("vw,vc,oc->wo", a, x, w) for a, w in zip(graph, weight.chunk(3), strict=True))


def graph_lstm(frames: list[Tensor], graph: Tensor, layer: Any) -> tuple[list[Tensor], list[Tensor]]:
    """Return the states `(V, hidden)` and the attention `(V, 1)` of every frame."""
    state = memory = torch.zeros_like(frames[0])
    states, attentions = [], []
    for x in frames:
        sums = spread(x, graph, layer.enter.weight) + spread(state, graph, layer.recur.weight) + layer.bias
        admit, forget, show, new = sums.chunk(4, dim=1)
        memory = forget.sigmoid() * memory + admit.sigmoid() * new.tanh()
        state = show.sigmoid() * memory.tanh()
        query = sum(layer.query.weight @ joint for joint in state).relu()
        scores = [
            layer.score.weight @ (layer.joint.weight @ joint + layer.joint.bias + layer.whole.weight @ query).tanh() + layer.score.bias
            for joint in state
        ]
        states.append(state)
        attentions.append(torch.stack(scores).sigmoid())
    return states, attentions


def reference(network: Any, person: Tensor, skeleton: str = "kinect25", kept: list[int] | None = None) -> tuple[Tensor, Tensor]:
    """Return the map `(D, T', V')` and the feature of one person's clip `(C, T, V)`."""
    kept = list(range(person.shape[2])) if kept is None else kept
    graph = spatial_partition(load_graph("bones", load_skeleton(skeleton)), true=True).double()[:, kept][:, :, kept]
    places = [person[:, t, kept].T @ network.position.weight.T + network.position.bias for t in range(person.shape[1])]
    moves = [torch.zeros_like(places[0]), *[b - a for a, b in itertools.pairwise(places)]]
    state = memory = places[0].new_zeros(len(kept), network.shared.hidden_size)
    frames = []
    for place, move in zip(places, moves, strict=True):
        joined = torch.cat([place, move @ network.motion.weight.T + network.motion.bias], dim=1)
        state, memory = lstm_step(joined, state, memory, network.shared)
        frames.append(state)
    for number, layer in enumerate(network.layers):
        states, attentions = graph_lstm(frames, graph, layer)
        if number < 2:
            marked = [h + a * h for h, a in zip(states, attentions, strict=True)]
            frames = [torch.stack(marked[t : t + 2]).mean(dim=0) for t in range(0, len(marked), 2)]
    local = [a * h for h, a in zip(states, attentions, strict=True)]
    features = torch.stack([torch.cat([h, f], dim=1) for h, f in zip(states, local, strict=True)])
    return features.permute(2, 0, 1), torch.cat([states[-1].sum(dim=0), local[-1].sum(dim=0)])


@pytest.mark.parametrize(("skeleton", "persons"), LAYOUTS)
def test_map_and_feature_are_those_of_the_equations(skeleton: str, persons: int) -> None:
    """On every skeleton the map agrees in float64, and the feature joins sums over joints at the last step, averaged over persons."""
    network, x = built(TINY, skeleton, persons), clips(1, persons, 9, skeleton)
    features = network(x)
    expected, pooled = zip(*(reference(network, person, skeleton) for person in x[0]), strict=True)

    assert features.shape == (1, persons, 8, 3, x.shape[4])
    torch.testing.assert_close(features[0], torch.stack(expected))
    torch.testing.assert_close(network.pool(features)[0], torch.stack(pooled).mean(dim=0))


def test_gradients_are_those_of_the_equations() -> None:
    """Weights and clips get the gradients of the plain network."""
    network = built(TINY)
    ours, theirs = (clips(1, frames=7).requires_grad_() for _ in range(2))
    weights = list(network.parameters())
    found = torch.autograd.grad(network(ours).square().sum(), [ours, *weights])

    for a, b in zip(found, torch.autograd.grad(reference(network, theirs[0, 0])[0].square().sum(), [theirs, *weights]), strict=True):
        torch.testing.assert_close(a, b)


def test_dropped_joints_are_gone() -> None:
    """Kept joints, for the batch or clip by clip, are a smaller graph, whose sums and attention know of no other."""
    network, x = built(TINY), clips(2, 2, 5)
    each = torch.tensor([[0, 1, 4, 5, 20], [12, 16, 20, 2, 3]]).sort(dim=1).values
    for joints in (each, each[0]):
        for clip, own, kept in zip(x, network(x, joints), joints.expand(2, -1).tolist(), strict=True):
            for person, found in zip(clip, own, strict=True):
                torch.testing.assert_close(found, reference(network, person, kept=kept)[0])


@pytest.mark.parametrize(("frames", "left"), [(100, 25), (50, 13), (6, 2), (3, 1), (1, 1)])
def test_frames_are_halved_twice_and_rounded_up(frames: int, left: int) -> None:
    """A hundred frames become fifty and twenty-five."""
    assert built(TINY)(clips(1, frames=frames)).shape == (1, 1, 8, left, 25)


def test_it_has_the_weights_of_the_text() -> None:
    """Two embeddings, one LSTM, and three layers with gates of three subsets of neighbours and an attention; none is a joint's own."""
    layer = 2 * 3 * 4 * 512**2 + 4 * 512 + 3 * 512**2 + 512 + 513

    assert parameters(AGCLSTM()) == 23_410_947 == 4 * 256 + 257 * 256 + 4 * 512 * (512 + 512 + 2) + 3 * layer
    assert parameters(AGCLSTM(), "openpose18", 2) == parameters(AGCLSTM())


def test_dropout_is_only_in_training() -> None:
    """Maps vary from one pass to the next in training, not in evaluation."""
    network, x = built(attrs.evolve(TINY, dropout=0.5)).train(), clips(1, frames=5)

    assert not torch.equal(network(x), network(x))
    assert torch.equal(network.eval()(x), network(x))


@pytest.mark.parametrize("hidden", [0, 7, -2])
def test_widths_that_cannot_be_shared_are_refused(hidden: int) -> None:
    """Position and motion have half the width each."""
    with pytest.raises(ValueError, match=f"hidden got {hidden}; it takes a multiple of two"):
        AGCLSTM(hidden=hidden)


def test_autocast_is_close() -> None:
    """Under bfloat16 autocast features stay within a few per cent."""
    network, x = built(TINY).float(), clips(2).float()
    expected = network.pool(network(x))
    with torch.autocast("cpu", torch.bfloat16):
        features = network.pool(network(x))

    assert ((features.float() - expected).norm() / expected.norm()).item() < 0.05


def test_a_compiler_is_not_handed_the_steps() -> None:
    """What is compiled does not grow with the frames: the steps of the graph LSTMs stay outside, where they would take minutes."""
    operations: list[int] = []

    def count(graph: Any, _inputs: list[Tensor]) -> Any:
        operations[-1] += len(graph.graph.nodes)
        return graph.forward

    for frames in (4, 12):
        torch.compiler.reset()
        operations.append(0)
        network, x = built(TINY), clips(1, frames=frames)
        with torch.no_grad():
            torch.testing.assert_close(torch.compile(network, backend=count, dynamic=False)(x), network(x))
    torch.compiler.reset()

    assert operations[0] == operations[1] > 0
