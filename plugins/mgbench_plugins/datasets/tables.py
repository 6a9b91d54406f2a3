"""Tables of numbers in text, and arrays in archives: read at once, and where that fails, the first place that breaks a rule is told."""

import gzip
import io
import re
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars

from mgbench import DataError
from mgbench.errors import nearest


Array: TypeAlias = npt.NDArray[np.float32]

_GREATEST: Final = float(np.finfo(np.float32).max)


def read_text(path: Path, needed: str) -> bytes:
    """Return the bytes of a text, unpacked where its name ends in `.gz`; raise `DataError` where it is missing, damaged or empty."""
    try:
        text = path.read_bytes()
        text = gzip.decompress(text) if path.suffix == ".gz" else text
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


def lines_of(text: bytes) -> list[str]:
    """Return the lines of a text."""
    return text.decode("utf-8-sig", errors="replace").splitlines()


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
        table = polars.read_csv(io.BytesIO(text), has_header=False, schema=schema, quote_char=None, skip_rows=skip)
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
            msg = (
                f"{str(path)!r}, line {number} has {len(cells)} columns; each has {rule} = {columns}: copy the file again if it is cut off."
            )
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


def read_npz(path: Path, names: Collection[str], needed: str) -> dict[str, npt.NDArray[Any]]:
    """Return arrays of an archive by name; raise `DataError` where it is missing or damaged, or lacks one."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            lacking = [name for name in names if name not in archive]
            if not lacking:
                return {name: archive[name] for name in names}
            held = list(archive)
    except FileNotFoundError as error:
        msg = f"The file {str(path)!r} is missing; {needed}."
        raise DataError(msg) from error
    except Exception as error:  # a damaged archive can raise anything
        msg = f"{str(path)!r} cannot be read ({type(error).__name__}: {error}); {needed}: copy it again."
        raise DataError(msg) from error
    msg = f"{str(path)!r} has no array {lacking[0]!r}; {nearest(lacking[0], held)}"
    raise DataError(msg)
