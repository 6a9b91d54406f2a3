"""MGRL: attention over tokens written out, what is probed, and that without attention it is PSTL."""

import attrs
import pytest
import torch
from mgbench_plugins.encoders.stgcn import STGCN
from mgbench_plugins.methods.mgrl import MGRL
from mgbench_plugins.methods.pstl import PSTL
from torch import Generator, Tensor, nn

from mgbench import Backbone, Batch, Encoder, Network, Recipe, Skeleton, load_skeleton
from mgbench.data import Dense
from mgbench.train import draw_batch


SKELETON = load_skeleton("kinect25")
TINY = STGCN(width=4, features=16, dropout=0.0)


@attrs.frozen
class Bare(Encoder):
    """Gives the clips themselves as features, so that tokens can be chosen."""

    name = "bare"

    def build(self, skeleton: Skeleton, channels: int, persons: int) -> Network:
        """Make the network."""
        return _Bare(channels)


class _Bare(Network):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.width = channels

    def forward(self, x: Tensor, joints: Tensor | None = None) -> Tensor:
        return x if joints is None else x[..., joints]


def batch(method: MGRL | PSTL, seed: int = 0) -> Batch:
    """Draw a batch of six random clips of twenty frames."""
    x = torch.randn(6, 1, 3, 20, 25, generator=Generator().manual_seed(0))
    data = Dense(x, torch.arange(6) % 3, torch.full((6,), 20))
    return draw_batch(method, data, torch.arange(6), SKELETON, Generator().manual_seed(seed))


def clips(persons: int = 1) -> Tensor:
    """Return four clips in float64."""
    return torch.randn(4, persons, 3, 8, 25, generator=Generator().manual_seed(3), dtype=torch.float64)


def embedder(method: MGRL, encoder: Encoder = TINY, persons: int = 1) -> tuple[nn.Module, Backbone]:
    """Return the module that is probed, and the backbone inside, in evaluation and float64."""
    torch.manual_seed(0)
    backbone = Backbone(encoder, SKELETON, persons)
    objective = method.build(backbone, 3).double().eval()
    with torch.no_grad():
        for name, parameter in objective.named_parameters():
            if "attention" in name or "norm" in name:
                generator = Generator().manual_seed(len(name))
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return objective.embedder(), backbone


def attended(tokens: Tensor, norm: nn.LayerNorm, attention: nn.MultiheadAttention) -> Tensor:
    """Return the mean of tokens `(tokens, D)` plus what each gathers from all, head by head."""
    width, heads = tokens.shape[1], attention.num_heads
    variance = tokens.var(dim=1, unbiased=False, keepdim=True)
    normal = (tokens - tokens.mean(dim=1, keepdim=True)) / (variance + norm.eps).sqrt() * norm.weight + norm.bias
    assert attention.in_proj_weight is not None
    query, key, value = (normal @ attention.in_proj_weight.T + attention.in_proj_bias).split(width, dim=1)
    gathered = []
    for head in range(heads):
        own = slice(head * width // heads, (head + 1) * width // heads)
        weight = (query[:, own] @ key[:, own].T / (width / heads) ** 0.5).softmax(dim=1)
        gathered.append(weight @ value[:, own])
    out = torch.cat(gathered, dim=1) @ attention.out_proj.weight.T + attention.out_proj.bias
    return (tokens + out).mean(dim=0)


@pytest.mark.parametrize("persons", [1, 2])
@pytest.mark.parametrize("tokens", ["time", "cells"])
def test_the_probed_feature_is_the_attentions_output(tokens: str, persons: int) -> None:
    """Attended, a clip is the mean of its tokens and of what they gather: pre-norm, residual, then over persons."""
    module, backbone = embedder(MGRL(projector=32, attention=tokens), persons=persons)  # type: ignore[arg-type] # one of the literals
    x = clips(persons)
    maps = backbone.map(x)  # (N, M, D, T', V')
    norm, attention = module.norm, module.attention
    for clip, features in zip(maps, module(x), strict=True):
        rows = [one.mean(dim=2).T if tokens == "time" else one.flatten(1).T for one in clip]
        expected = torch.stack([attended(row, norm, attention) for row in rows]).mean(dim=0)  # type: ignore[arg-type] # modules' parts are of any type
        torch.testing.assert_close(features, expected)


def test_probed_before_the_attention_it_is_the_backbone() -> None:
    """With `probe=before` the feature is the pooled map, and the attention serves training alone."""
    module, backbone = embedder(MGRL(projector=32, probe="before"))
    x = clips()

    assert module is backbone
    torch.testing.assert_close(module(x), backbone.map(x).mean(dim=(1, 3, 4)))


def test_the_order_of_tokens_does_not_matter() -> None:
    """Frames carry no position, so their order changes nothing; nor does that of joints, averaged or not."""
    x = clips()
    frames, joints = (torch.randperm(n, generator=Generator().manual_seed(n)) for n in (8, 25))
    for tokens in ("time", "cells"):
        module, _ = embedder(MGRL(projector=32, heads=3, attention=tokens), Bare())  # type: ignore[arg-type] # one of the literals

        torch.testing.assert_close(module(x[:, :, :, frames]), module(x))
        torch.testing.assert_close(module(x[..., joints]), module(x))


def test_cells_mix_what_time_averages() -> None:
    """Exchanging two joints in a frame changes neither averages nor cells; exchanging their x alone changes cells."""
    x = clips()
    swapped = x.clone()
    swapped[:, :, :, 2, [4, 8]] = x[:, :, :, 2, [8, 4]]
    torn = x.clone()
    torn[:, :, 0, 2, [4, 8]] = x[:, :, 0, 2, [8, 4]]
    time, _ = embedder(MGRL(projector=32, heads=3, attention="time"), Bare())
    cells, _ = embedder(MGRL(projector=32, heads=3, attention="cells"), Bare())

    torch.testing.assert_close(time(swapped), time(x))
    torch.testing.assert_close(time(torn), time(x))
    torch.testing.assert_close(cells(swapped), cells(x))
    assert not torch.allclose(cells(torn), cells(x))


def test_without_attention_the_loss_is_pstls() -> None:
    """With `attention=none` objective, embedder and number of parameters are PSTL's for the same weights and views."""
    losses, features, counts = [], [], []
    for method in (MGRL(projector=32, attention="none"), PSTL(projector=32)):
        torch.manual_seed(0)
        objective = method.build(Backbone(TINY, SKELETON, 1), 3).train()
        losses.append(objective(batch(method), Generator())["loss"])
        counts.append(sum(parameter.numel() for parameter in objective.parameters()))
        features.append(objective.embedder().eval()(batch(method).views[0].x))

    assert torch.equal(*losses)
    assert torch.equal(*features)
    assert counts[0] == counts[1]


def test_the_loss_is_computed_on_attended_features() -> None:
    """Anchor and both masked views pass the attention before the projector."""
    torch.manual_seed(0)
    method = MGRL(projector=32)
    objective = method.build(Backbone(TINY, SKELETON, 1), 3).train()
    drawn = batch(method)
    features = [objective.embedder()(view.x, view.joints) for view in drawn.views]
    projections = objective.projector(features)  # type: ignore[operator] # modules' parts are of any type
    total = torch.zeros(())
    for view in projections[1:]:
        a, b = ((z - z.mean(dim=0)) / (z.var(dim=0, unbiased=False) + 1e-5).sqrt() for z in (projections[0], view))
        c = a.T @ b / 6
        off = c.square().sum() - c.diagonal().square().sum()
        total = total + (1 - c.diagonal()).square().sum() + 2e-4 * off

    torch.testing.assert_close(objective(drawn, Generator())["loss"], total, rtol=1e-4, atol=1e-4)


def test_attention_adds_as_many_parameters_as_its_layers_have() -> None:
    """At 256 features layer norm and the attention's four projections have 263,680 parameters, however many heads."""
    with torch.device("meta"):
        counts = [
            sum(parameter.numel() for parameter in method.build(Backbone(STGCN(), SKELETON, 1), 3).parameters())
            for method in (
                MGRL(projector=32, attention="none"),
                MGRL(projector=32),
                MGRL(projector=32, heads=8, attention="cells"),
            )
        ]

    assert counts[1] - counts[0] == 2 * 256 + 4 * (256 * 256 + 256) == 263_680
    assert counts[2] == counts[1]


def test_the_three_views_are_drawn_independently() -> None:
    """Without masks the three views still differ, and one seed gives the same three."""
    method = MGRL(views=((), (), ()))
    first, second, third = (view.x for view in batch(method).views)

    assert not torch.equal(first, second)
    assert not torch.equal(first, third)
    assert not torch.equal(second, third)
    assert all(torch.equal(a.x, b.x) for a, b in zip(batch(method).views, batch(method).views, strict=True))


def test_masked_views_are_masked() -> None:
    """The default draws an anchor, a view without joints and a view without frames."""
    anchor, spatial, temporal = batch(MGRL()).views

    assert anchor.joints is None
    assert spatial.joints is not None
    assert anchor.x.shape == spatial.x.shape == (6, 1, 3, 20, 25)
    assert temporal.x.shape == (6, 1, 3, 12, 25)


def test_needs_follow_from_the_views() -> None:
    """A map is always needed, dropped joints only where a view masks some."""
    assert MGRL().needs == {"joint_map", "drop_joints"}
    assert MGRL(views=((), ())).needs == {"joint_map"}


def test_defaults_are_the_papers() -> None:
    """Batch 32 and 200 epochs are printed; the rest is PSTL's."""
    assert MGRL().recipe == Recipe(lr=5e-3, weight_decay=1e-5, warmup=10, epochs=200, batch_size=32)
    assert (MGRL().projector, MGRL().lambd) == (PSTL().projector, PSTL().lambd)
    assert (MGRL().augment, MGRL().views) == (PSTL().augment, PSTL().views)
