"""LongT GAN: its loss, and that one descent serves two aims."""

import math
from typing import Any

import pytest
import torch
from learning import losses
from mgbench_plugins.encoders.bigru import BiGRU
from mgbench_plugins.methods.longt_gan import LongTGAN, opposed
from mgbench_plugins.methods.scaled import to_unit
from networks import clips
from torch import Generator, Tensor
from torch.nn import functional
from training import built, ignore_behind_the_end, told


ENCODER = BiGRU(hidden=3, layers=1)
TINY = LongTGAN(hidden=5)


def repaired(objective: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return frames and repaired frames `(N, T, values)`: frames whose draw is below one half are lost."""
    unit = to_unit(x)
    frames = torch.stack([torch.stack([clip[:, :, t].flatten() for t in range(x.shape[3])]) for clip in unit])
    here = torch.rand(*frames.shape[:2], 1, generator=Generator().manual_seed(0)) >= 0.5
    return frames, objective.leave(objective.decoder(torch.where(here, frames, 0.0), objective.backbone(unit)[None])[0])


def doubt(objective: Any, frames: Tensor, said: Tensor) -> Tensor:
    """Return the adversary's cross-entropy, over recorded clips and over repaired ones."""
    adversary = objective.adversary
    logits = [adversary.judge(adversary.read(one)[0][:, -1]).squeeze(1) for one in (frames, said)]
    pairs = [(one, torch.full_like(one, recorded)) for one, recorded in zip(logits, (1.0, 0.0), strict=True)]
    return sum(functional.binary_cross_entropy_with_logits(*pair) for pair in pairs)  # type: ignore[return-value] # not of no pairs


@pytest.mark.parametrize("persons", [1, 2])
def test_the_loss_is_error_and_doubt(persons: int) -> None:
    """The squared error is summed over a frame; the adversary answers for both kinds of clips."""
    objective, x = built(TINY, encoder=ENCODER, persons=persons), clips(persons=persons, frames=6)
    frames, said = repaired(objective, x)
    found = told(objective, x)

    torch.testing.assert_close(found["error"], (said - frames).square().sum() / 18)
    torch.testing.assert_close(found["doubt"], doubt(objective, frames, said))
    torch.testing.assert_close(found["loss"], found["error"] + found["doubt"])


@pytest.mark.parametrize("weight", [0.0, 0.1, 2.0])
def test_each_side_descends_its_own_aim(weight: float) -> None:
    """The adversary gets the gradient of its doubt; encoder and decoder get that of the error less the weighted doubt."""
    objective, x = built(LongTGAN(hidden=5, adversary=weight), encoder=ENCODER), clips(frames=6)
    theirs = list(objective.adversary.parameters())
    ours = [*objective.backbone.parameters(), *objective.decoder.parameters(), *objective.leave.parameters()]
    found = torch.autograd.grad(told(objective, x)["loss"], [*theirs, *ours])
    frames, said = repaired(objective, x)
    error, blame = (said - frames).square().sum() / 18, doubt(objective, frames, said)
    expected = [*torch.autograd.grad(blame, theirs, retain_graph=True), *torch.autograd.grad(error - weight * blame, ours)]

    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_what_is_opposed_stays_and_its_gradient_turns() -> None:
    """The value is the same, the gradient times -0.5."""
    x = torch.tensor([2.0, -3.0], requires_grad=True)
    y = opposed(x, 0.5)
    y.square().sum().backward()

    assert torch.equal(y, x)
    assert x.grad is not None
    assert x.grad.tolist() == [-2.0, 3.0]


def test_frames_behind_the_end_do_not_count() -> None:
    """Where clips have lengths, what lies behind them changes no term."""
    objective, x, length = built(TINY, encoder=ENCODER), clips(frames=6), torch.tensor([6, 4, 1])

    ignore_behind_the_end(lambda x, length: told(objective, x, length), x)
    unit = to_unit(x, length)
    frames = unit.permute(0, 3, 1, 2, 4).flatten(2)
    here = torch.rand(3, 6, 1, generator=Generator().manual_seed(0)) >= 0.5
    said = objective.leave(objective.decoder(frames * here, objective.backbone(unit, length=length)[None])[0])
    errors = sum((said[n, :own] - frames[n, :own]).square().sum() for n, own in enumerate(length))
    torch.testing.assert_close(told(objective, x, length)["error"], errors / 11)


def test_the_loss_falls() -> None:
    """It falls by more than half; without learning it stays."""
    found, idle = (losses(LongTGAN(hidden=16), BiGRU(hidden=32, layers=1), lr=1e-2, learns=learns) for learns in (True, False))

    assert found[-5:].mean() < 0.5 * found[:3].mean()
    assert idle[-5:].mean() > 0.95 * idle[:3].mean()


def test_an_adversary_who_knows_nothing_doubts_twice() -> None:
    """One who says one half of everything has a cross-entropy of log 2 on either side."""
    objective = built(TINY, encoder=ENCODER)
    with torch.no_grad():
        objective.adversary.judge.weight.zero_()
        objective.adversary.judge.bias.zero_()

    assert told(objective, clips(frames=6))["doubt"].item() == pytest.approx(2 * math.log(2))
