"""Skeleton cloud colorization, a reconstruction: a clip as a cloud of points, repainted in colours of order [Yang et al., ICCV 2021].

The public code is not to be had, and sizes and recipe of the decoder are not at hand. Colours, cloud and distance are the paper's; the
decoder folds a grid twice, as FoldingNet [Yang et al., CVPR 2018] does.
"""

from typing import Literal

import attrs
import torch
from torch import Generator, Tensor, nn

from mgbench import Backbone, Batch, Method, Objective, Recipe, View
from mgbench.sequences import clips_before_the_end
from mgbench_plugins.augmentations.views import present, valid_frames
from mgbench_plugins.methods.contrast import full
from mgbench_plugins.methods.scaled import Scaled, scaled


@attrs.frozen
class CloudColorization(Method):
    """Make of a clip's feature the cloud of all its joints at all times, each in a colour that tells its place in an order.

    Args:
        colours: what they tell: `time`, `joint` or `person`.
        side: the decoder folds a grid of so many points squared.
        hidden: width of the folds.
    """

    name = "cloud_colorization"
    citation = """@inproceedings{yang2021colorization,
  title={Skeleton Cloud Colorization for Unsupervised 3D Action Representation Learning},
  author={Yang, Siyuan and Liu, Jun and Lu, Shijian and Er, Meng Hwa and Kot, Alex C.},
  booktitle={ICCV},
  year={2021}
}"""
    tiny = "side=4,hidden=8"

    colours: Literal["time", "joint", "person"] = "time"
    side: int = attrs.field(default=32, validator=attrs.validators.ge(2))
    hidden: int = attrs.field(default=512, validator=attrs.validators.ge(1))
    recipe: Recipe = attrs.field(default=Recipe(lr=1e-4, epochs=150, batch_size=32), kw_only=True)

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective."""
        return _Objective(self, backbone)


def order_colours(share: Tensor) -> Tensor:
    """Return red, green and blue `(..., 3)` of places from 0 to 1: from red to green and, from one half on, to blue."""
    return torch.stack([1 - 2 * share, 1 - (2 * share - 1).abs(), 2 * share - 1], dim=-1).clamp(min=0)


def colours_of(kind: str, persons: int, frames: int, joints: int, device: torch.device) -> Tensor:
    """Return the colours of all points `(M, T, V, 3)`; the first of T frames or V joints is at 1 / T or 1 / V, the last at 1.

    The first person is red, the last blue, and one alone is red.
    """
    if kind == "person":
        share = torch.linspace(0, 1, persons, device=device)
        colours = torch.stack([1 - share, torch.zeros_like(share), share], dim=1)[:, None, None]
    else:
        count = frames if kind == "time" else joints
        colours = order_colours(torch.arange(1, count + 1, device=device) / count)
        colours = colours[:, None] if kind == "time" else colours
    return colours.expand(persons, frames, joints, 3)


def chamfer(a: Tensor, b: Tensor, counts: Tensor) -> Tensor:
    """Return the squared distance of each point to the nearest of the other cloud, in the mean over points and both ways, summed.

    Args:
        a: points `(N, P, D)`.
        b: points `(N, Q, D)`.
        counts: which points of b there are, `(N, Q)`.
    """
    with torch.no_grad():
        distance = torch.cdist(a, b).masked_fill(~counts[:, None], torch.inf)
        to_b, to_a = distance.argmin(dim=2), distance.argmin(dim=1)
    there = (a - b.gather(1, to_b[..., None].expand(-1, -1, b.shape[2]))).square().sum(dim=2)
    back = (b - a.gather(1, to_a[..., None].expand(-1, -1, a.shape[2]))).square().sum(dim=2)
    return there.mean() + torch.where(counts, back, 0).sum() / counts.sum()


class Fold(nn.Module):
    """Two hidden layers over each point and the feature together, `(N, P, inner)` and `(N, D)` to `(N, P, outer)`."""

    def __init__(self, inner: int, width: int, hidden: int, outer: int) -> None:
        super().__init__()
        self.point, self.feature = nn.Linear(inner, hidden), nn.Linear(width, hidden, bias=False)  # one layer over both, in two parts
        self.rest = nn.Sequential(nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outer))

    def forward(self, points: Tensor, feature: Tensor) -> Tensor:
        """Return the points, moved, recoloured or widened."""
        folded: Tensor = self.rest(self.point(points) + self.feature(feature)[:, None])
        return folded


class _Objective(Objective):
    grid: Tensor

    def __init__(self, method: CloudColorization, backbone: Backbone) -> None:
        super().__init__()
        self.method, self.backbone, self.encoder = method, backbone, Scaled(backbone)
        outer = len(backbone.skeleton.axes) + 3
        self.first = Fold(2, backbone.width, method.hidden, outer)
        self.second = Fold(outer, backbone.width, method.hidden, outer)
        line = torch.linspace(-1, 1, method.side)
        self.register_buffer("grid", torch.cartesian_prod(line, line), persistent=False)

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        return {"loss": torch.stack([self._error(view) for view in batch.views]).mean()}

    def _error(self, view: View) -> Tensor:
        """Return the distance between the painted cloud and the one that the feature unfolds to."""
        feature = self.encoder(*view)
        points = self.second(self.first(self.grid[None], feature), feature)
        x = scaled(view).x.permute(0, 1, 3, 4, 2)  # (N, M, T, V, C)
        clips, persons, frames, joints, _ = x.shape
        colours = colours_of(self.method.colours, persons, frames, joints, x.device).to(x.dtype)
        cloud = torch.cat([x, colours.expand(clips, -1, -1, -1, -1)], dim=4).flatten(1, 3)
        there = present(view.x, self.backbone.skeleton) & clips_before_the_end(view.x, valid_frames(view))
        there = there.permute(0, 1, 3, 4, 2).expand(-1, -1, -1, joints, -1)
        return chamfer(full(points), cloud, there.flatten(1))

    def embedder(self) -> nn.Module:
        return self.encoder
