"""Learning rates and steps as recipes print them."""

import attrs
import pytest
import torch

from mgbench import Recipe, SpecError
from mgbench.spec import types_of
from mgbench.train import descend, learning_rate, make_optimizer


def rates(recipe: Recipe, steps: int = 100) -> list[float]:
    """Return the rate of every step."""
    return [learning_rate(recipe, step, steps) for step in range(steps)]


def test_step_falls_at_its_milestones() -> None:
    """AS-CAL's probe halves its rate at 15, 35, 60 and 75 of 90 epochs, whatever the budget."""
    recipe = Recipe(lr=1.0, schedule="step", milestones=(15 / 90, 35 / 90, 60 / 90, 75 / 90), gamma=0.5, epochs=90)

    assert [rates(recipe, 180)[step] for step in (29, 30, 69, 70, 119, 120, 149, 150, 179)] == [
        1.0, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625, 0.0625,
    ]  # fmt: skip


def test_step_by_default_falls_twice() -> None:
    """Times 0.1 at 60 % and at 80 % of training."""
    found = rates(Recipe(lr=1.0, schedule="step"))

    assert [found[step] for step in (59, 60, 79, 80)] == pytest.approx([1, 0.1, 0.1, 0.01])


@pytest.mark.parametrize("schedule", ["cosine", "exponential"])
def test_schedules_end_at_lr_end(schedule: str) -> None:
    """They fall without a rise from `lr` towards `lr_end`."""
    found = rates(Recipe(lr=1e-3, lr_end=5e-4, schedule=schedule), 1000)  # type: ignore[arg-type] # parametrised text

    assert found[0] == pytest.approx(1e-3)
    assert found == sorted(found, reverse=True)
    assert found[-1] == pytest.approx(5e-4, rel=2e-3)


def test_exponential_falls_by_the_same_factor() -> None:
    """P&C's rate falls by 0.95 in every 1000 of 15,000 steps."""
    found = rates(Recipe(lr=1e-4, lr_end=1e-4 * 0.95**15, schedule="exponential"), 15000)

    assert found[1000] / found[0] == pytest.approx(0.95)
    assert found[9000] / found[8000] == pytest.approx(0.95)


def test_impossible_schedules_are_refused() -> None:
    """A schedule does not rise, and an exponential one never reaches zero."""
    with pytest.raises(ValueError, match=r"lr_end got 0\.1; .* at most lr, 0\.01"):
        Recipe(lr=0.01, lr_end=0.1)
    with pytest.raises(ValueError, match="schedule=cosine"):
        Recipe(schedule="exponential")


def test_a_batch_has_two_clips_at_least() -> None:
    """As `--batch-size` asks: one clip has no batch statistics, on which projectors and heads fail in words of their own."""
    Recipe(batch_size=2)
    with pytest.raises(ValueError, match="'batch_size' must be >= 2: 1"):
        Recipe(batch_size=1)


@pytest.mark.parametrize(("clip", "moved"), [(0.0, 5.0), (1.0, 1.0), (9.0, 5.0)])
def test_clip_limits_the_norm_of_all_gradients(clip: float, moved: float) -> None:
    """Gradients 3 and 4 have the norm 5; they are scaled together, and only where that is above the limit."""
    weights = [torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)]
    recipe = Recipe(optimizer="sgd", lr=1.0, momentum=0.0, clip=clip)
    descend(make_optimizer(recipe, weights), (3 * weights[0] + 4 * weights[1]).sum(), recipe.clip)  # type: ignore[arg-type] # leaves will do

    torch.testing.assert_close(torch.cat(weights).detach(), -torch.tensor([0.6, 0.8]) * moved, rtol=1e-5, atol=1e-5)


def test_nesterov_is_a_choice() -> None:
    """CrosSCLR and AimCLR train by plain momentum."""
    weight = torch.nn.Parameter(torch.zeros(1))

    for choice in (True, False):
        assert make_optimizer(Recipe(optimizer="sgd", nesterov=choice), [weight]).defaults["nesterov"] == choice


def test_a_field_that_hides_a_key_of_the_recipe_is_refused() -> None:
    """Two parameters of one name could not be told apart in a spec."""

    @attrs.frozen
    class Momentous:
        momentum: float = 0.999
        recipe: Recipe = attrs.field(default=Recipe())

    told = "Momentous has a field 'momentum' beside the key of that name in its 'recipe'; call the field otherwise"
    with pytest.raises(SpecError, match=told):
        types_of(Momentous)
