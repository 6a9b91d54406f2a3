"""Tables of a study: its rows measured beside their published numbers, each against the row that it is compared with."""

from collections.abc import Collection, Iterator
from pathlib import Path

import attrs
import numpy as np
import polars

from mgbench import exchange
from mgbench.boards.lines import named
from mgbench.boards.sheet import escape
from mgbench.boards.texts import difference_text, span_text
from mgbench.catalogue import Catalogue
from mgbench.clips import Ints
from mgbench.confusion import Figure, Floats, accuracy, classes_of, confusions, macro_f1, recall_of
from mgbench.costs import mean_of
from mgbench.records import read_predictions, read_records
from mgbench.store import CellFolder, read_json
from mgbench.studied import Key, floors_of, groups_of
from mgbench.study import Row, Table


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


def build_tables(store: Path, table: Table, catalogue: Catalogue, cells: Collection[str] | None = None) -> str:
    """Return the Markdown of a study's table for each set, budget, and choice of what its rows leave open, of a store or these cells of it.

    Raises `SpecError` for a row that names what is not installed.
    """
    table, records = table.mapped(catalogue.written), read_records(store)
    lines = [f"# {escape(table.title)}", ""]
    if not records.is_empty() and records["evaluator"].is_not_null().any():
        ours = polars.col("evaluator").is_not_null() & (polars.col("imported") == "")
        scored = records.filter(ours & (polars.col("target") == "class"))
        scored = scored if cells is None else scored.filter(polars.col("cell").is_in(list(cells)))
        for key, group in groups_of(table, scored, catalogue):
            lines += _section(store, table, key, group, floors_of(scored, key, group))
    if len(lines) == 2:  # noqa: PLR2004 - the title alone
        lines += ["No cell of this study has a result yet.", ""]
    return "\n".join(lines)


def _section(store: Path, table: Table, key: Key, group: polars.DataFrame, floors: dict[str, polars.DataFrame]) -> Iterator[str]:
    rows = [row for row in table.rows if row.parts.get("pretrain-on") != key["dataset"]]  # trained on itself is another row
    parts = {row.label: part for row in rows if len(part := group.filter(polars.col("label") == row.label).sort("seed"))}
    hard = _hard_classes(store, parts[table.hard]) if table.hard in parts else {}
    below = {f"floor: {name}": part for name, part in floors.items()}
    found = _measure(store, {**parts, **below}, 1 + max(hard, default=0))
    first = next(iter(found.values()))
    yield from (f"## {escape(_heading(key))}", "", _explained(table, key, group, first.counts.shape[1]), "")
    present = np.flatnonzero(first.counts[0].sum(axis=(0, 2))).tolist()
    scored = [number for number in hard if number in present]
    figures: dict[str, _Figure | None] = {"top-1": _Figure(accuracy, []), "macro-F1": _Figure(macro_f1, present)}
    figures |= {"recall": _Figure(recall_of(scored), scored) if scored else None} if table.hard else {}
    head = [*_facts(table, key, rows[0], None), *(word for name in figures for word in (name, "interval", "difference")), "seeds"]
    yield f"| | {' | '.join(head)} |"
    yield f"|---|{'---|' * len(head)}"
    for row in (*rows, *(Row(label, {}, {}) for label in below)):
        mine = {**parts, **below}.get(row.label)
        label = f"{row.label} (stale)" if mine is not None and any(mine["stale"]) else row.label
        begin = [label, *_facts(table, key, row, mine).values()]
        yield _line(begin, found.get(row.label), found.get(table.baseline), figures)
    yield ""
    if hard:
        yield from _recalls(list(parts), found, hard)


def _heading(key: Key) -> str:
    """Return what all rows of a section are: the data set, what else the table leaves open, and the evaluator."""
    parts = [key[name] for name in ("bare", "method", "encoder") if name in key]
    same = named(parts, key.get("pretrain_on"), key.get("augmentation", "default"))
    data = key["dataset"] if key["stream"] == "joint" else f"{key['dataset']}, {key['stream']}"
    return f"{data}{': ' if same else ''}{same}, {key['evaluator']}"


def _explained(table: Table, key: Key, group: polars.DataFrame, subjects: int) -> str:
    """Return the sentences that say what the figures of a section are."""
    spent = f"{key['steps']} steps of {key['batch_size']} clips" if "steps" in key else "a row's budget is its steps and clips a step"
    recall = " Recall is the mean over the classes that the prior holds for hard." if table.hard else ""
    return (
        f"Scored on {key['scored_on']}: {group['test_clips'][0]} clips of {subjects} subjects; "
        f"{spent}, {key['precision']}. Published: {escape(table.source)}. All in percent, means "
        "over seeds, ± their deviation. Intervals (95 %) draw whole subjects, where three or more have each class. Differences are to "
        f"{escape(table.baseline)} with the same seeds; their p-values exchange two rows' predictions of whole subjects, so they speak of "
        f"other people and not of other seeds, and they are not corrected for there being several rows.{recall}"
    )


def _facts(table: Table, key: Key, row: Row, part: polars.DataFrame | None) -> dict[str, str]:
    """Return what stands before the figures of a row, by column: what it is here, what was published of it, its size, its budget."""
    parts = [row.parts[axis] for axis in ("method", "encoder") if axis in row.parts]
    here = named(parts, row.parts.get("pretrain-on"), row.parts.get("augmentation", "default"))
    facts = {} if table.axes == ("augmentation",) else {"here": here}
    facts |= {heading: row.published.get(name, "") for name, heading in table.columns.items()}
    if any(one.parameters for one in table.rows):
        count = None if part is None else mean_of(part, "backbone_parameters")
        facts |= {"parameters, published": row.parameters, "parameters": "" if count is None else f"{count / 1e6:.2f} M"}
    if "steps" not in key:
        facts["budget"] = f"{part['steps'][0]} x {part['batch_size'][0]}" if part is not None and part["learns"][0] else ""
    return facts


def _hard_classes(store: Path, part: polars.DataFrame) -> dict[int, str]:
    """Return the classes that the prior held for hard, nearest pairs first; none where no cell tells, or tells of clusters.

    Where clips were made of another data set, the classes are that one's, and none are returned.
    """
    for place in part.filter(polars.col("pretrain_on").is_null())["folder"]:
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


def _line(begin: list[str], mine: _Measured | None, base: _Measured | None, figures: dict[str, _Figure | None]) -> str:
    started = f"| {' | '.join(map(escape, begin))}"
    if mine is None:
        return f"{started} | not measured |{' |' * 3 * len(figures)}"
    cells = [text for figure in figures.values() for text in (("", "", "") if figure is None else _figure(figure, mine, base))]
    if len(mine.seeds) > 1:
        cells[0] += f" ± {100 * float(accuracy(mine.counts.sum(axis=1)).std(ddof=1)):.1f}"
    return f"{started} | {' | '.join(cells)} | {len(mine.seeds) or ''} |"


def _figure(figure: _Figure, mine: _Measured, base: _Measured | None) -> tuple[str, str, str]:
    """Return a figure, its interval, and its difference to the baseline with a p-value."""
    span = exchange.interval(mine.counts, figure.of, figure.classes)
    return (
        f"{100 * exchange.value(mine.counts, figure.of):.1f}",
        span_text(span),
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
    return escape(difference_text(gap, exchange.exchange_test(one, other, figure.of)))


def _recalls(labels: list[str], found: dict[str, _Measured], hard: dict[int, str]) -> Iterator[str]:
    """Yield the recall of each hard class in every row, with intervals over subjects."""
    yield f"| recall of | test clips | {' | '.join(map(escape, labels))} |"
    yield f"|---|---|{'---|' * len(labels)}"
    for number, name in hard.items():
        clips = found[labels[0]].counts[0, :, number].sum()
        one = _Figure(recall_of([number]), [number])
        texts = [_figure(one, found[label], None)[:2] if clips else ("", "") for label in labels]
        yield f"| {escape(name)} | {clips:.0f} | {' | '.join(f'{value} ({span})' if span else value for value, span in texts)} |"
    yield ""
