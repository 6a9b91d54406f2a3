"""Central spatial masking: well connected joints are hidden more often [PSTL, Zhou et al. 2023, section 3.2; MGRL eq. 1]."""

from typing import ClassVar

import attrs
import torch
from torch import Generator, Tensor

from mgbench import Skeleton, SpecError, View, ViewAugmentation
from mgbench_plugins import works
from mgbench_plugins.augmentations.views import Draw


@attrs.frozen
class CentralSpatialMasking(ViewAugmentation):
    """Remove joints drawn with probability proportional to their degree.

    The paper's code draws `count` tokens without replacement from a bag that holds each joint as often as it has bones; a joint
    drawn twice counts once, so 4 to 8 distinct joints go (7.35 on average on Kinect-25). A mask per clip needs the same count
    for every clip, so there `count` distinct joints are drawn.

    Args:
        count: tokens drawn; none for the paper's 8 of 25 joints, scaled to the skeleton.
        draw: one mask for the batch (as PSTL's code), or one a clip.
    """

    name = "csm"
    citation = works.PSTL
    needs: ClassVar[frozenset[str]] = frozenset({"drop_joints"})
    decides_shapes = True

    count: int | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.ge(0)))
    draw: Draw = "batch"

    def apply(self, view: View, skeleton: Skeleton, generator: Generator) -> View:
        """Return the same clips with the kept joints named."""
        if view.joints is not None:
            msg = "csm masks joints of a view whose joints are masked already; give it once a view, with a larger count."
            raise SpecError(msg)
        joints, device = len(skeleton.joints), generator.device
        count = round(0.32 * joints) if self.count is None else min(self.count, joints - 1)
        degrees = torch.tensor(skeleton.degrees, device=device)
        if self.draw == "batch":
            bag = torch.arange(joints, device=device).repeat_interleave(degrees)
            drawn = bag[torch.randperm(len(bag), generator=generator, device=device)[:count]]
            left = torch.ones(joints, dtype=torch.bool, device=device)
            left[drawn] = False
            kept = left.nonzero().squeeze(1)
        else:
            kept = _kept_each(degrees.float(), len(view.x), count, generator)
        return view._replace(joints=kept.to(view.x.device, non_blocking=True))


def _kept_each(weights: Tensor, clips: int, count: int, generator: Generator) -> Tensor:
    """Return kept joints `(N, V - count)` in order, each clip's masked ones drawn without replacement by weight."""
    masked = torch.multinomial(weights.expand(clips, -1), count, generator=generator) if count else weights.new_zeros(clips, 0).long()
    hidden = torch.zeros(clips, len(weights), device=weights.device).scatter_(1, masked, 1.0)
    return hidden.argsort(dim=1, stable=True)[:, : len(weights) - count].sort(dim=1).values
