"""Somebody else's predictions on the board of a cell: a derived record that says it was handed in."""

import hashlib
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import polars

from mgbench.boards.answers import Answers, Question, read_answers
from mgbench.derived import derived_folder, write_derived
from mgbench.errors import SpecError
from mgbench.grid import Cell, Run, to_spec
from mgbench.records import read_scores
from mgbench.scoring import figures, figures_of
from mgbench.shape import shown
from mgbench.standing import Standing
from mgbench.store import CellFolder
from mgbench.words import slug_of


#: What stands for an evaluator in the record.
EVALUATOR: Final = "imported"
#: What the record takes over from the row of the cell, and from its metrics.
_SHARED: Final = ("target", "fitted_on", "scored_on", "fit_clips", "test_clips", "test_digest")
_TOLD: Final = ("classes", "fit_counts")
#: Letters that a board's column bears.
_LONGEST: Final = 80


@attrs.frozen(eq=False)
class _Like:
    """The cell that predictions follow: one of its rows, and the clips that this scored."""

    one: Standing
    cell: Cell
    row: dict[str, Any]
    table: polars.DataFrame
    question: Question


def import_predictions(file: Path, like: Standing, name: str, store: Path, *, uses_labels: bool | None) -> tuple[CellFolder, float]:
    """Write a file's predictions as a derived record, and return its folder and top-1.

    What was scored, how it was prepared and what may be fitted on are those of the cell. A record of the same name for the same clips,
    stream, preprocessing and seed is replaced. Raises `SpecError` for a name or cell that cannot be used, `DataError` for a file.

    Args:
        file: as `read_answers` takes it.
        like: the cell.
        name: that boards show.
        store: where the record goes.
        uses_labels: whether labels were trained on; None where that is not told.
    """
    name, found = _sound(name), _like(like)
    answers = read_answers(file, found.question)
    row = _figures(answers, found) | {key: found.row[key] for key in _SHARED if key in found.row}
    kept = {key: value for key, value in like.stored.metrics.items() if key in _TOLD}
    spec = {**_spec(found, name), "uses_labels": uses_labels}
    folder = derived_folder(store, f"{slug_of(name)[:40] or EVALUATOR}-{spec['id']}")
    write_derived(folder, _predictions(answers, found.table), {**kept, "rows": {EVALUATOR: row}}, {}, spec)
    return folder, row["top1"]


def _sound(name: str) -> str:
    """Return a name on one line, without what terminals obey."""
    kept = " ".join(shown(name).split())
    if not 0 < len(kept) <= _LONGEST:
        msg = f"--name got {name[:_LONGEST]!r}; give one of 1 to {_LONGEST} letters that can be shown."
        raise SpecError(msg)
    return kept


def _like(one: Standing) -> _Like:
    """Return what a cell's first row over classes, or else its first, was scored on."""
    if one.cell is None or not one.rows:
        msg = f"The cell {one.name} is {one.status} and has no row; --like takes a cell that was scored."
        raise SpecError(msg)
    rows = {name: {"target": "class", **row} for name, row in one.rows.items()}
    evaluator = next((name for name, row in rows.items() if row["target"] == "class"), next(iter(rows)))
    table, scores = read_scores(one.folder, evaluator)
    label, clips = table["label"].to_numpy(), table["clip"].to_list()
    if not clips or len(set(clips)) != len(clips):
        msg = f"The cell {one.name} has no predictions of every clip once; run it again."
        raise SpecError(msg)
    names = one.stored.metrics.get("classes", []) if rows[evaluator]["target"] == "class" else []
    answers = max(len(names), scores.shape[1], int(label.max()) + 1)
    return _Like(one, one.cell, rows[evaluator], table, Question(clips, label, answers, names))


def _figures(answers: Answers, like: _Like) -> dict[str, Any]:
    label, subject = (like.table[name].to_numpy() for name in ("label", "subject"))
    if answers.scores.shape[1]:
        return figures(answers.scores, label, subject)
    found = figures_of(answers.predicted[None], np.zeros((1, len(label)), dtype=np.int64), label, subject)
    return {**{name: float(values[0]) for name, values in found.items()}, "top5": None}  # which answers alone do not tell


def _predictions(answers: Answers, table: polars.DataFrame) -> polars.DataFrame:
    scores = polars.Series(answers.scores.tolist(), dtype=polars.List(polars.Float32))
    return table.with_columns(evaluator=polars.lit(EVALUATOR), predicted=answers.predicted, scores=scores)


def _spec(like: _Like, name: str) -> dict[str, Any]:
    """Return the spec of the record: the cell's data, stream, preprocessing and seed, and nothing of how it was trained."""
    run = Run(preprocess=like.cell.run.preprocess, select=like.cell.run.select)
    bare = attrs.evolve(like.cell, encoder=None, method=None, pretrain_on=None, evaluators=(), augmentation="default", run=run)
    words = (bare.id, like.row["target"], name)
    return {**to_spec(bare), "id": hashlib.blake2b(repr(words).encode(), digest_size=5).hexdigest(), "imported": name}
