"""Answers to the clips of a test, read from a table that somebody hands in: what is wrong with it is one sentence with its line."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

import attrs
import numpy as np

from mgbench.clips import Ints
from mgbench.errors import DataError
from mgbench.scoring import Scores


#: Columns that are not a class's scores.
_CLIP, _LABEL, _PREDICTED = "clip", "label", "predicted"
#: Scores are kept as numbers of 32 bits, as those of cells are.
_LARGEST: Final = float(np.finfo(np.float32).max)


@attrs.frozen(eq=False)
class Question:
    """What is to be answered: clips by their ids, what is right for each, and the answers that there are.

    Args:
        clips: their ids.
        label: the right answer to each `(N,)`.
        answers: how many there are to choose from.
        names: of the answers; none where they have only numbers.
    """

    clips: Sequence[str]
    label: Ints
    answers: int
    names: Sequence[str]

    @property
    def words(self) -> dict[str, int]:
        """Every word for an answer: its name and its number, or its name alone where names are numbers of other answers."""
        numbers = {str(number): number for number in range(self.answers)}
        names = [name.strip() for name in self.names]
        own = {name: number for number, name in enumerate(names) if names.count(name) == 1}
        return own if any(numbers.get(name, number) != number for name, number in own.items()) else {**numbers, **own}


@attrs.frozen(eq=False)
class Answers:
    """The answer to each clip `(N,)`, and scores `(N, K)` of every answer, or `(N, 0)` where only the answers were told."""

    predicted: Ints
    scores: Scores


def read_answers(file: Path, question: Question) -> Answers:
    """Return the answers in a CSV file, in the order of the clips; raise `DataError` that names the line and the rule that it breaks.

    The file has a column `clip`, and either `predicted` or a column of scores for each answer, by name or number; also `label`, which
    must then agree. Every clip has one row.
    """
    head, *rows = _lines(file)
    heads, words = _heads(head), question.words
    places = _answers_of(head, heads, question)
    found = _by_clip(file, heads, rows, question.clips)
    if _LABEL in heads:
        for line, right in zip(found, question.label, strict=True):
            line.check_label(heads.index(_LABEL), words, int(right))
    if not places:
        predicted = np.array([line.answer(heads.index(_PREDICTED), words) for line in found])
        return Answers(predicted, np.zeros((len(found), 0), dtype=np.float32))
    scores = np.array([[line.score(place) for place in places] for line in found], dtype=np.float32)
    return Answers(scores.argmax(axis=1), scores)


@attrs.frozen
class _Line:
    """A row of a file, and where it stands."""

    file: Path
    number: int
    texts: list[str]

    def refuse(self, what: str) -> NoReturn:
        """Raise the error that says what this line does."""
        msg = f"{str(self.file)!r}, line {self.number}: it {what}."
        raise DataError(msg)

    def answer(self, place: int, words: Mapping[str, int]) -> int:
        """Return the answer that a field names."""
        text = self.texts[place].strip()
        if text not in words:
            self.refuse(f"has {_short(text)}, which is no class; {_choice(words)}")
        return words[text]

    def check_label(self, place: int, words: Mapping[str, int], right: int) -> None:
        """Refuse another label than the right one."""
        if self.answer(place, words) != right:
            self.refuse(f"has the label {_short(self.texts[place])}, where the cell has class {right}")

    def score(self, place: int) -> float:
        """Return the number in a field."""
        text = self.texts[place]
        try:
            value = math.nan if "_" in text else float(text)  # Python alone reads 1_000
        except ValueError:
            value = math.nan
        if not abs(value) <= _LARGEST:
            self.refuse(f"has the score {_short(text)}, which is no finite number of 32 bits")
        return value


def _lines(file: Path) -> list[_Line]:
    """Return the rows of a file, blank ones left out; the first are the heads."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            reader = csv.reader(text, strict=True)
            found = [_Line(file, reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        _Line(file, reader.line_num, []).refuse(f"is no CSV ({error})")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{str(file)!r} cannot be read: {error.strerror if isinstance(error, OSError) else 'it is no UTF-8'}."
        raise DataError(msg) from error
    if not found:
        msg = f"{str(file)!r} is empty; its first line names the columns, of which one is {_CLIP!r}."
        raise DataError(msg)
    return found


def _heads(head: _Line) -> list[str]:
    """Return the names of the columns."""
    names = [text.strip() for text in head.texts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        head.refuse(f"has the column {_short(twice)} twice")
    if _CLIP not in names:
        head.refuse(f"has no column {_CLIP!r}")
    return names


def _answers_of(head: _Line, heads: list[str], question: Question) -> list[int]:
    """Return the column of each answer's scores, or none where there is a column of answers."""
    words, scored = question.words, [name for name in heads if name not in {_CLIP, _LABEL, _PREDICTED}]
    if _PREDICTED in heads:
        if scored:
            head.refuse(f"has {_PREDICTED!r} and also {_short(scored[0])}; give the answers or the scores")
        return []
    for name in scored:
        if name not in words:
            head.refuse(f"has the column {_short(name)}, which is no class; {_choice(words)}")
    places = {words[name]: heads.index(name) for name in scored}
    if len(places) < question.answers or len(scored) > len(places):
        has = f"scores {len(places)} of {question.answers} classes in {len(scored)} columns" if scored else f"has no column {_PREDICTED!r}"
        head.refuse(f"{has}; it needs {_PREDICTED!r}, or one column of scores for each class")
    return [places[answer] for answer in range(question.answers)]


def _by_clip(file: Path, heads: list[str], rows: list[_Line], clips: Sequence[str]) -> list[_Line]:
    """Return the row of each clip."""
    known, found, place = set(clips), dict[str, _Line](), heads.index(_CLIP)
    for line in rows:
        if len(line.texts) != len(heads):
            line.refuse(f"has {len(line.texts)} fields under {len(heads)} columns")
        clip = line.texts[place]
        if clip not in known:
            line.refuse(f"names the clip {_short(clip)}, which the cell did not score")
        if clip in found:
            line.refuse(f"names the clip {_short(clip)}, as line {found[clip].number} does; give it once")
        found[clip] = line
    lacking = [clip for clip in clips if clip not in found]
    if lacking:
        msg = f"{str(file)!r} lacks {len(lacking)} of {len(clips)} clips, such as {_short(lacking[0])}; give each one row."
        raise DataError(msg)
    return [found[clip] for clip in clips]


def _choice(words: Mapping[str, int]) -> str:
    most = 12
    listed = ", ".join(map(_short, list(words)[:most]))
    return f"choose from {listed}{' and others' if len(words) > most else ''}"


def _short(text: str) -> str:
    most = 60
    return repr(text if len(text) <= most else f"{text[: most - 3]}...")
