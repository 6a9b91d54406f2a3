"""Books put together: every figure recomputed from its predictions, and what two books say of one cell held against each other."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import polars

from mgbench.boards.book import LISTS, ROW, SCORED, Book
from mgbench.scoring import figures_of


#: What follows from predictions, and by how much it may differ where it was rounded on its way.
RECOMPUTED: Final = ("top1", "top1_low", "top1_high", "top1_subject_low", "top1_subject_high", "top5", "mean_class_accuracy", "macro_f1")
ROUNDING: Final = 1e-9
#: So many predictions are recomputed at once, for the sake of memory.
_AT_ONCE: Final = 2**22


def merge(books: Mapping[str, Book]) -> tuple[Book, list[str]]:
    """Return one book of several, by what they are called, and what is wrong with them, a sentence each; with any, the book is no good.

    A row that several have alike is kept once, a cell without a result only where no other has one.
    """
    wrong = [f"{name}: {told}" for name, book in books.items() for told in wrong_rows(book)]
    frames = [book.records.with_columns(source=polars.lit(name)) for name, book in books.items()]
    records = polars.concat(frames, how="diagonal_relaxed").collect()
    wrong += _conflicts(records)
    scored = records.filter(polars.col("evaluator").is_not_null()).unique(ROW, keep="first", maintain_order=True)
    rest = (
        records.filter(polars.col("evaluator").is_null())
        .join(scored, on="cell", how="anti")
        .unique("cell", keep="first", maintain_order=True)
    )
    clips = polars.concat([book.clips for book in books.values()]).unique(SCORED, keep="first", maintain_order=True)
    return Book(polars.concat([scored, rest]).drop("source").lazy(), clips), wrong


def _conflicts(records: polars.DataFrame) -> Iterator[str]:
    """Yield the cells that have other predictions in two sources."""
    told = records.filter(polars.col("evaluator").is_not_null()).with_columns(polars.col("predicted").hash().alias("digest"))
    for (cell, evaluator), group in told.group_by(ROW, maintain_order=True):
        if group["digest"].n_unique() > 1:
            says = ", ".join(f"{source} has top-1 {100 * top1:.1f}" for source, top1 in group.select("source", "top1").iter_rows())
            yield f"{cell} under {evaluator} is there twice with other predictions: {says}; leave one of them out."


def wrong_rows(book: Book) -> Iterator[str]:
    """Yield what is wrong with the rows of a book: figures that do not follow from predictions, and predictions that are of no clips."""
    clips = {(digest, target): (np.array(label), np.array(subject)) for digest, target, label, subject in
             book.clips.select(*SCORED, "label", "subject").collect().iter_rows()}  # fmt: skip
    scored = book.records.filter(polars.col("evaluator").is_not_null()).select(*ROW, *SCORED, *LISTS, *RECOMPUTED).collect()
    for key, table in scored.group_by(SCORED, maintain_order=True):
        if key not in clips:
            yield f"the clips of {table['cell'][0]} ({key[0]}) are not in the book."
            continue
        label, subject = clips[key]
        size = max(1, _AT_ONCE // len(label))
        for place in range(0, len(table), size):
            yield from _wrong(table[place : place + size], label, subject)


def _wrong(table: polars.DataFrame, label: np.ndarray, subject: np.ndarray) -> Iterator[str]:
    lengths = table["predicted"].list.len().eq(len(label)) & table["rank"].list.len().eq(len(label))
    for cell, evaluator in table.filter(~lengths).select(ROW).iter_rows():
        yield f"{cell} under {evaluator} does not predict the {len(label)} clips that it scored."
    table = table.filter(lengths)
    if table.is_empty():
        return
    predicted, rank = (np.array(table[name].to_list(), dtype=np.int64) for name in ("predicted", "rank"))
    right = np.stack([(predicted == label)[:, subject == person].sum(axis=1) for person in np.unique(subject)], axis=1)
    alike = [np.array_equal(mine, told) for mine, told in zip(right, table["subject_right"].to_list(), strict=True)]
    for (cell, evaluator), same in zip(table.select(ROW).iter_rows(), alike, strict=True):
        if not same:
            yield f"{cell} under {evaluator} has other counts for each person than its predictions give."
    for name, values in figures_of(predicted, rank, label, subject).items():
        stored = table[name].cast(polars.Float64).fill_null(-1).to_numpy()
        for number in np.flatnonzero(~(np.abs(stored - values) <= ROUNDING)):
            cell, evaluator = table[int(number), "cell"], table[int(number), "evaluator"]
            yield f"{cell} under {evaluator} has {name} {stored[number]:.4f}, its predictions give {values[number]:.4f}."
