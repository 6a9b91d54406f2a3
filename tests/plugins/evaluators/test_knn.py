"""Nearest neighbours against scikit-learn, and votes against a count by hand."""

import numpy as np
import pytest
import torch
from mgbench_plugins.evaluators.knn import KNN
from sklearn.neighbors import KNeighborsClassifier
from torch import Generator, Tensor

from mgbench import Probe
from mgbench.model import Part


CLASSES = 5


def probe(train: int = 40, test: int = 30) -> Probe:
    """Return random features with scales and places of their own."""
    generator = Generator().manual_seed(0)
    scale = torch.logspace(-1, 1, 6)

    def part(count: int) -> Part:
        return Part(torch.randn(count, 6, generator=generator) * scale + scale, torch.arange(count) % CLASSES)

    return Probe(part(train), part(test), classes=CLASSES, seed=0)


def sides(given: Probe, *, standardise: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return train and test in float64, standardised over train where asked."""
    train, test = given.train.x.double().numpy(), given.test.x.double().numpy()
    if standardise:
        mean, scale = train.mean(axis=0), train.std(axis=0, ddof=1)
        train, test = (train - mean) / scale, (test - mean) / scale
    return train, test


@pytest.mark.parametrize("standardise", [True, False])
def test_one_neighbour_is_scikit_learns_by_cosine(standardise: bool) -> None:
    """With k = 1 the class is that of the training clip nearest in angle."""
    given = probe()
    train, test = sides(given, standardise=standardise)
    model = KNeighborsClassifier(n_neighbors=1, metric="cosine", algorithm="brute")
    model.fit(train, given.train.label.numpy())

    assert KNN(standardise=standardise).evaluate(given).scores.argmax(dim=1).tolist() == model.predict(test).tolist()


def voted(train: np.ndarray, test: np.ndarray, label: Tensor, k: int) -> list[int]:
    """Return for each test clip the class of most votes among the k nearest, ties to the class of the nearest."""
    classes = []
    for x in test:
        cosine = [float(x @ y / np.linalg.norm(x) / np.linalg.norm(y)) for y in train]
        nearest = sorted(range(len(train)), key=cosine.__getitem__, reverse=True)[:k]
        votes = {c: sum(int(label[i]) == c for i in nearest) for c in range(CLASSES)}
        best = {c: max((cosine[i] for i in nearest if int(label[i]) == c), default=-2.0) for c in range(CLASSES)}
        classes.append(max(range(CLASSES), key=lambda c, v=votes, b=best: (v[c], b[c])))
    return classes


@pytest.mark.parametrize("k", [2, 3, 5, 20])
def test_votes_are_counted_and_ties_go_to_the_nearest(k: int) -> None:
    """The class of most votes wins; among equals the one whose neighbour is nearest."""
    given = probe()
    train, test = sides(given, standardise=True)

    assert KNN(k=k).evaluate(given).scores.argmax(dim=1).tolist() == voted(train, test, given.train.label, k)


@pytest.mark.parametrize(("k", "temperature"), [(5, 0.1), (20, 0.1), (40, 0.5)])
def test_weighted_votes_are_sums_of_exponentials(k: int, temperature: float) -> None:
    """Each of the k nearest adds exp(similarity / temperature) to its class; shares of classes are as written out."""
    given = probe()
    train, test = sides(given, standardise=True)
    cosine = (test / np.linalg.norm(test, axis=1, keepdims=True)) @ (train / np.linalg.norm(train, axis=1, keepdims=True)).T
    expected = np.zeros((len(test), CLASSES))
    for row, place in enumerate(np.argsort(-cosine, axis=1)[:, :k]):
        for i in place:
            expected[row, int(given.train.label[i])] += np.exp(cosine[row, i] / temperature)
    scores = KNN(k=k, temperature=temperature).evaluate(given).scores.numpy()

    np.testing.assert_allclose(scores / scores.sum(axis=1, keepdims=True), expected / expected.sum(axis=1, keepdims=True), rtol=1e-9)


def test_a_low_temperature_leaves_one_voter() -> None:
    """Where weights fall steeply, the nearest neighbour decides, and nothing overflows."""
    given = probe()
    scores = KNN(k=20, temperature=1e-4).evaluate(given).scores

    assert scores.isfinite().all()
    assert torch.equal(scores.argmax(dim=1), KNN().evaluate(given).scores.argmax(dim=1))


def test_more_neighbours_than_clips_are_all_clips() -> None:
    """A k beyond the training set lets every clip vote."""
    given = probe(train=13)

    assert torch.equal(KNN(k=99).evaluate(given).scores, KNN(k=13).evaluate(given).scores)


def test_lengths_of_features_do_not_matter() -> None:
    """Without standardising, a clip's features times a number have the same neighbours."""
    given = probe()
    longer = Probe(given.train, Part(given.test.x * 7, given.test.label), CLASSES, 0)

    plain = KNN(standardise=False)
    torch.testing.assert_close(plain.evaluate(longer).scores, plain.evaluate(given).scores)


def test_constant_features_change_nothing() -> None:
    """Features alike for all clips, standardised away, leave everyone's neighbours as they are."""
    given, expected = probe(), KNN().evaluate(probe()).scores.argmax(dim=1)

    for value in (0.1, 0.3, 7.3):
        flat = [torch.full((len(part.x), 1), value) for part in (given.train, given.test)]
        train, test = torch.cat([given.train.x, flat[0]], dim=1), torch.cat([given.test.x, flat[1]], dim=1)
        wide = Part(train, given.train.label), Part(test, given.test.label)
        assert torch.equal(KNN().evaluate(Probe(*wide, CLASSES, 0)).scores.argmax(dim=1), expected), value
