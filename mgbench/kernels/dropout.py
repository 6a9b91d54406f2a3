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
    words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
    mask = (words.view(torch.uint8)[: x.numel()] < kept).to(x.dtype).mul_(256 / kept)
    return x * torch.as_strided(mask, x.shape, x.stride()) if _dense(x) else x * mask.view(x.shape)


def _dense(x: Tensor) -> bool:
    """Tell whether the elements fill memory without gaps or overlaps, in whatever order of axes."""
    expected = 1
    for size, stride in sorted(zip(x.shape, x.stride(), strict=True), key=lambda axis: axis[1]):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True
