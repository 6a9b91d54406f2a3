"""Shear: every coordinate gains random shares of the others [Rao et al. 2021, AS-CAL; PSTL]."""

import attrs
import torch
from torch import Generator

from mgbench import Skeleton, View, ViewAugmentation
from mgbench_plugins import works
from mgbench_plugins.augmentations.views import Draw, count_draws, with_score


@attrs.frozen
class Shear(ViewAugmentation):
    """Multiply coordinates by a matrix of unit diagonal and random other entries.

    A score axis is left alone, so that on 2-D data the shear acts on x and y only.

    Args:
        amplitude: off-diagonal entries are uniform in (-amplitude, amplitude); 1 in AS-CAL and PSTL, 0.5 in AimCLR.
        draw: one matrix for the batch (as PSTL's code), or one a clip (as AimCLR's).
    """

    name = "shear"
    citation = works.ASCAL

    amplitude: float = attrs.field(default=1.0, validator=attrs.validators.ge(0))
    draw: Draw = "batch"

    def apply(self, view: View, skeleton: Skeleton, generator: Generator) -> View:
        """Return the sheared clips."""
        draws, size = count_draws(view, self.draw), skeleton.spatial_axes
        noise = torch.rand(draws, size, size, generator=generator, device=view.x.device)
        free = 1 - torch.eye(size, device=view.x.device)
        matrix = torch.eye(size, device=view.x.device) + free * (2 * noise - 1) * self.amplitude
        return view._replace(x=transform(view.x, matrix))


def transform(x: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Multiply the coordinates of `(N, M, C, T, V)` by matrices `(1 or N, A, A)`, leaving channels beyond A as they are."""
    size = matrix.shape[-1]
    return with_score(torch.einsum("nmctv,nca->nmatv", x[:, :, :size], matrix.expand(len(x), -1, -1)), x)
