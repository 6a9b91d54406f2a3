"""Gaussian noise on every coordinate [Rao et al. 2021, AS-CAL; AimCLR]."""

import math

import attrs
import torch
from torch import Generator

from mgbench import Skeleton, View, ViewAugmentation
from mgbench_plugins import works
from mgbench_plugins.augmentations.views import Draw, count_draws, present, sometimes, with_score


@attrs.frozen
class Noise(ViewAugmentation):
    """Add Gaussian noise to coordinates with probability `p`.

    A score axis has none, and neither has a person who is not there, to whom the public code gives a body of noise.

    Args:
        sigma: deviation, in the unit of the data; 0.05 in AS-CAL, 0.01 in AimCLR.
        p: how often; 1 in AS-CAL, 0.5 in AimCLR.
        draw: the same noise for the batch, or noise of its own for each clip (as the public code).
    """

    name = "noise"
    citation = works.ASCAL

    sigma: float = attrs.field(default=0.05, validator=[attrs.validators.ge(0), attrs.validators.lt(math.inf)])
    p: float = attrs.field(default=1.0, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    draw: Draw = "clip"

    def apply(self, view: View, skeleton: Skeleton, generator: Generator) -> View:
        """Return the clips, some of them noisy."""
        body = view.x[:, :, : skeleton.spatial_axes]
        shape = (count_draws(view, self.draw), *body.shape[1:])
        noise = self.sigma * torch.randn(shape, generator=generator, device=body.device)
        noisy = with_score(body + noise * present(view.x, skeleton), view.x)
        return sometimes(view, noisy, self.p, self.draw, generator)
