"""ST-GCN: spatial graph convolution, then temporal convolution, ten times [Yan et al., AAAI 2018].

`width=16` is the encoder of PSTL, AimCLR and MGRL (821,380 parameters for Kinect-25); `width=64` is the original. Masked joints are
removed from input and adjacency, without renormalising it, as PSTL does.
"""

from typing import ClassVar, Literal

import attrs
import torch
from torch import Tensor, nn

from mgbench import Encoder, Network, Skeleton
from mgbench.graph import GraphName, JointNorm, keep, load_graph, spatial_partition
from mgbench.kernels.batch_norm import batch_norm_relu
from mgbench.kernels.graph_conv import measured_graph_conv
from mgbench.kernels.temporal_conv import temporal_conv
from mgbench_plugins import works


@attrs.frozen
class STGCN(Encoder):
    """ST-GCN with the field's spatial partition.

    Args:
        width: channels of the first stage; the others have two and four times as many.
        features: D, the channels of the last block.
        dropout: in every block but the first.
        partition: `spatial` is what the public code computes, `true` what its paper describes (see mgbench.graph).
        graph: `bones`, or the faulty list of edges that the owners' baseline of a data set computes with, for parity with its numbers.
    """

    name = "stgcn"
    citation = works.STGCN
    tiny = "width=4,features=16"
    gives: ClassVar[frozenset[str]] = frozenset({"joint_map", "drop_joints"})

    width: int = attrs.field(default=16, validator=attrs.validators.ge(1))
    features: int = attrs.field(default=256, validator=attrs.validators.ge(1))
    dropout: float = attrs.field(default=0.5, validator=[attrs.validators.ge(0), attrs.validators.lt(1)])
    partition: Literal["spatial", "true"] = "spatial"
    graph: GraphName = "bones"

    def build(self, skeleton: Skeleton, channels: int, persons: int) -> Network:
        """Make the network; persons are folded into the batch, so it holds nothing a person."""
        graph = load_graph(self.graph, skeleton)
        return _STGCN(self, spatial_partition(graph, true=self.partition == "true"), channels)


class _STGCN(Network):
    def __init__(self, spec: STGCN, adjacency: Tensor, channels: int) -> None:
        super().__init__()
        self.width = spec.features
        self.register_buffer("adjacency", adjacency, persistent=False)
        self.adjacency: Tensor
        joints, w = adjacency.shape[-1], spec.width
        self.normalise = JointNorm(joints, channels)
        widths = [channels, w, w, w, w, 2 * w, 2 * w, 2 * w, 4 * w, 4 * w, spec.features]
        self.blocks = nn.ModuleList(
            _Block(widths[i], widths[i + 1], 2 if i in {4, 7} else 1, joints, spec.dropout if i else 0.0, residual=i > 0) for i in range(10)
        )

    def forward(self, x: Tensor, joints: Tensor | None = None) -> Tensor:
        """Return `(N, M, D, ceil(T / 4), V')`."""
        clips, persons = x.shape[:2]
        if joints is not None and joints.dim() > 1:
            joints = joints.repeat_interleave(persons, dim=0)
        y = self.normalise(x.permute(0, 1, 4, 2, 3).flatten(0, 1), joints).permute(0, 3, 1, 2)
        if joints is not None:
            y = keep(y, joints)
        y = y.contiguous()  # (N M, T, V', C) throughout
        for block in self.blocks:
            y = block(y, self.adjacency, joints)
        features: Tensor = y.permute(0, 3, 1, 2).unflatten(0, (clips, persons))
        return features


class _Block(nn.Module):
    """Graph convolution, temporal convolution of 9 frames, residual; `(N, T, V', C) -> (N, ceil(T / stride), V', C')`."""

    def __init__(self, inner: int, outer: int, stride: int, joints: int, dropout: float, *, residual: bool) -> None:
        super().__init__()
        self.stride, self.dropout = stride, dropout
        self.importance = nn.Parameter(torch.ones(3, joints, joints))
        self.spatial = nn.Conv2d(inner, 3 * outer, 1)
        self.spatial_norm = nn.BatchNorm2d(outer)
        self.temporal = nn.Conv2d(outer, outer, (9, 1), (stride, 1), (4, 0))
        self.temporal_norm = nn.BatchNorm2d(outer)
        projects = residual and (inner != outer or stride != 1)
        # a 1x1 convolution written as a product: oneDNN's strided one corrupts memory below 16 channels (torch 2.13)
        self.shortcut = nn.Linear(inner, outer) if projects else None
        self.shortcut_norm = nn.BatchNorm2d(outer) if projects else None
        self.residual = residual

    def forward(self, x: Tensor, adjacency: Tensor, joints: Tensor | None) -> Tensor:
        y, moments = self._graph(x, adjacency, joints)
        y = batch_norm_relu(y, self.spatial_norm, moments=moments)
        y = temporal_conv(y, self.temporal.weight, self.temporal.bias, self.stride)
        beside = x if self.residual else None
        if self.shortcut is not None and self.shortcut_norm is not None:
            beside = self.shortcut_norm(self.shortcut(x[:, :: self.stride]).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        dropout = self.dropout if self.training else 0.0
        return batch_norm_relu(y, self.temporal_norm, dropout=dropout, residual=beside).contiguous()

    def _graph(self, x: Tensor, adjacency: Tensor, joints: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return `(N, T, V', C')` and its moments: channels mixed as by a 1x1 convolution, neighbours summed along weighted bones."""
        outer, bias = self.spatial.out_channels // 3, self.spatial.bias
        assert bias is not None  # noqa: S101 - built with a bias
        weight = self.spatial.weight.view(3, outer, -1)
        bias = bias.view(3, outer)
        return measured_graph_conv(x, adjacency, weight, bias, importance=self.importance, joints=joints, measured=self.training)
