"""Books made by hand: what each row answered to every clip is given, or follows from the recall that it shall have of each class."""

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import polars

from mgbench.boards.book import Book
from mgbench.scoring import figures_of


#: What all rows have; a made book's data are one set of clips.
SHARED: dict[str, Any] = {
    "dataset": "hands", "stream": "joint", "preprocess": "frame50", "target": "class", "fitted_on": "train", "scored_on": "test",
    "test_digest": "d", "select": False, "encoder": "net", "pretrain_on": None, "augmentation": "default", "members": "", "guided": False,
    "imported": "", "precision": "fp32", "compile": False, "steps": 10, "batch_size": 4, "budget_steps": None, "evaluator": "linear",
    "test_reads": 1, "stale": "", "badge": "recomputed", "status": "ok", "reason": "",
}  # fmt: skip
_ROLES = {"method": (True, False), "ceiling": (True, True), "floor": (False, False)}


@attrs.frozen(eq=False)
class Row:
    """One record: its method, its answers `(N,)`, its seed, its role on a board, and whatever else differs from `SHARED`."""

    method: str
    predicted: np.ndarray
    seed: int = 0
    role: str = "method"
    more: dict[str, Any] = attrs.field(factory=dict)


def answers(label: np.ndarray, recall: Sequence[float], classes: int) -> np.ndarray:
    """Return answers that have a recall for each class: its first clips are right, the rest is taken for the next class."""
    predicted = (label + 1) % classes
    for number, share in enumerate(recall):
        own = np.flatnonzero(label == number)
        predicted[own[: round(share * len(own))]] = number
    return predicted


def made_book(
    rows: Sequence[Row], label: np.ndarray, subject: np.ndarray, fit_counts: Sequence[int] | None, classes: Sequence[str] | None = None
) -> Book:
    """Return the book of some rows that scored the same clips; classes are called by letters unless told."""
    names = [*(classes if classes is not None else "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: label.max() + 1])]
    records = [
        {**_record(row, label, subject), "fit_counts": fit_counts, "cell": f"c{place}", **row.more} for place, row in enumerate(rows)
    ]
    types = {"fit_counts": polars.List(polars.UInt32), "predicted": polars.List(polars.UInt16), "rank": polars.List(polars.UInt16)}
    targets = {record["target"]: record["test_digest"] for record in records}
    clips = [
        {"test_digest": digest, "target": target, "subject": subject, "label": label if target == "class" else subject, "classes": names}
        for target, digest in targets.items()
    ]
    return Book((polars.DataFrame(records, infer_schema_length=None, schema_overrides=types).lazy(),), polars.DataFrame(clips).lazy())


def _record(row: Row, label: np.ndarray, subject: np.ndarray) -> dict[str, Any]:
    told = subject if row.more.get("target") == "subject" else label
    rank = (row.predicted != told).astype(np.int64)
    figures = {name: float(values[0]) for name, values in figures_of(row.predicted[None], rank[None], told, subject).items()}
    learns, uses_labels = _ROLES[row.role]
    right = np.bincount(subject, weights=row.predicted == told).astype(int)
    lists = {"predicted": row.predicted.tolist(), "rank": rank.tolist(), "subject_right": right.tolist()}
    told_of = {"method": row.method, "seed": row.seed, "learns": learns, "uses_labels": uses_labels, "test_clips": len(label)}
    return {**SHARED, **told_of, **figures, **lists}
