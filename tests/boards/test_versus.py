"""Two rows against each other: intervals that agree with the test, wins, and what a smaller claim would need."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_books import Row, answers, made_book
from scipy.stats import ttest_1samp

from mgbench.boards.lines import boards_of
from mgbench.boards.ranks import paired_p
from mgbench.boards.versus import CLAIM, find_pairs, interval_of, need_of, people_of, wins
from mgbench.errors import SpecError


LABEL = np.tile(np.arange(4), 24)
SUBJECT = np.arange(96) // 4 % 8


def row(name: str, recall: float, seed: int = 0, **more: object) -> Row:
    """Return a row with one recall for all classes."""
    return Row(name, answers(LABEL, [recall] * 4, 4), seed, more=more)


def test_the_interval_of_many_people_is_students() -> None:
    """Beyond few people it is scipy's."""
    gaps = np.random.default_rng(0).normal(0.02, 0.1, 30)
    expected = ttest_1samp(gaps, 0).confidence_interval(0.95)

    assert interval_of(gaps) == pytest.approx((expected.low, expected.high), abs=1e-6)


@settings(max_examples=15, derandomize=True, deadline=None)
@given(st.lists(st.integers(-40, 40), min_size=6, max_size=9))
def test_the_interval_holds_what_the_test_does_not_refuse(counts: list[int]) -> None:
    """Just inside an end the test does not refuse, just outside it does; the mean is inside."""
    gaps = np.array(counts) / 100
    found = interval_of(gaps)

    assert found is not None
    assert found[0] - 1e-6 <= gaps.mean() <= found[1] + 1e-6
    for end, out in ((found[0], -1e-4), (found[1], 1e-4)):
        assert paired_p(gaps - end - out) <= 0.05


def test_five_people_have_no_interval() -> None:
    """No test over five people refuses anything at 5 %."""
    assert interval_of(np.full(5, 0.3)) is None
    assert interval_of(np.array([0.3])) is None


def test_wins_are_counted_by_place() -> None:
    """Ahead, behind, and alike."""
    assert wins(np.array([0.5, 0.2, 0.3]), np.array([0.4, 0.3, 0.3])) == (1, 1, 1)


def test_a_pair_is_found_by_parts_of_names() -> None:
    """On every board that has both, the second less the first, each person weighing the same."""
    made = made_book(
        [row("one", 0.5), row("two", 0.75), row("one", 0.25, evaluator="knn"), row("two", 0.5, evaluator="knn")], LABEL, SUBJECT, None
    )
    pairs = find_pairs(boards_of(made), ("one", "two / net"))

    assert [pair.board.key["evaluator"] for pair in pairs] == ["linear", "knn"]
    assert [pair.difference for pair in pairs] == pytest.approx([0.25, 0.25])
    assert people_of(made, pairs[0].a).mean() == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("one", "three"), "No board has a row 'three'"),
        (("one", "net"), "'net' names 2 rows: "),
        (("one", "one / net"), "both name one / net"),
    ],
)
def test_a_word_that_names_no_single_row_is_refused(words: tuple[str, str], told: str) -> None:
    """One sentence with what is there."""
    made = made_book([row("one", 0.5), row("two", 0.75)], LABEL, SUBJECT, None)
    with pytest.raises(SpecError, match=told):
        find_pairs(boards_of(made), words)


def test_rows_that_do_not_compare_are_refused_with_what_differs() -> None:
    """Of all boards those are told that come nearest."""
    made = made_book(
        [row("one", 0.5), row("two", 0.75, preprocess="raw50"), row("one", 0.5, stream="bone", fitted_on="x")], LABEL, SUBJECT, None
    )
    with pytest.raises(SpecError, match=r"^one / net and two / net do not compare: preprocess is frame50 and raw50; run both alike\.$"):
        find_pairs(boards_of(made), ("one", "two"))


def drawn(seeds: int, people: int, between: float, common: float, noise: float) -> list[np.ndarray]:
    """Return the accuracies `(R, S)` of two methods with known deviations of each kind."""
    rng = np.random.default_rng(0)
    apart = rng.normal(0, between, people)
    return [0.5 + part + rng.normal(0, common, (seeds, 1)) + rng.normal(0, noise, (seeds, people)) for part in (np.zeros(people), apart)]


def test_what_a_claim_needs_follows_from_the_variances() -> None:
    """With many seeds and people the needs are those of the known deviations, by the textbook's formula."""
    between, common, noise = 0.06, 0.01, 0.03
    need = need_of(*drawn(400, 400, between, common, noise))
    goal = (CLAIM / 2.8) ** 2
    seeds_left = goal - 2 * common**2 / 400

    assert need.least == pytest.approx(between**2 / goal, rel=0.15)
    assert need.people == pytest.approx((between**2 + 2 * noise**2 / 400) / seeds_left, rel=0.15)
    assert need.seeds == pytest.approx((2 * common**2 + 2 * noise**2 / 400) / (goal - between**2 / 400), rel=0.25)


def test_no_number_of_seeds_makes_up_for_people() -> None:
    """Where eight people differ by six points, seeds alone never tell one point."""
    assert need_of(*drawn(5, 8, 0.06, 0.01, 0.03)).seeds is None


def test_no_number_of_people_makes_up_for_seeds() -> None:
    """Where seeds differ by three points as a whole, more people do not help two of them."""
    assert need_of(*drawn(2, 200, 0.0, 0.03, 0.0)).people is None
