"""Random move: a camera that turns, comes nearer and drifts while a clip plays [Yan et al. 2018, ST-GCN, on Kinetics]."""

import attrs
import torch
from torch import Generator, Tensor

from mgbench import Skeleton, View, ViewAugmentation
from mgbench_plugins import works
from mgbench_plugins.augmentations.views import Draw, constant, count_draws, present, with_score


@attrs.frozen
class RandomMove(ViewAugmentation):
    """Turn, scale and shift the image plane, more or less so from the first frame to the last.

    An angle, a factor, and a shift of x and one of y are drawn for the first frame and again for the last; between them each is linear.
    The origin is the centre. On 3-D data the turn is about z, the factor is for all three axes, so that bodies keep their shape, and x and
    y are shifted. A score is left alone, and so is a person who is not there, whom the public code shifts.

    Args:
        degrees: angles to draw from.
        scales: factors to draw from.
        shifts: shifts to draw from, in the unit of the data; the paper's is the width and height of the image.
        draw: one move for the batch, or one a clip (as ST-GCN's code).
    """

    name = "random_move"
    citation = works.STGCN

    degrees: tuple[float, ...] = attrs.field(default=(-10.0, -5.0, 0.0, 5.0, 10.0), validator=attrs.validators.min_len(1))
    scales: tuple[float, ...] = attrs.field(default=(0.9, 1.0, 1.1), validator=attrs.validators.min_len(1))
    shifts: tuple[float, ...] = attrs.field(default=(-0.2, -0.1, 0.0, 0.1, 0.2), validator=attrs.validators.min_len(1))
    draw: Draw = "clip"

    def apply(self, view: View, skeleton: Skeleton, generator: Generator) -> View:
        """Return the moved clips."""
        draws, frames = count_draws(view, self.draw), view.x.shape[3]
        choices = (self.degrees, self.scales, self.shifts, self.shifts)
        turn, scale, right, up = (_path(constant(values, torch.float32, view.x.device), draws, frames, generator) for values in choices)
        cos, sin = scale * torch.deg2rad(turn).cos(), scale * torch.deg2rad(turn).sin()
        x, y, *depth = view.x[:, :, : skeleton.spatial_axes].unbind(dim=2)
        moved = torch.stack([cos * x - sin * y + right, sin * x + cos * y + up, *(scale * z for z in depth)], dim=2)
        return view._replace(x=torch.where(present(view.x, skeleton), with_score(moved, view.x), view.x))


def _path(values: Tensor, draws: int, frames: int, generator: Generator) -> Tensor:
    """Return lines `(draws, 1, T, 1)` from one of the values to another, or the same, over so many frames."""
    device = values.device
    ends = values[torch.randint(len(values), (draws, 2), generator=generator, device=device)]
    return torch.lerp(ends[:, :1], ends[:, 1:], torch.linspace(0, 1, frames, device=device))[:, None, :, None]
