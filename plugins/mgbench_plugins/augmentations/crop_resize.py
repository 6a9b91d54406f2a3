"""Crop and resize: a stretch of a clip, played as slowly as fills all frames [Chen et al. 2021, CTR-GCN; MAMP, Ta-CNN]."""

import attrs
import torch
from torch import Generator, Tensor

from mgbench import Skeleton, SpecError, View, ViewAugmentation
from mgbench_plugins import works
from mgbench_plugins.augmentations.views import Draw, count_draws, take_frames, valid_frames


@attrs.frozen
class CropResize(ViewAugmentation):
    """Take a random stretch of a clip and resample it linearly, with half-pixel centres.

    A stretch is floor(r L) of the L valid frames long, r uniform in `ratio`, and starts anywhere. The public code takes no fewer than 64
    recorded frames; here clips are resized before, and at T = 50 that floor would leave all of them whole.

    Args:
        ratio: smallest and largest share of a clip.
        floor: the fewest frames of a stretch; a clip that has no more stays whole.
        frames: how many come of it, 64 in CTR-GCN and 120 in MAMP; none for as many as there were.
        draw: one stretch for the batch, or one a clip (as the public code).
    """

    name = "crop_resize"
    citation = works.CTRGCN

    ratio: tuple[float, float] = (0.5, 1.0)
    floor: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    frames: int | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.ge(1)))
    draw: Draw = "clip"

    def __attrs_post_init__(self) -> None:
        """Refuse shares that are none."""
        if not 0 < self.ratio[0] <= self.ratio[1] <= 1:
            msg = f"ratio got {self.ratio}; it takes a smallest share above 0 and a largest up to 1, such as (0.5,1.0)."
            raise ValueError(msg)

    def apply(self, view: View, skeleton: Skeleton, generator: Generator) -> View:
        """Return stretches of the clips; all their frames are valid."""
        if view.tokens is not None:
            msg = "crop_resize moves the frames of a view whose tokens are masked already; give it before the mask."
            raise SpecError(msg)
        draws, device = count_draws(view, self.draw), view.x.device
        low, high = self.ratio
        share, place = torch.rand(2, draws, generator=generator, device=device)
        valid = valid_frames(view)
        length = ((low + (high - low) * share) * valid).long().clamp(min=self.floor).minimum(valid)
        start = (place * (valid - length + 1)).long().minimum(valid - length)
        return view._replace(x=resample(view.x, start, length, self.frames or view.x.shape[3]), length=None)


def resample(x: Tensor, start: Tensor, length: Tensor, frames: int) -> Tensor:
    """Return of each clip `(N, M, C, T, V)` the stretch from `start` of `length` frames, both `(N,)`, as so many frames.

    Each is what `torch.nn.functional.interpolate` makes of its stretch alone, with `align_corners=False`.
    """
    step = (length.to(x.dtype) / frames)[:, None]
    where = (step * (torch.arange(frames, device=x.device, dtype=x.dtype) + 0.5) - 0.5).clamp(min=0)
    before = where.long()
    after = (before + 1).minimum(length[:, None] - 1)
    weight = (where - before)[:, None, None, :, None]
    return torch.lerp(take_frames(x, start[:, None] + before), take_frames(x, start[:, None] + after), weight)
