"""What view augmentations share: how many draws a batch takes, changes made only sometimes, frames by number, and what is no body."""

from functools import cache
from typing import Literal, TypeAlias

import torch
from torch import Generator, Tensor

from mgbench import Skeleton, View


Draw: TypeAlias = Literal["batch", "clip"]


@cache
def constant(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return numbers on a device, made once: a copy to it would make every step wait."""
    return torch.tensor(values, dtype=dtype, device=device)


def count_draws(view: View, draw: Draw) -> int:
    """Return how many draws a batch takes: one, or one a clip."""
    return len(view.x) if draw == "clip" else 1


def sometimes(view: View, changed: Tensor, p: float, draw: Draw, generator: Generator) -> View:
    """Return the view with changed clips `(N, M, C, T, V)` in place of its own with probability p."""
    chosen = torch.rand(count_draws(view, draw), 1, 1, 1, 1, generator=generator, device=view.x.device) < p
    return view._replace(x=torch.where(chosen, changed, view.x))


def with_score(coordinates: Tensor, x: Tensor) -> Tensor:
    """Return changed coordinates `(N, M, A, T, V)` and behind them the channels of x beyond A as they are."""
    size = coordinates.shape[2]
    return coordinates if size == x.shape[2] else torch.cat([coordinates, x[:, :, size:]], dim=2)


def present(x: Tensor, skeleton: Skeleton) -> Tensor:
    """Return who is there in which frame, `(N, M, 1, T, 1)`: someone who is not has no coordinate but zero."""
    return x[:, :, : skeleton.spatial_axes].ne(0).any(dim=4, keepdim=True).any(dim=2, keepdim=True)


def valid_frames(view: View) -> Tensor:
    """Return how many of its first frames each clip has recorded, `(N,)`; what lies behind them only fills it up."""
    clips, frames = len(view.x), view.x.shape[3]
    return torch.full((clips,), frames, device=view.x.device) if view.length is None else view.length


def take_frames(x: Tensor, index: Tensor) -> Tensor:
    """Return of each clip of `(N, M, C, T, V)` the frames in its row of the index `(N, T')`, or `(1, T')` for all clips."""
    return x.gather(3, index[:, None, None, :, None].expand(len(x), *x.shape[1:3], -1, x.shape[4]))
