"""Part swap: two clips of a batch exchange a part of the body [Lin et al. 2023, ActCLR]."""

import attrs
import torch
from torch import Generator

from mgbench import Skeleton, View, ViewAugmentation
from mgbench_plugins import works
from mgbench_plugins.augmentations.views import constant, present


@attrs.frozen
class PartSwap(ViewAugmentation):
    """Let the clips of a batch exchange an arm, a leg, or trunk and head, in random pairs.

    Each pair draws its part, which goes over in all frames and as it lies, so bodies should be centred. One clip of an odd batch
    stays whole, and so does a person in frames that the partner is not in. The paper's code hands parts on from clip to clip, the same
    ones for the batch, and for a stretch of frames.
    """

    name = "part_swap"
    citation = works.ACTCLR

    def apply(self, view: View, skeleton: Skeleton, generator: Generator) -> View:
        """Return the clips with parts of each other."""
        clips, parts, device = len(view.x), skeleton.body_parts, view.x.device
        pair = torch.randperm(clips, generator=generator, device=device)[: clips // 2 * 2].view(2, -1)
        partner = torch.arange(clips, device=device)
        partner[pair] = pair.flip(0)
        drawn = torch.full((clips,), -1, device=device)
        drawn[pair] = torch.randint(len(parts), pair.shape[1:], generator=generator, device=device)
        number = {joint: i for i, part in enumerate(parts) for joint in part}
        part = constant(tuple(number.get(joint, len(parts)) for joint in range(view.x.shape[4])), torch.long, device)
        there = present(view.x, skeleton)
        swapped = (drawn[:, None] == part)[:, None, None, None] & there & there[partner]
        return view._replace(x=torch.where(swapped, view.x[partner], view.x))
