"""Intervals and tests against closed formulas and full enumeration."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap, t, ttest_1samp

from mgbench.stats import seed_interval, smallest_difference, subject_intervals, subject_means, t_quantile, t_within, wilson


Floats = npt.NDArray[np.float64]


@settings(max_examples=50, derandomize=True, deadline=None)
@given(st.integers(1, 700), st.floats(0, 1))
def test_wilson_is_scipys(total: int, share: float) -> None:
    """The interval is that of scipy, which is not used itself because importing it is slow."""
    right = round(share * total)
    low, high = wilson(np.array([right]), total)
    expected = binomtest(right, total).proportion_ci(confidence_level=0.95, method="wilson")

    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("freedom", [*range(1, 12), 35, 106, 499, 2000])
def test_students_distribution_is_scipys(freedom: int) -> None:
    """Shares within any t, endless ones too, and quantiles of the usual levels."""
    values = np.array([0.0, 1e-3, 0.1, 0.5, 1.0, 2.0, 3.7, 12.0, 1e3, np.inf])
    shares = [0.5, 0.6, 0.8, 0.975, 0.995, 0.9999]

    np.testing.assert_allclose(t_within(values, freedom), 1 - 2 * t.sf(values, freedom), rtol=0, atol=1e-13)
    np.testing.assert_allclose([t_quantile(freedom, share) for share in shares], t.ppf(shares, freedom), rtol=1e-9, atol=1e-12)


def test_wilson_at_another_level_is_narrower() -> None:
    """A lower level gives a narrower interval."""
    (low, high), (lower, higher) = (wilson(np.array([30]), 60, level=level) for level in (0.5, 0.95))

    assert lower < low < 0.5 < high < higher


def test_subject_means_are_each_subjects_accuracy() -> None:
    """Subjects come in order, each with the share of its own clips."""
    subjects, means = subject_means(np.array([True, False, True, True, False]), np.array([7, 7, 2, 7, 2]))

    assert subjects.tolist() == [2, 7]
    assert means == pytest.approx([1 / 2, 2 / 3])


@st.composite
def results(draw: st.DrawFn) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Draw right or wrong, and the subject, of up to 40 clips of two to eight people."""
    people = draw(st.integers(2, 8))
    clips = draw(st.integers(people, 40))
    right = np.array(draw(st.lists(st.booleans(), min_size=clips, max_size=clips)))
    others = draw(st.lists(st.integers(0, people - 1), min_size=clips - people, max_size=clips - people))
    return right, np.array([*range(people), *others])


def interval(right: npt.NDArray[np.bool_], subject: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Return the interval of one row."""
    low, high = subject_intervals(right[None], subject)
    return float(low[0]), float(high[0])


def test_subject_intervals_of_rows_are_each_rows_own() -> None:
    """Each row has the interval that it has alone."""
    right, subject = np.random.default_rng(0).random((5, 24)) < 0.6, np.arange(24) % 4

    assert pytest.approx(np.array([interval(row, subject) for row in right])) == np.array(subject_intervals(right, subject)).T


def test_subject_interval_is_scipys_bootstrap_of_people() -> None:
    """With people of as many clips each, the interval is near scipy's of the mean of their accuracies."""
    right, subject = np.random.default_rng(1).random(300) < 0.6, np.repeat(np.arange(15), 20)
    found = bootstrap((subject_means(right, subject)[1],), np.mean, n_resamples=9999, method="percentile", rng=np.random.default_rng(0))

    assert interval(right, subject) == pytest.approx(tuple(found.confidence_interval), abs=0.01)


def test_seed_interval_is_scipys() -> None:
    """It is Student's interval of the mean, cut to the range of an accuracy."""
    values = np.array([0.5, 0.52, 0.57])
    expected = ttest_1samp(values, 0).confidence_interval(0.95)

    assert seed_interval(values.mean(), values.std(ddof=1), 3) == pytest.approx((expected.low, expected.high))
    assert seed_interval(0.5, 0.57, 2) == (0.0, 1.0)


@settings(max_examples=30, derandomize=True, deadline=None)
@given(results())
def test_subject_interval_holds_the_accuracy_and_is_reproducible(
    case: tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]],
) -> None:
    """The interval lies in [0, 1], contains the accuracy, and is the same each time."""
    right, subject = case
    low, high = interval(right, subject)

    assert 0 <= low <= right.mean() <= high <= 1
    assert interval(right, subject) == (low, high)


def test_subject_interval_draws_subjects_whole() -> None:
    """Where each of two people is all right or all wrong, the interval is the whole range, however many their clips."""
    right = np.array([True] * 200 + [False] * 200)

    assert interval(right, np.repeat([1, 2], 200)) == (0.0, 1.0)


def test_subject_interval_of_people_alike_has_no_width() -> None:
    """Where every subject has the same accuracy, drawing subjects changes nothing."""
    right = np.array([True, False, True, False] * 6)

    assert interval(right, np.repeat(np.arange(6), 4)) == pytest.approx((0.5, 0.5))


def test_subject_interval_of_one_person_is_the_whole_range() -> None:
    """One person says nothing about others."""
    assert interval(np.array([True] * 9), np.zeros(9, dtype=np.int64)) == (0.0, 1.0)


def test_subject_interval_is_near_the_normal_one_for_many_people() -> None:
    """With many alike people of one clip each, the bootstrap is the binomial interval."""
    right = np.arange(400) % 4 == 0
    low, high = interval(right, np.arange(400))
    half = 1.96 * math.sqrt(0.25 * 0.75 / 400)

    assert (low, high) == pytest.approx((0.25 - half, 0.25 + half), abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("subjects", "clips", "seeds"), [(8, 30, 3), (15, 20, 1), (36, 250, 5)])
def test_a_planned_difference_is_found_four_times_in_five(subjects: int, clips: int, seeds: int) -> None:
    """Drawn as the plan supposes, the smallest difference is found by a paired t-test over subjects in 80 % of campaigns."""
    rng = np.random.default_rng(0)
    difference = smallest_difference(np.full(subjects, clips), seeds)
    deviation = np.sqrt(0.04**2 + 0.25 * (0.5 + 0.5 / seeds) / clips)
    drawn = rng.normal(difference, deviation, (4000, subjects))

    assert (ttest_1samp(drawn, 0, axis=1).pvalue < 0.05).mean() == pytest.approx(0.8, abs=0.03)


def test_few_subjects_can_show_nothing() -> None:
    """Flipping the signs of five subjects gives at best p = 1/16."""
    assert smallest_difference(np.full(5, 1000), 10) is None
