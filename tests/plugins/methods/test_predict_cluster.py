"""P&C: its scale, its two weak decoders, and its loss, frame by frame."""

from typing import Any

import pytest
import torch
from learning import losses
from mgbench_plugins.encoders.bigru import BiGRU
from mgbench_plugins.methods.predict_cluster import PredictCluster
from mgbench_plugins.methods.scaled import to_unit
from networks import clips
from torch import Tensor
from training import SKELETON, built, told

from mgbench import Backbone, Recipe


ENCODER = BiGRU(hidden=4, layers=2)
FIXED = [PredictCluster(decoder="fixed_weights"), PredictCluster(decoder="fixed_states")]
BOTH = pytest.mark.parametrize("method", FIXED, ids=["fixed_weights", "fixed_states"])


def uneven(persons: int = 1) -> Tensor:
    """Return random clips of seven frames, of different sizes on each axis."""
    return clips(persons=persons, frames=7) * torch.tensor([1.0, 5.0, 0.2])[:, None, None] + 3


def scaled(clip: Tensor) -> Tensor:
    """Return a clip `(M, C, T, V)`, each axis of which spans -1 to 1."""
    axes = [clip[:, axis] for axis in range(clip.shape[1])]
    return torch.stack([2 * (axis - axis.min()) / (axis.max() - axis.min()) - 1 for axis in axes], dim=1)


def predicted(decoder: Any, feature: Tensor, frame: Tensor, steps: int, *, resets: bool) -> list[Tensor]:
    """Return the frames that follow on one frame `(values,)`, by the gates' equations."""
    state, said = feature, []
    for _ in range(steps):
        state = feature if resets else state
        reset, update, new = (decoder.cell.weight_ih @ frame + decoder.cell.bias_ih).chunk(3)
        resets_, updates, news = (decoder.cell.weight_hh @ state + decoder.cell.bias_hh).chunk(3)
        share = (update + updates).sigmoid()
        state = (1 - share) * (new + (reset + resets_).sigmoid() * news).tanh() + share * state
        frame = frame + decoder.leave.weight @ state + decoder.leave.bias
        said.append(frame)
    return said


@pytest.mark.parametrize("persons", [1, 2])
@BOTH
def test_loss_is_the_absolute_error_of_what_follows(method: PredictCluster, persons: int) -> None:
    """Frame by frame: predictions feed the next, errors are summed over a frame and averaged over frames and clips."""
    objective, x = built(method, encoder=ENCODER, persons=persons), uneven(persons)
    features, errors = objective.embedder()(x), []
    for clip, feature in zip(x, features, strict=True):
        frames = [frame.flatten() for frame in scaled(clip).unbind(dim=2)]
        said = predicted(objective.decoder, feature, frames[0], 6, resets=method.decoder == "fixed_states")
        errors += [(one - other).abs().sum() for one, other in zip(said, frames[1:], strict=True)]

    torch.testing.assert_close(told(objective, x)["loss"], torch.stack(errors).mean())


@BOTH
def test_frames_behind_the_end_do_not_count(method: PredictCluster) -> None:
    """A clip that ends early has the scale, the feature and the error of its frames alone."""
    objective, x, length = built(method, encoder=ENCODER), uneven(), torch.tensor([7, 4, 2])
    alone = [told(objective, clip[None, :, :, :frames])["loss"] for clip, frames in zip(x, length.tolist(), strict=True)]
    changed = torch.where((torch.arange(7) >= length[:, None])[:, None, None, :, None], 99.0, x)

    torch.testing.assert_close(told(objective, x, length)["loss"], (6 * alone[0] + 3 * alone[1] + alone[2]) / 10)
    torch.testing.assert_close(told(objective, changed, length)["loss"], told(objective, x, length)["loss"])


def test_clips_span_minus_one_to_one_on_each_axis() -> None:
    """By hand: 2, 4 and 5 become -1, 1/3 and 1, both persons of a clip on one scale; an axis on which nothing differs becomes 0."""
    x = torch.tensor([[[[2.0, 4.0]], [[7.0, 7.0]]], [[[5.0, 2.0]], [[7.0, 7.0]]]])[None]  # (1, M, C, T, V)
    found = to_unit(x)

    torch.testing.assert_close(found[0, :, 0, 0], torch.tensor([[-1.0, 1 / 3], [1.0, -1.0]]))
    assert found[0, :, 1].eq(0).all()


def test_the_probe_sees_what_the_decoder_saw() -> None:
    """Neither where a body stands nor how large it is changes the feature."""
    embedder, x = built(FIXED[0], encoder=ENCODER).embedder().eval(), uneven()

    torch.testing.assert_close(embedder(3 * x + 5), embedder(x))
    torch.testing.assert_close(embedder(x), embedder.backbone(to_unit(x)))


def test_the_encoder_reads_backwards() -> None:
    """The state of the backward half has read the first frame last: taking away what follows changes it, as it does not forwards' start."""
    backbone, x = built(FIXED[0], encoder=BiGRU(hidden=4, layers=1)).backbone, uneven()
    whole, shorter = (backbone.map(one)[:, 0, :, 0, 0] for one in (x, x[:, :, :, :-1]))

    torch.testing.assert_close(whole[:, :4], shorter[:, :4])
    assert (whole[:, 4:] - shorter[:, 4:]).abs().min() > 1e-9


def test_fixed_weights_do_not_move() -> None:
    """In training with weight decay the GRU of the decoder stays as it was drawn; the layer behind it and the encoder learn."""
    before, after = ({name: value.clone() for name, value in state.items()} for state in trained(FIXED[0]))
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}

    assert not any(name.startswith("decoder.cell") for name in moved)
    assert {"decoder.leave.weight", "decoder.leave.bias", "backbone.network.recurrent.weight_hh_l0_reverse"} <= moved


def test_fixed_states_let_the_weights_learn() -> None:
    """With fixed states all of the decoder's weights move."""
    before, after = trained(FIXED[1])

    assert all(not torch.equal(value, before[name]) for name, value in after.items() if name.startswith("decoder"))


def trained(method: PredictCluster) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the weights before and after a few steps of AdamW."""
    objective = built(method, encoder=ENCODER)
    before = {name: value.clone() for name, value in objective.state_dict().items()}
    optimizer = torch.optim.AdamW([one for one in objective.parameters() if one.requires_grad], 0.01, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        told(objective, uneven())["loss"].backward()
        optimizer.step()
    return before, objective.state_dict()


@BOTH
def test_fixed_states_forget(method: PredictCluster) -> None:
    """With fixed states a frame follows from the one before and the feature alone; with fixed weights from all before."""
    decoder = built(method, encoder=ENCODER).decoder
    frame, feature = torch.randn(2, 75, dtype=torch.float64), torch.randn(2, 8, dtype=torch.float64)
    said = decoder(frame, feature, 3)
    again = decoder(said[:, 1], feature, 1)[:, 0]

    assert torch.allclose(again, said[:, 2]) is (method.decoder == "fixed_states")


@BOTH
def test_the_loss_falls(method: PredictCluster) -> None:
    """It falls by more than half; without learning it stays."""
    found, idle = (losses(method, BiGRU(hidden=16, layers=1), steps=15, lr=1e-2, learns=learns) for learns in (True, False))

    assert found[-5:].mean() < 0.5 * found[:3].mean()
    assert idle[-5:].mean() > 0.99 * idle[:3].mean()


def test_the_decoder_is_as_wide_as_the_feature() -> None:
    """For Kinect-25 and P&C's encoder it has a GRU of 2,048 over 75 values and a layer back to 75."""
    with torch.device("meta"):
        objective: Any = PredictCluster().build(Backbone(BiGRU(), SKELETON, 1), 60)
    decoder = sum(parameter.numel() for parameter in objective.decoder.parameters())

    assert decoder == 3 * 2048 * (75 + 2048 + 2) + 75 * (2048 + 1)


def test_defaults_are_those_of_the_authors() -> None:
    """15,000 steps at batch 256 of NTU-60 are 96 epochs, in which the rate falls fifteen times by a twentieth; norms end at 25."""
    method = PredictCluster()

    assert method.recipe == Recipe(lr=1e-4, schedule="exponential", lr_end=4.6e-5, clip=25.0, epochs=96, batch_size=256)
    assert method.recipe.lr_end == pytest.approx(1e-4 * 0.95**15, rel=0.01)
    assert method.needs == {"sequence"}
