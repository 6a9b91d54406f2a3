"""Sums over neighbours at several distances, with learnt residual masks, as MS-G3D and EDGCN use them; channels last, `(N, T, V, C)`.

The residual mask makes every adjacency dense, so sums over all nodes cannot be avoided; what can be is to hold them: channels are mixed
before the sum where that is no wider, once a frame and not once a window, and windows are read by a convolution over frames.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mgbench.graph import Graph, ring_adjacencies
from mgbench.kernels.graph_conv import between, masked_graph_conv
from mgbench_plugins.encoders.layers import normed, product


class MultiScale(nn.Module):
    """The joints of one frame at several distances, each mixed by weights of its own, then batch norm and ReLU (MS-GCN)."""

    def __init__(self, inner: int, outer: int, graph: Graph, scales: int, window: int = 1) -> None:
        super().__init__()
        self.scales = scales
        self.register_buffer("adjacency", ring_adjacencies(graph, scales, window), persistent=False)
        self.adjacency: Tensor
        self.residual = nn.Parameter(torch.empty_like(self.adjacency).uniform_(-1e-6, 1e-6))
        self.mix = nn.Linear(scales * inner, outer)
        self.norm = nn.BatchNorm2d(outer)

    def forward(self, x: Tensor, joints: Tensor | None) -> Tensor:
        """Return `(N, T, V', C')` of the kept joints."""
        return self.finished(masked_graph_conv(x, self.adjacency + self.residual, self.weight, joints=joints))

    def finished(self, x: Tensor) -> Tensor:
        """Return the sums over neighbours with bias, batch norm and ReLU; the axes between the first and the last are free."""
        return functional.relu(normed(x + self.mix.bias.to(x.dtype), self.norm), inplace=True)

    @property
    def weight(self) -> Tensor:
        """Weights of each scale, `(S, C', C)`."""
        weights: Tensor = self.mix.weight.unflatten(1, (self.scales, -1))
        return weights.transpose(0, 1)


class Windowed(nn.Module):
    """The same over all joints of a window of frames, whose frames are then mixed into one: batch norm, and no ReLU (G3D).

    Args:
        inner: channels that come in.
        middle: channels after the sum over neighbours.
        outer: channels that go out.
        graph: the bones.
        scales: how many distances.
        window: frames.
        stride: frames between windows.
    """

    def __init__(self, inner: int, middle: int, outer: int, graph: Graph, scales: int, window: int, stride: int) -> None:
        super().__init__()
        self.window, self.stride, self.first = window, stride, inner < middle
        self.sum = MultiScale(inner, middle, graph, scales, window)
        self.collapse = nn.Linear(window * middle, outer)
        self.norm = nn.BatchNorm2d(outer)

    def forward(self, x: Tensor, joints: Tensor | None) -> Tensor:
        """Return `(N, ceil(T / stride), V', C')` of the kept joints."""
        if joints is not None:  # the nodes of a joint stand side by side, a frame each
            joints = (joints[..., None] * self.window + torch.arange(self.window, device=joints.device)).flatten(-2)
        y = self._gathered(x, joints) if self.first else self._mixed(x, joints)
        return normed(product(y, self.collapse.weight, self.collapse.bias), self.norm)

    def _gathered(self, x: Tensor, nodes: Tensor | None) -> Tensor:
        """Return `(N, T', V', window C')`: neighbours summed, then channels mixed, for clips whose windows are small."""
        margin = self.window // 2
        windows = functional.pad(x, (0, 0, 0, 0, margin, margin)).unfold(1, self.window, self.stride)
        y: Tensor = self.sum(windows.transpose(3, 4).flatten(2, 3), nodes).unflatten(2, (-1, self.window))
        return y.flatten(3)

    def _mixed(self, x: Tensor, nodes: Tensor | None) -> Tensor:
        """Return the same with channels mixed first, of each frame once; the sum is a convolution from joints and scales to nodes."""
        clips, _, kept, _ = x.shape
        part, window = self.sum, self.window
        mixed = product(x, part.weight.flatten(0, 1)).unflatten(3, (part.scales, -1))
        rows = mixed.permute(0, 2, 3, 1, 4).flatten(1, 2)  # (N, V' S, T, C')
        graph = between(part.adjacency + part.residual, nodes)  # ([N], S, V' window, V' window)
        kernel = graph.unflatten(-2, (kept, window)).movedim(-1, -4).transpose(-3, -2).flatten(-3, -2).unsqueeze(-1)
        stride, margin = (self.stride, 1), (window // 2, 0)
        if kernel.dim() == 4:  # noqa: PLR2004 - one graph for all clips
            y = functional.conv2d(rows, kernel, stride=stride, padding=margin)
        else:
            alone = functional.conv2d(rows.flatten(0, 1)[None], kernel.flatten(0, 1), stride=stride, padding=margin, groups=clips)
            y = alone.unflatten(1, (clips, -1))[0]
        nodes_first: Tensor = part.finished(y).unflatten(1, (kept, window))  # (N, V', window, T', C')
        return nodes_first.permute(0, 3, 1, 2, 4).flatten(3)
