"""Tables of numbers in text: read at once, and where that fails, the first place that breaks a rule is told."""

import gzip
import io
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars

from mgbench import DataError


Array: TypeAlias = npt.NDArray[np.float32]

#: Bytes that may come out of anything, and how far a text may shrink.
_SMALL, _RATIO = 2**20, 100
_GREATEST: Final = float(np.finfo(np.float32).max)


def read_text(path: Path, needed: str) -> bytes:
    """Return the bytes of a text, unpacked where its name ends in `.gz`; raise `DataError` where it is missing, damaged or empty."""
    try:
        text = path.read_bytes()
        text = _unpack(path, text) if path.suffix == ".gz" else text
    except FileNotFoundError as error:
        msg = f"The file {str(path)!r} is missing; {needed}."
        raise DataError(msg) from error
    except (OSError, EOFError, zlib.error) as error:
        msg = f"{str(path)!r} cannot be read ({error}); {needed}: copy it again."
        raise DataError(msg) from error
    if not text.strip():
        msg = f"{str(path)!r} is empty; it needs at least one line."
        raise DataError(msg)
    return text


def _unpack(path: Path, packed: bytes) -> bytes:
    """Return what was packed; numbers shrink to a third, and what shrinks far more is meant to fill the memory."""
    most = _SMALL + _RATIO * len(packed)
    with gzip.open(io.BytesIO(packed)) as stream:
        text = stream.read(most + 1)
    if len(text) > most:
        msg = f"{str(path)!r} holds more than {most} bytes in {len(packed)}; a text does not shrink more than {_RATIO} times."
        raise DataError(msg)
    return text


def lines_of(text: bytes) -> list[str]:
    """Return the lines of a text; empty ones at its end are none."""
    return text.decode("utf-8-sig", errors="replace").rstrip().splitlines()


def read_matrix(path: Path, text: bytes, columns: int, used: Sequence[int], rule: str, skip: int = 0) -> Array:
    """Return the used columns of comma-separated text, `(lines, used)`, or raise `DataError` with the first line that breaks a rule.

    Args:
        path: where the text comes from.
        text: its bytes.
        columns: how many every line has.
        used: which of them are read, and must hold finite numbers.
        rule: what the columns are, for the error.
        skip: lines before the first.
    """
    read = set(used)
    schema = {f"column_{number}": polars.Float64 if number in read else polars.String for number in range(columns)}
    try:
        table = polars.read_csv(io.BytesIO(text.rstrip()), has_header=False, schema=schema, quote_char=None, skip_rows=skip)
    except polars.exceptions.PolarsError:
        return _by_line(path, text, columns, used, rule, skip)
    x = _to_float32(table.select(list(schema)[column] for column in used).to_numpy())
    # A short line reads as one whose last cells are empty.
    whole = len(x) > 0 and not table[:, -1].has_nulls() and bool(np.isfinite(x).all())
    return x if whole else _by_line(path, text, columns, used, rule, skip)


def _by_line(path: Path, text: bytes, columns: int, used: Sequence[int], rule: str, skip: int) -> Array:
    """Read as the fast reader should: it is asked where that one stumbles, and finds the line that is wrong."""
    rows = []
    for number, line in enumerate(lines_of(text)[skip:], start=skip + 1):
        cells = line.split(",")
        if len(cells) != columns:
            msg = f"{str(path)!r}, line {number} has {len(cells)} columns; each has {rule} = {columns}: {_hint(line)}."
            raise DataError(msg)
        for column in used:
            if not _is_finite(cells[column]):
                msg = f"{str(path)!r}, line {number}, column {column + 1} holds {cells[column]!r}; a coordinate is a finite number."
                raise DataError(msg)
        rows.append([float(cells[column]) for column in used])
    if not rows:
        msg = f"{str(path)!r} has no frame; it needs at least one line of numbers."
        raise DataError(msg)
    return _to_float32(np.array(rows))


def _hint(line: str) -> str:
    """Return what may help where the number of columns is wrong."""
    other = next((name for sign, name in ((";", "semicolons"), ("\t", "tabs")) if sign in line), None)
    return f"write commas between columns, not {other}, and points in numbers" if other else "copy the file again if it is cut off"


def _is_finite(cell: str) -> bool:
    try:
        return abs(float(cell)) <= _GREATEST
    except ValueError:
        return False


def _to_float32(x: npt.NDArray[np.float64]) -> Array:
    with np.errstate(over="ignore"):  # too large becomes infinite, which is refused
        return x.astype(np.float32)


def read_integers(path: Path, text: bytes, count: int, meaning: str) -> list[list[int]]:
    """Return the whole numbers of each line, so many a line."""
    rows = []
    for number, line in enumerate(lines_of(text), start=1):
        cells = line.split(",")
        if len(cells) != count or not all(re.fullmatch(r"\s*-?\d{1,9}\s*", cell, re.ASCII) for cell in cells):
            msg = f"{str(path)!r}, line {number} is {line!r}; it must be {count} whole numbers: {meaning}."
            raise DataError(msg)
        rows.append([int(cell) for cell in cells])
    return rows
