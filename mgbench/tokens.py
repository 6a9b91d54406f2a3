"""Tokens, some frames of one joint: what masks, encoders and decoders must agree on.

In a clip of T frames and V joints, token `t' * V + v` holds the frames from `t' * length` on of joint v, where `length` is
`Encoder.token`. Where the last token is not full, the last frame is repeated.
"""

import torch
from torch import Tensor
from torch.nn import functional


def filled(x: Tensor, length: int, dim: int) -> Tensor:
    """Return clips, or whatever has frames along `dim`, whose last token is full."""
    missing = -x.shape[dim] % length
    return torch.cat([x, *[x.narrow(dim, -1, 1)] * missing], dim=dim) if missing else x


def in_tokens(x: Tensor, length: int) -> Tensor:
    """Return clips `(N, M, C, T, V)` token by token, `(N, M, T', V, C length)`."""
    cut: Tensor = filled(x, length, dim=3).unflatten(3, (-1, length))
    return cut.permute(0, 1, 3, 5, 2, 4).flatten(4)


def cells_of(tokens: Tensor, length: int, frames: int, joints: int) -> Tensor:
    """Return the cells of the T x V grid that tokens `(..., K')` are made of, `(..., K' length)`, sorted; a repeated frame comes again."""
    times = tokens[..., None] // joints * length + torch.arange(length, device=tokens.device)
    cells = times.clamp(max=frames - 1) * joints + tokens[..., None] % joints
    return cells.flatten(-2).sort(dim=-1).values


def tokens_of(cells: Tensor, length: int, joints: int) -> Tensor:
    """Return the number of the token in which each cell lies."""
    return cells // (joints * length) * joints + cells % joints


def kept_first(cells: Tensor, length: int, times: int, joints: int) -> Tensor:
    """Return the numbers of all tokens `(N, T' V)`: those that kept cells make, then the others, each in the order of the grid."""
    kept = torch.zeros(len(cells), times * joints, dtype=torch.uint8, device=cells.device)
    return kept.scatter_(1, tokens_of(cells, length, joints), 1).argsort(dim=1, descending=True, stable=True)


def stretched(positions: Tensor, count: int) -> Tensor:
    """Return so many positions in time `(T', D)`: the learnt ones, or interpolated for clips of another length."""
    if count == len(positions):
        return positions
    between: Tensor = functional.interpolate(positions.T[None], size=count, mode="linear")
    return between[0].T
