"""2s-AGCN and CTR-GCN, ten units in both, as their papers write them; they take the weights of a network of ours."""

from collections.abc import Callable
from typing import Any

import torch
from plain import branched, convolved, directions, entered, everyone, normalised
from torch import Tensor
from torch.nn import functional


def ten_units(network: Any, clip: Tensor, joints: Tensor | None, spatial: Callable[..., Tensor], temporal: Callable[..., Tensor]) -> Tensor:
    """Return the map `(N, M, D, T', V')` of 2s-AGCN or CTR-GCN.

    Args:
        network: of ours.
        clip: `(N, M, C, T, V)`.
        joints: the kept ones.
        spatial: the graph convolution of `(N M, C, T, V')` by a part of a unit, given the kept joints `(N M, V')`.
        temporal: the convolution over time by a part of a unit, given the stride.
    """
    kept, training = everyone(clip, joints), network.training
    x = entered(clip, network.normalise.norm.norm, kept, training=training)
    kept = kept.repeat_interleave(clip.shape[1], dim=0)
    for number, unit in enumerate(network.units):
        stride = 2 if number in {4, 7} else 1
        y = normalised(spatial(x, unit.spatial, kept), unit.norm, training=training)
        y = y + (x if isinstance(unit.down, torch.nn.Identity) else convolved(x, unit.down, 1, training=training))
        y = temporal(functional.relu(y), unit.temporal, stride)
        if number > 0:
            y = y + (x if isinstance(unit.shortcut, torch.nn.Identity) else convolved(x, unit.shortcut, stride, training=training))
        x = functional.relu(y)
    return x.unflatten(0, (len(clip), clip.shape[1]))


def adapted(x: Tensor, part: Any, bones: Tensor, kept: Tensor) -> Tensor:
    """Return the sum over three graphs of `(N, C, T, V')`, clip by clip and graph by graph."""
    e, outer = part.embed.weight.shape[0] // 6, part.mix.weight.shape[0] // 3
    found = []
    for one, own in zip(x, kept, strict=True):
        total = torch.zeros(outer, *one.shape[1:]).to(one)
        for k in range(3):
            theta, phi = (
                torch.einsum("ctv,ec->etv", one, part.embed.weight[place]) + part.embed.bias[place, None, None]
                for place in (slice(k * e, (k + 1) * e), slice((3 + k) * e, (4 + k) * e))
            )
            likeness = torch.einsum("etv,etw->vw", theta, phi) / (e * one.shape[1])
            graph = (bones[k] + part.learnt[k])[own][:, own] + likeness.softmax(dim=0)
            place = slice(k * outer, (k + 1) * outer)
            total = total + torch.einsum("ctv,vw,oc->otw", one, graph, part.mix.weight[place])
            total = total + part.mix.bias[place, None, None]
        found.append(total)
    return torch.stack(found)


def agcn(network: Any, clip: Tensor, joints: Tensor | None = None, skeleton: str = "kinect25") -> Tensor:
    """Return the map `(N, M, D, T', V')` of 2s-AGCN."""
    bones = directions(skeleton).to(clip)
    return ten_units(
        network,
        clip,
        joints,
        lambda x, part, kept: adapted(x, part, bones, kept),
        lambda x, part, stride: convolved(x, part, stride, training=network.training),
    )


def refined(x: Tensor, part: Any, kept: Tensor) -> Tensor:
    """Return the sum over three graphs a channel of `(N, C, T, V')`, clip by clip and graph by graph."""
    r, outer = part.relate.weight.shape[0] // 6, part.mix.weight.shape[0] // 3

    def product(z: Tensor, layer: Any, place: slice) -> Tensor:
        return torch.einsum("cab,oc->oab", z, layer.weight[place]) + layer.bias[place, None, None]

    found = []
    for one, own in zip(x, kept, strict=True):
        total = torch.zeros(outer, *one.shape[1:]).to(one)
        for k in range(3):
            target = product(one, part.relate, slice(k * r, (k + 1) * r)).mean(dim=1)
            source = product(one, part.relate, slice((3 + k) * r, (4 + k) * r)).mean(dim=1)
            apart = torch.tanh(target[:, :, None] - source[:, None, :])
            place = slice(k * outer, (k + 1) * outer)
            graph = part.shared[k][own][:, own] + part.alpha * product(apart, part.refine, place)
            total = total + torch.einsum("cuv,ctv->ctu", graph, product(one, part.mix, place))
        found.append(total)
    return torch.stack(found)


def ctrgcn(network: Any, clip: Tensor, joints: Tensor | None = None, _: str = "kinect25") -> Tensor:
    """Return the map `(N, M, D, T', V')` of CTR-GCN, which asks its weights alone for the graph."""
    return ten_units(network, clip, joints, refined, lambda x, part, stride: branched(x, part, (1, 2), stride, training=network.training))


def tame(network: Any) -> Any:
    """Return a network of ten units, which now do not multiply to numbers that drown differences."""
    with torch.no_grad():
        for unit in network.units:
            unit.norm.weight.mul_(0.1)
            unit.temporal.norm.weight.mul_(0.1)
    return network
