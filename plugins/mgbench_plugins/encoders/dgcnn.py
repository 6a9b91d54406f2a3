"""DGCNN: convolutions over the edges of a cloud of points to its nearest ones, found anew in each layer [Wang et al., TOG 2019].

The encoder of skeleton cloud colorization: every joint of every person at every time is a point, so neither bones nor the order of frames
are known to it. A network of four edge convolutions and a layer over all of them, 617,856 parameters for three axes, whatever the skeleton.
"""

import itertools
from typing import ClassVar

import attrs
import torch
from torch import Tensor, nn
from torch.nn import functional

from mgbench import Encoder, Network, Skeleton
from mgbench.graph import keep


@attrs.frozen
class DGCNN(Encoder):
    """Edge convolutions over the clip as a cloud of points; the feature is the maximum over points.

    Args:
        features: D.
        width: of the first two layers; the third is twice as wide, the fourth four times.
        neighbours: of each point, itself among them.
    """

    name = "dgcnn"
    citation = """@article{wang2019dgcnn,
  title={Dynamic Graph CNN for Learning on Point Clouds},
  author={Wang, Yue and Sun, Yongbin and Liu, Ziwei and Sarma, Sanjay E. and Bronstein, Michael M. and Solomon, Justin M.},
  journal={ACM Transactions on Graphics},
  volume={38},
  number={5},
  year={2019}
}"""
    tiny = "features=16,width=4,neighbours=4"
    gives: ClassVar[frozenset[str]] = frozenset({"joint_map", "drop_joints"})

    features: int = attrs.field(default=1024, validator=attrs.validators.ge(1))
    width: int = attrs.field(default=64, validator=attrs.validators.ge(1))
    neighbours: int = attrs.field(default=20, validator=attrs.validators.ge(1))

    def build(self, skeleton: Skeleton, channels: int, persons: int) -> Network:
        """Make the network; the persons of a clip are one cloud, and no weight belongs to a joint."""
        return _DGCNN(self, channels)


class _DGCNN(Network):
    def __init__(self, spec: DGCNN, channels: int) -> None:
        super().__init__()
        self.width = spec.features
        widths = [channels, spec.width, spec.width, 2 * spec.width, 4 * spec.width]
        self.edges = nn.ModuleList(_EdgeConv(*pair, spec.neighbours) for pair in itertools.pairwise(widths))
        self.join = nn.Linear(sum(widths[1:]), spec.features, bias=False)
        self.norm = nn.BatchNorm1d(spec.features)

    def forward(self, x: Tensor, joints: Tensor | None = None) -> Tensor:
        """Return `(N, M, D, T, V')`."""
        clips, persons, _, frames, _ = x.shape
        y = x.permute(0, 1, 3, 4, 2).flatten(1, 2)  # (N, M T, V, C)
        y = y if joints is None else keep(y, joints)
        places, y, found = y.shape[2], y.flatten(1, 2), []
        for layer in self.edges:
            y = layer(y)
            found.append(y)
        y = self.norm(self.join(torch.cat(found, dim=2)).flatten(0, 1))
        features: Tensor = functional.leaky_relu(y, 0.2).view(clips, persons, frames, places, -1)
        return features.permute(0, 1, 4, 2, 3)

    def pool(self, features: Tensor) -> Tensor:
        """Return the maximum over all points `(N, D)`."""
        return features.amax(dim=(1, 3, 4))


class _EdgeConv(nn.Module):
    """One layer over each point and its difference to each of the nearest ones, then the maximum of these; `(N, P, C) -> (N, P, C')`."""

    def __init__(self, inner: int, outer: int, neighbours: int) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.mix = nn.Linear(2 * inner, outer, bias=False)  # over the difference, then over the point
        self.norm = nn.BatchNorm1d(outer)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():  # exact differences: sums of squares would cancel for near points
            distance = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
            index = distance.topk(min(self.neighbours, x.shape[1]), dim=2, largest=False).indices  # (N, P, k)
        difference, own = self.mix.weight.chunk(2, dim=1)
        there = functional.linear(x, difference)
        here = functional.linear(x, own) - there
        near = there.gather(1, index.flatten(1)[..., None].expand(-1, -1, there.shape[2])).unflatten(1, index.shape[1:])
        y = self.norm((near + here[:, :, None]).flatten(0, 2)).view_as(near)
        return functional.leaky_relu(y, 0.2).amax(dim=2)
