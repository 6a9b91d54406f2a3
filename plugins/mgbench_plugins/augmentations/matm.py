"""Motion attention temporal masking: the frames that move most are hidden [PSTL, Zhou et al. 2023, section 3.3; MGRL eq. 2]."""

import attrs
import torch
from torch import Generator, Tensor

from mgbench import Skeleton, View, ViewAugmentation
from mgbench_plugins import works
from mgbench_plugins.augmentations.views import Draw, count_draws, take_frames


@attrs.frozen
class MotionTemporalMasking(ViewAugmentation):
    """Remove each clip's frames of greatest motion, then as many of the rest at random.

    Motion is the squared difference to the next frame over all joints and axes; the last frame has none and stays. The random
    part is in PSTL's code, not in its paper.

    Args:
        frames: how many go by motion; none for the paper's 10 of 50, scaled to T.
        extra_random_drop: whether as many again go at random.
        draw: of the random part: one for the batch (as PSTL's code), or one a clip.
    """

    name = "matm"
    citation = works.PSTL

    frames: int | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.ge(0)))
    extra_random_drop: bool = True
    draw: Draw = "batch"

    def apply(self, view: View, skeleton: Skeleton, generator: Generator) -> View:
        """Return shorter clips."""
        clips, total = len(view.x), view.x.shape[3]
        drop = round(0.2 * total) if self.frames is None else self.frames
        drop = min(drop, (total - 1) // (2 if self.extra_random_drop else 1))
        kept = motion(view.x).argsort(dim=1, stable=True)[:, : total - drop].sort(dim=1).values
        if self.extra_random_drop:
            noise = torch.rand(count_draws(view, self.draw), total - drop, generator=generator, device=view.x.device)
            stay = noise.argsort(dim=1)[:, : total - 2 * drop].sort(dim=1).values
            kept = kept.gather(1, stay.expand(clips, -1))
        return view._replace(x=take_frames(view.x, kept))


def motion(x: Tensor) -> Tensor:
    """Return each frame's squared difference to the next, summed over persons, axes and joints, `(N, T)`; zero for the last."""
    change = (x[:, :, :, 1:] - x[:, :, :, :-1]).square().sum(dim=(1, 2, 4))
    return torch.cat([change, change.new_zeros(len(x), 1)], dim=1)
