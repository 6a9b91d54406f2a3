"""Cells on disk: one directory each, every file written atomically and stamped with the schema."""

import errno
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import attrs

from mgbench.errors import MgbenchError


SCHEMA = 1
#: What a full disk, a used-up quota, or a limit on files says.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class StoreError(MgbenchError):
    """A store that cannot be read or written."""


def write_bytes(path: Path, data: bytes | memoryview, *, durable: bool = True) -> None:
    """Write a file whole or not at all: under another name, flushed to disk, then renamed.

    What is not `durable` is not flushed: it costs nothing, and a power cut may leave an empty file.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, working = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    except OSError as error:
        msg = f"Cannot write to {str(path.parent)!r}: {error.strerror}; give another place by --store or MGBENCH_STORE."
        raise StoreError(msg) from error
    try:
        os.fchmod(handle, 0o666 & ~_umask())  # mkstemp makes files that a group cannot read
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(working, path)
    except OSError as error:
        Path(working).unlink(missing_ok=True)
        msg = f"Cannot write {str(path)!r}: {error.strerror}."
        raise StoreError(msg) from error
    except BaseException:
        Path(working).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: Path, value: dict[str, Any], *, durable: bool = True) -> None:
    """Write a JSON object atomically, with the schema's number."""
    write_bytes(path, (json.dumps({"schema": SCHEMA, **value}, indent=1, allow_nan=False) + "\n").encode(), durable=durable)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of this schema, or an empty one where there is no file."""
    try:
        return parse_json(path.read_bytes(), path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        msg = f"Cannot read {str(path)!r}: {error.strerror}."
        raise StoreError(msg) from error


def damaged(path: Path, what: str) -> StoreError:
    """Return the error of a cell's file that cannot be used, which says what to remove."""
    return StoreError(f"{str(path)!r} is damaged ({what}); remove it, or the cell, and run the same command again.")


def list_folder(folder: Path) -> list[os.DirEntry[str]]:
    """Return what lies in a folder, sorted by name; nothing where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        msg = f"Cannot read {str(folder)!r}: {error.strerror}."
        raise StoreError(msg) from error


def read_cache(path: Path) -> dict[str, Any]:
    """Read a JSON object that can be made again: an empty one where there is no file, or none that can be read."""
    try:
        return read_json(path)
    except StoreError:
        return {}


def parse_json(text: str | bytes, path: Path) -> dict[str, Any]:
    """Return the JSON object of this schema that a file holds, or an empty one of an empty text."""
    if not text and isinstance(text, str):
        return {}
    try:
        value: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(path, str(error)) from error
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        found = value.get("schema") if isinstance(value, dict) else type(value).__name__
        msg = f"{str(path)!r} has schema {found!r}; this version of mgbench reads {SCHEMA}."
        raise StoreError(msg)
    return value


@attrs.frozen
class CellFolder:
    """The files of one cell."""

    path: Path

    @property
    def spec(self) -> Path:
        """What is run: components in full, seed, budget."""
        return self.path / "spec.json"

    @property
    def status(self) -> Path:
        """How it ended, or where it stands."""
        return self.path / "status.json"

    @property
    def progress(self) -> Path:
        """The running step, loss and speed."""
        return self.path / "progress.json"

    @property
    def log(self) -> Path:
        """Everything printed."""
        return self.path / "log.txt"

    @property
    def metrics(self) -> Path:
        """One row an evaluator."""
        return self.path / "metrics.json"

    @property
    def predictions(self) -> Path:
        """One row a test clip and evaluator."""
        return self.path / "predictions.parquet"

    @property
    def prepared(self) -> Path:
        """What set augmentations made before training, and of what."""
        return self.path / "prepared.json"

    @property
    def pretrained(self) -> Path:
        """The folder of the saved embedder."""
        return self.path / "pretrained"

    @property
    def checkpoint(self) -> Path:
        """The state of an unfinished training."""
        return self.path / "checkpoint.pt"

    @property
    def tensorboard(self) -> Path:
        """The folder of TensorBoard's events."""
        return self.path / "tensorboard"

    @property
    def lease(self) -> Path:
        """Held by the process that runs the cell."""
        return self.path / ".lease"


def cell_folders(store: Path) -> list[CellFolder]:
    """Return the cells of a store, sorted by name."""
    return [CellFolder(path.parent) for path in sorted((store / "cells").glob("*/spec.json"))]
