"""Tests over subjects against enumeration, scipy and statsmodels, and their error rates where the truth is known."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test, ttest_rel
from statsmodels.stats.multitest import multipletests

from mgbench.boards.ranks import FEW, adjusted, fewest_to_tell, paired_p, rank_intervals, told_apart
from mgbench.stats import Floats


def enumerated(differences: Floats) -> float:
    """Return the share of all sign patterns whose mean is at least as far from zero as the observed."""
    observed = abs(differences.mean())
    patterns = itertools.product([1, -1], repeat=len(differences))
    return float(np.mean([abs((np.array(signs) * differences).mean()) >= observed - 1e-12 for signs in patterns]))


@settings(max_examples=30, derandomize=True, deadline=None)
@given(st.lists(st.integers(-12, 12), min_size=8, max_size=8).filter(any))
def test_flipping_signs_is_exact_for_eight_subjects(counts: list[int]) -> None:
    """The p-value is the share of the 256 sign patterns that are at least as extreme, ties and zeros included."""
    differences = np.array(counts) / 30

    assert paired_p(differences) == pytest.approx(enumerated(differences))


def test_eight_that_agree_are_two_patterns_of_256() -> None:
    """Eight differences of one sign are as extreme as eight of the other, and nothing else is."""
    assert paired_p(np.linspace(0.05, 0.4, 8)) == pytest.approx(2 / 256)


def test_flipping_is_scipys_permutation_test() -> None:
    """Up to twelve subjects every pattern is counted, as scipy does where it can."""
    differences = np.random.default_rng(0).normal(0.3, 1, size=FEW)
    expected = permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=2**FEW)

    assert paired_p(differences) == pytest.approx(expected.pvalue)


def test_beyond_few_subjects_it_is_scipys_paired_t() -> None:
    """Many subjects are tested as usual."""
    one, other = np.random.default_rng(0).normal(0.1, 1, size=(2, FEW + 1))

    assert paired_p(one - other) == pytest.approx(ttest_rel(one, other).pvalue)


def test_no_difference_is_one() -> None:
    """Two methods that agree on every subject are not told apart, however many they are; of one subject nothing is told."""
    assert [paired_p(np.zeros(count)) for count in (2, 8, 30)] == [1.0, 1.0, 1.0]
    assert paired_p(np.array([0.9])) == 1.0


@settings(max_examples=20, derandomize=True, deadline=None)
@given(st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=2, max_size=8))
def test_it_does_not_matter_who_is_called_first(values: list[float]) -> None:
    """Exchanging the two methods leaves the p-value as it is."""
    differences = np.array(values)

    assert paired_p(differences) == pytest.approx(paired_p(-differences))


def stepped(differences: Floats) -> Floats:
    """Return p-values by Westfall and Young's steps, written as they are defined: the clearest comparison first, then the rest alone."""
    patterns = np.array(list(itertools.product([1, -1], repeat=differences.shape[1])))

    def statistic(values: Floats) -> Floats:
        return np.abs(values.sum(axis=-1)) / np.sqrt((values**2).sum(axis=-1))

    found, left, last = np.empty(len(differences)), list(range(len(differences))), 0.0
    while left:
        clearest = max(left, key=lambda one: statistic(differences[one]))
        largest = np.max([statistic(patterns * differences[one]) for one in left], axis=0)
        last = max(last, float((largest >= statistic(differences[clearest]) - 1e-9).mean()))
        found[clearest] = last
        left.remove(clearest)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_steps_down_are_westfall_and_youngs(seed: int) -> None:
    """For few subjects each comparison is held against the largest of those that are left."""
    rng = np.random.default_rng(seed)
    differences = rng.normal(rng.choice([0.0, 1.0, 2.0], size=(9, 1)), 1, size=(9, 7))

    assert adjusted(differences) == pytest.approx(stepped(differences))


@pytest.mark.parametrize("subjects", [1, 2, 5, 6, 8, FEW, FEW + 1])
@pytest.mark.parametrize("level", [0.05, 0.2, 0.5])
def test_what_is_told_apart_has_small_p_values(subjects: int, level: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which comparisons are told apart at a level is what all p-values say, however many are looked at together."""
    for seed, together in itertools.product(range(5), (64, 256, 2**16)):
        monkeypatch.setattr("mgbench.boards.ranks._IN_CACHE", together)
        rng = np.random.default_rng(seed)
        differences = rng.normal(rng.choice([0.0, 1.0, 3.0], size=(40, 1)), 1, size=(40, subjects)).round(1)

        assert told_apart(differences, level).tolist() == (adjusted(differences) <= level).tolist()


def test_comparisons_in_pieces_are_those_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held in memory at once changes nothing."""
    differences = np.random.default_rng(0).normal(0.5, 1, size=(50, 8))
    whole = adjusted(differences)
    monkeypatch.setattr("mgbench.boards.ranks._IN_CACHE", 500)

    assert adjusted(differences) == pytest.approx(whole)


@pytest.mark.parametrize("seed", range(5))
def test_for_many_subjects_it_is_holms_correction_of_t_tests(seed: int) -> None:
    """Scipy's p-values, corrected by statsmodels, are ours."""
    rng = np.random.default_rng(seed)
    differences = rng.normal(rng.choice([0.0, 0.5], size=(12, 1)), 1, size=(12, 20))
    p = [ttest_rel(row, np.zeros(20)).pvalue for row in differences]

    assert adjusted(differences) == pytest.approx(multipletests(p, method="holm")[1])


def test_five_subjects_can_show_nothing() -> None:
    """Even if all five agree, and by far, p is 1/16; six can fall below 5 %, and one row after another is told apart."""
    assert fewest_to_tell() == 6
    assert adjusted(np.full((3, 5), 0.9)) == pytest.approx(np.full(3, 1 / 16))
    assert (adjusted(np.full((3, 6), 0.9)) < 0.05).all()


def test_ranks_are_intervals_that_hold_the_order_of_the_means() -> None:
    """What is surely better stands before, what cannot be told apart shares ranks, and everyone's own place is inside."""
    people = np.linspace(-0.02, 0.02, 8)
    figures = np.stack([0.9 + people, 0.6 + people, 0.6 + people[::-1], 0.2 + people])

    assert rank_intervals(figures) == [(1, 1), (2, 3), (2, 3), (4, 4)]
    assert rank_intervals(figures[:1]) == [(1, 1)]
    assert rank_intervals(figures[[3, 0]]) == [(2, 2), (1, 1)]


def errors(subjects: int, clips: int, truth: list[float], campaigns: int) -> tuple[float, float]:
    """Return in what share of campaigns any rank excludes its true place, and how wide the intervals are on average.

    People differ by 8 points, methods on them by 4 more, and clips fall right or wrong.
    """
    rng, methods = np.random.default_rng(subjects), len(truth)
    wrong, width = 0, 0.0
    better = [sum(other > one for other in truth) for one in truth]
    worse = [sum(other < one for other in truth) for one in truth]
    for _ in range(campaigns):
        level = 0.55 + rng.normal(0, 0.08, subjects) + np.array(truth)[:, None] + rng.normal(0, 0.04, (methods, subjects))
        ranks = rank_intervals(rng.binomial(clips, level.clip(0, 1)) / clips)
        wrong += any(low - 1 > ahead or methods - high > behind for (low, high), ahead, behind in zip(ranks, better, worse, strict=True))
        width += float(np.mean([high - low for low, high in ranks])) / campaigns
    return wrong / campaigns, width


@pytest.mark.slow
@pytest.mark.parametrize(("subjects", "clips"), [(5, 120), (8, 30), (12, 50), (36, 17)])
@pytest.mark.parametrize("truth", [[0.0] * 6, [0.0, 0.0, 0.0, 0.1, 0.1, 0.1], [0.0, 0.0, 0.1, 0.2, 0.3], [0.0] * 15])
def test_a_rank_excludes_the_truth_in_one_campaign_of_twenty_at_most(subjects: int, clips: int, truth: list[float]) -> None:
    """With effects of people, and of methods on people, the chance of any wrong rank is at most 5 %, but for the chance of counting."""
    campaigns = 300
    wrong, _ = errors(subjects, clips, truth, campaigns)

    assert wrong <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / campaigns)


@pytest.mark.slow
def test_true_differences_are_found() -> None:
    """A check that can never fail would be no check: eight people resolve ten points often, 36 nearly always, five never."""
    widths = [errors(subjects, clips, [0.0, 0.1, 0.2, 0.3], 100)[1] for subjects, clips in ((5, 120), (8, 60), (36, 17))]

    assert widths[0] == pytest.approx(3.0)
    assert 0.2 < widths[1] < 1.5
    assert widths[2] < 0.2
