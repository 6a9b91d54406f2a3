"""Sets of clips with a long tail, and the sheets that boards make of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from made_books import Row, answers, made_book

from mgbench.boards.book import Book
from mgbench.boards.lines import boards_of
from mgbench.boards.sheet import Sheet
from mgbench.boards.tails import tail_sheets


#: Clips of four classes that were scored, and that were fitted on: many, medium, few, few.
SCORED, FIT = (40, 20, 10, 10), (200, 50, 10, 5)
LABEL = np.random.default_rng(1).permutation(np.repeat(range(4), SCORED))
SUBJECT = np.arange(80) % 8


def sheets_of(book: Book) -> dict[str, Sheet]:
    """Return the sheets of a book by what their titles begin with."""
    return {sheet.title.split(":")[0]: sheet for sheet in tail_sheets(book, list(boards_of(book)))}


def columns(sheet: Sheet, key: str) -> dict[str, dict[str, str]]:
    """Return the rows of a sheet by one of their texts."""
    rows = [dict(zip(sheet.heads, row, strict=True)) for row in sheet.rows]
    return {row[key]: row for row in rows}


def two_methods(fit: Sequence[int] | None = FIT, **more: Any) -> Book:
    """Return a book of a method that knows frequent classes, one that knows rare ones, a ceiling, and a floor."""
    rows = [
        Row("head", answers(LABEL, (0.9, 0.5, 0.2, 0.1), 4), 0, more=more),
        Row("head", answers(LABEL, (0.8, 0.5, 0.0, 0.1), 4), 1, more=more),
        Row("tail", answers(LABEL, (0.4, 0.5, 0.8, 0.7), 4), 0, more=more),
        Row("taught", answers(LABEL, (1, 1, 1, 0.9), 4), 0, "ceiling", more=more),
        Row("untrained", np.zeros(80, dtype=np.int64), 0, "floor", more=more),
    ]
    return made_book(rows, LABEL, SUBJECT, fit)
