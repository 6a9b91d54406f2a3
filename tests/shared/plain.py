"""Parts of the graph encoders, and all of MS-G3D, as papers and public code write them: channels first, one step after another.

They take the weights of a network of ours, so that values and gradients can be compared.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mgbench import load_skeleton


def normalised(x: Tensor, norm: Any, *, training: bool) -> Tensor:
    """Return batch norm of channels `(N, C, ...)`, without moving its running statistics."""
    mean, variance = (None, None) if training else (norm.running_mean, norm.running_var)
    return functional.batch_norm(x, mean, variance, norm.weight, norm.bias, training)


def everyone(clip: Tensor, joints: Tensor | None) -> Tensor:
    """Return the kept joints of every clip `(N, V')`."""
    return (torch.arange(clip.shape[4]) if joints is None else joints).expand(len(clip), -1)


def entered(clip: Tensor, norm: Any, kept: Tensor, *, training: bool) -> Tensor:
    """Return `(N M, C, T, V')` of clips `(N, M, C, T, V)`, normalised person by person, joint by joint, by the clips that keep it."""
    clips, persons, channels, frames, joints = clip.shape
    y = clip.new_zeros(clip.shape)
    for person in range(persons):
        for joint in range(joints):
            keeps = (kept == joint).any(dim=1)
            for channel in range(channels):
                place, x = (person * joints + joint) * channels + channel, clip[:, person, channel, :, joint]
                mean, variance = norm.running_mean[place], norm.running_var[place]
                if training and keeps.any():
                    mean, variance = x[keeps].mean(), x[keeps].var(unbiased=False)
                y[:, person, channel, :, joint] = (x - mean) / (variance + 1e-5).sqrt() * norm.weight[place] + norm.bias[place]
    left = [y[clip, ..., kept[clip]] for clip in range(clips)]
    return torch.stack(left).flatten(0, 1).view(-1, channels, frames, kept.shape[1])


def cut(adjacency: Tensor, kept: Tensor, persons: int) -> Tensor:
    """Return rows and columns of the kept joints of adjacencies `(S, V, V)` for every person of every clip, `(N M, S, V', V')`."""
    return torch.stack([adjacency[:, own][:, :, own] for own in kept]).repeat_interleave(persons, dim=0)


def neighbours(skeleton: str) -> Tensor:
    """Return the joints that a bone links, `(V, V)` of zeros and ones."""
    layout = load_skeleton(skeleton)
    adjacency = torch.zeros(len(layout.joints), len(layout.joints), dtype=torch.float64)
    for child, parent in layout.bones:
        adjacency[child, parent] = adjacency[parent, child] = 1
    return adjacency


def directions(skeleton: str) -> Tensor:
    """Return 2s-AGCN's graphs `(3, V, V)`: self, each joint's neighbour towards the centre, and its neighbours away from it, averaged."""
    layout = load_skeleton(skeleton)
    towards, pairs, seen = torch.zeros(len(layout.joints), len(layout.joints), dtype=torch.float64), list(layout.bones), {layout.centre}
    while pairs:  # outwards from the centre, bone by bone
        for bone in [bone for bone in pairs if seen & set(bone)]:
            (parent,) = seen & set(bone)
            (child,) = set(bone) - seen
            towards[parent, child] = 1
            seen.add(child)
            pairs.remove(bone)
    away = towards.T / towards.sum(dim=1).clamp(min=1)
    return torch.stack([torch.eye(len(towards)).double(), towards, away]).float().double()  # as they are stored


def rings(adjacency: Tensor, scales: int) -> Tensor:
    """Return MS-G3D's adjacencies by their definition, powers of A + I, normalised from both sides `(S, V, V)`."""
    own, found = torch.eye(len(adjacency)).to(adjacency), []
    for scale in range(scales):
        reached = (torch.linalg.matrix_power(adjacency + own, scale) > 0).to(adjacency)
        nearer = (torch.linalg.matrix_power(adjacency + own, scale - 1) > 0).to(adjacency) if scale else own
        ring = reached - nearer + own
        degree = ring.sum(dim=1).rsqrt()
        found.append(degree[:, None] * ring * degree)
    return torch.stack(found).float().to(adjacency)  # as they are stored


def windows_of(x: Tensor, window: int, stride: int) -> Tensor:
    """Return `(N, C, T', window V)`: the frames around each frame, zeros beyond the ends."""
    clips, channels, _, joints = x.shape
    margin = window // 2
    unfolded = functional.unfold(x, (window, 1), padding=(margin, 0), stride=(stride, 1)).view(clips, channels, window, -1, joints)
    return unfolded.transpose(2, 3).flatten(3)


def aggregated(x: Tensor, graph: Tensor, part: Any, *, training: bool) -> Tensor:
    """Return the multi-scale graph convolution of `(N, C, T, V)` by `(N, S, V, V)`, from each joint (second) to each (last)."""
    sums = torch.einsum("nctv,nsvw->nsctw", x, graph).flatten(1, 2)
    y = functional.conv2d(sums, part.mix.weight[:, :, None, None], part.mix.bias)
    return functional.relu(normalised(y, part.norm, training=training))


def windowed(x: Tensor, block: Any, spatial: Tensor, kept: Tensor, persons: int, *, training: bool) -> Tensor:
    """Return G3D of `(N, C, T, V')`, its nodes ordered frame by frame as in the paper."""
    window, joints = block.window, len(spatial)
    linked = (spatial + torch.eye(joints).to(spatial)).repeat(window, window)
    ours = torch.tensor([joint * window + frame for frame in range(window) for joint in range(joints)])
    whole = rings(linked, block.sum.scales) + block.sum.residual[:, ours][:, :, ours]
    nodes = torch.cat([kept + frame * joints for frame in range(window)], dim=1)
    y = aggregated(windows_of(x, window, block.stride), cut(whole, nodes, persons), block.sum, training=training)
    y = y.unflatten(3, (window, -1))
    weight = block.collapse.weight.unflatten(1, (window, -1)).transpose(1, 2)[:, :, None, :, None]
    return normalised(functional.conv3d(y, weight, block.collapse.bias).squeeze(3), block.norm, training=training)


def convolved(x: Tensor, unit: Any, stride: int, *, training: bool) -> Tensor:
    """Return a convolution over time and its norm."""
    kernel = unit.conv.weight.shape[2]
    y = functional.conv2d(x, unit.conv.weight, unit.conv.bias, (stride, 1), (kernel // 2, 0))
    return normalised(y, unit.norm, training=training)


def branched(x: Tensor, unit: Any, dilations: tuple[int, ...], stride: int, *, training: bool) -> Tensor:
    """Return the branches of several dilations, each alone, one after another."""
    share, outs = unit.share, []
    for branch in range(len(dilations) + 1):
        place = slice(branch * share, (branch + 1) * share)
        y = functional.conv2d(x, unit.enter.weight[place, :, None, None], unit.enter.bias[place])
        y = functional.relu(_part(y, unit.enter_norm, place, training=training))
        if branch < len(dilations):
            conv, dilation = unit.convs[branch], dilations[branch]
            reach = dilation * (conv.weight.shape[2] // 2)
            y = functional.conv2d(y, conv.weight, conv.bias, (stride, 1), (reach, 0), (dilation, 1))
        else:
            y = functional.max_pool2d(y, (3, 1), (stride, 1), (1, 0))
        outs.append(_part(y, unit.norm, place, training=training))
    last = functional.conv2d(x, unit.skip.weight[:, :, None, None], unit.skip.bias)[:, :, ::stride]
    outs.append(_part(last, unit.norm, slice(len(outs) * share, None), training=training))
    return torch.cat(outs, dim=1)


def _part(x: Tensor, norm: Any, place: slice, *, training: bool) -> Tensor:
    mean, variance = (None, None) if training else (norm.running_mean[place], norm.running_var[place])
    return functional.batch_norm(x, mean, variance, norm.weight[place], norm.bias[place], training)


def msg3d(network: Any, clip: Tensor, joints: Tensor | None = None, skeleton: str = "kinect25") -> Tensor:
    """Return the map `(N, M, D, T', V')` of MS-G3D or EDGCN, in the order of the public code."""
    persons, training = clip.shape[1], network.training
    spatial, kept = neighbours(skeleton).to(clip), everyone(clip, joints)

    def over_time(x: Tensor, unit: Any, stride: int) -> Tensor:
        if type(unit).__name__ == "TemporalConv":
            return convolved(x, unit, stride, training=training)
        y = branched(x, unit.branches, (1, 2, 3, 4), stride, training=training)
        same = isinstance(unit.shortcut, torch.nn.Identity)
        return y + (x if same else convolved(x, unit.shortcut, stride, training=training))

    x = entered(clip, network.normalise.norm.norm, kept, training=training)
    for number, stage in enumerate(network.stages):
        stride = 2 if number else 1
        graph = cut(rings(spatial, stage.frame.scales) + stage.frame.residual, kept, persons)
        y = aggregated(x, graph, stage.frame, training=training)
        y = functional.relu(over_time(y, stage.first, stride))
        y = over_time(y, stage.second, 1)
        for block in stage.windows:
            y = y + windowed(x, block, spatial, kept, persons, training=training)
        x = functional.relu(over_time(functional.relu(y), stage.last, 1))
    if network.head is not None:
        x = torch.einsum("nctv,dc->ndtv", x, network.head.weight) + network.head.bias[:, None, None]
    return x.unflatten(0, (len(clip), persons))
