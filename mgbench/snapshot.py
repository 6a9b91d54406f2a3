"""All cells of a store at once: the small files that cells write, read through one packed copy that is kept beside them."""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import polars

from mgbench.store import CellFolder, StoreError, parse_json, write_bytes


_FILES: Final = ("spec", "status", "metrics")
_HERE: Final = CellFolder(Path())
_NAMES: Final = tuple(path.name for path in (_HERE.spec, _HERE.status, _HERE.metrics))
#: So many cells may differ from the packed copy before it is written anew.
_SLACK: Final = 32


@attrs.frozen
class Stored:
    """The texts of one cell's files as they were at one moment; empty where there is none."""

    folder: CellFolder
    spec_text: str
    status_text: str
    metrics_text: str

    @property
    def spec(self) -> dict[str, Any]:
        """What is run."""
        return parse_json(self.spec_text, self.folder.spec)

    @property
    def status(self) -> dict[str, Any]:
        """How it ended, or where it stands."""
        return parse_json(self.status_text, self.folder.status)

    @property
    def metrics(self) -> dict[str, Any]:
        """Its rows."""
        return parse_json(self.metrics_text, self.folder.metrics)


def _stamp(folder: str) -> str:
    """Return what changes whenever one of the files is replaced."""

    def words() -> Iterator[str]:
        for name in _NAMES:
            try:
                stat = os.stat(f"{folder}/{name}")  # noqa: PTH116 - ten thousands of paths are made slowly
            except FileNotFoundError:
                yield "-"
            else:
                yield f"{stat.st_mtime_ns}/{stat.st_ino}/{stat.st_size}"

    return " ".join(words())


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        return f"not text ({error.reason})"
    except OSError as error:
        msg = f"Cannot read {str(path)!r}: {error.strerror}."
        raise StoreError(msg) from error


def _packed(path: Path) -> dict[str, tuple[str, ...]]:
    try:
        table = polars.read_parquet(path)
        return {row[0]: row[1:] for row in table.select("cell", "stamp", *_FILES).iter_rows()}
    except (OSError, polars.exceptions.PolarsError):  # a copy: whatever is wrong with it, the cells' own files are read
        return {}


def read_cell(folder: CellFolder) -> Stored:
    """Return what the files of one cell say at this moment."""
    return Stored(folder, *(_text(folder.path / name) for name in _NAMES))


def read_cells(store: Path) -> dict[str, Stored]:
    """Return every cell of a store by its name; ten thousand take a fraction of a second where few changed since the last time."""
    cells, index = store / "cells", store / "index.parquet"
    if not cells.is_dir():
        return {}
    packed = _packed(index)
    rows, changed = [], len(packed)
    with os.scandir(cells) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir())
    for name in names:
        folder = f"{cells}/{name}"
        stamp, known = _stamp(folder), packed.get(name)
        if known is not None and known[0] == stamp:
            rows.append((name, *known))
            changed -= 1
        elif not stamp.startswith("-"):
            rows.append((name, stamp, *(_text(Path(folder, file)) for file in _NAMES)))
    changed += len(rows) - len(packed)
    if changed > _SLACK:
        buffer = io.BytesIO()
        polars.DataFrame(rows, schema=["cell", "stamp", *_FILES], orient="row").write_parquet(buffer)
        with contextlib.suppress(StoreError):  # a store that may only be read
            write_bytes(index, buffer.getvalue())
    return {row[0]: Stored(CellFolder(cells / row[0]), *row[2:]) for row in rows}
