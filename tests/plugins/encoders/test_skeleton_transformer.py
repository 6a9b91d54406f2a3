"""MAMP's transformer against one that goes token by token, with the same weights."""

import math
from typing import Any

import pytest
import torch
from mgbench_plugins.encoders.skeleton_transformer import SkeletonTransformer
from networks import LAYOUTS, built, clips, parameters
from torch import Tensor

from mgbench import load_skeleton


TINY = SkeletonTransformer(features=6, blocks=2, heads=2, frames=16)


def positions(network: Any, count: int) -> list[Tensor]:
    """Return so many positions in time: each lies among the learnt ones where it lies in the clip, and is drawn from its two neighbours."""
    learnt, found = network.time, []
    for place in range(count):
        where = min(max((place + 0.5) * len(learnt) / count - 0.5, 0), len(learnt) - 1)
        low = math.floor(where)
        high = min(low + 1, len(learnt) - 1)
        found.append(learnt[low] + (where - low) * (learnt[high] - learnt[low]))
    return found


def normalised(x: Tensor, norm: Any) -> Tensor:
    """Return one token without its mean and scale."""
    return (x - x.mean()) / (x.var(unbiased=False) + 1e-5).sqrt() * norm.weight + norm.bias


def attended(tokens: list[Tensor], block: Any, heads: int) -> list[Tensor]:
    """Return what each token gathers from all, head by head."""
    asked = torch.stack([block.qkv.weight @ normalised(x, block.norm) + block.qkv.bias for x in tokens])
    parts = []
    for query, key, value in zip(*(part.chunk(heads, dim=1) for part in asked.chunk(3, dim=1)), strict=True):
        score = (torch.einsum("qd,kd->qk", query, key) / query.shape[1] ** 0.5).exp()
        parts.append(torch.einsum("qk,kd->qd", score / score.sum(dim=1, keepdim=True), value))
    return [block.mix.weight @ x + block.mix.bias for x in torch.cat(parts, dim=1)]


def reference(network: Any, person: Tensor, kept: list[int] | None = None, heads: int = 2) -> Tensor:
    """Return the tokens `(K', D)` of one person's clip `(C, T, V)`, time by time and joint by joint; `kept` are numbered so."""
    patch, joints = network.patch, person.shape[2]
    frames = [*person.unbind(dim=1), *[person[:, -1]] * (-person.shape[1] % patch)]
    cut = [torch.stack(frames[start : start + patch], dim=1) for start in range(0, len(frames), patch)]  # (C, patch, V) each
    tokens = [
        network.embed.weight @ piece[:, :, joint].flatten() + network.embed.bias + time + network.place[joint]
        for piece, time in zip(cut, positions(network, len(cut)), strict=True)
        for joint in range(joints)
    ]
    tokens = tokens if kept is None else [tokens[number] for number in kept]
    for block in network.blocks:
        tokens = [x + y for x, y in zip(tokens, attended(tokens, block, heads), strict=True)]
        wide = [block.wide.weight @ normalised(x, block.second_norm) + block.wide.bias for x in tokens]
        bent = [0.5 * y * (1 + torch.erf(y / 2**0.5)) for y in wide]
        tokens = [x + block.narrow.weight @ y + block.narrow.bias for x, y in zip(tokens, bent, strict=True)]
    return torch.stack([normalised(x, network.norm) for x in tokens])


def cells(kept: list[int], frames: int, patch: int = 4, joints: int = 25) -> Tensor:
    """Return the cells of the T x V grid that numbered tokens are made of; where the last is not full, its last frame comes again."""
    found = [min(t, frames - 1) * joints + k % joints for k in kept for t in range(k // joints * patch, k // joints * patch + patch)]
    return torch.tensor(sorted(found))


@pytest.mark.parametrize(("skeleton", "persons"), LAYOUTS)
def test_map_is_that_of_the_plain_network(skeleton: str, persons: int) -> None:
    """On every skeleton, one person or two, the map agrees in float64, and the feature is its mean."""
    network, x = built(TINY, skeleton, persons), clips(1, persons, 8, skeleton)
    features = network(x)
    expected = torch.stack([reference(network, person) for person in x[0]])

    assert features.shape == (1, persons, 6, 2, x.shape[4])
    torch.testing.assert_close(features[0].flatten(2).transpose(1, 2), expected)
    torch.testing.assert_close(network.pool(features)[0], expected.mean(dim=(0, 1)))


@pytest.mark.parametrize("frames", [1, 4, 7, 16, 18])
def test_clips_of_any_length_are_tokens(frames: int) -> None:
    """Positions are learnt for sixteen frames and stretched to others; a last token that is not full repeats the last frame."""
    network, x = built(TINY), clips(1, frames=frames)

    assert network(x).shape[3] == math.ceil(frames / 4)
    torch.testing.assert_close(network(x)[0, 0].flatten(1).T, reference(network, x[0, 0]))


def test_gradients_are_those_of_the_plain_network() -> None:
    """Weights and clips get the gradients of the plain network."""
    network = built(TINY)
    ours, theirs = (clips(1, frames=6).requires_grad_() for _ in range(2))
    weights = list(network.parameters())
    direction = torch.randn(50, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found = torch.autograd.grad(network(ours)[0, 0].flatten(1).T, [ours, *weights], direction)

    for a, b in zip(found, torch.autograd.grad(reference(network, theirs[0, 0]), [theirs, *weights], direction), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("frames", [8, 7])
@pytest.mark.parametrize("persons", [1, 2])
def test_dropped_tokens_never_enter(persons: int, frames: int) -> None:
    """The map holds the kept tokens alone, in order, as if no other had been; clips may keep different ones."""
    network, x = built(TINY, persons=persons), clips(2, persons, frames)
    each = [[0, 7, 24, 30, 49], [1, 2, 3, 25, 26]]
    for kept in (each, [each[0]] * 2):
        tokens = [cells(own, frames) for own in kept]
        features = network(x, tokens=torch.stack(tokens) if kept[0] != kept[1] else tokens[0])
        assert features.shape == (2, persons, 6, 5, 1)
        for clip, own, numbers in zip(x, features, kept, strict=True):
            for person, found in zip(clip, own, strict=True):
                torch.testing.assert_close(found[:, :, 0].T, reference(network, person, numbers))


def test_dropped_joints_never_enter() -> None:
    """Kept joints are kept tokens of every time."""
    network, x = built(TINY), clips(2, frames=8)
    each = torch.tensor([[0, 3, 7], [5, 20, 24]])
    for joints in (each, each[0]):
        features = network(x, joints)
        assert features.shape == (2, 1, 6, 2, 3)
        for clip, own, places in zip(x, features, joints.expand(2, -1).tolist(), strict=True):
            expected = reference(network, clip[0], [time * 25 + joint for time in range(2) for joint in places])
            torch.testing.assert_close(own[0].flatten(1).T, expected)


@pytest.mark.parametrize(
    "tokens",
    [torch.tensor([0]), torch.arange(99), torch.stack([cells([0, 1], 8), cells([0, 2], 8).roll(1)])[:, :7]],
    ids=["part", "most", "parts"],
)
def test_cells_that_are_no_whole_tokens_are_refused(tokens: Tensor) -> None:
    """A token of which a frame is masked is neither kept nor dropped, so it is refused."""
    with pytest.raises(ValueError, match="whole tokens of 4 frames of one joint"):
        built(TINY)(clips(2, frames=8), tokens=tokens)


def test_joints_and_tokens_at_once_are_refused() -> None:
    """A view masks one or the other."""
    with pytest.raises(ValueError, match="takes one of them"):
        built(TINY)(clips(2, frames=8), torch.arange(3), tokens=cells([0], 8))


def test_mamp_has_10368524_parameters() -> None:
    """Encoder and decoder together: the latter has five such blocks, a way in, a masked token, positions, a norm and a way out."""
    encoder, block = parameters(SkeletonTransformer()), parameters(SkeletonTransformer(blocks=9)) - parameters(SkeletonTransformer())
    decoder = 256 * 257 + 256 + (30 + 25) * 256 + 5 * block + 2 * 256 + 257 * 4 * 3

    assert encoder == 6_336_000
    assert encoder + decoder == 10_368_524


def test_weights_are_drawn_as_in_the_public_code() -> None:
    """Matrices of blocks are uniform within Xavier's bound without biases, positions normal with a deviation of 0.02."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network: Any = SkeletonTransformer().build(load_skeleton("kinect25"), 3, 1)
    block, bound = network.blocks[3], (6 / (256 + 3 * 256)) ** 0.5

    assert bound * 0.98 < block.qkv.weight.abs().max().item() <= bound
    assert block.wide.bias.abs().max() == block.mix.bias.abs().max() == 0
    assert network.time.std().item() == pytest.approx(0.02, rel=0.1)
    assert network.place.std().item() == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize(("fields", "said"), [({"features": 20, "heads": 8}, "features got 20"), ({"frames": 50}, "frames got 50")])
def test_widths_that_do_not_divide_are_refused(fields: dict[str, int], said: str) -> None:
    """Heads share the features, and tokens the frames, without rest."""
    with pytest.raises(ValueError, match=f"{said}; it takes a multiple of"):
        SkeletonTransformer(**fields)


def test_autocast_is_close() -> None:
    """Under bfloat16 autocast features stay within a few per cent."""
    network, x = built(TINY).float(), clips(2).float()
    expected = network(x)
    with torch.autocast("cpu", torch.bfloat16):
        features = network(x)

    assert ((features.float() - expected).norm() / expected.norm()).item() < 0.05
