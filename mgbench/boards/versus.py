"""Two lines of a board against each other: difference, interval and p-value, who wins where, and what a smaller claim would need."""

import math
from collections.abc import Iterable
from typing import Final

import attrs
import numpy as np

from mgbench.boards.book import Book
from mgbench.boards.lines import COMPARABLE, Board, Line
from mgbench.boards.ranks import LEVEL, paired_p
from mgbench.boards.tally import Tally, predictions_of
from mgbench.confusion import recall_of
from mgbench.errors import SpecError, nearest
from mgbench.stats import Floats


#: A difference that is looked for, and standard errors between it and zero for finding it four times in five at 5 %.
CLAIM, _POWER = 0.01, 1.96 + 0.84
#: Halvings of the range in which the end of an interval lies.
_HALVINGS: Final = 30


@attrs.frozen(eq=False)
class Pair:
    """Two lines of one board, the second less the first."""

    board: Board
    a: Line
    b: Line

    @property
    def gaps(self) -> Floats:
        """The difference in accuracy for each person, mean over seeds."""
        return self.b.people - self.a.people

    @property
    def difference(self) -> float:
        """The mean over people, each weighing the same."""
        return float(self.gaps.mean())

    @property
    def p(self) -> float | None:
        """Of that difference; None of one person."""
        return paired_p(self.gaps) if len(self.gaps) > 1 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The differences that the test does not refuse at 5 %; None where it refuses none, since people are too few."""
        return interval_of(self.gaps)


def interval_of(gaps: Floats, level: float = LEVEL) -> tuple[float, float] | None:
    """Return the shifts of differences `(S,)` that a test over people does not refuse, or None where it can refuse none."""
    middle, reach = float(gaps.mean()), 2.0 + float(np.ptp(gaps))
    if len(gaps) < 2 or paired_p(gaps - middle - reach) > level:  # noqa: PLR2004 - nothing to test
        return None

    def end(sign: float) -> float:
        inside, outside = 0.0, reach
        for _ in range(_HALVINGS):
            half = (inside + outside) / 2
            inside, outside = (half, outside) if paired_p(gaps - middle - sign * half) > level else (inside, half)
        return middle + sign * inside

    return end(-1.0), end(1.0)


def find_pairs(boards: Iterable[Board], words: tuple[str, str]) -> list[Pair]:
    """Return the pairs of lines that two words name, on every board that has both; raise `SpecError` that says why there is none.

    A word is the whole name of a line, or a part of it that no other line has.
    """
    kept = list(boards)
    names = list(dict.fromkeys(name for board in kept for name in board.names))
    first, second = (_name(word, names) for word in words)
    if first == second:
        msg = f"{words[0]!r} and {words[1]!r} both name {first}; name two."
        raise SpecError(msg)
    pairs = [Pair(board, board.names[first], board.names[second]) for board in kept if {first, second} <= board.names.keys()]
    if not pairs:
        raise SpecError(_apart(kept, first, second))
    return pairs


def _name(word: str, names: list[str]) -> str:
    found = [name for name in names if name == word] or [name for name in names if word in name]
    if len(found) == 1:
        return found[0]
    if found:
        msg = f"{word!r} names {len(found)} rows: {'; '.join(found[:8])}; give more of one of them."
        raise SpecError(msg)
    msg = f"No board has a row {word!r}; {nearest(word, names)}"
    raise SpecError(msg)


def _apart(boards: list[Board], first: str, second: str) -> str:
    """Return why two rows share no board: what differs between those on which they come nearest to each other."""
    one, other = ([board.key for board in boards if name in board.names] for name in (first, second))
    keys = (*COMPARABLE, "track", "spent", "evaluator")
    differing = [[name for name in keys if a[name] != b[name]] for a in one for b in other]
    fewest = min(differing, key=len)
    a, b = next((a, b) for a in one for b in other if [name for name in keys if a[name] != b[name]] == fewest)
    told = ", ".join(f"{name.replace('_', ' ')} is {a[name]} and {b[name]}" for name in fewest)
    return f"{first} and {second} do not compare: {told}; run both alike."


@attrs.frozen
class Need:
    """What finding a difference of one point four times in five, at 5 %, would take, as far as these results can tell.

    Args:
        people: with as many seeds as there are now; None where no number of people is enough.
        least: people, however many seeds there were.
        seeds: of each, with the people that there are now; None where no number of seeds is enough.
    """

    people: int | None
    least: int
    seeds: int | None


def need_of(a: Floats, b: Floats) -> Need:
    """Return what a one-point claim would need, given each seed's accuracy for each person `(R, S)`, of two people or more.

    Differences vary between people (method by subject), between seeds as a whole, and between seeds for one person; the first is what
    remains of the variance over people without the last. What one seed does not tell counts as nothing.
    """
    people, seeds = a.shape[1], min(len(a), len(b))
    noise = [_noise(side) for side in (a, b)]
    common = sum(max(_whole(side) - one / people, 0.0) for side, one in zip((a, b), noise, strict=True))
    observed = float((b.mean(axis=0) - a.mean(axis=0)).var(ddof=1))
    between = max(observed - sum(one / len(side) for side, one in zip((a, b), noise, strict=True)), 0.0)
    goal = (CLAIM / _POWER) ** 2
    by_people, by_seeds = goal - common / seeds, goal - between / people
    return Need(
        people=max(2, math.ceil((between + sum(noise) / seeds) / by_people)) if by_people > 0 else None,
        least=max(2, math.ceil(between / goal)),
        seeds=max(1, math.ceil((common + sum(noise) / people) / by_seeds)) if by_seeds > 0 else None,
    )


def _noise(side: Floats) -> float:
    """Return the variance between seeds of one person, beyond what all people share; of one seed it is not known, and none."""
    return float((side - side.mean(axis=1, keepdims=True)).var(axis=0, ddof=1).mean()) if len(side) > 1 else 0.0


def _whole(side: Floats) -> float:
    """Return the variance between seeds of the mean over people."""
    return float(side.mean(axis=1).var(ddof=1)) if len(side) > 1 else 0.0


def people_of(book: Book, line: Line) -> Floats:
    """Return the accuracy of each seed for each person `(R, S)`."""
    right = book.at(line.place.tolist(), "subject_right")
    return np.array([right[place].to_list() for place in line.place.tolist()]) / line.counts


def recalls_of(book: Book, tally: Tally, line: Line) -> Floats:
    """Return the recall of each class that was scored, mean over seeds."""
    counts = tally.matrices(line, predictions_of(book, (line,))).sum(axis=1)
    return np.array([recall_of([number])(counts).mean() for number in np.flatnonzero(tally.scored).tolist()])


def wins(one: Floats, other: Floats) -> tuple[int, int, int]:
    """Return in how many places the first is higher, the second is higher, and neither."""
    ahead, behind = int((one > other).sum()), int((one < other).sum())
    return ahead, behind, len(one) - ahead - behind
