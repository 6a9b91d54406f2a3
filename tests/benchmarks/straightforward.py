"""One training step of MGRL, PSTL or Barlow Twins as the field's public code writes it. Frozen: what is measured is measured against this.

Clips are augmented one by one, each view passes encoder and projector by itself (the anchor once a loss), the graph convolution mixes
channels to three times their number and sums over neighbours by an einsum, dropout draws a float an element, C is a D x D matrix made by
batch norm and flattened to leave its diagonal out, the loss is read every step, and Adam goes through parameters one by one.

It shares parameters by name with the components it stands for, so that gradients can be compared one by one.
"""

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from mgbench import Method, Skeleton
from mgbench.data import Dense
from mgbench.model import Batch, Objective, View


class Block(nn.Module):
    """One block of ST-GCN, channels first."""

    def __init__(self, inner: int, outer: int, stride: int, joints: int, dropout: float, *, residual: bool) -> None:
        super().__init__()
        self.importance = nn.Parameter(torch.ones(3, joints, joints))
        self.spatial = nn.Conv2d(inner, 3 * outer, 1)
        self.spatial_norm = nn.BatchNorm2d(outer)
        self.temporal = nn.Conv2d(outer, outer, (9, 1), (stride, 1), (4, 0))
        self.temporal_norm = nn.BatchNorm2d(outer)
        projects = residual and (inner != outer or stride != 1)
        self.shortcut = nn.Conv2d(inner, outer, 1, (stride, 1)) if projects else None
        self.shortcut_norm = nn.BatchNorm2d(outer) if projects else None
        self.residual, self.dropout = residual, dropout

    def forward(self, x: Tensor, adjacency: Tensor, joints: Tensor | None) -> Tensor:
        """Return `(N, C', T', V)` of `(N, C, T, V)`."""
        a = adjacency * self.importance
        if joints is not None:
            a = a[:, joints][:, :, joints]
        clips, _, frames, count = x.shape
        y = torch.einsum("nkctv,kvw->nctw", self.spatial(x).view(clips, 3, -1, frames, count), a).contiguous()
        y = self.temporal_norm(self.temporal(functional.relu(self.spatial_norm(y))))
        y = functional.dropout(y, self.dropout, self.training)
        if self.shortcut is not None and self.shortcut_norm is not None:
            y = y + self.shortcut_norm(self.shortcut(x))
        elif self.residual:
            y = y + x
        return functional.relu(y)


class Encoder(nn.Module):
    """ST-GCN of ten blocks, pooled."""

    def __init__(self, adjacency: Tensor, channels: int, width: int, features: int, dropout: float) -> None:
        super().__init__()
        joints = adjacency.shape[-1]
        self.register_buffer("adjacency", adjacency, persistent=False)
        self.adjacency: Tensor
        self.norm = nn.BatchNorm1d(joints * channels)
        widths = [channels, *[width] * 4, *[2 * width] * 3, *[4 * width] * 2, features]
        self.blocks = nn.ModuleList(
            Block(widths[i], widths[i + 1], 2 if i in {4, 7} else 1, joints, dropout if i else 0.0, residual=i > 0) for i in range(10)
        )

    def forward(self, x: Tensor, joints: Tensor | None) -> Tensor:
        """Return the feature map `(N M, D, T', V')` of `(N, M, C, T, V)`."""
        clips, persons, channels, frames, count = x.shape
        y = x.permute(0, 1, 4, 2, 3).reshape(clips * persons, count * channels, frames)
        y = self.norm(y).view(clips * persons, count, channels, frames).permute(0, 2, 3, 1).contiguous()
        y = y if joints is None else y[..., joints]
        for block in self.blocks:
            y = block(y, self.adjacency, joints)
        return y


class Projector(nn.Module):
    """Three linear layers, batch norm and ReLU between them."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(size, outer, bias=False) for size in (inner, outer, outer)])
        self.norms = nn.ModuleList([nn.BatchNorm1d(outer), nn.BatchNorm1d(outer)])

    def forward(self, y: Tensor) -> Tensor:
        """Return `(N, D')` of `(N, D)`."""
        for layer, norm in zip(self.layers[:-1], self.norms, strict=True):
            y = functional.relu(norm(layer(y)))
        return self.layers[-1](y)  # type: ignore[no-any-return] # modules return Any


class Step(nn.Module):
    """The whole step; `attention` is MGRL's."""

    def __init__(self, encoder: Encoder, width: int, projector: int, lambd: float, heads: int | None) -> None:
        super().__init__()
        self.encoder, self.projector, self.lambd = encoder, Projector(width, projector), lambd
        self.normalise = nn.BatchNorm1d(projector, affine=False)
        self.norm = nn.LayerNorm(width) if heads else None
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True) if heads else None

    def features(self, view: View) -> Tensor:
        """Return `(N, D)`."""
        y = self.encoder(view.x, view.joints)
        if self.attention is None or self.norm is None:
            return y.mean(dim=(2, 3)).view(len(view.x), -1, y.shape[1]).mean(dim=1)  # type: ignore[no-any-return] # modules return Any
        tokens = y.mean(dim=3).transpose(1, 2)
        normal = self.norm(tokens)
        attended = tokens + self.attention(normal, normal, normal, need_weights=False)[0]
        return attended.mean(dim=1).view(len(view.x), -1, y.shape[1]).mean(dim=1)  # type: ignore[no-any-return] # modules return Any

    def loss(self, one: Tensor, other: Tensor) -> Tensor:
        """Return the loss of two views' features `(N, D)`."""
        c = self.normalise(self.projector(one)).T @ self.normalise(self.projector(other)) / len(one)
        size = len(c)
        off = c.flatten()[:-1].view(size - 1, size + 1)[:, 1:].flatten()
        return torch.diagonal(c).add(-1).pow(2).sum() + self.lambd * off.pow(2).sum()

    def forward(self, batch: Batch) -> Tensor:
        """Return the sum of the losses between the first view and each further one."""
        anchor, *others = [self.features(view) for view in batch.views]
        return torch.stack([self.loss(anchor, other) for other in others]).sum()


def adopt(step: Step, objective: Objective) -> dict[str, str]:
    """Give the step an objective's parameters; return the objective's name of each of the step's."""
    names = {}
    theirs = dict(objective.named_parameters())
    inside = {"encoder.blocks.": "backbone.network.blocks.", "encoder.norm.": "backbone.network.normalise.norm."}
    for name, parameter in step.named_parameters():
        found = next((name.replace(ours, mine) for ours, mine in inside.items() if name.startswith(ours)), name)
        given = next(key for key in (found, f"encoder.{found}") if key in theirs)
        names[name] = given
        parameter.data = theirs[given].detach().clone().view(parameter.shape)
    return names


def draw_batch(method: Method, data: Dense, index: Tensor, skeleton: Skeleton, generator: Generator) -> Batch:
    """Draw the views clip by clip, as workers of a data loader do; what a view masks is drawn once for the batch, as the papers have it."""
    views = []
    for pipeline in method.views:
        clips = []
        for one in index.tolist():
            view = View(data.x[one : one + 1])
            for augmentation in method.augment:
                view = augmentation.apply(view, skeleton, generator)
            clips.append(view.x)
        view = View(torch.cat(clips))
        for augmentation in pipeline:
            view = augmentation.apply(view, skeleton, generator)
        views.append(view)
    return Batch(tuple(views), None, index, data.length[index])
