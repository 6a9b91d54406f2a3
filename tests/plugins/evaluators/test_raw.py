"""The raw-coordinates floor against the same steps in scikit-learn."""

import attrs
import numpy as np
import pytest
import torch
from mgbench_plugins.evaluators.raw import Raw
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from torch import Generator

from mgbench import Probe
from mgbench.model import Part


CLASSES = 3


def probe(train: int = 40, test: int = 20) -> Probe:
    """Return clips of three joints in four frames with classes that overlap; one coordinate never moves."""
    generator = Generator().manual_seed(0)
    means = torch.randn(CLASSES, 1, 3, 4, 3, generator=generator)

    def part(count: int) -> Part:
        label = torch.arange(count) % CLASSES
        x = means[label] + torch.randn(count, 1, 3, 4, 3, generator=generator) * torch.rand(4, 3, generator=generator)
        x[..., 0, 0] = 0.3
        return Part(x, label)

    return Probe(part(train), part(test), classes=CLASSES, seed=0)


def expected_scores(given: Probe, components: int, decay: float) -> np.ndarray:
    """Standardise what moves, rotate to principal components, and fit softmax regression with C = 1 / (N decay)."""
    train, test = (part.x.flatten(1).double().numpy() for part in (given.train, given.test))
    mean, scale = train.mean(axis=0), train.std(axis=0, ddof=1)
    moving = scale > 1e-9
    train, test = (((x - mean)[:, moving] / scale[moving]) for x in (train, test))
    axes = PCA(n_components=min(components, train.shape[1]), svd_solver="full").fit(train)
    model = LogisticRegression(C=1 / (len(train) * decay), tol=1e-10, max_iter=10_000)
    return model.fit(axes.transform(train), given.train.label.numpy()).decision_function(axes.transform(test))


@pytest.mark.parametrize(("components", "decay"), [(150, 0.05), (5, 0.05), (8, 0.5)])
def test_scores_are_those_of_the_pipeline(components: int, decay: float) -> None:
    """Standardised coordinates, principal components and a softmax layer give scikit-learn's scores."""
    given = probe()
    scores = Raw(components=components, weight_decay=decay).evaluate(given).scores.double()
    expected = torch.from_numpy(expected_scores(given, components, decay))

    torch.testing.assert_close(
        scores - scores.mean(dim=1, keepdim=True), expected - expected.mean(dim=1, keepdim=True), atol=1e-3, rtol=1e-3
    )


def test_a_coordinate_constant_in_training_is_left_out() -> None:
    """What preprocessing makes constant, such as the centre joint, changes nothing, even where test clips differ."""
    given = probe()
    x = given.test.x.clone()
    x[..., 0, 0] = 5.0
    changed = attrs.evolve(given, test=Part(x, given.test.label))

    assert torch.equal(Raw().evaluate(changed).scores, Raw().evaluate(given).scores)


def test_fewer_clips_than_components_are_served() -> None:
    """A small training set gives as many components as it has."""
    scores = Raw().evaluate(probe(train=6)).scores

    assert scores.shape == (20, CLASSES)
    assert scores.isfinite().all()


def test_it_reads_clips_and_no_encoder() -> None:
    """It runs once a data set."""
    assert Raw().reads == "clips"
