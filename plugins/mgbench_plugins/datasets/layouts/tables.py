"""The small text files beside the data: tables with a header, and lists of names."""

import csv
from pathlib import Path

from mgbench import DataError


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig").rstrip()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{str(path)!r} cannot be read ({error}); it must be a text in UTF-8."
        raise DataError(msg) from error


def read_names(path: Path) -> tuple[str, ...]:
    """Read names, one a line."""
    lines = [line.strip() for line in _text(path).splitlines()]
    known: set[str] = set()
    for number, line in enumerate(lines, start=1):
        if not line or line in known:
            msg = f"{str(path)!r}, line {number} is {line!r}; each line is a name of its own."
            raise DataError(msg)
        known.add(line)
    if not lines:
        msg = f"{str(path)!r} is empty; it needs a name a line."
        raise DataError(msg)
    return tuple(lines)


def read_table(path: Path, needed: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, dict[str, str]]:
    """Read a table whose first column names clips, by clip; every cell is filled and no clip is named twice."""
    try:
        rows = list(csv.reader(_text(path).splitlines()))
    except csv.Error as error:
        msg = f"{str(path)!r} cannot be read ({error}); it must be a table of cells between commas."
        raise DataError(msg) from error
    header = [cell.strip() for cell in rows[0]] if rows else []
    if len(set(header)) != len(header) or not set(needed) <= set(header) <= {*needed, *optional}:
        also = f", and may have {', '.join(optional)}" if optional else ""
        msg = f"{str(path)!r}, line 1 is {','.join(header)!r}; it names the columns: {','.join(needed)}{also}."
        raise DataError(msg)
    found: dict[str, dict[str, str]] = {}
    for number, row in enumerate(rows[1:], start=2):
        cells = dict(zip(header, map(str.strip, row), strict=False))
        if len(row) != len(header) or not all(cells.values()):
            msg = f"{str(path)!r}, line {number} is {','.join(row)!r}; it must fill the columns {','.join(header)}."
            raise DataError(msg)
        if cells[needed[0]] in found:
            msg = f"{str(path)!r}, line {number} names the {needed[0]} {cells[needed[0]]!r} again; each has one line."
            raise DataError(msg)
        found[cells[needed[0]]] = cells
    if not found:
        msg = f"{str(path)!r} has no line but its header; each {needed[0]} has one."
        raise DataError(msg)
    return found
