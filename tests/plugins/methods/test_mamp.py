"""MAMP: its parameters, its targets, and its loss, token by token."""

import math
from typing import Any

import pytest
import torch
from learning import losses
from mgbench_plugins.augmentations.crop_resize import CropResize
from mgbench_plugins.augmentations.motion_token_mask import MotionTokenMasking
from mgbench_plugins.augmentations.rotate import Rotate
from mgbench_plugins.encoders.skeleton_transformer import SkeletonTransformer
from mgbench_plugins.methods.mamp import MAMP
from torch import Generator, Tensor, nn
from training import SKELETON, built, loss_of

from mgbench import Backbone, Batch, Recipe, SpecError, View
from mgbench.tokens import cells_of


ENCODER = SkeletonTransformer(features=12, blocks=1, heads=2, frames=16)
SIZES = {"features": 16, "blocks": 1, "heads": 2, "frames": 20}
TINY = MAMP(features=8, blocks=2, heads=2, frames=24)


def objective_of(method: MAMP, persons: int = 1) -> Any:
    """Return the objective in float64, none of whose weights is zero or one by accident."""
    objective = built(method, encoder=ENCODER, persons=persons)
    with torch.no_grad():
        for parameter in objective.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return objective


def error(objective: Any, *views: View) -> Tensor:
    """Return the loss of a batch of these views."""
    index = torch.arange(len(views[0].x))
    return loss_of(objective, Batch(views, None, index, index))


def normalised(x: Tensor, norm: Any) -> Tensor:
    """Return tokens `(K, D)` without their own mean and scale."""
    centred = x - x.mean(dim=1, keepdim=True)
    return centred / (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt() * norm.weight + norm.bias


def through_block(x: Tensor, block: Any, heads: int) -> Tensor:
    """Return tokens `(K, D)` after attention, head by head, and two layers."""
    attention = block.self_attn
    asked = normalised(x, block.norm1) @ attention.in_proj_weight.T + attention.in_proj_bias
    gathered = []
    for query, key, value in zip(*(part.chunk(heads, dim=1) for part in asked.chunk(3, dim=1)), strict=True):
        weights = (query @ key.T / math.sqrt(query.shape[1])).exp()
        gathered.append(weights @ value / weights.sum(dim=1, keepdim=True))
    x = x + torch.cat(gathered, dim=1) @ attention.out_proj.weight.T + attention.out_proj.bias
    wide = normalised(x, block.norm2) @ block.linear1.weight.T + block.linear1.bias
    return x + 0.5 * wide * (1 + torch.erf(wide / math.sqrt(2))) @ block.linear2.weight.T + block.linear2.bias


def predicted(decoder: Any, features: Tensor, kept: list[int], times: list[Tensor]) -> Tensor:
    """Return what the decoder says of every token of one person's clip `(T' V, values)`, in the order of the grid."""
    rows = []
    for number in range(len(times) * 25):
        row = decoder.enter.weight @ features[kept.index(number)] + decoder.enter.bias if number in kept else decoder.hidden[0]
        rows.append(row + times[number // 25] + decoder.place[number % 25])
    y = torch.stack(rows)
    for block in decoder.blocks:
        y = through_block(y, block, 2)
    return normalised(y, decoder.norm) @ decoder.leave.weight.T + decoder.leave.bias


def target(person: Tensor, number: int) -> Tensor:
    """Return what MAMP wants of a token of four frames of a clip `(C, T, V)`: its steps to the next frames, standardised."""
    times = range(number // 25 * 4, number // 25 * 4 + 4)
    steps = [(axis[t + 1] - axis[t]).item() if t + 1 < len(axis) else 0.0 for axis in person[:, :, number % 25] for t in times]
    mean = sum(steps) / len(steps)
    variance = sum((step - mean) ** 2 for step in steps) / (len(steps) - 1)
    return torch.tensor([(step - mean) / math.sqrt(variance + 1e-6) for step in steps], dtype=torch.float64)


@pytest.mark.parametrize("persons", [1, 2])
def test_loss_is_the_mean_error_of_hidden_tokens(persons: int) -> None:
    """Token by token: the decoder's blocks, positions between the learnt ones, targets, and the mean over what is hidden."""
    objective = objective_of(TINY, persons=persons)
    x = torch.randn(2, persons, 3, 10, 25, generator=Generator().manual_seed(1), dtype=torch.float64)
    kept = [[0, 3, 30, 74], [1, 2, 50, 51]]
    view = View(x, tokens=cells_of(torch.tensor(kept), 4, frames=10, joints=25))
    features = objective.backbone.map(*view).flatten(3).transpose(2, 3)
    six = objective.decoder.time  # learnt for 24 frames; three stand between the first two, the middle two and the last two
    times = [(six[0] + six[1]) / 2, (six[2] + six[3]) / 2, (six[4] + six[5]) / 2]
    errors = []
    for clip, own, numbers in zip(x, features, kept, strict=True):
        for person, tokens in zip(clip, own, strict=True):
            values = predicted(objective.decoder, tokens, numbers, times)
            errors += [(values[n] - target(person, n)).square().mean() for n in range(75) if n not in numbers]

    torch.testing.assert_close(error(objective, view), torch.stack(errors).mean())


def test_hidden_tokens_are_seen_as_targets_alone() -> None:
    """Moving a hidden token changes the loss, and nothing that the decoder says."""
    objective = objective_of(TINY)
    x = torch.randn(2, 1, 3, 8, 25, generator=Generator().manual_seed(1), dtype=torch.float64)
    moved = x.clone()
    moved[:, :, :, 4:, 20] *= 2
    views = [View(one, tokens=cells_of(torch.arange(12), 4, frames=8, joints=25)) for one in (x, moved)]
    features = [objective.backbone.map(*view)[:, 0, :, :, 0].transpose(1, 2) for view in views]
    said = [objective.decoder(seen, torch.arange(50).expand(2, -1), 2) for seen in features]

    torch.testing.assert_close(*said)
    assert error(objective, views[0]) != error(objective, views[1])


def test_views_count_alike() -> None:
    """The loss of two views is the mean of theirs."""
    objective = objective_of(TINY)
    x = torch.randn(2, 1, 3, 8, 25, generator=Generator().manual_seed(1), dtype=torch.float64)
    one, two = (View(x, tokens=cells_of(torch.tensor(kept), 4, frames=8, joints=25)) for kept in ([0, 1], [7, 30, 31]))

    torch.testing.assert_close(error(objective, one, two), (error(objective, one) + error(objective, two)) / 2)


def test_it_has_the_authors_parameters() -> None:
    """Encoder and decoder have 10,368,524 parameters together for Kinect-25."""
    with torch.device("meta"):
        objective: nn.Module = MAMP().build(Backbone(SkeletonTransformer(), SKELETON, 2), 60)

    assert sum(parameter.numel() for parameter in objective.parameters()) == 10_368_524


def test_the_decoder_is_drawn_like_the_encoder() -> None:
    """Matrices are uniform within Xavier's bound without biases; positions and the hidden token deviate by 0.02."""
    torch.manual_seed(0)
    decoder: Any = MAMP().build(Backbone(SkeletonTransformer(blocks=1), SKELETON, 1), 4).decoder
    block, bound = decoder.blocks[2], (6 / (256 + 3 * 256)) ** 0.5

    assert bound * 0.98 < block.self_attn.in_proj_weight.abs().max().item() <= bound
    assert block.linear1.bias.abs().max() == block.self_attn.out_proj.bias.abs().max() == decoder.leave.bias.abs().max() == 0
    assert all(norm.weight.eq(1).all() for norm in (block.norm1, decoder.norm))
    assert [value.std().item() for value in (decoder.time, decoder.place, decoder.hidden)] == pytest.approx([0.02] * 3, rel=0.15)


def test_the_loss_falls() -> None:
    """It falls far below 11 / 12, what saying nothing of standardised values costs; without learning it stays."""
    method, encoder = MAMP(augment=(), **SIZES), SkeletonTransformer(**SIZES)  # type: ignore[arg-type] # whole numbers, all of them
    found, idle = (losses(method, encoder, steps=60, learns=learns) for learns in (True, False))

    assert found[-5:].mean() < 0.45
    assert idle[-5:].mean() > 0.95 * idle[:5].mean() > 11 / 12


def test_any_length_of_tokens_trains() -> None:
    """The mask asks the encoder how long its tokens are, so tokens of three frames need no second word."""
    found = losses(MAMP(features=8, blocks=1, heads=2), SkeletonTransformer(features=8, blocks=1, heads=2, patch=3), steps=2)

    assert found.isfinite().all()


@pytest.mark.parametrize("tokens", [None, torch.arange(200)], ids=["none", "every one"])
def test_views_without_hidden_tokens_are_refused(tokens: Tensor | None) -> None:
    """Where nothing is hidden there is nothing to predict."""
    with pytest.raises(SpecError, match="mamp got a view of which no token is hidden"):
        error(objective_of(TINY), View(torch.zeros(2, 1, 3, 8, 25, dtype=torch.float64), tokens=tokens))


def test_heads_divide_the_features() -> None:
    """The heads of the decoder share its features without rest."""
    with pytest.raises(SpecError, match=r"mamp\[heads\] got 3; it must divide the 8 features of the decoder"):
        MAMP(features=8, heads=3)


def test_the_backbone_is_what_is_kept() -> None:
    """The decoder is thrown away after training."""
    objective = objective_of(TINY)

    assert objective.embedder() is objective.backbone


def test_defaults_are_those_of_the_public_code() -> None:
    """Augmentations drawn per clip, mask, decoder and recipe are MAMP's."""
    method = MAMP()
    turn = method.augment[1]

    assert method.augment == (CropResize(ratio=(0.5, 1.0)), turn)
    assert isinstance(turn, Rotate)
    assert [math.radians(turn.degrees), math.radians(turn.others)] == pytest.approx([0.3, 0.3], abs=1e-4)
    assert (turn.signed, turn.draw) == (True, "clip")
    assert method.views == ((MotionTokenMasking(ratio=0.9, tau=0.8),),)
    assert (method.features, method.blocks, method.heads, method.frames) == (256, 5, 8, 120)
    assert method.recipe == Recipe(optimizer="adamw", lr=1e-3, lr_end=5e-4, weight_decay=0.05, warmup=20, epochs=400, batch_size=128)
    assert method.needs == {"drop_tokens"}
