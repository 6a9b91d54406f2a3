"""MS2L: what it makes of a clip, and its three losses, one by one."""

import itertools
import math

import pytest
import torch
from learning import losses
from mgbench_plugins.encoders.bigru import BiGRU
from mgbench_plugins.methods.ms2l import MS2L, nt_xent, shuffled, without_end
from networks import clips
from torch import Generator, Tensor
from training import built, told

from mgbench import Recipe


ENCODER = BiGRU(hidden=4, layers=1, feature="mean", weights="orthogonal")
TINY = MS2L(projection=6, hidden=10)


def contrast(a: Tensor, b: Tensor, temperature: float) -> float:
    """Return NT-Xent, pair by pair."""
    rows, total = [*a, *b], 0.0
    for i, one in enumerate(rows):
        likeness = [math.exp(torch.cosine_similarity(one, other, dim=0).item() / temperature) for other in rows]
        total -= math.log(likeness[(i + len(a)) % len(rows)] / (sum(likeness) - likeness[i]))
    return total / len(rows)


def test_the_end_of_a_clip_is_hidden() -> None:
    """Of ten frames the last three are zero; of a clip of six, round(1.8) = 2 and all behind its end."""
    x = without_end(clips(2, frames=10), torch.tensor([10, 6]), 0.3)

    assert [clip.abs().sum(dim=(0, 1, 3)).gt(0).tolist() for clip in x] == [[True] * 7 + [False] * 3, [True] * 4 + [False] * 6]
    assert torch.equal(x[0, :, :, :7], clips(2, frames=10)[0, :, :, :7])


@pytest.mark.parametrize(
    ("length", "order", "frames"),
    [
        (10, (2, 0, 1), [6, 7, 8, 0, 1, 2, 3, 4, 5, 9]),
        (10, (0, 1, 2), list(range(10))),
        (7, (1, 2, 0), [2, 3, 4, 5, 0, 1, 6, 7, 8, 9]),
        (2, (2, 1, 0), list(range(10))),
    ],
)
def test_pieces_are_joined_in_an_order(length: int, order: tuple[int, ...], frames: list[int]) -> None:
    """Three pieces of floor(L / 3) frames change places; what is left over, and what lies behind the end, stays."""
    x = clips(1, frames=10)

    assert torch.equal(shuffled(x, torch.tensor([length]), torch.tensor([order])), x[:, :, :, frames])


def test_clips_of_a_batch_have_orders_of_their_own() -> None:
    """Two clips of one batch are joined differently."""
    x = clips(2, frames=3)
    y = shuffled(x, torch.tensor([3, 3]), torch.tensor([[1, 0, 2], [2, 1, 0]]))

    assert torch.equal(y[0], x[0][:, :, [1, 0, 2]])
    assert torch.equal(y[1], x[1][:, :, [2, 1, 0]])


def test_contrast_is_nt_xent() -> None:
    """Pair by pair, each row against all but itself."""
    a, b = torch.randn(2, 5, 3, generator=Generator().manual_seed(0), dtype=torch.float64)

    assert nt_xent(a, b, 0.9).item() == pytest.approx(contrast(a, b, 0.9))


@pytest.mark.parametrize("persons", [1, 2])
def test_the_loss_is_the_sum_of_three(persons: int) -> None:
    """Prediction of all frames from a clip without end, the order of the pieces, and each form against the mean of all."""
    objective, x = built(TINY, encoder=ENCODER, persons=persons), clips(4, persons, 10)
    found, backbone = told(objective, x), objective.backbone
    drawn = torch.randint(6, (4,), generator=Generator().manual_seed(0)).tolist()
    orders = list(itertools.permutations(range(3)))
    ended = torch.cat([x[:, :, :, :7], torch.zeros_like(x[:, :, :, 7:])], dim=3)
    pieces = [[*range(3)], [*range(3, 6)], [*range(6, 9)]]
    mixed = torch.stack([clip[:, :, [f for piece in orders[k] for f in pieces[piece]] + [9]] for clip, k in zip(x, drawn, strict=True)])
    said = objective.leave(objective.decoder(backbone.map(ended)[:, 0, :, :, 0].transpose(1, 2))[0])
    errors = [(said[n, t] - x[n, :, :, t].flatten()).square().mean() for n in range(4) for t in range(10)]
    shares = objective.jigsaw(backbone(mixed)).softmax(dim=1)
    jigsaw = torch.stack([-shares[n, k].log() for n, k in enumerate(drawn)]).mean()
    z = [objective.projector(backbone(form)) for form in (x, ended, mixed)]
    pulls = [contrast(one, (z[0] + z[1] + z[2]) / 3, 0.9) for one in z]

    torch.testing.assert_close(found["motion"], torch.stack(errors).mean())
    torch.testing.assert_close(found["jigsaw"], jigsaw)
    assert found["contrast"].item() == pytest.approx(sum(pulls) / 3)
    torch.testing.assert_close(found["loss"], found["motion"] + found["jigsaw"] + found["contrast"])


def test_frames_behind_the_end_do_not_count() -> None:
    """Where clips have lengths, what lies behind them changes no task."""
    objective, x, length = built(TINY, encoder=ENCODER), clips(4, frames=10), torch.tensor([10, 9, 5, 7])
    changed = torch.where((torch.arange(10) >= length[:, None])[:, None, None, :, None], 99.0, x)

    for name, value in told(objective, x, length).items():
        torch.testing.assert_close(value, told(objective, changed, length)[name])
        assert not torch.equal(value, told(objective, x)[name])
    features = objective.backbone.map(without_end(x, length, 0.3), length=length)
    said = objective.leave(objective.decoder(features[:, 0, :, :, 0].transpose(1, 2))[0])
    errors = [(said[n, t] - x[n, :, :, t].flatten()).square().mean() for n in range(4) for t in range(length[n])]
    torch.testing.assert_close(told(objective, x, length)["motion"], torch.stack(errors).mean())


def test_the_loss_falls() -> None:
    """It falls by a quarter; without learning it stays."""
    found, idle = (losses(TINY, BiGRU(hidden=16, layers=1, feature="mean"), lr=1e-2, learns=learns) for learns in (True, False))

    assert found[-5:].mean() < 0.75 * found[:3].mean()
    assert idle[-5:].mean() > 0.95 * idle[:3].mean()


def test_defaults_are_those_of_the_public_code() -> None:
    """With MS2L's encoder: three pieces, 30 % hidden, heads by way of 2,048, and the authors' recipe; the rate falls at half time."""
    method = MS2L()
    objective = built(method, encoder=BiGRU(hidden=300, layers=2, feature="mean", weights="orthogonal"), persons=2)

    assert (method.masked, method.segments, method.temperature) == (0.3, 3, 0.9)
    assert [tuple(layer.weight.shape) for layer in (objective.jigsaw[0], objective.jigsaw[3])] == [(2048, 600), (6, 2048)]
    assert [tuple(layer.weight.shape) for layer in (objective.projector[0], objective.projector[3])] == [(2048, 600), (1024, 2048)]
    assert (objective.decoder.num_layers, objective.decoder.hidden_size, objective.leave.out_features) == (2, 600, 150)
    assert method.recipe == Recipe(lr=1e-3, schedule="step", milestones=(0.5,), gamma=0.1, clip=10.0, epochs=60, batch_size=256)
    assert method.needs == {"sequence"}
