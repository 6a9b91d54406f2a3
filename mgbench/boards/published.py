"""Numbers that others published, each with its source, protocol and caveats, apart from those that were measured.

They are kept in `mgbench/boards/published.toml`, whose head says how a number is added.
"""

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

import attrs

from mgbench.boards.number import LABELS, METRICS, Number, Source
from mgbench.boards.sheet import Sheet
from mgbench.errors import SpecError, nearest
from mgbench.study import AXES
from mgbench.tables import check_keys, read_toml


#: What words may be in a place that not every word fits.
_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "modality": ("skeleton", "RGB", "RGB + skeleton", "several"),
    "labels": LABELS,
    "unit": ("percent", "share"),
}
_NEEDED: Final = ("source", "dataset", "protocol", "modality", "labels", "system")
_OPTIONAL: Final = ("place", "unit", "note", *AXES, *METRICS)
_VALUE: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+")


@cache
def shipped_numbers() -> tuple[Number, ...]:
    """Return the published numbers that come with mgbench."""
    with resources.as_file(resources.files("mgbench.boards") / "published.toml") as path:
        return read_published(path)


def read_published(path: Path) -> tuple[Number, ...]:
    """Return the published numbers of a file; raise `SpecError`, which names file and entry, for what it lacks or misplaces."""
    file = f"The file {str(path)!r}"
    told = read_toml(path, file)
    check_keys(told, {}, {"source": list, "table": list}, file)
    sources: dict[str, Source] = {}
    for where, entry in _entries(told, "source", file):
        source = _source(entry, where)
        if source.key in sources:
            raise _refusal(where, f"has the key {source.key!r}, as an earlier one has", "call one of them something else.")
        sources[source.key] = source
    tables = [pair for where, table in _entries(told, "table", file) for pair in _rows(table, where)]
    numbers = tuple(number for where, row in tables for number in _numbers(row, where, sources))
    if unused := sources.keys() - {number.source.key for number in numbers}:
        raise _refusal(file, f"has no number of the source {min(unused)!r}", "add a [[table]] of it, or leave the source out.")
    if twice := [key for key, count in Counter(number.key for number in numbers).items() if count > 1]:
        raise _refusal(file, f"has two numbers of {' / '.join(twice[0])}", "leave one out, or tell them apart by system or place.")
    return numbers


def _refusal(where: str, fault: str, advice: str) -> SpecError:
    return SpecError(f"{where} {fault}; {advice}")


def _entries(told: dict[str, Any], key: str, where: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the tables of a list, each with the words for where it is."""
    found = told.get(key)
    if not isinstance(found, list) or not found or not all(isinstance(entry, dict) for entry in found):
        raise _refusal(where, f"has no {key}", "see the head of mgbench/boards/published.toml for the form.")
    return [(f"{key.capitalize()} {number} of {where[0].lower()}{where[1:]}", entry) for number, entry in enumerate(found, 1)]


def _source(entry: dict[str, Any], where: str) -> Source:
    needed: dict[str, type] = {field.name: str for field in attrs.fields(Source) if field.default is attrs.NOTHING}
    check_keys(_without_blanks(entry), needed, {"link": str, "year": int}, where)
    return Source(**entry)


def _rows(table: dict[str, Any], where: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the rows of a table with what stands above them, unless they say otherwise; an empty text says that there is none."""
    shared = {key: value for key, value in table.items() if key != "row"}
    return [(place, _without_blanks(shared | row)) for place, row in _entries(table, "row", where)]


def _without_blanks(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if not isinstance(value, str) or value.strip()}


def _numbers(row: dict[str, Any], where: str, sources: dict[str, Source]) -> list[Number]:
    """Return the numbers of a row, one a metric."""
    check_keys(row, dict.fromkeys(_NEEDED, str), dict.fromkeys(_OPTIONAL, str), where)
    for key, choices in (_CHOICES | {"source": tuple(sources)}).items():
        if key in row and row[key] not in choices:
            raise _refusal(where, f"has the {key} {row[key]!r}", nearest(row[key], choices))
    plain = {key: row[key] for key in row.keys() - {"source", *AXES, *METRICS}}
    ours = {axis: row[axis] for axis in AXES if axis in row}
    found = []
    for metric in (metric for metric in METRICS if metric in row):
        if not _VALUE.fullmatch(row[metric]):
            raise _refusal(where, f"has the {metric} {row[metric]!r}", "write a number as it is printed, such as 63.50.")
        found.append(Number(source=sources[row["source"]], metric=metric, value=row[metric], ours=ours, **plain))
        if found[-1].percent > 100:  # noqa: PLR2004 - percent
            raise _refusal(where, f"has the {metric} {row[metric]!r}", "a percentage is at most 100, a share at most 1.")
    if not found:
        raise _refusal(where, "has no number", f"give it {', '.join(METRICS)}, or several of them.")
    return found


def published_sheets(numbers: Iterable[Number], dataset: str) -> list[Sheet]:
    """Return the published numbers of a data set, a sheet a protocol, metric and use of labels, the largest first."""
    groups: dict[tuple[str, str, str], list[Number]] = {}
    for number in numbers:
        if number.dataset == dataset:
            groups.setdefault((number.protocol, number.metric, number.labels), []).append(number)
    protocols = list(dict.fromkeys(protocol for protocol, _, _ in groups))
    order = [(protocol, metric, labels) for protocol in protocols for metric in METRICS for labels in LABELS]
    return [_sheet(groups[key]) for key in order if key in groups]


def _sheet(numbers: list[Number]) -> Sheet:
    first = numbers[0]
    marks: dict[str, str] = {}
    rows = []
    for number in sorted(numbers, key=lambda number: -number.percent):
        source = f"{number.place} {_mark(_told(number.source), marks)}".strip()
        note = _mark(number.note, marks) if number.note else ""
        year = str(number.source.year or "")
        rows.append((number.system, number.spec, number.modality, str(number.percent), year, source, note))
    return Sheet(
        title=f"Published on {first.dataset}, {first.protocol}: {METRICS[first.metric]}, {first.labels}",
        about=("As their sources print them, in percent; none was measured here.", *(f"{mark} {text}" for text, mark in marks.items())),
        heads=("system", "in mgbench", "modality", f"{METRICS[first.metric]}, %", "year", "source", "note"),
        rows=tuple(rows),
    )


def _mark(text: str, marks: dict[str, str]) -> str:
    """Return the mark of a footnote, which is the same wherever its text is."""
    return marks.setdefault(text, f"[{len(marks) + 1}]")


def _told(source: Source) -> str:
    """Return a source in sentences."""
    link = f" {source.link}." if source.link else ""
    return f"{source.work}.{link} Numbers from {source.seen}. {source.protocol} {source.caveats}"
