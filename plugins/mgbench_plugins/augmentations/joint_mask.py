"""Joint mask: some joints are zero in some frames [Rao et al. 2021, AS-CAL]."""

import attrs
import torch
from torch import Generator, Tensor

from mgbench import Skeleton, View, ViewAugmentation
from mgbench_plugins import works
from mgbench_plugins.augmentations.views import Draw, count_draws


@attrs.frozen
class JointMask(ViewAugmentation):
    """Set random joints to zero in random frames, the same joints in all of them.

    The paper's code takes 5 to 15 of 25 joints in 50 to 100 of 150 frames: a fifth to three fifths, and a third to two thirds. So many
    are taken of other skeletons and of clips of other lengths, unless numbers are given; of shorter ones its code takes 20 to 50, from a
    third of its 60 frames to five sixths. On 2-D data the score is zero too, as of joints that were not seen.

    Args:
        joints: the fewest and the most that are drawn; none for 0.2 V to 0.6 V.
        frames: the fewest and the most that are drawn; none for T / 3 to 2 T / 3.
        draw: one mask for the batch, or one a clip (as AS-CAL's code).
    """

    name = "joint_mask"
    citation = works.ASCAL

    joints: tuple[int, int] | None = None
    frames: tuple[int, int] | None = None
    draw: Draw = "clip"

    def __attrs_post_init__(self) -> None:
        """Refuse bounds that are none."""
        for name, bounds in (("joints", self.joints), ("frames", self.frames)):
            if bounds is not None and not 0 <= bounds[0] <= bounds[1]:
                msg = f"{name} got {bounds}; it takes the fewest, at least 0, and the most, not below it, such as (5,15)."
                raise ValueError(msg)

    def apply(self, view: View, skeleton: Skeleton, generator: Generator) -> View:
        """Return the clips with holes."""
        frames, joints = view.x.shape[3:]
        draws, device = count_draws(view, self.draw), view.x.device
        mine = _chosen(joints, self.joints or (round(0.2 * joints), round(0.6 * joints)), draws, generator, device)
        then = _chosen(frames, self.frames or (round(frames / 3), round(2 * frames / 3)), draws, generator, device)
        hole = then[:, None, None, :, None] & mine[:, None, None, None, :]
        return view._replace(x=view.x.masked_fill(hole, 0))


def _chosen(among: int, bounds: tuple[int, int], draws: int, generator: Generator, device: torch.device) -> Tensor:
    """Return random sets `(draws, among)`, each of any size within the bounds alike, and at most of all."""
    size = torch.randint(bounds[0], bounds[1] + 1, (draws, 1), generator=generator, device=device)
    order = torch.rand(draws, among, generator=generator, device=device).argsort(dim=1)
    return order < size
