"""`mgbench compare`: what it prints, and what it refuses."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from made_books import Row, answers, made_book


Command = Callable[..., Result]
LABEL = np.tile(np.arange(4), 24)


@pytest.fixture(name="book")
def _book(tmp_path: Path) -> Path:
    """A book of two methods with two seeds each, which eight people scored; the second is right where the first is, and in class A."""
    recalls = {"one": [0, 0.5, 0.5, 0.5], "two": [1, 0.5, 0.5, 0.5]}
    rows = [Row(name, answers(LABEL, recall, 4), seed) for name, recall in recalls.items() for seed in (0, 1)]
    made_book(rows, LABEL, np.arange(96) // 4 % 8, [10, 10, 10, 10]).write(tmp_path)
    return tmp_path


def test_two_rows_are_compared(mgbench: Command, book: Path) -> None:
    """Difference, p-value, interval, people, classes and needs are told, B less A."""
    done = mgbench("compare", "one", "two", "--book", book)
    lines = [line.strip() for line in done.output.splitlines()]

    assert done.exit_code == 0, done.output
    assert lines[0] == "hands: joint, frame50, linear"
    assert lines[1:3] == ["A  one / net: 37.5, 2 seeds", "B  two / net: 62.5, 2 seeds"]
    assert lines[3] == "B - A    +25.0 (p = 0.008), 95 % interval +25.0 to +25.0"
    assert lines[4] == "people   B is better in 8, A in 0, neither in 0"
    assert lines[5] == "classes  B is better in 1, A in 0, neither in 3"
    assert lines[6] == "one point would need  2 people (24 clips) however many seeds; with these 8 people 1 seed would do"


@pytest.mark.parametrize(("words", "told"), [(["--dataset", "feet"], "no board of feet"), (["-E", "knn"], "no board of knn")])
def test_a_board_that_is_not_there_is_one_sentence(mgbench: Command, book: Path, words: list[str], told: str) -> None:
    """A filter that leaves nothing is told."""
    done = mgbench("compare", "one", "two", "--book", book, *words)

    assert done.exit_code == 2
    assert told in done.stderr
