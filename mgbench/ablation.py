"""Tables of a study: its rows measured beside their published numbers, each against the row that it is compared with."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import polars

from mgbench import exchange, spec
from mgbench.board import COMPARABLE, escape
from mgbench.records import read_predictions, read_records
from mgbench.store import CellFolder, read_json
from mgbench.study import Row, Table


#: What else two rows of a table must share.
_ALIKE: Final = (*COMPARABLE, "encoder", "evaluator", "steps", "batch_size", "precision", "pretrain_on")


@attrs.frozen(eq=False)
class _Measured:
    """One row's seeds: top-1 of each, and the mean over seeds of every subject's confusion matrix `(S, K, K)`."""

    top1: list[float]
    counts: exchange.Floats


def build_tables(store: Path, table: Table, cells: Collection[str] | None = None) -> str:
    """Return the Markdown of a study's table for each set, method, encoder and budget that the store, or these cells of it, have."""
    records = read_records(store)
    lines = [f"# {escape(table.title)}", ""]
    wanted = [row.augmentation for row in table.rows]
    if not records.is_empty() and records["evaluator"].is_not_null().any():
        chosen = records.filter(polars.col("evaluator").is_not_null() & polars.col("learns") & polars.col("augmentation").is_in(wanted))
        chosen = chosen if cells is None else chosen.filter(polars.col("cell").is_in(list(cells)))
        chosen = chosen.with_columns(polars.col("method").map_elements(_bare, return_dtype=polars.String).alias("bare"))
        for key, group in chosen.group_by((*_ALIKE, "bare"), maintain_order=True) if not chosen.is_empty() else []:
            lines += _section(store, table, dict(zip((*_ALIKE, "bare"), key, strict=True)), group)
    if len(lines) == 2:  # noqa: PLR2004 - the title alone
        lines += ["No cell of this study has a result yet.", ""]
    return "\n".join(lines)


def _bare(method: str) -> str:
    """Return a method's spec without its pipelines, which is what the rows of a table differ in."""
    call = spec.read(method)
    return spec.write_call(attrs.evolve(call, arguments=tuple(one for one in call.arguments if one[0] not in {"augment", "prepare"})))


def _section(store: Path, table: Table, key: dict[str, Any], group: polars.DataFrame) -> Iterator[str]:
    hard = _hard_classes(store, _of(group, table.hard))
    found = _measure(store, table, group, key["evaluator"], 1 + max(hard, default=0))
    people = len(next(iter(found.values())).counts)
    yield from (f"## {escape(key['dataset'])}: {escape(key['bare'])} / {escape(key['encoder'])}, {escape(key['evaluator'])}", "")
    against = next(row.label for row in table.rows if row.augmentation == table.baseline)
    yield (
        f"Scored on {key['scored_on']}: {group['test_clips'][0]} clips of {people} subjects; {key['steps']} steps of {key['batch_size']} "
        f"clips, {key['precision']}. Published: {escape(table.source)}. All in percent, ± over seeds. Intervals (95 %) draw whole "
        f"subjects. Differences are to {escape(against)}; their p-values exchange two rows' predictions of whole subjects, so they speak "
        "of other people and not of other seeds, and they are not corrected for there being several rows. Recall is the mean over the "
        "classes that the prior holds for hard."
    )
    yield ""
    yield "| | published | top-1 | interval | difference | macro-F1 | interval | difference | recall | interval | difference | seeds |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|"
    figures = [exchange.accuracy, exchange.macro_f1, *([exchange.recall_of(list(hard))] if hard else [])]
    for row in table.rows:
        yield _line(row, found.get(row.augmentation), found.get(table.baseline), figures)
    yield ""
    if hard:
        yield from _recalls([row for row in table.rows if row.augmentation in found], found, hard)


def _of(group: polars.DataFrame, augmentation: str) -> polars.DataFrame:
    return group.filter(polars.col("augmentation") == augmentation).sort("seed")


def _hard_classes(store: Path, part: polars.DataFrame) -> dict[int, str]:
    """Return the classes that the prior held for hard, nearest pairs first; none where no cell tells."""
    for cell in part["cell"]:
        for note in read_json(CellFolder(store / "cells" / cell).prepared).get("notes", ()):
            groups = note.get("prior", {}).get("groups", [])
            return {groups.index(name): name for pair in note.get("hard", ()) for name in pair}
    return {}


def _measure(store: Path, table: Table, group: polars.DataFrame, evaluator: str, least: int) -> dict[str, _Measured]:
    """Return what each row of the table has, all with as many classes as anything names, and at least so many."""
    read = {
        row.augmentation: [read_predictions(CellFolder(store / "cells" / cell), evaluator) for cell in _of(group, row.augmentation)["cell"]]
        for row in table.rows
    }
    names = ("label", "predicted", "subject")
    arrays = {word: [[one[name].to_numpy() for name in names] for one in tables] for word, tables in read.items() if tables}
    classes = max(least, *(1 + int(max(one[0].max(), one[1].max())) for seeds in arrays.values() for one in seeds))
    return {
        word: _Measured(
            _of(group, word)["top1"].to_list(),
            np.mean([exchange.confusions(label, predicted, subject, classes) for label, predicted, subject in seeds], axis=0),
        )
        for word, seeds in arrays.items()
    }


def _line(row: Row, mine: _Measured | None, base: _Measured | None, figures: list[exchange.Figure]) -> str:
    begin = f"| {escape(row.label)} | {'' if row.published is None else f'{row.published:.2f}'}"
    if mine is None:
        return f"{begin} | not measured |{' |' * 9}"
    cells = [text for figure in figures for text in _figure(figure, mine, base)] + [""] * 3 * (3 - len(figures))
    if len(mine.top1) > 1:
        cells[0] += f" ± {100 * float(np.std(mine.top1, ddof=1)):.1f}"
    return f"{begin} | {' | '.join(cells)} | {len(mine.top1)} |"


def _figure(figure: exchange.Figure, mine: _Measured, base: _Measured | None) -> tuple[str, str, str]:
    """Return a figure, its interval, and its difference to the baseline with a p-value."""
    value = _value(figure, mine)
    low, high = exchange.interval(mine.counts, figure)
    told = ""
    if base is not None and base is not mine:
        p = exchange.exchange_test(base.counts, mine.counts, figure)
        told = f"{100 * (value - _value(figure, base)):+.1f}"
        told += "" if p is None else f" (p = {p:.3f})" if p >= 0.0005 else " (p &lt; 0.001)"  # noqa: PLR2004 - rounding
    return f"{100 * value:.1f}", f"{100 * low:.0f} to {100 * high:.0f}", told


def _value(figure: exchange.Figure, one: _Measured) -> float:
    return float(figure(one.counts.sum(axis=0)[None])[0])


def _recalls(rows: list[Row], found: dict[str, _Measured], hard: dict[int, str]) -> Iterator[str]:
    """Yield the recall of each hard class in every row, with intervals over subjects."""
    yield f"| recall of | test clips | {' | '.join(escape(row.label) for row in rows)} |"
    yield f"|---|---|{'---|' * len(rows)}"
    for number, name in hard.items():
        clips = found[rows[0].augmentation].counts[:, number].sum()
        one = exchange.recall_of([number])
        texts = [_figure(one, found[row.augmentation], None)[:2] if clips else ("", "") for row in rows]
        yield f"| {escape(name)} | {clips:.0f} | {' | '.join(f'{value} ({span})' if value else '' for value, span in texts)} |"
    yield ""
