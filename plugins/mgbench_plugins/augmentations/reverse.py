"""Time reversal [Rao et al. 2021, AS-CAL]."""

import attrs
import torch
from torch import Generator

from mgbench import Skeleton, View, ViewAugmentation
from mgbench_plugins import works
from mgbench_plugins.augmentations.views import Draw, sometimes, take_frames, valid_frames


@attrs.frozen
class Reverse(ViewAugmentation):
    """Play clips backwards with probability `p`.

    What lies behind the end of a clip stays there.

    Args:
        p: how often.
        draw: one decision for the batch, or one a clip (as AS-CAL's code).
    """

    name = "reverse"
    citation = works.ASCAL

    p: float = attrs.field(default=0.5, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    draw: Draw = "clip"

    def apply(self, view: View, skeleton: Skeleton, generator: Generator) -> View:
        """Return the clips, some of them backwards."""
        frames = torch.arange(view.x.shape[3], device=view.x.device)
        mirrored = valid_frames(view)[:, None] - 1 - frames
        backwards = take_frames(view.x, torch.where(mirrored < 0, frames, mirrored))
        return sometimes(view, backwards, self.p, self.draw, generator)
