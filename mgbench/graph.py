"""Adjacencies of a skeleton, as the graph networks of the field use them."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mgbench.skeleton import Skeleton


def hop_distances(skeleton: Skeleton, limit: float = np.inf) -> npt.NDArray[np.float64]:
    """Return bones between joints, `(V, V)`; infinite beyond `limit`."""
    joints = len(skeleton.joints)
    near = np.eye(joints, dtype=bool)
    for child, parent in skeleton.bones:
        near[child, parent] = near[parent, child] = True
    distance = np.where(np.eye(joints, dtype=bool), 0.0, np.inf)
    reached = np.eye(joints, dtype=bool)
    for hop in range(1, int(min(limit, joints)) + 1):
        grown = (reached.astype(int) @ near.astype(int)) > 0
        distance[grown & ~reached] = hop
        reached = grown
    return distance


def spatial_partition(skeleton: Skeleton, *, true: bool = False) -> Tensor:
    """Return ST-GCN's three normalised adjacencies `(3, V, V)`: self, towards the centre or level with it, and away from it.

    The public code knows hop distances only up to one, so all joints further than that from the centre count as level and the
    second subset takes most bones (40 of 48 on Kinect-25); `true` uses full distances, which gives 24 and 24.
    """
    near = hop_distances(skeleton, limit=1)
    from_centre = (hop_distances(skeleton) if true else near)[:, skeleton.centre]
    linked = (near <= 1).astype(np.float64)
    normal = linked / linked.sum(axis=0, keepdims=True)
    away = (near == 1) & (from_centre[:, None] < from_centre[None, :])
    subsets = [np.where(near == 0, normal, 0), np.where((near == 1) & ~away, normal, 0), np.where(away, normal, 0)]
    return torch.from_numpy(np.stack(subsets)).float()
