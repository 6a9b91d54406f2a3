"""Books from stores: every cell's rows with their predictions in them, and the clips that they are of."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars

from mgbench.boards.book import ADDED, CLIPS, MOST_CLASSES, ROW, SCORED, Book, read_book
from mgbench.boards.checking import wrong_rows
from mgbench.boards.sources import check_folder, is_book
from mgbench.clips import Ints
from mgbench.records import read_records, read_scores
from mgbench.scoring import Scores, ranks
from mgbench.store import CellFolder, StoreError


def open_book(source: Path) -> Book:
    """Return the book of a folder, or of a store, which is compacted in memory; nothing is recomputed. Raise `StoreError` without one."""
    check_folder(source)
    return read_book(source) if is_book(source) else compact(source)


def board_book(source: Path) -> Book:
    """Return the same for boards: of a store, whose small files anything may have changed, without figures that do not follow."""
    return read_book(source) if is_book(source) else without_wrong(compact(source))


def compact(store: Path) -> Book:
    """Return the book of a store."""
    sets: dict[tuple[str, str], dict[str, Any]] = {}
    frame = polars.DataFrame(list(_rows(store, sets)), infer_schema_length=None, strict=False)
    frame = frame.with_columns(polars.lit(None, dtype).alias(name) for name, dtype in ADDED.items() if name not in frame.columns)
    frame = frame.with_columns(polars.col(name).cast(dtype) for name, dtype in ADDED.items()).drop("folder", "classes", strict=False)
    return Book((frame.lazy(),), polars.DataFrame(list(sets.values()), schema=CLIPS).lazy())


def _rows(store: Path, sets: dict[tuple[str, str], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a store with their predictions, and note the clips that they scored."""
    for row in read_records(store).iter_rows(named=True):
        if row["evaluator"] is None:
            yield row
            continue
        try:
            told, scores = read_scores(CellFolder(store / row["folder"]), row["evaluator"])
            _check_numbers(row, told, scores)
        except StoreError as error:
            yield {**row, "evaluator": None, "fit_counts": None, "status": "damaged", "reason": str(error)}
            continue
        subject = np.unique(told["subject"].to_numpy(), return_inverse=True)[1]
        one = {"subject": subject.tolist(), "label": told["label"].to_list(), "classes": row["classes"] or []}
        sets.setdefault((row["test_digest"], row["target"]), {**{key: row[key] for key in SCORED}, **one})
        yield {**row, "badge": "self-reported" if row["imported"] else "recomputed", **_predicted(told, scores, subject)}


def _check_numbers(row: dict[str, Any], told: polars.DataFrame, scores: Scores) -> None:
    """Raise `StoreError` for classes and counts that are no such thing, and for labels that scores do not reach."""
    label, answers = told["label"].to_numpy(), told["predicted"].to_numpy()
    if not len(label):
        msg = "it predicts no clip"
        raise StoreError(msg)
    most = MOST_CLASSES if row["target"] == "class" else 2**16
    if min(label.min(), answers.min(), *(row["fit_counts"] or ())) < 0 or max(label.max(), answers.max()) >= most:
        msg = "it has a class or a count that is no such number"
        raise StoreError(msg)
    if 0 < scores.shape[1] <= label.max():
        msg = f"it has scores of {scores.shape[1]} classes, and the label {label.max()}"
        raise StoreError(msg)


def _predicted(told: polars.DataFrame, scores: Scores, subject: Ints) -> dict[str, list[int] | None]:
    label, predicted = told["label"].to_numpy(), told["predicted"].to_numpy()
    right = np.bincount(subject, weights=label == predicted).astype(np.int64)
    rank = ranks(scores, label).tolist() if scores.shape[1] else None  # somebody else's predictions may have no scores
    return {"predicted": predicted.tolist(), "rank": rank, "subject_right": right.tolist()}


def without_wrong(book: Book) -> Book:
    """Return a book in which a row whose figures do not follow from its predictions is a cell without a result that says so."""
    wrong = {(one.cell, one.evaluator): str(one) for one in reversed(list(wrong_rows(book)))}
    if not wrong:
        return book
    table = polars.DataFrame([(*row, text) for row, text in wrong.items()], schema=[*ROW, "wrong"], orient="row").lazy()
    found, bad = book.records.join(table, on=list(ROW), how="left"), polars.col("wrong").is_not_null()
    changes = {"status": polars.lit("inconsistent"), "reason": polars.col("wrong"), "evaluator": polars.lit(None, polars.String)}
    marked = found.with_columns(polars.when(bad).then(new).otherwise(name).alias(name) for name, new in changes.items())
    return Book((marked.drop("wrong"),), book.clips)
