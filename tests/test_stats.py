"""Intervals and tests against closed formulas and full enumeration."""

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, ttest_1samp

from mgbench.stats import sign_flip, smallest_difference, subject_interval, subject_means, wilson


Floats = npt.NDArray[np.float64]


@settings(max_examples=50, derandomize=True, deadline=None)
@given(st.integers(1, 700), st.floats(0, 1))
def test_wilson_is_scipys(total: int, share: float) -> None:
    """The interval is that of scipy, which is not used itself because importing it is slow."""
    right = round(share * total)
    expected = binomtest(right, total).proportion_ci(confidence_level=0.95, method="wilson")

    assert wilson(right, total) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_wilson_at_another_level_is_narrower() -> None:
    """A lower level gives a narrower interval."""
    low, high = wilson(30, 60, level=0.5)
    lower, higher = wilson(30, 60)

    assert lower < low < 0.5 < high < higher


def test_subject_means_are_each_subjects_accuracy() -> None:
    """Subjects come in order, each with the share of its own clips."""
    subjects, means = subject_means(np.array([True, False, True, True, False]), np.array([7, 7, 2, 7, 2]))

    assert subjects.tolist() == [2, 7]
    assert means == pytest.approx([1 / 2, 2 / 3])


def enumerated(differences: Floats) -> float:
    """Return the share of all sign patterns whose mean is at least as far from zero as the observed."""
    observed = abs(differences.mean())
    patterns = itertools.product([1, -1], repeat=len(differences))
    return float(np.mean([abs((np.array(signs) * differences).mean()) >= observed - 1e-12 for signs in patterns]))


@settings(max_examples=30, derandomize=True, deadline=None)
@given(st.lists(st.integers(-12, 12), min_size=8, max_size=8).filter(any))
def test_sign_flip_is_exact_for_eight_subjects(counts: list[int]) -> None:
    """The p-value is the share of the 256 sign patterns that are at least as extreme, ties and zeros included."""
    differences = np.array(counts) / 30

    assert sign_flip(differences) == pytest.approx(enumerated(differences))


def test_sign_flip_of_eight_that_agree_is_two_patterns_of_256() -> None:
    """Eight differences of one sign are as extreme as eight of the other, and nothing else is."""
    assert sign_flip(np.linspace(0.05, 0.4, 8)) == pytest.approx(2 / 256)


def test_sign_flip_is_exact_for_twelve_subjects() -> None:
    """Up to twelve subjects every pattern is enumerated."""
    differences = np.random.default_rng(0).normal(0.3, 1, size=12)

    assert sign_flip(differences) == pytest.approx(enumerated(differences))


def test_sign_flip_of_no_difference_is_one() -> None:
    """Two methods that agree on every subject are not told apart."""
    assert sign_flip(np.zeros(8)) == 1.0


@settings(max_examples=20, derandomize=True, deadline=None)
@given(st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=2, max_size=8))
def test_sign_flip_does_not_depend_on_who_is_called_first(values: list[float]) -> None:
    """Exchanging the two methods leaves the p-value as it is."""
    differences = np.array(values)

    assert sign_flip(differences) == pytest.approx(sign_flip(-differences))


@st.composite
def results(draw: st.DrawFn) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Draw right or wrong, and the subject, of up to 40 clips of two to eight people."""
    people = draw(st.integers(2, 8))
    clips = draw(st.integers(people, 40))
    right = np.array(draw(st.lists(st.booleans(), min_size=clips, max_size=clips)))
    others = draw(st.lists(st.integers(0, people - 1), min_size=clips - people, max_size=clips - people))
    return right, np.array([*range(people), *others])


@settings(max_examples=30, derandomize=True, deadline=None)
@given(results())
def test_subject_interval_holds_the_accuracy_and_is_reproducible(
    case: tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]],
) -> None:
    """The interval lies in [0, 1], contains the accuracy, and is the same each time."""
    right, subject = case
    low, high = subject_interval(right, subject)

    assert 0 <= low <= right.mean() <= high <= 1
    assert subject_interval(right, subject) == (low, high)


def test_subject_interval_draws_subjects_whole() -> None:
    """Where each of two people is all right or all wrong, the interval is the whole range, however many their clips."""
    right = np.array([True] * 200 + [False] * 200)

    assert subject_interval(right, np.repeat([1, 2], 200)) == (0.0, 1.0)


def test_subject_interval_of_people_alike_has_no_width() -> None:
    """Where every subject has the same accuracy, drawing subjects changes nothing."""
    right = np.array([True, False, True, False] * 6)

    assert subject_interval(right, np.repeat(np.arange(6), 4)) == pytest.approx((0.5, 0.5))


def test_subject_interval_of_one_person_is_the_whole_range() -> None:
    """One person says nothing about others."""
    assert subject_interval(np.array([True] * 9), np.zeros(9, dtype=np.int64)) == (0.0, 1.0)


def test_subject_interval_is_near_the_normal_one_for_many_people() -> None:
    """With many alike people of one clip each, the bootstrap is the binomial interval."""
    right = np.arange(400) % 4 == 0
    low, high = subject_interval(right, np.arange(400))
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
    assert sign_flip(np.ones(5)) == pytest.approx(1 / 16)
    assert sign_flip(np.ones(6)) < 0.05
