"""Retrieval: a case counted by hand, and scikit-learn's average precision."""

import attrs
import pytest
import torch
from mgbench_plugins.evaluators.knn import KNN
from mgbench_plugins.evaluators.retrieval import Retrieval
from sklearn.metrics import average_precision_score
from torch import Generator

from mgbench import Evaluation, Probe
from mgbench.model import Part


CLASSES = 4


def turned(*degrees: float) -> torch.Tensor:
    """Return features that point into these directions."""
    angle = torch.tensor(degrees).deg2rad()
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def by_hand() -> Evaluation:
    """Return what is found in a bank of six clips, by four queries that point to 0 degrees, or away from there."""
    bank = Part(turned(10, 20, 30, 40, 50, 60), torch.tensor([0, 1, 0, 1, 1, 2]))
    queries = Part(turned(0, 0, 0, 70), torch.tensor([0, 1, 3, 2]))
    return Retrieval(standardise=False).evaluate(Probe(bank, queries, CLASSES, 0))


def test_average_precision_counted_by_hand() -> None:
    """Right ranks 1, 3 give (1/1 + 2/3) / 2; 2, 4, 5 give (1/2 + 2/4 + 3/5) / 3; 1 alone gives 1; an unknown class does not count."""
    first, second, third = (1 + 2 / 3) / 2, (1 / 2 + 2 / 4 + 3 / 5) / 3, 1.0

    assert by_hand().extra["mean_average_precision"] == pytest.approx((first + second + third) / 3)


def test_precision_counted_by_hand() -> None:
    """Among the first: right for two of four queries; among five 2, 3, 0 and 1 are right; ten are all six, of which 2, 3, 0 and 1 are."""
    extra = by_hand().extra

    assert extra["precision_at_1"] == 2 / 4
    assert extra["precision_at_5"] == pytest.approx((2 + 3 + 0 + 1) / 5 / 4)
    assert extra["precision_at_10"] == pytest.approx((2 + 3 + 0 + 1) / 6 / 4)


def test_scores_are_the_nearest_clips_of_each_class() -> None:
    """A class scores the cosine to its nearest clip, and less than any where training has none."""
    cosines = turned(10, 20, 60)[:, 0]

    torch.testing.assert_close(by_hand().scores[0], torch.cat([cosines, torch.tensor([-1.0])]))


def probe(train: int = 300, test: int = 270) -> Probe:
    """Return random features in which classes overlap; more queries than are asked at once."""
    generator = Generator().manual_seed(0)
    means = torch.randn(CLASSES, 6, generator=generator)

    def part(count: int) -> Part:
        label = torch.randint(CLASSES, (count,), generator=generator)
        return Part(means[label] + torch.randn(count, 6, generator=generator), label)

    return Probe(part(train), part(test), CLASSES, 0)


@pytest.mark.parametrize("standardise", [True, False])
def test_the_mean_is_scikit_learns(standardise: bool) -> None:
    """Average precision of each query, by scikit-learn, averaged."""
    given = probe()
    train, test = given.train.x.double(), given.test.x.double()
    if standardise:
        mean, scale = train.mean(dim=0), train.std(dim=0)
        train, test = (train - mean) / scale, (test - mean) / scale
    cosine = torch.cosine_similarity(test[:, None], train[None], dim=2)
    expected = [
        average_precision_score((given.train.label == label).numpy(), row.numpy())
        for row, label in zip(cosine, given.test.label, strict=True)
    ]
    found = Retrieval(standardise=standardise).evaluate(given).extra["mean_average_precision"]

    assert found == pytest.approx(sum(expected) / len(expected), abs=1e-4)


def test_the_answer_is_that_of_one_neighbour() -> None:
    """Top-1 is the class of the nearest clip, which is also the precision among the first."""
    given = probe()
    evaluation = Retrieval().evaluate(given)

    assert torch.equal(evaluation.scores.argmax(dim=1), KNN().evaluate(given).scores.argmax(dim=1))
    right = (evaluation.scores.argmax(dim=1) == given.test.label).double().mean()
    assert evaluation.extra["precision_at_1"] == pytest.approx(float(right))


def test_features_without_meaning_rank_by_chance() -> None:
    """On noise, average precision is near the share of the query's class."""
    given, generator = probe(), Generator().manual_seed(1)
    train, test = (attrs.evolve(part, x=torch.randn(len(part.x), 6, generator=generator)) for part in (given.train, given.test))
    shares = given.train.label.bincount(minlength=CLASSES).double() / len(train.x)
    found = Retrieval().evaluate(attrs.evolve(given, train=train, test=test)).extra["mean_average_precision"]

    assert found == pytest.approx(float(shares[test.label].mean()), abs=0.03)


def test_a_bank_without_any_class_of_the_queries_finds_nothing() -> None:
    """Where no query has anything to find, all figures are zero."""
    given = probe()
    other = attrs.evolve(given, test=Part(given.test.x, torch.full((270,), CLASSES)), classes=CLASSES + 1)

    assert set(Retrieval().evaluate(other).extra.values()) == {0.0}
