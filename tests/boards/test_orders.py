"""Orders of a table by each metric: the first of each, what swaps places, and Kendall's coefficients against scipy's."""

import re

import numpy as np
import pytest
from made_books import Row, answers, made_book
from scipy.stats import kendalltau
from sklearn.metrics import recall_score
from tailed import FIT, LABEL, SUBJECT, columns, sheets_of, two_methods

from mgbench.boards.orders import tau


def test_the_first_method_may_depend_on_the_metric() -> None:
    """Ranks are told for each metric, and one sentence names the first method by each; ceilings and floors do not win."""
    sheet = sheets_of(two_methods())["Long tail"]
    rows = columns(sheet, "name")

    assert [rows["head / net"][f"rank by {name}"] for name in ("top-1", "mean class", "macro-F1", "recall of few")] == ["2", "3", "3", "3"]
    assert [rows["tail / net"][f"rank by {name}"] for name in ("top-1", "recall of few")] == ["3", "2"]
    assert "first depends on the metric: head / net by top-1; tail / net by mean class, macro-F1, recall of few." in " ".join(sheet.about)


@pytest.mark.parametrize("seed", range(5))
def test_tau_is_scipys(seed: int) -> None:
    """With ties or without, Kendall's coefficient is scipy's."""
    one, other = np.random.default_rng(seed).integers(2 + 4 * seed, size=(2, 12)).astype(float)

    assert tau(one, other) == pytest.approx(kendalltau(one, other).statistic)


def test_orders_are_compared_by_kendalls_tau() -> None:
    """Coefficients are scipy's over the methods, and of the first five those that swap places are named with the metric."""
    recalls = [(0.9, 0.1, 0.1, 0.1), (0.8, 0.4, 0.2, 0.3), (0.7, 0.3, 0.5, 0.3), (0.2, 0.2, 0.9, 0.9)]
    rows = [Row(f"m{number}", answers(LABEL, recall, 4)) for number, recall in enumerate(recalls)]
    about = " ".join(sheets_of(made_book(rows, LABEL, SUBJECT, FIT))["Long tail"].about)
    top1 = [float((row.predicted == LABEL).mean()) for row in rows]
    mean = [recall_score(LABEL, row.predicted, average="macro") for row in rows]
    few = [recall_score(LABEL, row.predicted, labels=[2, 3], average="macro") for row in rows]

    assert f"top-1 and mean class {kendalltau(top1, mean).statistic:.2f}" in about
    assert f"mean class and recall of few {kendalltau(mean, few).statistic:.2f}" in about
    assert "orders of the 4 methods" in about
    swapped = [m for m in (1, 2, 3) if (top1[0] - top1[m]) * (few[0] - few[m]) < 0]
    assert swapped
    for other in swapped:
        assert re.search(rf"m0 / net and m{other} / net \([^)]*recall of few\)|m{other} / net and m0 / net \([^)]*recall of few\)", about)


def test_one_winner_is_said_once() -> None:
    """Where a method is first by every metric, one sentence says so; of two methods no coefficient is told."""
    rows = [Row("good", answers(LABEL, (0.9, 0.9, 0.9, 0.9), 4)), Row("bad", answers(LABEL, (0.1, 0.1, 0.1, 0.1), 4))]
    about = " ".join(sheets_of(made_book(rows, LABEL, SUBJECT, FIT))["Long tail"].about)

    assert "Of the methods, good / net is first by every metric." in about
    assert "Kendall" not in about
