"""Adjacencies of a skeleton, as the graph networks of the field use them."""

import tomllib
from importlib import resources
from typing import Literal

import attrs
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mgbench.errors import SpecError
from mgbench.skeleton import Skeleton


#: The skeleton's bones, or one of the faulty lists that the owners' baselines compute with (mgbench/graphs).
GraphName = Literal["bones", "smg_baseline", "imigue22_baseline"]


@attrs.frozen
class Graph:
    """Edges between numbered joints, in either direction, and the joint that partitions count hops from."""

    joints: int
    edges: tuple[tuple[int, int], ...]
    centre: int


def load_graph(name: GraphName, skeleton: Skeleton) -> Graph:
    """Return the graph of that name over the joints of a skeleton; raise `SpecError` where it is another skeleton's."""
    if name == "bones":
        return Graph(len(skeleton.joints), skeleton.bones, skeleton.centre)
    table = tomllib.loads((resources.files("mgbench.graphs") / f"{name}.toml").read_text())
    if table["skeleton"] != skeleton.name:
        msg = f"The graph {name!r} is one of {table['skeleton']}; the clips have the skeleton {skeleton.name!r}, so take graph=bones."
        raise SpecError(msg)
    edges = tuple((skeleton.joint(one), skeleton.joint(other)) for one, other in table["edges"])
    return Graph(len(skeleton.joints), edges, skeleton.joint(table["centre"]))


def hop_distances(graph: Graph, limit: float = np.inf) -> npt.NDArray[np.float64]:
    """Return edges between joints, `(V, V)`; infinite beyond `limit`."""
    joints = graph.joints
    near = np.eye(joints, dtype=bool)
    for one, other in graph.edges:
        near[one, other] = near[other, one] = True
    distance = np.where(np.eye(joints, dtype=bool), 0.0, np.inf)
    reached = np.eye(joints, dtype=bool)
    for hop in range(1, int(min(limit, joints)) + 1):
        grown = (reached.astype(int) @ near.astype(int)) > 0
        distance[grown & ~reached] = hop
        reached = grown
    return distance


def spatial_partition(graph: Graph, *, true: bool = False) -> Tensor:
    """Return ST-GCN's three normalised adjacencies `(3, V, V)`: self, towards the centre or level with it, and away from it.

    The public code knows hop distances only up to one, so all joints further than that from the centre count as level and the
    second subset takes most bones (40 of 48 on Kinect-25); `true` uses full distances, which gives 24 and 24.
    """
    near = hop_distances(graph, limit=1)
    from_centre = (hop_distances(graph) if true else near)[:, graph.centre]
    linked = (near <= 1).astype(np.float64)
    normal = linked / linked.sum(axis=0, keepdims=True)
    away = (near == 1) & (from_centre[:, None] < from_centre[None, :])
    subsets = [np.where(near == 0, normal, 0), np.where((near == 1) & ~away, normal, 0), np.where(away, normal, 0)]
    return torch.from_numpy(np.stack(subsets)).float()


def directed_partition(graph: Graph) -> Tensor:
    """Return the three adjacencies of 2s-AGCN and CTR-GCN `(3, V, V)`: self, towards the centre, and away from it.

    The second holds a one in the row of each joint's neighbour nearer to the centre, the third the transpose; the columns of both sum
    to one where they hold anything. The joint itself is in neither.
    """
    distance = hop_distances(graph)
    from_centre = distance[:, graph.centre]
    inwards = ((distance == 1) & (from_centre[:, None] < from_centre[None, :])).astype(np.float64)
    normal = [one / one.sum(axis=0).clip(min=1) for one in (inwards, inwards.T)]
    return torch.from_numpy(np.stack([np.eye(graph.joints), *normal])).float()


def ring_adjacencies(graph: Graph, scales: int, window: int = 1) -> Tensor:
    """Return MS-G3D's adjacencies `(scales, V window, V window)`: the joints exactly so many bones away, and the joint itself.

    Over a window of frames the node of a joint in a frame is numbered `joint * window + frame`; all frames are linked as one is, and a
    joint is one bone away from itself in another. Each adjacency is normalised from both sides by the square root of its degrees.
    """
    distance = np.kron(hop_distances(graph), np.ones((window, window))) + np.kron(np.eye(graph.joints), 1 - np.eye(window))
    own = np.eye(len(distance), dtype=bool)
    rings = [((distance == scale) | own).astype(np.float64) for scale in range(scales)]
    return torch.from_numpy(np.stack([ring / np.sqrt(ring.sum(axis=0) * ring.sum(axis=1, keepdims=True)) for ring in rings])).float()


def keep(x: Tensor, joints: Tensor) -> Tensor:
    """Return the kept joints of `(N, T, V, C)`, `(V',)` for all clips or `(N, V')`."""
    if joints.dim() == 1:
        return x.index_select(2, joints)
    return x.gather(2, joints[:, None, :, None].expand(-1, x.shape[1], -1, x.shape[3]))


class JointNorm(nn.Module):
    """Batch norm of each joint's channels over clips and frames, the first layer of the graph networks ("data BN").

    Where joints are masked clip by clip, the statistics of a joint come from the clips that keep it. A mask that all clips share leaves
    the running statistics to all joints, as in PSTL, which normalises before it masks.
    """

    def __init__(self, joints: int, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(joints * channels)

    def forward(self, x: Tensor, joints: Tensor | None) -> Tensor:
        """Normalise `(N, V, C, T)`; `joints` are the kept ones, `(V',)` or `(N, V')`, and all are returned."""
        if joints is None or joints.dim() == 1 or not self.training:
            normal: Tensor = self.norm(x.flatten(1, 2))
            return normal.view(x.shape)
        norm, (clips, every, channels, frames) = self.norm, x.shape
        kept = torch.zeros(clips, every, 1, 1, device=x.device, dtype=x.dtype).scatter_(1, joints[:, :, None, None], 1.0)
        count = (kept.sum(dim=0) * frames).clamp_min(1)  # (V, 1, 1)
        mean = (x * kept).sum(dim=(0, 3)) / count[..., 0]
        variance = ((x - mean[..., None]).square() * kept).sum(dim=(0, 3)) / count[..., 0]
        assert norm.running_mean is not None and norm.running_var is not None and norm.momentum is not None  # noqa: S101, PT018
        unbiased = variance * count[..., 0] / (count[..., 0] - 1).clamp_min(1)
        with torch.no_grad():
            seen = (kept.sum(dim=0)[..., 0] > 0).expand(every, channels).flatten()
            moved = (
                torch.where(seen, new.flatten().to(old.dtype), old)
                for new, old in ((mean, norm.running_mean), (unbiased, norm.running_var))
            )
            for old, new in zip((norm.running_mean, norm.running_var), list(moved), strict=True):
                old.lerp_(new, norm.momentum)
        scale = norm.weight.view(every, channels) * (variance + norm.eps).rsqrt()
        return (x - mean[..., None]) * scale[..., None] + norm.bias.view(every, channels, 1)
