"""Clips, a method's objective, and the straightforward step with the same parameters."""

from typing import NamedTuple

import torch
from mgbench_plugins.encoders.stgcn import STGCN
from straightforward import Encoder, Step, adopt

from mgbench import Method, load_skeleton
from mgbench.data import Dense
from mgbench.graph import load_graph, spatial_partition
from mgbench.model import Backbone, Objective


SKELETON = load_skeleton("kinect25")


class Pair(NamedTuple):
    """An objective, the step that stands for it, and the objective's name of each of the step's parameters."""

    objective: Objective
    step: Step
    names: dict[str, str]


def make_clips(count: int, persons: int = 2, frames: int = 50) -> Dense:
    """Return random clips of two people, as large as NTU's."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, persons, 3, frames, len(SKELETON.joints), generator=generator).cumsum(dim=3) * 0.1
    return Dense(x, torch.zeros(count, dtype=torch.long), torch.full((count,), frames))


def make_pair(method: Method, encoder: STGCN) -> Pair:
    """Build both."""
    torch.manual_seed(0)
    objective = method.build(Backbone(encoder, SKELETON, 2), 10)
    adjacency = spatial_partition(load_graph("bones", SKELETON))
    heads = getattr(method, "heads", None)
    straight = Encoder(adjacency, 3, encoder.width, encoder.features, encoder.dropout)
    step = Step(straight, encoder.features, method.projector, method.lambd, heads)  # type: ignore[attr-defined] # modules' parts are of any type
    return Pair(objective, step, adopt(step, objective))
