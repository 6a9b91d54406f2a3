"""The classes of a table: how many clips of each were fitted on and scored, and what rows took them for; read for the rows shown alone."""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import polars

from mgbench.boards.book import MOST_CLASSES, Book, collected
from mgbench.boards.lines import Board, Line
from mgbench.clips import Ints
from mgbench.confusion import Floats, classes_of, confusions
from mgbench.store import StoreError


#: What records have of every row, by what boards call it.
METRICS: Final = {"top-1": "top1", "mean class": "mean_class_accuracy", "macro-F1": "macro_f1"}
#: Tables of so many rows are shown whole; of larger ones so many of the best rows, and of the best floors, by each metric that records
#: have. Each row shown costs the reading of its predictions, and draws for its intervals.
_WHOLE, _BEST, _FLOORS = 20, 10, 2
#: Classes are told apart by size where the largest has so many times the clips of the smallest: below, groups and shifts are noise.
_TAILED: Final = 2


@attrs.frozen(eq=False, slots=False)
class Tally:
    """Classes of one table and the rows of it that are shown.

    Args:
        board: the table.
        lines: that are shown, in its order.
        names: of the classes `K`.
        label: class of each scored clip `(N,)`.
        subject: person of each scored clip `(N,)`.
        fit: clips of each class that were fitted on `(K,)`; None where no row tells.
        silent: how many of the rows shown do not tell these counts.
    """

    board: Board
    lines: tuple[Line, ...]
    names: tuple[str, ...]
    label: Ints
    subject: Ints
    fit: Ints | None
    silent: int

    @property
    def scored(self) -> Ints:
        """Clips of each class that were scored `(K,)`."""
        return np.bincount(self.label, minlength=len(self.names))

    @property
    def fit_tailed(self) -> bool:
        """Whether what was fitted on is known to have a long tail."""
        return self.fit is not None and self._tailed(self.fit)

    @property
    def scored_tailed(self) -> bool:
        """Whether what was scored has one."""
        return self._tailed(self.scored)

    def _tailed(self, counts: Ints) -> bool:
        occur = self.scored > 0 if self.fit is None else (self.scored > 0) | (self.fit > 0)
        return bool(counts[occur].max() >= _TAILED * counts[occur].min())

    @property
    def best(self) -> Line | None:
        """The row that is taken apart: the best method, else the best ceiling, else the best imported predictions."""
        return next((line for role in ("method", "ceiling", "imported") for line in self.lines if line.role == role), None)

    @cached_property
    def clips(self) -> Floats:
        """Clips of each person and class that were scored `(S, K)`."""
        clips: Floats = self._summed(np.ones((1, len(self.label))))[0]
        return clips

    def rights(self, line: Line, predicted: Mapping[int, Ints]) -> Floats:
        """Return how many of them are right with each seed of a row `(R, S, K)`: the diagonals of its matrices, in a tenth of the time."""
        return self._summed(np.stack(self._answers(line, predicted)) == self.label)

    def _summed(self, values: npt.NDArray[Any]) -> Floats:
        """Return the sums of values of clips `(R, N)` over those of each person and class `(R, S, K)`."""
        order, begins, cells, shape = self._cells
        found = np.zeros((len(values), shape[0] * shape[1]))
        found[:, cells] = np.add.reduceat(values[:, order], begins, axis=1, dtype=np.float64)
        return found.reshape(-1, *shape)

    @cached_property
    def _cells(self) -> tuple[Ints, Ints, Ints, tuple[int, int]]:
        """Clips in an order in which those of a person and class are together, where each begins, which it is, and how many there are."""
        people, index = np.unique(self.subject, return_inverse=True)
        cell = index * len(self.names) + self.label
        order = np.argsort(cell, kind="stable")
        cells, begins = np.unique(cell[order], return_index=True)
        return order, begins, cells, (len(people), len(self.names))

    def matrices(self, line: Line, predicted: Mapping[int, Ints]) -> Floats:
        """Return every subject's confusion matrix with each seed of a row `(R, S, K, K)`, from what each record of it predicted."""
        answers = self._answers(line, predicted)
        classes = max(len(self.names), classes_of(*answers))
        return np.stack([confusions(self.label, one, self.subject, classes) for one in answers])

    def _answers(self, line: Line, predicted: Mapping[int, Ints]) -> list[Ints]:
        answers = [predicted[int(place)] for place in line.place]
        if any(len(one) != len(self.label) for one in answers):
            msg = f"A row of {line.name} does not predict the clips that it scored; mgbench verify tells which."
            raise StoreError(msg)
        if any((one >= MOST_CLASSES).any() for one in answers):
            msg = f"A row of {line.name} answers with a class number of {MOST_CLASSES} or more; leave it out."
            raise StoreError(msg)
        return answers

    def name(self, number: int) -> str:
        """Return what a class is called."""
        return self.names[number] if number < len(self.names) else f"class {number}"


def tallies_of(book: Book, boards: Iterable[Board]) -> list[Tally]:
    """Return the classes of each table that tells classes."""
    kept = [(board, _shown(board)) for board in boards if board.key["target"] == "class"]
    told = book.at((int(line.place[0]) for _, lines in kept for line in lines), "fit_counts")
    digests = {board.key["test_digest"] for board, _ in kept}
    clips = collected(book.clips.filter((polars.col("target") == "class") & polars.col("test_digest").is_in(digests)))
    sets = {row["test_digest"]: row for row in clips.iter_rows(named=True)}
    return [_tally(board, lines, told, sets[board.key["test_digest"]]) for board, lines in kept]


def _tally(board: Board, lines: tuple[Line, ...], told: Mapping[int, polars.Series | None], clips: Mapping[str, list[int]]) -> Tally:
    label, subject = (np.array(clips[name], dtype=np.int64) for name in ("label", "subject"))
    counts = [None if (one := told[int(line.place[0])]) is None else tuple(one) for line in lines]
    known = Counter(one for one in counts if one)
    usual = known.most_common(1)[0][0] if known else ()
    names = [str(name) for name in clips["classes"] or ()]
    names += [f"class {number}" for number in range(len(names), max(classes_of(label), len(usual)))]
    fit = np.array([*usual, *[0] * (len(names) - len(usual))], dtype=np.int64) if usual else None
    return Tally(board, lines, tuple(names), label, subject, fit, sum(one != usual for one in counts))


def _shown(board: Board) -> tuple[Line, ...]:
    """Return the best rows and floors by any metric, so that no single one decides who is compared, and the best of each role."""
    if len(board.lines) <= _WHOLE:
        return tuple(board.lines)
    kept = {id(next(line for line in board.lines if line.role == role)) for role in {line.role for line in board.lines}}
    for metric in METRICS:
        order = sorted(board.lines, key=lambda line: -figure_of(line, metric))
        floors, others = ([line for line in order if (line.role == "floor") == one] for one in (True, False))
        kept |= {id(line) for line in (*floors[:_FLOORS], *others[:_BEST])}
    return tuple(line for line in board.lines if id(line) in kept)


def figure_of(line: Line, metric: str) -> float:
    """Return a metric of a row, mean over its seeds."""
    return float(line.facts[METRICS[metric]])


def predictions_of(book: Book, lines: Iterable[Line]) -> dict[int, Ints]:
    """Return what the records of some rows predicted, by their places."""
    found = book.at((place for line in lines for place in line.place), "predicted")
    return {place: np.array([] if one is None else one.to_numpy(), dtype=np.int64) for place, one in found.items()}
