"""Tables of a study: its rows measured beside their published numbers, each against the row that it is compared with."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import polars

from mgbench import exchange, spec
from mgbench.board import COMPARABLE, difference_text, escape
from mgbench.clips import Ints
from mgbench.confusion import Figure, Floats, accuracy, classes_of, confusions, macro_f1, recall_of
from mgbench.records import read_predictions, read_records
from mgbench.store import CellFolder, read_json
from mgbench.study import Row, Table


#: What else two rows of a table must share.
_ALIKE: Final = (*COMPARABLE, "encoder", "evaluator", "steps", "batch_size", "precision", "threads", "compile", "pretrain_on")


@attrs.frozen(eq=False)
class _Measured:
    """One row: its seeds, none where nothing is drawn, and every subject's confusion matrix with each of them `(R, S, K, K)`."""

    seeds: list[int]
    counts: Floats


@attrs.frozen
class _Figure:
    """A column: what is computed, and of which classes."""

    of: Figure
    classes: list[int]


def build_tables(store: Path, table: Table, cells: Collection[str] | None = None) -> str:
    """Return the Markdown of a study's table for each set, method, encoder and budget that the store, or these cells of it, have."""
    records = read_records(store)
    lines = [f"# {escape(table.title)}", ""]
    wanted = [row.augmentation for row in table.rows]
    if not records.is_empty() and records["evaluator"].is_not_null().any():
        scored = records.filter(polars.col("evaluator").is_not_null() & (polars.col("target") == "class"))
        scored = scored if cells is None else scored.filter(polars.col("cell").is_in(list(cells)))
        chosen = scored.filter(polars.col("learns") & polars.col("augmentation").is_in(wanted))
        chosen = chosen.with_columns(polars.col("method").map_elements(_bare, return_dtype=polars.String).alias("bare"))
        for values, group in chosen.group_by((*_ALIKE, "bare"), maintain_order=True) if not chosen.is_empty() else []:
            key = dict(zip((*_ALIKE, "bare"), values, strict=True))
            lines += _section(store, table, key, group, _floors(scored, key))
    if len(lines) == 2:  # noqa: PLR2004 - the title alone
        lines += ["No cell of this study has a result yet.", ""]
    return "\n".join(lines)


def _bare(method: str) -> str:
    """Return a method's spec without its set augmentations, which is what the rows of a table differ in."""
    call = spec.read(method)
    return spec.write_call(attrs.evolve(call, arguments=tuple(one for one in call.arguments if one[0] != "prepare")))


def _floors(scored: polars.DataFrame, key: dict[str, Any]) -> dict[str, polars.DataFrame]:
    """Return the floors that these rows must beat, by name: of the clips, and of the same encoder untrained."""
    same = polars.all_horizontal(polars.col(name).eq_missing(key[name]) for name in COMPARABLE)
    under = (polars.col("encoder") == key["encoder"]) & (polars.col("evaluator") == key["evaluator"])
    found = scored.filter(~polars.col("learns") & same & (polars.col("method").is_null() | under))
    named = found.with_columns(polars.coalesce("method", "evaluator").alias("floor")).sort("floor", "seed")
    return {str(name): part for (name,), part in named.group_by("floor", maintain_order=True)}


def _section(store: Path, table: Table, key: dict[str, Any], group: polars.DataFrame, floors: dict[str, polars.DataFrame]) -> Iterator[str]:
    hard = {} if key["pretrain_on"] else _hard_classes(store, _of(group, table.hard))
    parts = {row.augmentation: part for row in table.rows if len(part := _of(group, row.augmentation))}
    found = _measure(store, {**parts, **floors}, 1 + max(hard, default=0))
    against = next(row.label for row in table.rows if row.augmentation == table.baseline)
    data = f"{escape(key['dataset'])}{'' if key['stream'] == 'joint' else ', ' + key['stream']}"
    yield from (f"## {data}: {escape(key['bare'])} / {escape(key['encoder'])}, {escape(key['evaluator'])}", "")
    yield (
        f"Scored on {key['scored_on']}: {group['test_clips'][0]} clips of {next(iter(found.values())).counts.shape[1]} subjects; "
        f"{key['steps']} steps of {key['batch_size']} clips, {key['precision']}. Published: {escape(table.source)}. All in percent, means "
        "over seeds, ± their deviation. Intervals (95 %) draw whole subjects, where three or more have each class. Differences are to "
        f"{escape(against)} with the same seeds; their p-values exchange two rows' predictions of whole subjects, so they speak of other "
        "people and not of other seeds, and they are not corrected for there being several rows. Recall is the mean over the classes that "
        "the prior holds for hard."
    )
    yield ""
    yield "| | published | top-1 | interval | difference | macro-F1 | interval | difference | recall | interval | difference | seeds |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|"
    present = np.flatnonzero(next(iter(found.values())).counts[0].sum(axis=(0, 2))).tolist()
    scored = [number for number in hard if number in present]
    figures = [_Figure(accuracy, []), _Figure(macro_f1, present)]
    figures += [_Figure(recall_of(scored), scored)] if scored else []
    for row in (*table.rows, *(Row(f"floor: {name}", name, None) for name in floors)):
        stale = row.augmentation in found and any({**parts, **floors}[row.augmentation]["stale"])
        shown = attrs.evolve(row, label=f"{row.label} (stale)") if stale else row
        yield _line(shown, found.get(row.augmentation), found.get(table.baseline), figures)
    yield ""
    if hard:
        yield from _recalls([row for row in table.rows if row.augmentation in found], found, hard)


def _of(group: polars.DataFrame, augmentation: str) -> polars.DataFrame:
    return group.filter(polars.col("augmentation") == augmentation).sort("seed")


def _hard_classes(store: Path, part: polars.DataFrame) -> dict[int, str]:
    """Return the classes that the prior held for hard, nearest pairs first; none where no cell tells, or tells of clusters."""
    for place in part["folder"]:
        for note in read_json(CellFolder(store / place).prepared).get("notes", ()):
            groups = note.get("prior", {}).get("groups", [])
            if note.get("guided", True) and len(set(groups)) == len(groups):
                return {groups.index(name): name for pair in note.get("hard", ()) for name in pair}
    return {}


def _measure(store: Path, parts: dict[str, polars.DataFrame], least: int) -> dict[str, _Measured]:
    """Return what every part of the records has, all with as many classes as anything names, and at least so many."""
    arrays: dict[str, list[tuple[Ints, Ints, Ints]]] = {}
    for word, part in parts.items():
        read = [read_predictions(CellFolder(store / place), name) for place, name in part.select("folder", "evaluator").iter_rows()]
        arrays[word] = [(one["label"].to_numpy(), one["predicted"].to_numpy(), one["subject"].to_numpy()) for one in read]
    classes = max(
        least, classes_of(*(numbers for seeds in arrays.values() for label, predicted, _ in seeds for numbers in (label, predicted)))
    )
    return {
        word: _Measured(
            parts[word]["seed"].to_list() if parts[word]["method"][0] else [],
            np.stack([confusions(label, predicted, subject, classes) for label, predicted, subject in seeds]),
        )
        for word, seeds in arrays.items()
    }


def _line(row: Row, mine: _Measured | None, base: _Measured | None, figures: list[_Figure]) -> str:
    begin = f"| {escape(row.label)} | {'' if row.published is None else f'{row.published:.2f}'}"
    if mine is None:
        return f"{begin} | not measured |{' |' * 9}"
    cells = [text for figure in figures for text in _figure(figure, mine, base)] + [""] * 3 * (3 - len(figures))
    if len(mine.seeds) > 1:
        cells[0] += f" ± {100 * float(accuracy(mine.counts.sum(axis=1)).std(ddof=1)):.1f}"
    return f"{begin} | {' | '.join(cells)} | {len(mine.seeds) or ''} |"


def _figure(figure: _Figure, mine: _Measured, base: _Measured | None) -> tuple[str, str, str]:
    """Return a figure, its interval, and its difference to the baseline with a p-value."""
    span = exchange.interval(mine.counts, figure.of, figure.classes)
    return (
        f"{100 * exchange.value(mine.counts, figure.of):.1f}",
        "" if span is None else f"{100 * span[0]:.0f} to {100 * span[1]:.0f}",
        "" if base is None or base is mine else _difference(figure, mine, base),
    )


def _difference(figure: _Figure, mine: _Measured, base: _Measured) -> str:
    """Return the difference to the baseline over the seeds that both have; what has no seeds is compared with all of them."""
    common = [seed for seed in mine.seeds or base.seeds if seed in base.seeds]
    if len(set(common)) != len(common) or not common:
        return ""
    one = base.counts[[base.seeds.index(seed) for seed in common]]
    other = mine.counts[[mine.seeds.index(seed) if mine.seeds else 0 for seed in common]]
    gap = exchange.value(other, figure.of) - exchange.value(one, figure.of)
    return difference_text(gap, exchange.exchange_test(one, other, figure.of))


def _recalls(rows: list[Row], found: dict[str, _Measured], hard: dict[int, str]) -> Iterator[str]:
    """Yield the recall of each hard class in every row, with intervals over subjects."""
    yield f"| recall of | test clips | {' | '.join(escape(row.label) for row in rows)} |"
    yield f"|---|---|{'---|' * len(rows)}"
    for number, name in hard.items():
        clips = found[rows[0].augmentation].counts[0, :, number].sum()
        one = _Figure(recall_of([number]), [number])
        texts = [_figure(one, found[row.augmentation], None)[:2] if clips else ("", "") for row in rows]
        yield f"| {escape(name)} | {clips:.0f} | {' | '.join(f'{value} ({span})' if span else value for value, span in texts)} |"
    yield ""
