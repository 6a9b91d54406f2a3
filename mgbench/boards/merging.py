"""Books put together: every figure recomputed from its predictions, and what two books say of one cell held against each other."""

from collections.abc import Iterator, Mapping

import polars

from mgbench.boards.book import ROW, SCORED, Book, collected
from mgbench.boards.verify import faults


def merge(books: Mapping[str, Book]) -> tuple[Book, list[str]]:
    """Return one book of several, by what they are called, and what is wrong with them, a sentence each; with any, the book is no good.

    A row that several have alike is kept once, a cell without a result only where no other has one. What was run again in one of them is
    recomputed here, and no more.
    """
    frames = [book.records.with_columns(source=polars.lit(name)) for name, book in books.items()]
    records = collected(polars.concat(frames, how="diagonal_relaxed"))
    clips = collected(polars.concat(book.clips.with_columns(source=polars.lit(name)) for name, book in books.items()))
    wrong = [*_other_clips(clips), *_conflicts(records)]  # first, since clips with other labels make many rows wrong
    wrong += [f"{name}: {told}" for name, book in books.items() for told in faults(book)]
    records = records.with_columns(badge=polars.when(polars.col("imported") == "").then(polars.lit("recomputed")).otherwise("badge"))
    scored = records.filter(polars.col("evaluator").is_not_null()).unique(ROW, keep="first", maintain_order=True)
    rest = (
        records.filter(polars.col("evaluator").is_null())
        .join(scored, on="cell", how="anti")
        .unique("cell", keep="first", maintain_order=True)
    )
    clips = clips.drop("source").unique(SCORED, keep="first", maintain_order=True)
    return Book((polars.concat([scored, rest]).drop("source").lazy(),), clips.lazy()), wrong


def _conflicts(records: polars.DataFrame) -> Iterator[str]:
    """Yield the cells that have other predictions in two sources."""
    told = records.filter(polars.col("evaluator").is_not_null()).with_columns(digest=polars.struct("predicted", "rank").hash())
    for (cell, evaluator), group in told.group_by(ROW, maintain_order=True):
        if group["digest"].n_unique() > 1:
            says = ", ".join(f"{source} has top-1 {100 * top1:.1f}" for source, top1 in group.select("source", "top1").iter_rows())
            yield f"{cell} under {evaluator} is there twice with other predictions: {says}; leave one of them out."


def _other_clips(clips: polars.DataFrame) -> Iterator[str]:
    """Yield the scored sets whose clips have other labels or people in two sources; they are told by ids, so one of the two is wrong."""
    for (digest, target), group in clips.group_by(SCORED, maintain_order=True):
        if group.select("label", "subject").n_unique() > 1:
            yield f"The clips {digest} ({target}) have other labels or people in {' and '.join(group['source'])}; leave one of them out."
