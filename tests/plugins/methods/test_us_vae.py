"""U-S-VAE: its divergence, its loss frame by frame, and the weight between them."""

import math

import pytest
import torch
from learning import losses
from mgbench_plugins.encoders.lstm import LSTM
from mgbench_plugins.methods.scaled import to_unit
from mgbench_plugins.methods.us_vae import USVAE, divergence
from networks import clips
from torch import Generator
from training import built, ignore_behind_the_end, told

from mgbench import View


ENCODER = LSTM(hidden=4, bidirectional=True)
TINY = USVAE(latent=3, hidden=5)


@pytest.mark.parametrize("persons", [1, 2])
def test_the_loss_is_error_plus_weighted_divergence(persons: int) -> None:
    """Frame by frame and value by value, with the divergence by its integral's formula."""
    objective, x = built(TINY, encoder=ENCODER, persons=persons), clips(persons=persons, frames=6)
    objective.step(0.2)
    noise = torch.randn(3, 6, 3, generator=Generator().manual_seed(0), dtype=torch.float64)
    errors, divergences = 0.0, 0.0
    for clip, draws in zip(to_unit(x), noise, strict=True):
        outputs = objective.backbone.map(clip[None])[0, 0, :, :, 0].T
        told_of = outputs @ objective.encoder.head.weight.T + objective.encoder.head.bias
        mean, deviation = told_of[:, :3], told_of[:, 3:].exp().sqrt()
        said = objective.leave(objective.decoder((mean + deviation * draws)[None])[0][0])
        errors += sum((said[t] - clip[:, :, t].flatten()).square().sum().item() for t in range(6)) / 18
        for mu, sigma in zip(mean.flatten().tolist(), deviation.flatten().tolist(), strict=True):
            divergences += ((mu**2 + sigma**2 - 1) / 2 - math.log(sigma)) / 18
    found = told(objective, x)

    assert found["error"].item() == pytest.approx(errors)
    assert found["divergence"].item() == pytest.approx(divergences)
    assert found["loss"].item() == pytest.approx(errors + 0.004 * divergences)


def test_the_divergence_is_that_from_the_standard_normal() -> None:
    """It is zero for it alone, and one half for a mean that is off by one."""
    zero = torch.zeros(1, 2, 3)
    off = zero.clone()
    off[0, 0, 1] = 1.0

    assert divergence(zero, zero).eq(0).all()
    assert divergence(off, zero)[0, :, 0].tolist() == [0.5, 0]


def test_the_weight_rises_and_is_kept() -> None:
    """From zero to `beta` at `rise`, constant from there, and part of what a checkpoint holds."""
    objective = built(TINY, encoder=ENCODER)
    found = [objective.beta.item()]
    for progress in (0.25, 0.5, 1.0):
        objective.step(progress)
        found.append(objective.beta.item())

    assert found == pytest.approx([0, 0.005, 0.01, 0.01])
    assert "beta" in objective.state_dict()


def test_the_feature_is_the_mean_of_means() -> None:
    """No noise enters it, nor where a body stands and how large it is; where a clip ends early only its frames do."""
    embedder, x = built(TINY, encoder=ENCODER).embedder().eval(), clips(frames=6)
    mean, _ = embedder.distributions(View(to_unit(x)))

    torch.testing.assert_close(embedder(x), mean.mean(dim=1))
    torch.testing.assert_close(embedder(3 * x + 5), embedder(x))
    torch.testing.assert_close(embedder(x, length=torch.tensor([6, 4, 1]))[1:2], embedder(x[1:2, :, :, :4]))


def test_frames_behind_the_end_do_not_count() -> None:
    """Where clips have lengths, what lies behind them changes no term."""
    objective, length = built(TINY, encoder=ENCODER), torch.tensor([6, 4, 1])
    x = clips(frames=6)

    ignore_behind_the_end(lambda x, length: told(objective, x, length), x)
    mean, log_variance = objective.encoder.distributions(View(to_unit(x, length), length=length))
    terms = divergence(mean, log_variance)
    torch.testing.assert_close(told(objective, x, length)["divergence"], sum(terms[n, :own].sum() for n, own in enumerate(length)) / 11)


def test_the_loss_falls() -> None:
    """It falls by more than half; without learning it stays."""
    method, encoder = USVAE(latent=8, hidden=32), LSTM(hidden=32, bidirectional=True)
    found, idle = (losses(method, encoder, lr=1e-2, learns=learns) for learns in (True, False))

    assert found[-5:].mean() < 0.5 * found[:3].mean()
    assert idle[-5:].mean() > 0.95 * idle[:3].mean()
