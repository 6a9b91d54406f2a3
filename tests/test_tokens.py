"""Tokens: the numbering on which masks, encoders and decoders agree, by hand."""

import torch
from mgbench_plugins.encoders.skeleton_transformer import SkeletonTransformer
from mgbench_plugins.encoders.stgcn import STGCN

from mgbench.tokens import cells_of, filled, in_tokens, stretched, tokens_of


def test_a_token_is_some_frames_of_one_joint() -> None:
    """Of five frames of three joints in tokens of two, token 4 is joint 1 of frames 2 and 3; the last repeats frame 4."""
    x = torch.arange(30.0).view(1, 1, 2, 5, 3)  # axis, frame, joint: 15 c + 3 t + v
    tokens = in_tokens(x, 2)

    assert tokens.shape == (1, 1, 3, 3, 4)
    assert tokens[0, 0, 1, 1].tolist() == [7, 10, 22, 25]
    assert tokens[0, 0, 2, 0].tolist() == [12, 12, 27, 27]


def test_full_clips_stay_as_they_are() -> None:
    """Nothing is repeated where the last token is full."""
    x = torch.randn(2, 6)

    assert filled(x, 3, dim=1) is x
    assert filled(x, 4, dim=1)[:, 5:].eq(x[:, 5:]).all()


def test_cells_of_tokens_and_back() -> None:
    """Token 4 is cells 7 and 10; the last token's second frame is the first again; each cell knows its token."""
    cells = cells_of(torch.tensor([[4, 6], [0, 8]]), 2, frames=5, joints=3)

    assert cells.tolist() == [[7, 10, 12, 12], [0, 3, 14, 14]]
    assert tokens_of(cells, 2, joints=3).tolist() == [[4, 4, 6, 6], [0, 0, 8, 8]]


def test_positions_are_stretched() -> None:
    """Two positions become four: the outer ones stay, the inner ones lie a quarter of the way from either."""
    positions = torch.tensor([[0.0], [4.0]])

    assert stretched(positions, 2) is positions
    assert stretched(positions, 4).flatten().tolist() == [0, 1, 3, 4]


def test_encoders_tell_how_long_their_tokens_are() -> None:
    """One frame, unless an encoder says otherwise."""
    assert STGCN().token == 1
    assert SkeletonTransformer(patch=5, frames=50).token == 5
