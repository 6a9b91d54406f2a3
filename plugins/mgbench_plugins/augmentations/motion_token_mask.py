"""Motion-aware masking of tokens: those that move are hidden more often [MAMP, Mao et al. 2023, section 3.4]."""

import attrs
import torch
from torch import Generator, Tensor

from mgbench_plugins import works
from mgbench_plugins.augmentations.token_masks import TokenMasking


@attrs.frozen
class MotionTokenMasking(TokenMasking):
    """Hide most tokens, drawn without replacement by how much they move.

    A token moves by the mean absolute difference of its coordinates to those of the token before it; the first moves as the second does.
    With pi the softmax of these, divided by tau times the largest of the clip, and g Gumbel noise, the smallest log pi + g are kept. The
    public code cuts the number of kept tokens off where ours rounds it: 75 of 750, not 74.

    Args:
        ratio: share of the tokens that is hidden; one is always kept.
        tau: the larger, the more evenly tokens are hidden.
    """

    name = "motion_token_mask"
    citation = works.MAMP

    ratio: float = attrs.field(default=0.9, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    tau: float = attrs.field(default=0.8, validator=attrs.validators.gt(0))

    def keep(self, x: Tensor, generator: Generator) -> Tensor:
        """Return the kept tokens."""
        motion = _motion(x)
        largest = motion.amax(dim=1, keepdim=True).clamp(min=torch.finfo(motion.dtype).tiny)
        noise = -torch.rand(motion.shape, generator=generator, device=x.device).log().neg().log()
        order = ((motion / (self.tau * largest)).log_softmax(dim=1) + noise).argsort(dim=1)
        count = max(1, motion.shape[1] - round(self.ratio * motion.shape[1]))
        return order[:, :count].sort(dim=1).values


def _motion(x: Tensor) -> Tensor:
    """Return how much each token of `(N, M, T', V, C length)` moves, `(N, T' V)`."""
    if x.shape[2] == 1:
        return x.new_zeros(len(x), x.shape[3])
    step = (x[:, :, 1:] - x[:, :, :-1]).abs().mean(dim=(1, 4))
    return torch.cat([step[:, :1], step], dim=1).flatten(1)
