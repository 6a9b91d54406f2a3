"""CTR-GCN: every channel has a graph of its own, a shared one refined by how the clip's joints differ [Chen et al., ICCV 2021].

Masked joints are removed from the shared graphs and from what refines them, and from the statistics of all norms.
"""

from typing import ClassVar

import attrs
import torch
from torch import Tensor, nn

from mgbench import Encoder, Network, Skeleton
from mgbench.graph import directed_partition, load_graph
from mgbench.kernels.graph_conv import between
from mgbench_plugins import works
from mgbench_plugins.encoders.layers import BranchedConv, PersonNorm, draw_fan_out
from mgbench_plugins.encoders.units import TenUnits


@attrs.frozen
class CTRGCN(Encoder):
    """CTR-GCN, whose graphs differ from channel to channel.

    Args:
        width: channels of the first stage; the others have two and four times as many, and D is the last.
    """

    name = "ctrgcn"
    citation = works.CTRGCN
    tiny = "width=4"
    gives: ClassVar[frozenset[str]] = frozenset({"joint_map", "drop_joints"})

    width: int = attrs.field(default=64, validator=attrs.validators.ge(4))

    @width.validator
    def _shared(self, field: "attrs.Attribute[int]", value: int) -> None:
        if value % 4:
            msg = f"{field.name} got {value}; it must be a multiple of 4, because four branches share it."
            raise ValueError(msg)

    def build(self, skeleton: Skeleton, channels: int, persons: int) -> Network:
        """Make the network; its first norm holds numbers of each person."""
        norm, graph = PersonNorm(len(skeleton.joints), channels, persons), directed_partition(load_graph("bones", skeleton))
        return TenUnits(norm, channels, self.width, lambda inner, outer: _Refined(inner, outer, graph), _branches)


def _branches(width: int, stride: int) -> BranchedConv:
    """Make branches of five frames and two dilations, with norms drawn around one."""
    unit = BranchedConv(width, width, 5, (1, 2), stride)
    draw_fan_out(unit.enter, parts=3)
    for conv in (*unit.convs, unit.skip):
        draw_fan_out(conv)
    for norm in (unit.enter_norm, unit.norm):
        nn.init.normal_(norm.weight, 1, 0.02)
    return unit


class _Refined(nn.Module):
    """Sums over neighbours by three graphs for each channel."""

    def __init__(self, inner: int, outer: int, adjacency: Tensor) -> None:
        super().__init__()
        relations = max(8, inner // 8)
        self.shared = nn.Parameter(adjacency.clone())  # from each joint (last axis) to each (middle)
        self.alpha = nn.Parameter(torch.zeros(1))
        self.relate = nn.Linear(inner, 6 * relations)  # of targets and of sources, for each of the three
        self.refine = nn.Linear(relations, 3 * outer)
        self.mix = nn.Linear(inner, 3 * outer)
        draw_fan_out(self.relate, parts=6)
        for layer in (self.refine, self.mix):
            draw_fan_out(layer, parts=3)

    def forward(self, x: Tensor, joints: Tensor | None) -> Tensor:
        """Return `(N, T, V', C')` of the kept joints."""
        clips, frames, kept, _ = x.shape
        flat = x.flatten(1, 2).mT  # (N, C, T V')
        weights, biases = self.mix.weight.unflatten(0, (3, -1)), self.mix.bias.view(3, -1, 1)
        y = x.new_zeros(())
        for graph, weight, bias in zip(self.graphs(x, joints), weights, biases, strict=True):
            mixed = torch.baddbmm(bias, weight.expand(clips, -1, -1), flat).view(-1, frames, kept)
            y = y + torch.bmm(mixed, graph.flatten(0, 1).mT)
        return y.view(clips, -1, frames, kept).permute(0, 2, 3, 1).contiguous()

    def graphs(self, x: Tensor, joints: Tensor | None) -> Tensor:
        """Return three graphs for each clip and channel, `(3, N, C', V', V')`; they are refined by relations of means over time."""
        related: Tensor = self.relate(x.mean(dim=1)).unflatten(2, (2, 3, -1))
        targets, sources = related.permute(2, 3, 0, 4, 1)  # (3, N, R, V')
        apart = torch.tanh(targets.unsqueeze(-1) - sources.unsqueeze(-2)).flatten(3)
        refined: Tensor = self.refine.weight.view(3, 1, -1, apart.shape[2]) @ apart + self.refine.bias.view(3, 1, -1, 1)
        shared = between(self.shared, joints).unsqueeze(-3)  # ([N], 3, 1, V', V')
        graphs: Tensor = self.alpha * refined.unflatten(3, (x.shape[2], -1))
        return graphs + shared.movedim(-4, 0).view(3, -1, *shared.shape[-3:])
