"""Linear evaluation against scikit-learn, against one step written out, and the papers' habit."""

from collections.abc import Callable

import attrs
import numpy as np
import pytest
import torch
from mgbench_plugins.evaluators.fitting import logistic_regression
from mgbench_plugins.evaluators.linear import Linear
from sklearn.linear_model import LogisticRegression
from torch import Generator, Tensor

from mgbench import Probe, Recipe, SpecError
from mgbench.metrics import batch_mean_accuracy
from mgbench.model import Part
from mgbench.registry import registry


CLASSES = 4


def probe(train: int = 60, test: int = 25, features: int = 6, seed: int = 0) -> Probe:
    """Return features whose classes overlap, with scales and places of their own."""
    generator = Generator().manual_seed(seed)
    means = torch.randn(CLASSES, features, generator=generator)

    def part(count: int) -> Part:
        label = torch.arange(count) % CLASSES
        noise = torch.randn(count, features, generator=generator)
        return Part((means[label] + noise) * torch.logspace(-2, 2, features) + 5, label)

    return Probe(part(train), part(test), classes=CLASSES, seed=3)


def moved(given: Probe, change: Callable[[Tensor], Tensor]) -> Probe:
    """Return the probe with the features of both sides changed."""
    train, test = (Part(change(part.x), part.label) for part in (given.train, given.test))
    return attrs.evolve(given, train=train, test=test)


def standardised(given: Probe) -> tuple[np.ndarray, np.ndarray]:
    """Return both sides with zero mean and unit (n - 1) variance over the training clips."""
    train, test = given.train.x.double().numpy(), given.test.x.double().numpy()
    mean, scale = train.mean(axis=0), train.std(axis=0, ddof=1)
    return (train - mean) / scale, (test - mean) / scale


def fitted(x: np.ndarray, label: Tensor, decay: float) -> LogisticRegression:
    """Fit scikit-learn's softmax regression; its C is 1 / (N decay)."""
    return LogisticRegression(C=1 / (len(x) * decay), tol=1e-10, max_iter=10_000).fit(x, label.numpy())


@pytest.mark.parametrize("decay", [1.0, 0.05, 0.001])
def test_the_solver_finds_scikit_learns_coefficients(decay: float) -> None:
    """Mean cross-entropy + decay / 2 |W|^2 has one optimum, up to a constant added to all biases."""
    x, label = torch.from_numpy(standardised(probe())[0]), probe().train.label
    weight, bias = logistic_regression(x, label, CLASSES, decay)
    model = fitted(x.numpy(), label, decay)

    np.testing.assert_allclose(weight.numpy(), model.coef_, atol=1e-4 / decay**0.5)
    intercept = model.intercept_ - model.intercept_.mean()
    np.testing.assert_allclose((bias - bias.mean()).numpy(), intercept, atol=1e-4 / decay**0.5)


def test_the_solvers_gradient_vanishes() -> None:
    """At the solution the derivative of the objective is zero."""
    x, label = torch.from_numpy(standardised(probe())[0]), probe().train.label
    weight, bias = logistic_regression(x, label, CLASSES, 0.01)
    error = (x @ weight.T + bias).softmax(dim=1) - torch.eye(CLASSES)[label]

    assert (error.T @ x / len(x) + 0.01 * weight).abs().max() < 1e-5
    assert error.mean(dim=0).abs().max() < 1e-5


def test_scores_are_scikit_learns() -> None:
    """By default features are standardised and scored by the optimum's logits."""
    given = probe()
    train, test = standardised(given)
    scores = Linear().evaluate(given).scores.double()
    expected = torch.from_numpy(fitted(train, given.train.label, 0.01).decision_function(test))

    torch.testing.assert_close(
        scores - scores.mean(dim=1, keepdim=True), expected - expected.mean(dim=1, keepdim=True), atol=1e-3, rtol=1e-3
    )
    assert torch.equal(scores.argmax(dim=1), expected.argmax(dim=1))


def test_without_standardising_features_are_taken_as_they_are() -> None:
    """With `standardise=false` the optimum is that of the raw features."""
    given = probe()
    given = moved(given, lambda x: x[:, 2:4])
    model = fitted(given.train.x.double().numpy(), given.train.label, 0.01)
    scores = Linear(standardise=False).evaluate(given).scores

    assert scores.argmax(dim=1).tolist() == model.predict(given.test.x.double().numpy()).tolist()


def test_scale_and_place_of_features_do_not_matter_when_standardised() -> None:
    """An affine change of every feature leaves the scores."""
    given = probe()
    scaled = moved(given, lambda x: x * 3 - 2)

    torch.testing.assert_close(Linear().evaluate(scaled).scores, Linear().evaluate(given).scores, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("value", [0.1, 7.3])
def test_a_constant_feature_changes_nothing(value: float) -> None:
    """A feature alike for all clips, standardised away, leaves the scores."""
    given = probe()
    wider = moved(given, lambda x: torch.cat([x, torch.full((len(x), 1), value)], dim=1))

    torch.testing.assert_close(Linear().evaluate(wider).scores, Linear().evaluate(given).scores, atol=1e-3, rtol=1e-3)


def test_a_class_absent_from_training_is_scored_lowest() -> None:
    """Scores have a column a class, trained or not."""
    given = attrs.evolve(probe(), classes=CLASSES + 1)
    scores = Linear().evaluate(given).scores

    assert scores.shape == (25, CLASSES + 1)
    assert not (scores.argmax(dim=1) == CLASSES).any()


def test_one_step_of_a_gradient_recipe() -> None:
    """One full-batch step of plain gradient descent from Xavier-normal weights and zero bias is as written out here."""
    given = probe()
    recipe = Recipe(optimizer="sgd", lr=0.5, momentum=0.0, schedule="constant", epochs=1, batch_size=60)
    x, label = given.train.x, given.train.label
    weight = torch.randn(CLASSES, 6, generator=Generator().manual_seed(3)) * (2 / (CLASSES + 6)) ** 0.5
    error = (x @ weight.T).softmax(dim=1) - torch.eye(CLASSES)[label]
    expected = given.test.x @ (weight - 0.5 * error.T @ x / 60).T - 0.5 * error.mean(dim=0)

    scores = Linear(standardise=False, recipe=recipe).evaluate(given).scores

    torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-2)


ADAM = Recipe(optimizer="adam", lr=0.05, epochs=60, batch_size=32)


def test_a_gradient_recipe_comes_near_the_optimum() -> None:
    """Trained long enough with a falling rate, the layer predicts nearly as the optimum without decay."""
    given = probe()
    by_epochs = Linear(recipe=attrs.evolve(ADAM, weight_decay=0.0)).evaluate(given).scores.argmax(dim=1)
    convex = Recipe(optimizer="lbfgs", weight_decay=1e-3, epochs=500)
    optimum = Linear(recipe=convex).evaluate(given).scores.argmax(dim=1)

    assert (by_epochs == optimum).double().mean() >= 0.9


def test_the_seed_decides_weights_and_order() -> None:
    """One seed gives one result whatever torch's generator holds, another seed another."""
    results = []
    for torchs, seed in ((0, 3), (1, 3), (0, 4)):
        torch.manual_seed(torchs)
        results.append(Linear(recipe=attrs.evolve(ADAM, epochs=2)).evaluate(attrs.evolve(probe(), seed=seed)).scores)

    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_the_papers_habit_reports_the_best_epochs_mean_of_batches() -> None:
    """It never lies below the last epoch's mean of batch accuracies; scores are the last epoch's all the same."""
    given = probe(test=35)  # 32 + 3
    plain = Linear(recipe=ADAM).evaluate(given)
    habit = Linear(recipe=ADAM, paper_habit=True).evaluate(given)
    last = batch_mean_accuracy(plain.scores.argmax(dim=1), given.test.label, 32)

    assert torch.equal(habit.scores, plain.scores)
    assert list(habit.extra) == ["top1_paper_habit"]
    assert last <= habit.extra["top1_paper_habit"] <= 1
    assert plain.extra == {}


def test_the_papers_habit_takes_the_best_of_all_epochs() -> None:
    """At a constant rate shorter trainings are the epochs of a longer one, and the habit is the best of them."""
    given = probe(test=35)
    recipe = Recipe(optimizer="sgd", lr=5.0, schedule="constant", epochs=8, batch_size=32)
    shorter = [Linear(recipe=attrs.evolve(recipe, epochs=n + 1)).evaluate(given).scores for n in range(8)]
    epochs = [batch_mean_accuracy(scores.argmax(dim=1), given.test.label, 32) for scores in shorter]

    assert max(epochs) > epochs[-1]
    assert Linear(recipe=recipe, paper_habit=True).evaluate(given).extra["top1_paper_habit"] == max(epochs)


def test_the_papers_habit_is_refused_without_epochs() -> None:
    """The convex solver has no epochs to choose among."""
    with pytest.raises(SpecError) as caught:
        registry().parse("evaluator", "linear[paper_habit=true]")

    words = "paper_habit chooses among epochs, and 'lbfgs' has none; give optimizer=adam or sgd."
    assert str(caught.value) == f"linear: {words}"
