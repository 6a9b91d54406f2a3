"""Telling people apart: obvious ones, none at all, and a cross-validation written out with scikit-learn."""

import attrs
import numpy as np
import pytest
import torch
from mgbench_plugins.evaluators.subject import Subject, dealt
from sklearn.linear_model import LogisticRegression
from torch import Generator, Tensor

from mgbench import Probe, SpecError
from mgbench.model import Part
from mgbench.registry import registry


CLASSES = 4


def probe(who: Tensor, apart: float, seed: int = 3) -> Probe:
    """Return features of test clips whose people differ by so much beside noise; classes are drawn apart from people."""
    generator = Generator().manual_seed(0)
    means = apart * torch.randn(int(who.max()) + 1, 8, generator=generator)
    x = means[who] + torch.randn(len(who), 8, generator=generator)
    test = Part(x, torch.randint(CLASSES, (len(who),), generator=generator), who)
    train = Part(torch.randn(30, 8, generator=generator), torch.arange(30) % CLASSES, torch.arange(30) % 5)
    return Probe(train, test, CLASSES, seed)


def top1(given: Probe, evaluator: Subject | None = None) -> float:
    """Return how often the right person is named."""
    scores = (evaluator or Subject()).evaluate(given).scores
    return float((scores.argmax(dim=1) == given.test.subject).double().mean())


def test_two_obvious_people_are_told_apart() -> None:
    """Where features differ by person, nearly every clip is got right, though training has seen neither."""
    given = probe(torch.arange(80) % 2, apart=3)

    assert Subject().evaluate(given).scores.shape == (80, 2)
    assert top1(given) > 0.95


def test_shuffled_people_are_told_by_chance() -> None:
    """With people permuted among the clips nothing is left to tell: a clip's own person does not reach its score."""
    given = probe(torch.arange(200) % 2, apart=3)
    other = given.test.subject[torch.randperm(200, generator=Generator().manual_seed(1))]

    assert top1(attrs.evolve(given, test=attrs.evolve(given.test, subject=other))) == pytest.approx(0.5, abs=0.08)


def test_features_without_people_are_told_by_chance() -> None:
    """On noise the share of right answers is that of guessing."""
    assert top1(probe(torch.arange(300) % 3, apart=0)) == pytest.approx(1 / 3, abs=0.08)


def test_chance_is_the_share_of_the_most_frequent_person() -> None:
    """It is told beside the scores."""
    assert Subject().evaluate(probe(torch.tensor([0] * 20 + [1] * 50 + [2] * 30), apart=1)).extra == {"chance": 0.5}


def test_classes_and_training_do_not_matter() -> None:
    """Scores depend on the test clips' features and people alone."""
    given = probe(torch.arange(60) % 3, apart=1)
    other = attrs.evolve(given, test=attrs.evolve(given.test, label=given.test.label.flip(0)), train=Part(torch.ones(9, 8), torch.zeros(9)))

    assert torch.equal(Subject().evaluate(other).scores, Subject().evaluate(given).scores)


@pytest.mark.parametrize(("counts", "folds"), [((20, 30, 25), 5), ((7, 9), 4), ((3, 40), 10), ((1, 12), 3)])
def test_every_fold_has_its_share_of_every_person(counts: tuple[int, ...], folds: int) -> None:
    """A person's clips in two folds, and folds as a whole, differ by at most one clip."""
    who = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    fold = dealt(who, folds, Generator().manual_seed(0))
    sizes = torch.stack([fold[who == person].bincount(minlength=folds) for person in range(len(counts))])

    assert (sizes.max(dim=1).values - sizes.min(dim=1).values).max() <= 1
    assert sizes.sum(dim=0).max() - sizes.sum(dim=0).min() <= 1


def test_folds_are_drawn_from_the_seed() -> None:
    """Another seed deals otherwise, the same one alike, whatever torch's generator holds."""
    who, found = torch.arange(60) % 3, []
    for torchs, seed in ((0, 3), (1, 3), (0, 4)):
        torch.manual_seed(torchs)
        found.append(Subject().evaluate(probe(who, 1, seed)).scores)

    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


@pytest.mark.parametrize(("folds", "decay"), [(5, 0.01), (3, 0.5)])
def test_each_fold_is_scored_by_the_others(folds: int, decay: float) -> None:
    """Standardised over the other folds, scikit-learn's softmax regression with C = 1 / (N decay) gives the same scores."""
    given = probe(torch.arange(75) % 3, apart=1)
    x, who = given.test.x.double().numpy(), given.test.subject.numpy()
    fold = dealt(given.test.subject, folds, Generator().manual_seed(3)).numpy()
    expected = np.zeros((75, 3))
    for number in range(folds):
        held = fold == number
        mean, scale = x[~held].mean(axis=0), x[~held].std(axis=0, ddof=1)
        model = LogisticRegression(C=1 / ((~held).sum() * decay), tol=1e-10, max_iter=10_000)
        model.fit((x[~held] - mean) / scale, who[~held])
        expected[held] = model.decision_function((x[held] - mean) / scale)
    scores = Subject(folds=folds, weight_decay=decay).evaluate(given).scores.double()
    centred = scores - scores.mean(dim=1, keepdim=True)

    np.testing.assert_allclose(centred.numpy(), expected - expected.mean(axis=1, keepdims=True), atol=1e-3)


def test_fewer_clips_than_folds_are_served() -> None:
    """Where clips are few, each is scored by all others."""
    given = probe(torch.tensor([0, 1, 0]), apart=1)

    assert Subject(folds=10).evaluate(given).scores.isfinite().all()


@pytest.mark.parametrize("spec", ["subject[folds=1]", "semi[evaluator=subject]"])
def test_what_makes_no_sense_is_refused(spec: str) -> None:
    """One fold leaves nothing to fit on; people are told without labels, so few labels are no question."""
    with pytest.raises(SpecError, match=r"folds|which tells people apart"):
        registry().parse("evaluator", spec)
