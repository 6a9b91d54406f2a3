"""The figures of records against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, f1_score, recall_score, top_k_accuracy_score

from mgbench.clips import Ints
from mgbench.confusion import confusions
from mgbench.scoring import figures, top_k


CLASSES = 6


@st.composite
def answers(draw: st.DrawFn) -> tuple[Ints, Ints]:
    """Draw predicted and true classes of up to 30 clips; some classes may be absent from either."""
    clips = draw(st.integers(1, 30))
    numbers = st.lists(st.integers(0, CLASSES - 1), min_size=clips, max_size=clips)
    return np.array(draw(numbers)), np.array(draw(numbers))


def scored(predicted: Ints, label: Ints) -> dict[str, float]:
    """Return the figures of scores that are highest for the predicted class, of clips of three subjects."""
    return figures(np.eye(CLASSES)[predicted], label, np.arange(len(label)) % 3)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_top_k_agrees_with_scikit_learn(k: int) -> None:
    """Top-k is the share of clips whose class has one of the k highest scores."""
    rng = np.random.default_rng(k)
    scores, label = rng.normal(size=(40, CLASSES)), rng.integers(CLASSES, size=40)

    assert top_k(scores, label, k) == pytest.approx(top_k_accuracy_score(label, scores, k=k, labels=range(CLASSES)))


def test_top_k_of_more_than_all_classes_is_certain() -> None:
    """With fewer than k classes the right one is always among the k."""
    assert top_k(np.random.default_rng(0).normal(size=(7, 3)), np.arange(7) % 3, 5) == 1.0


@settings(max_examples=50, derandomize=True, deadline=None)
@given(answers())
def test_confusion_agrees_with_scikit_learn(pair: tuple[Ints, Ints]) -> None:
    """Rows are true classes, columns predicted ones, for each subject."""
    predicted, label = pair
    subject = np.arange(len(label)) % 3
    found = confusions(label, predicted, subject, CLASSES)

    assert np.array_equal(found.sum(axis=0), confusion_matrix(label, predicted, labels=range(CLASSES)))
    assert found.sum(axis=(1, 2)).tolist() == np.bincount(subject).tolist()


@settings(max_examples=50, derandomize=True, deadline=None)
@given(answers())
def test_mean_class_accuracy_ignores_absent_classes(pair: tuple[Ints, Ints]) -> None:
    """It is scikit-learn's macro recall over the classes that occur."""
    predicted, label = pair
    expected = recall_score(label, predicted, labels=np.unique(label), average="macro")

    assert scored(predicted, label)["mean_class_accuracy"] == pytest.approx(expected)


@settings(max_examples=50, derandomize=True, deadline=None)
@given(answers())
def test_macro_f1_ignores_absent_classes(pair: tuple[Ints, Ints]) -> None:
    """It is scikit-learn's macro F1 over the classes that occur; a class never predicted scores zero."""
    predicted, label = pair
    expected = f1_score(label, predicted, labels=np.unique(label), average="macro", zero_division=0)

    assert scored(predicted, label)["macro_f1"] == pytest.approx(expected)


def test_a_wrong_answer_outside_the_present_classes_still_costs() -> None:
    """Predicting a class that never occurs lowers recall and F1 of the class that was there."""
    found = scored(np.array([0, 5, 1, 1]), np.array([0, 0, 1, 1]))

    assert found["mean_class_accuracy"] == pytest.approx((0.5 + 1) / 2)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
