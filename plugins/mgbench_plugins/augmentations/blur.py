"""Gaussian blur over time [Rao et al. 2021, AS-CAL; AimCLR]."""

import math

import attrs
import torch
from torch import Generator, Tensor

from mgbench import Skeleton, View, ViewAugmentation
from mgbench_plugins import works
from mgbench_plugins.augmentations.views import Draw, count_draws, sometimes, valid_frames, with_score


@attrs.frozen
class Blur(ViewAugmentation):
    """Make every frame a weighted mean of those around it, with probability `p`.

    Weights fall with the distance in time as a Gaussian of random deviation, exp(-d^2 / 2 sigma^2). The public code does not divide by
    their sum, so that clips grow by up to sigma sqrt(2 pi), five times, and shrink towards both ends; `normalise=false` is for parity
    with it. A score axis stays sharp.

    Args:
        kernel: frames of a mean, an odd number.
        sigma: smallest and largest deviation in frames, between which it is uniform.
        p: how often.
        normalise: whether weights are divided by the sum of those that fall on frames of the clip.
        draw: one decision and deviation for the batch, or one a clip (as the public code).
    """

    name = "blur"
    citation = works.ASCAL

    kernel: int = attrs.field(default=15, validator=attrs.validators.ge(1))
    sigma: tuple[float, float] = (0.1, 2.0)
    p: float = attrs.field(default=0.5, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    normalise: bool = True
    draw: Draw = "clip"

    def __attrs_post_init__(self) -> None:
        """Refuse a kernel without a middle, and deviations that are none."""
        if self.kernel % 2 == 0:
            msg = f"kernel got {self.kernel}; it takes an odd number, such as {self.kernel + 1}."
            raise ValueError(msg)
        if not 0 < self.sigma[0] <= self.sigma[1] < math.inf:
            msg = f"sigma got {self.sigma}; it takes a smallest above 0 and a largest not below it, such as (0.1,2.0)."
            raise ValueError(msg)

    def apply(self, view: View, skeleton: Skeleton, generator: Generator) -> View:
        """Return the clips, some of them blurred."""
        low, high = self.sigma
        share = torch.rand(count_draws(view, self.draw), 1, 1, generator=generator, device=view.x.device).to(view.x.dtype)
        weights = self._weights(low + (high - low) * share, valid_frames(view), view.x.shape[3])
        body = view.x[:, :, : skeleton.spatial_axes]
        blurred = torch.einsum("nts,nmcsv->nmctv", weights, body)
        return sometimes(view, with_score(blurred, view.x), self.p, self.draw, generator)

    def _weights(self, sigma: Tensor, valid: Tensor, frames: int) -> Tensor:
        """Return what each frame s adds to each frame t, `(N, T, T)`; frames before and behind the end of a clip do not mix."""
        time = torch.arange(frames, device=sigma.device)
        distance = time[:, None] - time
        inside = time < valid[:, None]
        near = (distance.abs() <= self.kernel // 2) & (inside[:, :, None] == inside[:, None, :])
        weights = torch.exp(-distance.square() / (2 * sigma.square())) * near
        return weights / weights.sum(dim=2, keepdim=True) if self.normalise else weights
