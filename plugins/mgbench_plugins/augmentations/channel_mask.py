"""Channel mask: one axis is zero [Rao et al. 2021, AS-CAL; AimCLR]."""

import attrs
import torch
from torch import Generator

from mgbench import Skeleton, View, ViewAugmentation
from mgbench_plugins import works
from mgbench_plugins.augmentations.views import Draw, count_draws, sometimes


@attrs.frozen
class ChannelMask(ViewAugmentation):
    """Set one axis, drawn at random, to zero with probability `p`: the body is projected on a plane.

    On 2-D data x or y goes, never the score.

    Args:
        p: how often; 1 in AS-CAL, 0.5 in AimCLR.
        draw: one axis for the batch, or one a clip (as the public code).
    """

    name = "channel_mask"
    citation = works.ASCAL

    p: float = attrs.field(default=1.0, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    draw: Draw = "clip"

    def apply(self, view: View, skeleton: Skeleton, generator: Generator) -> View:
        """Return the clips, some of them flat."""
        draws, device = count_draws(view, self.draw), view.x.device
        axis = torch.randint(skeleton.spatial_axes, (draws, 1), generator=generator, device=device)
        gone = axis == torch.arange(view.x.shape[2], device=device)
        flat = view.x.masked_fill(gone[:, None, :, None, None], 0)
        return sometimes(view, flat, self.p, self.draw, generator)
