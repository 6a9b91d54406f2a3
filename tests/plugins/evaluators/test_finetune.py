"""Fine-tuning against one step written out, on a set that frozen features hide, and what it must leave alone."""

from collections.abc import Iterator

import attrs
import pytest
import torch
from mgbench_plugins.evaluators import finetune
from mgbench_plugins.evaluators.finetune import Finetune
from mgbench_plugins.evaluators.linear import Linear
from torch import Generator, Tensor, nn

from mgbench import Probe, Recipe, SpecError
from mgbench.model import Part
from mgbench.registry import registry
from mgbench.scoring import top_k


SHAPE = (1, 3, 4, 5)
QUICK = Recipe(lr=0.02, epochs=30, batch_size=32)


class Noted(nn.Module):
    """Pass features on and note how many clips came in training."""

    sizes: list[int] = []  # noqa: RUF012 - shared with copies, which is its use

    def forward(self, x: Tensor) -> Tensor:
        """Return what is given."""
        if self.training:
            self.sizes.append(len(x))
        return x


def embedder(features: int = 16, *more: nn.Module) -> nn.Module:
    """Return a small frozen random encoder `(N, M, C, T, V) -> (N, D)`."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(60, features), *more, nn.Tanh()).requires_grad_(requires_grad=False).eval()


def probe(module: nn.Module, train: int = 128, seed: int = 3) -> Probe:
    """Return clips whose class is the sign of one coordinate among many."""
    generator = Generator().manual_seed(1)

    def part(count: int) -> Part:
        x = torch.randn(count, *SHAPE, generator=generator)
        return Part(x, (x[:, 0, 0, 0, 0] > 0).long())

    return Probe(part(train), part(200), classes=2, seed=seed, embedder=module)


def test_it_learns_what_frozen_features_do_not_hold() -> None:
    """Few random features of many coordinates hide the one that tells; with the encoder trained, it is found."""
    module = embedder(4)
    given = probe(module, train=512)
    train, test = (Part(module(part.x), part.label) for part in (given.train, given.test))
    frozen, tuned = (
        top_k(evaluator.evaluate(sides).scores.numpy(), given.test.label.numpy(), 1)
        for evaluator, sides in (
            (Linear(), attrs.evolve(given, train=train, test=test, embedder=None)),
            (Finetune(recipe=QUICK), given),
        )
    )

    assert frozen < 0.65
    assert tuned > 0.85


def test_the_given_embedder_stays_as_it_was() -> None:
    """Weights, statistics, mode and what asks for gradients are left alone; a copy is trained."""
    module = embedder(16, nn.BatchNorm1d(16), nn.Dropout(0.5))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    Finetune(recipe=attrs.evolve(QUICK, epochs=2)).evaluate(probe(module))

    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert not any(part.training for part in module.modules())
    assert not any(weight.requires_grad for weight in module.parameters())


def test_the_seed_alone_decides_and_torchs_generator_is_given_back() -> None:
    """One seed gives one result, dropout included, whatever torch's default generator holds, and it holds the same afterwards."""
    results = []
    for torchs, seed in ((0, 3), (1, 3), (0, 4)):
        given = probe(embedder(16, nn.Dropout(0.5)), seed=seed)
        torch.manual_seed(torchs)
        before = torch.get_rng_state()
        results.append(Finetune(dropout=0.3, recipe=attrs.evolve(QUICK, epochs=2)).evaluate(given).scores)
        assert torch.equal(torch.get_rng_state(), before)

    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


@pytest.mark.parametrize(("clips", "batch", "sizes"), [(40, 16, [16, 16]), (48, 16, [16, 16, 16]), (10, 16, [10])])
def test_a_batch_that_is_not_full_is_left_out(clips: int, batch: int, sizes: list[int]) -> None:
    """Every epoch drops what does not fill a batch, unless there is no other."""
    Noted.sizes.clear()
    Finetune(recipe=Recipe(epochs=2, batch_size=batch)).evaluate(probe(embedder(4, Noted()), train=clips))

    assert Noted.sizes == sizes * 2


@pytest.fixture
def doubles() -> Iterator[None]:
    """Compute in float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("doubles")
@pytest.mark.parametrize("decay", [1.0, 0.5])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_one_step_is_as_written_out(decay: float, smoothing: float) -> None:
    """One full-batch step of plain descent moves head and encoder by their gradients, the encoder's rate times `layer_decay`."""
    torch.manual_seed(0)
    encoder = nn.Linear(60, 4, bias=False)
    given = probe(nn.Sequential(nn.Flatten(), encoder))
    recipe = Recipe(optimizer="sgd", lr=0.5, momentum=0.0, schedule="constant", epochs=1, batch_size=128)
    x, inner = given.train.x.flatten(1), encoder.weight.detach()
    outer = torch.randn(2, 4, generator=Generator().manual_seed(3)) * (2 / (2 + 4)) ** 0.5
    target = torch.eye(2)[given.train.label] * (1 - smoothing) + smoothing / 2
    error = ((x @ inner.T @ outer.T).softmax(dim=1) - target) / len(x)
    moved = inner - 0.5 * decay * (error @ outer).T @ x
    head, bias = outer - 0.5 * error.T @ (x @ inner.T), -0.5 * error.sum(dim=0)

    scores = Finetune(layer_decay=decay, smoothing=smoothing, recipe=recipe).evaluate(given).scores

    torch.testing.assert_close(scores, given.test.x.flatten(1) @ moved.T @ head.T + bias, rtol=1e-6, atol=1e-6)


def test_rates_fall_layer_by_layer_to_the_input() -> None:
    """The softmax layer has the whole rate, the last block that times the decay, and what stands outside of the list the least."""
    blocks = nn.ModuleList(nn.Linear(2, 2, bias=False) for _ in range(3))
    module, head = nn.ModuleDict({"blocks": blocks, "embed": nn.Linear(3, 2, bias=False)}), nn.Linear(2, 5)
    groups = list(finetune._groups(module, head, 0.5))
    scales = {id(weight): group["scale"] for group in groups for weight in group["params"]}
    weights = [head.weight, head.bias, *(block.weight for block in reversed(blocks)), module["embed"].weight]

    assert [scales[id(weight)] for weight in weights] == [1, 1, 0.5, 0.25, 0.125, 0.0625]
    assert sum(len(group["params"]) for group in groups) == 6


def test_the_convex_solver_is_refused() -> None:
    """A network has no convex loss."""
    with pytest.raises(SpecError) as caught:
        registry().parse("evaluator", "finetune[optimizer=lbfgs]")

    assert str(caught.value) == "finetune: optimizer got 'lbfgs', which is for convex probes; give adam, adamw or sgd."
