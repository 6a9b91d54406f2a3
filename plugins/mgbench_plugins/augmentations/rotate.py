"""Rotation about one main axis, with a little of the others [AimCLR, PSTL], or as much of each [CTR-GCN, MAMP; Ta-CNN]."""

import attrs
import torch
from torch import Generator, Tensor

from mgbench import Skeleton, View, ViewAugmentation
from mgbench_plugins import works
from mgbench_plugins.augmentations.shear import transform
from mgbench_plugins.augmentations.views import Draw, constant, count_draws


@attrs.frozen
class Rotate(ViewAugmentation):
    """Rotate by a random angle about an axis drawn at random, and by up to `others` degrees about the other two.

    Angles are positive, as in the public code. On 2-D data the rotation is in the image plane. AS-CAL turns about one axis alone,
    `others=0`; CTR-GCN and MAMP by up to 0.3 rad either way about each, `degrees=17.19,others=17.19,signed=true`, and Ta-CNN by 18 degrees.

    Args:
        degrees: the largest angle about the main axis.
        others: the largest angle about the other two.
        signed: whether angles are of either sign.
        draw: one rotation for the batch (as PSTL's code), or one a clip (as AimCLR's).
    """

    name = "rotate"
    citation = works.AIMCLR

    degrees: float = attrs.field(default=30.0, validator=attrs.validators.ge(0))
    others: float = attrs.field(default=1.0, validator=attrs.validators.ge(0))
    signed: bool = False
    draw: Draw = "batch"

    def apply(self, view: View, skeleton: Skeleton, generator: Generator) -> View:
        """Return the rotated clips."""
        draws, device = count_draws(view, self.draw), view.x.device
        main = torch.randint(3, (draws, 1), generator=generator, device=device)
        largest = torch.where(torch.arange(3, device=device) == main, self.degrees, self.others)
        if skeleton.spatial_axes == 2:  # noqa: PLR2004 - the plane
            largest = constant((0.0, 0.0, self.degrees), torch.float32, device)
        share = torch.rand(draws, 3, generator=generator, device=device)
        angles = torch.deg2rad((2 * share - 1 if self.signed else share) * largest)
        size = skeleton.spatial_axes
        return view._replace(x=transform(view.x, _rotation(angles)[:, :size, :size]))


def _rotation(angles: Tensor) -> Tensor:
    """Return `(draws, 3, 3)`, for row vectors: first about x, then y, then z, in the sense of the public code."""
    sin, cos = angles.sin(), angles.cos()
    one, zero = torch.ones_like(sin[:, 0]), torch.zeros_like(sin[:, 0])

    def matrix(*entries: Tensor) -> Tensor:
        return torch.stack(entries, dim=1).reshape(-1, 3, 3)

    about_x = matrix(one, zero, zero, zero, cos[:, 0], -sin[:, 0], zero, sin[:, 0], cos[:, 0])
    about_y = matrix(cos[:, 1], zero, sin[:, 1], zero, one, zero, -sin[:, 1], zero, cos[:, 1])
    about_z = matrix(cos[:, 2], -sin[:, 2], zero, sin[:, 2], cos[:, 2], zero, zero, zero, one)
    return about_x @ about_y @ about_z
