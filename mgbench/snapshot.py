"""All cells of a store at once: the small files that cells write, read through one packed copy that is kept beside them.

Whatever is wrong with a cell's files is found here: who reads them meets a checked object, or a `StoreError` that says what to remove.
"""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import polars

from mgbench.grid import Cell, from_spec
from mgbench.shape import check_metrics, check_spec, check_status, shown_status
from mgbench.store import CellFolder, StoreError, list_folder, parse_json, write_bytes


_HERE: Final = CellFolder(Path())
_NAMES: Final = tuple(path.name for path in (_HERE.spec, _HERE.status, _HERE.metrics))
#: Of the packed copy; the number is another one when the checks grow stricter, since the copy holds none but sound cells.
_COLUMNS: Final = ("cell", "stamp1", "spec", "status", "metrics")
#: So many cells may differ from the packed copy before it is written anew.
_SLACK: Final = 32
#: Stands before the reason in place of a text that could not be read; no file decodes to it.
_UNREAD: Final = "\udcff"


@attrs.frozen
class Stored:
    """The texts of one cell's files as they were at one moment; empty where there is none.

    Args:
        sound: whether these texts were checked before.
    """

    folder: CellFolder
    spec_text: str
    status_text: str
    metrics_text: str
    sound: bool = attrs.field(default=False, eq=False, kw_only=True)

    @property
    def spec(self) -> dict[str, Any]:
        """What is run."""
        spec = _parsed(self.spec_text, self.folder.spec)
        if not self.sound:
            check_spec(spec, self.folder.spec)
        return spec

    @property
    def cell(self) -> Cell:
        """The same as a point of the grid."""
        spec = _parsed(self.spec_text, self.folder.spec)
        return from_spec(spec) if self.sound else check_spec(spec, self.folder.spec)

    @property
    def status(self) -> dict[str, Any]:
        """How it ended, or where it stands."""
        told = _parsed(self.status_text, self.folder.status)
        return shown_status(told) if self.sound else check_status(told, self.folder.status)

    @property
    def metrics(self) -> dict[str, Any]:
        """Its rows."""
        metrics = _parsed(self.metrics_text, self.folder.metrics)
        return metrics if self.sound else check_metrics(metrics, self.folder.metrics)

    def check(self) -> None:
        """Raise `StoreError` where one of the files is damaged; a spec that was cut off before its cell ever ran is only laid out anew."""
        if not self.sound and (self.status_text or self.metrics_text or self.spec_text.startswith(_UNREAD)):
            _ = self.cell, self.status, self.metrics


def _parsed(text: str, path: Path) -> dict[str, Any]:
    if text.startswith(_UNREAD):
        msg = f"{str(path)!r} cannot be read: {text[1:]}; make it readable, or remove it or the cell, and run the same command again."
        raise StoreError(msg)
    return parse_json(text, path)


def _stamp(folder: str) -> str:
    """Return what changes whenever one of the files is replaced."""

    def words() -> Iterator[str]:
        for name in _NAMES:
            try:
                stat = os.stat(f"{folder}/{name}")  # noqa: PTH116 - ten thousands of paths are made slowly
            except FileNotFoundError:
                yield "-"
            except OSError:
                yield "?"
            else:
                yield f"{stat.st_mtime_ns}/{stat.st_ino}/{stat.st_size}"

    return " ".join(words())


def _text(path: Path) -> str:
    """Return a file's text; nothing is that of a missing file, so an empty one, which is damaged, is a blank."""
    try:
        return path.read_text(encoding="utf-8") or " "
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        return f"{_UNREAD}it is no text ({error.reason})"
    except OSError as error:
        return f"{_UNREAD}{error.strerror}"


def _packed(path: Path) -> dict[str, tuple[str, ...]]:
    try:
        table = polars.read_parquet(io.BytesIO(path.read_bytes())).select(_COLUMNS).drop_nulls()
    except (OSError, polars.exceptions.PolarsError, polars.exceptions.PanicException):  # a copy: the cells' own files are read
        return {}
    return {row[0]: row[1:] for row in table.iter_rows()} if set(table.dtypes) == {polars.String} else {}


def read_cell(folder: CellFolder) -> Stored:
    """Return what the files of one cell say at this moment."""
    return Stored(folder, *(_text(folder.path / name) for name in _NAMES))


def read_cells(store: Path) -> dict[str, Stored]:
    """Return every cell of a store by its name; ten thousand take a fraction of a second where few changed since the last time."""
    cells, index = store / "cells", store / "index.parquet"
    packed = _packed(index)
    found: dict[str, Stored] = {}
    rows, changed = [], 0
    for name in [entry.name for entry in list_folder(cells) if entry.is_dir()]:
        stamp, known = _stamp(f"{cells}/{name}"), packed.get(name)
        if known is not None and known[0] == stamp:
            rows.append((name, *known))
            found[name] = Stored(CellFolder(cells / name), *known[1:], sound=True)
        elif not stamp.startswith("-"):
            found[name] = one = _checked(read_cell(CellFolder(cells / name)))
            if one.sound:
                rows.append((name, stamp, one.spec_text, one.status_text, one.metrics_text))
                changed += 1
    gone = len(packed) - (len(rows) - changed)
    if changed + gone > _SLACK:
        _pack(rows, index)
    return found


def _checked(stored: Stored) -> Stored:
    try:
        _ = stored.cell, stored.status, stored.metrics
    except StoreError:
        return stored
    return attrs.evolve(stored, sound=True)


def _pack(rows: list[tuple[str, ...]], index: Path) -> None:
    buffer = io.BytesIO()
    polars.DataFrame(rows, schema=_COLUMNS, orient="row").write_parquet(buffer)
    with contextlib.suppress(StoreError):  # a store that may only be read
        write_bytes(index, buffer.getvalue())
