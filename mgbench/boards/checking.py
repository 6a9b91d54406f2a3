"""Figures of a book held against its predictions: what is printed follows from what was predicted, or is not printed."""

from collections.abc import Iterator
from typing import Final

import attrs
import numpy as np
import polars

from mgbench.boards.book import LISTS, ROW, SCORED, Book, collected
from mgbench.clips import Ints
from mgbench.scoring import figures_of


#: What follows from predictions, and by how much it may differ where it was rounded on its way.
RECOMPUTED: Final = ("top1", "top1_low", "top1_high", "top1_subject_low", "top1_subject_high", "top5", "mean_class_accuracy", "macro_f1")
ROUNDING: Final = 1e-9
#: So many predictions are recomputed at once, for the sake of memory.
_AT_ONCE: Final = 2**22


@attrs.frozen
class Wrong:
    """What is wrong with one row of a book.

    Args:
        cell: whose row it is.
        evaluator: under which.
        what: in words that follow these two.
    """

    cell: str
    evaluator: str
    what: str

    def __str__(self) -> str:
        """Return the sentence."""
        return f"{self.cell} under {self.evaluator} {self.what}."


def wrong_rows(book: Book) -> Iterator[Wrong]:
    """Yield what is wrong with the rows of a book: figures that do not follow from predictions, and predictions that are of no clips."""
    clips, none = book.sets(), np.zeros(0, dtype=np.int64)
    scored = book.records.filter(polars.col("evaluator").is_not_null())
    has = scored.collect_schema()
    scored = scored.select(*ROW, *SCORED, "badge", *LISTS, *(name for name in RECOMPUTED if name in has))
    rows = collected(scored)
    for cell, evaluator in rows.filter(rows.select(ROW).is_duplicated()).select(ROW).unique(maintain_order=True).iter_rows():
        yield Wrong(cell, evaluator, "is there more than once")
    for key, table in rows.group_by(SCORED, maintain_order=True):
        label, subject = clips.get((str(key[0]), str(key[1])), (none, none))
        size = max(1, _AT_ONCE // max(1, len(label)))
        for place in range(0, len(table), size):
            yield from _wrong(table[place : place + size], label, subject)


def _wrong(table: polars.DataFrame, label: Ints, subject: Ints) -> Iterator[Wrong]:
    unranked = table["rank"].is_null() & (table["badge"] == "self-reported")  # answers without scores have no top-5
    counts = {name: table[name].list.drop_nulls().list.len() == len(label) for name in ("predicted", "rank")}
    whole = (counts["predicted"] & (counts["rank"] | unranked) & (len(label) > 0)).fill_null(value=False)
    for cell, evaluator in table.filter(~whole).select(ROW).iter_rows():
        yield Wrong(cell, evaluator, "does not predict the clips that it scored" if len(label) else "scored clips that are not in the book")
    table = table.filter(whole)
    if table.is_empty():
        return
    known, label = np.unique(label, return_inverse=True)
    ranked, unknown = table["rank"].is_not_null().to_list(), [0] * len(label)
    predicted, rank = (np.array([one or unknown for one in table[name].to_list()], dtype=np.int64) for name in ("predicted", "rank"))
    place = np.searchsorted(known, predicted).clip(max=len(known) - 1)
    predicted = np.where(known[place] == predicted, place, len(known))  # whatever is no class that occurs is wrong alike
    right = np.stack([(predicted == label)[:, subject == person].sum(axis=1) for person in np.unique(subject)], axis=1)
    rows: list[tuple[str, str]] = list(table.select(ROW).iter_rows())
    for row, mine, told in zip(rows, right.tolist(), table["subject_right"].to_list(), strict=True):
        if mine != told:
            yield Wrong(row[0], row[1], "has other counts of people's right clips than its predictions give")
    for name, values in figures_of(predicted, rank, label, subject).items():
        stored = table[name].cast(polars.Float64) if name in table.columns else polars.Series([None] * len(rows), dtype=polars.Float64)
        given = [value if has or name != "top5" else None for value, has in zip(values.tolist(), ranked, strict=True)]
        for row, said, value in zip(rows, stored.to_list(), given, strict=True):
            if not _same(said, value):
                told, gives = ("no" if said is None else f"{said:.4f} as"), ("none" if value is None else f"{value:.4f}")
                yield Wrong(row[0], row[1], f"has {told} {name}, where its predictions give {gives}")


def _same(said: float | None, value: float | None) -> bool:
    return said is value if said is None or value is None else abs(said - value) <= ROUNDING
