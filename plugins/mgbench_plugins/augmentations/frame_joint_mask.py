"""Masking of frames and of joints: whole times go, and joints of those that stay [SkeletonMAE, Wu et al. 2023]."""

import attrs
import torch
from torch import Generator, Tensor

from mgbench_plugins import works
from mgbench_plugins.augmentations.token_masks import TokenMasking


@attrs.frozen
class FrameJointMasking(TokenMasking):
    """Hide times with all their joints, and at each other time some joints, all at random.

    Args:
        frames: share of the times that is hidden; one is always kept.
        joints: share of the joints that is hidden at each time that is left; one is always kept.
    """

    name = "frame_joint_mask"
    citation = works.SKELETON_MAE

    frames: float = attrs.field(default=0.5, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    joints: float = attrs.field(default=0.5, validator=[attrs.validators.ge(0), attrs.validators.le(1)])

    def keep(self, x: Tensor, generator: Generator) -> Tensor:
        """Return the kept tokens."""
        clips, _, times, places, _ = x.shape
        kept = _some((clips, times), self.frames, generator, x.device)
        joints = _some((*kept.shape, places), self.joints, generator, x.device)
        return (kept[..., None] * places + joints).flatten(1)


def _some(shape: tuple[int, ...], hidden: float, generator: Generator, device: torch.device) -> Tensor:
    """Return numbers along the last axis of which this share is left out, in order, each row's drawn by itself."""
    order = torch.rand(shape, generator=generator, device=device).argsort(dim=-1)
    return order[..., : max(1, shape[-1] - round(hidden * shape[-1]))].sort(dim=-1).values
