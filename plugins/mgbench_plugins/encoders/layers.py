"""What the graph encoders are made of: the norm of their input, and convolutions over time; channels lie last, `(N, T, V, C)`."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mgbench.graph import JointNorm, keep
from mgbench.kernels.temporal_conv import temporal_conv


def normed(x: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    """Return the batch norm of the channels of `(N, T, V, C)`."""
    y: Tensor = norm(x.permute(0, 3, 1, 2))
    return y.permute(0, 2, 3, 1)


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return channels mixed by weights `(C', C)`, as a 1x1 convolution: oneDNN multiplies up to twice as fast as MKL (torch 2.13, AMD)."""
    return functional.conv2d(x.permute(0, 3, 1, 2), weight[:, :, None, None], bias).permute(0, 2, 3, 1)


def draw_fan_out(layer: nn.Conv2d | nn.Linear, parts: int = 1) -> None:
    """Draw weights as He et al. do for what goes out, of so many layers written as one, and set biases to zero [2s-AGCN, CTR-GCN]."""
    outer, inner = layer.weight.shape[:2]
    taps = layer.weight.numel() // (outer * inner)
    nn.init.normal_(layer.weight, std=(2 * parts / (outer * taps)) ** 0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


class PersonNorm(nn.Module):
    """Batch norm of each person's joints' channels over clips and frames, the input of MS-G3D, 2s-AGCN and CTR-GCN."""

    def __init__(self, joints: int, channels: int, persons: int) -> None:
        super().__init__()
        self.norm = JointNorm(persons * joints, channels)

    def forward(self, x: Tensor, joints: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return the kept joints of `(N, M, C, T, V)` as `(N M, T, V', C)`, and their numbers for every person."""
        persons, every = x.shape[1], x.shape[4]
        kept = joints
        if joints is not None and joints.dim() > 1:
            persons_joints = joints[:, None] + every * torch.arange(persons, device=joints.device)[:, None]
            joints, kept = persons_joints.flatten(1), joints.repeat_interleave(persons, dim=0)
        y = self.norm(x.permute(0, 1, 4, 2, 3).flatten(1, 2), joints).unflatten(1, (persons, every))
        y = y.flatten(0, 1).permute(0, 3, 1, 2)
        return (y if kept is None else keep(y, kept)).contiguous(), kept


class TemporalConv(nn.Module):
    """Convolution over frames and batch norm."""

    def __init__(self, inner: int, outer: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(inner, outer, (kernel, 1), (stride, 1), (kernel // 2, 0))
        self.norm = nn.BatchNorm2d(outer)

    def forward(self, x: Tensor) -> Tensor:
        """Return `(N, ceil(T / stride), V, C')`."""
        weight, bias = self.conv.weight, self.conv.bias
        if weight.shape[2] == 1:  # as a product: oneDNN's strided 1x1 convolution corrupts memory below 16 channels (torch 2.13)
            return normed(functional.linear(x[:, :: self.stride], weight[:, :, 0, 0], bias), self.norm)
        return normed(temporal_conv(x, weight, bias, self.stride), self.norm)


class BranchedConv(nn.Module):
    """Convolutions over frames of several dilations, a maximum over three frames, and the frame itself, each with a share of the channels.

    All but the last enter by a product, batch norm and ReLU, and all leave by a batch norm. The public code keeps a product and two norms
    a branch; here those of all branches are one, with the same numbers.
    """

    def __init__(self, inner: int, outer: int, kernel: int, dilations: tuple[int, ...], stride: int = 1) -> None:
        super().__init__()
        share = outer // (len(dilations) + 2)
        self.stride, self.share = stride, share
        self.enter = nn.Linear(inner, outer - share)
        self.enter_norm = nn.BatchNorm2d(outer - share)
        self.convs = nn.ModuleList(nn.Conv2d(share, share, (kernel, 1), (stride, 1), (d * (kernel // 2), 0), (d, 1)) for d in dilations)
        self.skip = nn.Linear(inner, share)
        self.norm = nn.BatchNorm2d(outer)

    def forward(self, x: Tensor) -> Tensor:
        """Return `(N, ceil(T / stride), V, C')`."""
        entered = normed(product(x, self.enter.weight, self.enter.bias), self.enter_norm)
        *dilated, pooled = functional.relu(entered, inplace=True).permute(0, 3, 1, 2).split(self.share, dim=1)
        parts = [conv(part) for conv, part in zip(self.convs, dilated, strict=True)]
        parts.append(functional.max_pool2d(pooled, (3, 1), (self.stride, 1), (1, 0)))
        parts.append(self.skip(x[:, :: self.stride]).permute(0, 3, 1, 2))
        return normed(torch.cat([part.permute(0, 2, 3, 1) for part in parts], dim=3), self.norm)
