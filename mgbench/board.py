"""Boards: Markdown tables from records, with floors, intervals, and a paired test of each method against the best floor.

Rows of different data, preprocessing, stream, fit set or target never share a table; a missing cell is said to be missing.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import polars

from mgbench import stats
from mgbench.boards.sheet import escape
from mgbench.costs import cost_table
from mgbench.records import read_predictions, read_records
from mgbench.scoring import figures
from mgbench.store import CellFolder


#: Rows compare only where all of these are equal.
COMPARABLE = ("dataset", "stream", "preprocess", "target", "fitted_on", "scored_on", "test_digest", "select")
_METRICS = ("top1", "top5", "mean_class_accuracy", "macro_f1")


@attrs.frozen
class Line:
    """One row of a board: a method under one evaluator, over its seeds.

    Args:
        answer: what the floor that has no cells answers for every clip; None of all others, whose predictions are kept.
    """

    role: str
    name: str
    evaluator: str
    settings: str
    rows: polars.DataFrame
    answer: int | None = None

    @property
    def mean(self) -> float:
        """Mean top-1 over seeds."""
        return float(self.rows["top1"].to_numpy().mean())


def _role(row: dict[str, Any]) -> str:
    if row["method"] is None or not row["learns"]:
        return "floor"
    return "ceiling" if row["uses_labels"] else "method"


def _settings(row: dict[str, Any]) -> str:
    """Return what was spent on a row, the part of comparability that may differ within a table and is therefore a column."""
    if row["method"] is None or not row["learns"]:
        return "none"
    cells = f"{row['members'].count(',') + 1} x " if row["members"] else ""
    return f"{cells}{row['steps']} x {row['batch_size']}, {row['precision']}"


def named(parts: Iterable[str], pretrain_on: str | None, augmentation: str) -> str:
    """Return what was compared in words: its components, what it was trained on where that is another data set, and its pipeline."""
    before = f" pre-trained on {pretrain_on}" if pretrain_on not in {None, "none"} else ""
    return f"{' / '.join(parts)}{before}{'' if augmentation == 'default' else f' -a {augmentation}'}".strip()


def _lines(table: polars.DataFrame) -> list[Line]:
    found: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    for row in table.iter_rows(named=True):
        parts = [row["evaluator"]] if row["method"] is None else [row["method"], row["encoder"]]
        name = named(parts, row["pretrain_on"], row["augmentation"])
        if row["guided"] and not row["uses_labels"]:
            name += " (label-guided)"
        if row["members"]:
            name += f" {row['stream']} (ensemble)"
        if row["stale"]:
            name += " (stale)"
        found.setdefault((_role(row), name, row["evaluator"], _settings(row)), []).append(row)
    lines = [
        Line(role, name, evaluator, settings, polars.DataFrame(rows, infer_schema_length=None))
        for (role, name, evaluator, settings), rows in found.items()
    ]
    return sorted(lines, key=_place)


def _place(line: Line) -> tuple[float, str]:
    return -line.mean, line.name


def _constant(store: Path, line: Line) -> Line:
    """Return the floor below a line that tells subjects: always the one with most clips."""
    told = _predictions(store, line.rows["folder"][0], line.evaluator)
    label, subject = told["label"].to_numpy(), told["subject"].to_numpy()
    shares = np.bincount(label) / len(label)
    row = {**line.rows.row(0, named=True), "method": None, **figures(np.tile(shares, (len(label), 1)), label, subject)}
    rows = polars.DataFrame([row], infer_schema_length=None)
    return Line("floor", "most frequent subject", line.evaluator, "none", rows, int(shares.argmax()))


def _predictions(store: Path, folder: str, evaluator: str) -> polars.DataFrame:
    return read_predictions(CellFolder(store / folder), evaluator)


def _right(store: Path, line: Line) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return each clip's share of seeds that got it right, and its subject, in the order of clip ids."""
    tables = [_predictions(store, folder, line.evaluator) for folder in line.rows["folder"]]
    answers = [table["predicted"] if line.answer is None else line.answer for table in tables]
    right = np.mean([(table["label"] == answer).to_numpy() for table, answer in zip(tables, answers, strict=True)], axis=0)
    return right, tables[0]["subject"].to_numpy()


def _against(store: Path, line: Line, floor: Line) -> str:
    """Return the paired difference to the floor over test subjects, each weighing the same, and its sign-flip p-value."""
    (right, subject), (base, _) = _right(store, line), _right(store, floor)
    subjects = np.unique(subject)
    differences = np.array([right[subject == s].mean() - base[subject == s].mean() for s in subjects])
    if len(subjects) < 2:  # noqa: PLR2004 - nothing to flip
        return f"{100 * differences.mean():+.1f} (1 subject)"
    return difference_text(float(differences.mean()), stats.sign_flip(differences))


def difference_text(gap: float, p: float | None) -> str:
    """Return a difference in points, and its p-value where there is one, as Markdown shows it."""
    shown = "" if p is None else f" (p = {p:.3f})" if p >= 0.0005 else " (p &lt; 0.001)"  # noqa: PLR2004 - rounding
    return f"{100 * gap:+.1f}{shown}"


def _percent(values: polars.Series) -> str:
    numbers = 100 * values.to_numpy().astype(float)
    return f"{numbers.mean():.1f} ± {numbers.std(ddof=1):.1f}" if len(numbers) > 1 else f"{numbers.mean():.1f}"


def _table(store: Path, lines: list[Line], target: str) -> Iterable[str]:
    """Yield one table: methods under one evaluator, beside the floors under it and the floors of the clips."""
    floors = [line for line in lines if line.role == "floor"]
    best = max(floors, key=lambda line: line.mean, default=None)
    same = max((line for line in floors if line.rows["method"][0] is not None), key=lambda line: line.mean, default=None)
    mean = "mean class" if target == "class" else "mean subject"
    yield f"| | method | top-1 | interval | top-5 | {mean} | macro-F1 | seeds | budget | vs best floor | vs best untrained |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for line in lines:
        low, high = line.rows["top1_subject_low"].mean(), line.rows["top1_subject_high"].mean()
        versus = ["" if floor is None or line.role == "floor" else _against(store, line, floor) for floor in (best, same)]
        top1, *others = [_percent(line.rows[metric]) for metric in _METRICS]
        cells = [line.role, escape(line.name), top1, f"{100 * float(low):.0f} to {100 * float(high):.0f}", *others]  # type: ignore[arg-type] # a mean of numbers is one
        yield f"| {' | '.join([*cells, str(len(line.rows)), line.settings, *versus])} |"


def _missing_floors(lines: list[Line], target: str) -> str:
    names = {line.rows["method"][0] or line.rows["evaluator"][0] for line in lines}
    wanted = (*(("majority", "raw") if target == "class" else ()), "untrained", "untrained[calibrate=true]")
    lacking = [name for name in wanted if name not in names]
    return f"Floors not measured yet: {', '.join(lacking)}." if lacking else ""


def _section(store: Path, key: dict[str, Any], table: polars.DataFrame) -> Iterable[str]:
    target = key["target"]
    yield f"## {escape(key['dataset'])}, {key['stream']}, {key['preprocess']}{'' if target == 'class' else ': which subject'}"
    yield ""
    clips = table["test_clips"][0]
    subjects = _predictions(store, table["folder"][0], table["evaluator"][0])["subject"].n_unique()
    people = "1 subject" if subjects == 1 else f"{subjects} subjects"
    told = "Fitted on {}, scored on {}" if target == "class" else "Trained on {}, subjects told apart within {}"
    yield (
        f"{told.format(key['fitted_on'], key['scored_on'])}: {clips} clips of {people} (digest `{key['test_digest']}`). "
        "Top-1 is exact per-clip accuracy at the last step, mean ± standard deviation over seeds; the 95 % interval draws whole "
        "subjects; differences to the best floors are paired over the test subjects, p-values from flipping their signs."
    )
    lines = _lines(table)
    if target != "class":
        lines = sorted([*lines, _constant(store, lines[0])], key=_place)
    still = [line for line in lines if line.rows["method"][0] is None]
    for evaluator in sorted({line.evaluator for line in lines if line not in still}) or [""]:
        shown = [line for line in lines if line.evaluator == evaluator or line in still]
        yield from ("", f"### {escape(evaluator) or 'clips as they are'}", "")
        yield from _table(store, shown, target)
        if missing := _missing_floors(shown, target):
            yield from ("", missing)
    trained: dict[str, list[polars.DataFrame]] = {}
    for line in lines:
        if line.role != "floor" and target == "class":  # the same cells tell both
            trained.setdefault(escape(f"{line.name}, {line.settings}"), []).append(line.rows)
    if trained:
        yield from ("", "### What training cost", "", "Means over cells, on the machines that ran them.", "")
        yield from cost_table(trained)
    yield ""


def _unfinished(rows: polars.DataFrame) -> Iterable[str]:
    if not rows.is_empty():
        yield from ("## Cells without a result", "", "| cell | status | reason |", "|---|---|---|")
        for row in rows.sort("cell").iter_rows(named=True):
            yield f"| {escape(row['cell'])} | {escape(row['status'])} | {escape(row['reason'] or '')} |"
        yield ""


def build_board(store: Path) -> str:
    """Return the Markdown of all boards of a store."""
    records = read_records(store)
    lines = ["# Boards", ""]
    if records.is_empty():
        return "\n".join([*lines, f"The store {str(store)!r} holds no cell yet.", ""])
    found = polars.col("evaluator").is_not_null()
    done = records.filter(found)
    for key, table in done.group_by(COMPARABLE, maintain_order=True) if not done.is_empty() else []:
        lines += _section(store, dict(zip(COMPARABLE, key, strict=True)), table)
    return "\n".join([*lines, *_unfinished(records.filter(~found))])
