"""Dropout that draws one random byte an element, eight from one number, where torch draws one number an element."""

import torch
from torch import Tensor
from torch.nn import functional


def byte_dropout(x: Tensor, p: float) -> Tensor:
    """Zero elements of x with probability p, to the nearest 1/256, and scale the others so that the mean stays; 0 <= p < 1."""
    if not 0 <= p < 1:
        msg = f"The probability got {p}; it must lie in [0, 1)."
        raise ValueError(msg)
    kept = max(round(256 * (1 - p)), 1)
    if kept >= 256 or x.device.type != "cpu":  # elsewhere torch's own is as fast
        return functional.dropout(x, p)
    drawn: Tensor = factors(x.detach(), kept)
    return x * drawn


@torch.library.custom_op("mgbench::byte_factors", mutates_args=(), tags=(torch.Tag.nondeterministic_seeded,))
def factors(x: Tensor, kept: int) -> Tensor:
    """Return 256 / kept with probability kept / 256 and else zero, for every element, in the order in which x lies in memory."""
    words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
    drawn = (words.view(torch.uint8)[: x.numel()] < kept).to(x.dtype).mul_(256 / kept)
    return drawn.as_strided(x.shape, torch.empty_like(x, device="meta").stride())


@factors.register_fake
def _(x: Tensor, kept: int) -> Tensor:
    return torch.empty_like(x)
