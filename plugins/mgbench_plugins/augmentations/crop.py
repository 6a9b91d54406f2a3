"""Temporal crop: reflect frames at both ends and take a window of the old length [CrosSCLR, AimCLR, PSTL]."""

import attrs
import torch
from torch import Generator

from mgbench import Skeleton, View, ViewAugmentation
from mgbench_plugins import works
from mgbench_plugins.augmentations.views import Draw, count_draws, take_frames


@attrs.frozen
class Crop(ViewAugmentation):
    """Shift a clip in time by up to T // ratio frames, its ends reflected.

    Args:
        ratio: T // ratio frames are reflected at each end.
        draw: one shift for the batch (as PSTL's code), or one a clip (as AimCLR's).
    """

    name = "crop"
    citation = works.CROSSCLR

    ratio: int = attrs.field(default=6, validator=attrs.validators.ge(1))
    draw: Draw = "batch"

    def apply(self, view: View, skeleton: Skeleton, generator: Generator) -> View:
        """Return the shifted clips."""
        frames, device = view.x.shape[3], view.x.device
        pad = frames // self.ratio
        padded = torch.cat([view.x[:, :, :, :pad].flip(3), view.x, view.x[:, :, :, frames - pad :].flip(3)], dim=3)
        starts = torch.randint(2 * pad + 1, (count_draws(view, self.draw),), generator=generator, device=device)
        window = starts[:, None] + torch.arange(frames, device=device)
        if len(window) == 1:
            return view._replace(x=padded.index_select(3, window[0]))
        return view._replace(x=take_frames(padded, window))
