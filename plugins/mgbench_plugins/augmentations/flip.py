"""Spatial flip: left joints become right joints [AimCLR, PSTL]."""

from typing import Literal

import attrs
import torch
from torch import Generator

from mgbench import Skeleton, View, ViewAugmentation
from mgbench_plugins import works
from mgbench_plugins.augmentations.views import Draw, constant, sometimes


@attrs.frozen
class Flip(ViewAugmentation):
    """Swap left and right joints with probability `p`.

    Args:
        p: how often.
        mode: `index` swaps joint numbers only, as the public code, which leaves a body with crossed sides; `mirror` also negates x.
        draw: one decision for the batch (as PSTL's code), or one a clip (as AimCLR's).
    """

    name = "flip"
    citation = works.AIMCLR

    p: float = attrs.field(default=0.5, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    mode: Literal["index", "mirror"] = "index"
    draw: Draw = "batch"

    def apply(self, view: View, skeleton: Skeleton, generator: Generator) -> View:
        """Return the clips, some of them flipped."""
        device = view.x.device
        flipped = view.x[..., constant(skeleton.flip, torch.long, device)]
        if self.mode == "mirror":
            sign = constant((-1.0, *[1.0] * (view.x.shape[2] - 1)), torch.float32, device)
            flipped = flipped * sign[:, None, None]
        return sometimes(view, flipped, self.p, self.draw, generator)
