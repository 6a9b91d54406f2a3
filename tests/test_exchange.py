"""Figures of confusion matrices, their intervals and paired tests, against plain computations."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score

from mgbench import confusion, exchange, scoring


def made(seed: int, subjects: int = 6, classes: int = 4, right: float = 0.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, predictions and subjects of ten clips each; the last class never occurs."""
    rng = np.random.default_rng(seed)
    label = rng.integers(classes - 1, size=10 * subjects)
    predicted = np.where(rng.random(len(label)) < right, label, rng.integers(classes, size=len(label)))
    return label, predicted, np.repeat(np.arange(subjects), 10)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_figures_are_those_of_scikit_learn_and_of_records(seed: int) -> None:
    """Accuracy, macro-F1 and recalls of summed confusion matrices equal those of the clips, and records have the same."""
    label, predicted, subject = made(seed)
    counts = confusion.confusions(label, predicted, subject, 4).sum(axis=0)[None]
    record, present = scoring.figures(np.eye(4)[predicted], label, subject), np.unique(label)
    assert confusion.accuracy(counts)[0] == pytest.approx(accuracy_score(label, predicted))
    f1 = f1_score(label, predicted, labels=present, average="macro", zero_division=0)
    assert confusion.macro_f1(counts)[0] == record["macro_f1"] == pytest.approx(f1)
    recall = recall_score(label, predicted, labels=present, average="macro")
    assert confusion.recall_of([0, 1, 2, 3])(counts)[0] == record["mean_class_accuracy"] == pytest.approx(recall)
    assert confusion.recall_of([1])(counts)[0] == pytest.approx(float((predicted == label)[label == 1].mean()))


def test_exchanging_is_exact_for_few_subjects() -> None:
    """The p-value is the share of all exchanges whose difference is at least as large."""
    one, other = (confusion.confusions(*made(seed, right=right), 4) for seed, right in ((0, 0.4), (1, 0.6)))
    for figure in (confusion.accuracy, confusion.macro_f1):
        found = []
        for swaps in itertools.product([False, True], repeat=6):
            pairs = [(b, a) if swap else (a, b) for swap, a, b in zip(swaps, one, other, strict=True)]
            left, right = (np.sum([pair[side] for pair in pairs], axis=0)[None] for side in (0, 1))
            found.append(abs(float(figure(right)[0] - figure(left)[0])))
        wanted = np.mean([value >= found[0] - 1e-12 for value in found])
        assert exchange.exchange_test(one[None], other[None], figure) == pytest.approx(wanted)


def test_a_method_does_not_differ_from_itself() -> None:
    """Equal predictions give p = 1, one subject gives none, and a clear difference of many subjects a small one."""
    one = confusion.confusions(*made(0), 4)
    assert exchange.exchange_test(one[None], one[None], confusion.accuracy) == 1
    assert exchange.exchange_test(one[None, :1], one[None, :1], confusion.accuracy) is None
    assert exchange.exchange_test(one[None], one[None], confusion.recall_of([3])) is None, "what is no number has no p-value"
    bad, good = (confusion.confusions(*made(seed, subjects=20, right=right), 4) for seed, right in ((2, 0.1), (3, 0.9)))
    p = exchange.exchange_test(bad[None], good[None], confusion.macro_f1)
    assert p is not None and p < 0.001  # noqa: PT018


def test_chance_gives_small_p_values_no_more_often_than_they_say() -> None:
    """Of pairs that do not differ, at most about one in ten has p <= 0.1."""
    small = 0
    for seed in range(200):
        one, other = (confusion.confusions(*made(1000 + 2 * seed + k), 4) for k in (0, 1))
        p = exchange.exchange_test(one[None], other[None], confusion.macro_f1)
        small += p is not None and p <= 0.1
    assert small <= 32  # of 200, 20 expected; three standard deviations are 13


def test_intervals_hold_the_figure_and_grow_with_unlike_people() -> None:
    """An interval holds the value and is wider where people differ; seeds are averaged before it is taken."""
    counts = confusion.confusions(*made(5, subjects=12), 4)[None]
    value = exchange.value(counts, confusion.accuracy)
    low, high = exchange.interval(counts, confusion.accuracy, []) or pytest.fail("there is none")
    assert low < value < high
    alike = np.repeat(counts[:, :1], 12, axis=1)
    narrow = exchange.interval(alike, confusion.accuracy, []) or pytest.fail("there is none")
    assert narrow[1] - narrow[0] == pytest.approx(0)
    assert exchange.interval(np.repeat(counts, 3, axis=0), confusion.accuracy, []) == (low, high)


def test_few_people_give_no_interval() -> None:
    """Two people, or a class that two people have, are too few to draw from."""
    counts = confusion.confusions(*made(5, subjects=12), 4)[None]
    assert exchange.interval(counts[:, :2], confusion.accuracy, []) is None
    assert exchange.interval(counts, confusion.macro_f1, [0, 1, 2]) is not None
    rare = counts.copy()
    rare[:, 2:, 1] = 0
    assert exchange.interval(rare, confusion.macro_f1, [0, 1, 2]) is None
    assert exchange.interval(rare, confusion.macro_f1, [0, 2]) is not None


def test_many_classes_need_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exchanges are counted so many at a time, to the same end."""
    one, other = (confusion.confusions(*made(seed), 4)[None] for seed in (0, 1))
    whole = exchange.exchange_test(one, other, confusion.macro_f1)
    monkeypatch.setattr(exchange, "_AT_ONCE", 50)
    assert exchange.exchange_test(one, other, confusion.macro_f1) == whole


def test_recall_of_a_class_that_does_not_occur_is_no_number() -> None:
    """It is not zero, which would look like a failure."""
    counts = confusion.confusions(*made(5), 4).sum(axis=0)[None]
    assert np.isnan(confusion.recall_of([3])(counts)[0])


@pytest.mark.parametrize("classes", [[0], [2, 0], [0, 1, 2]])
def test_intervals_of_recalls_are_those_of_whole_matrices(classes: list[int]) -> None:
    """Drawing only what recalls need changes no interval; where every draw is the same, or a class is rare among people, there is none."""
    counts = np.stack([confusion.confusions(*made(7 + seed, subjects=9), 4) for seed in (0, 1)])
    counts = np.stack([counts[0], counts[0][:, :, [1, 2, 3, 0]]])  # another seed has the same clips
    found = exchange.recall_interval(exchange.recalled(counts), classes)
    assert found == pytest.approx(exchange.interval(counts, confusion.recall_of(classes), classes))
    right = counts.sum(axis=3)[..., None] * np.eye(4)
    assert exchange.recall_interval(exchange.recalled(right), classes) is None
    assert exchange.recall_interval(exchange.recalled(counts[:, :2]), classes) is None
    assert exchange.recall_interval(exchange.recalled(counts), [*classes, 3]) is None
