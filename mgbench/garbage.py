"""What a store no longer needs: what killed writers left behind, checkpoints of finished cells, and data that no cell is made of."""

import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import attrs
from filelock import FileLock, Timeout

from mgbench.lease import owner_of
from mgbench.sources import engine_digest
from mgbench.standing import Standing, read_standings
from mgbench.store import StoreError, list_folder


#: Seconds after which a temporary file, or data that no cell names yet, is taken for left behind.
OLD: Final = 3600.0
#: What `store.write_bytes` writes before it renames: `.NAME-` and eight letters, of the files that cells and data sets have.
_WRITTEN: Final = re.compile(
    r"\.(spec\.json|status\.json|progress\.json|metrics\.json|predictions\.parquet|checkpoint\.pt|embedder\.safetensors|pretrained\.json"
    r"|\.lease|index\.parquet|[^/]+\.npy)-[a-z0-9_]{8}"
)
_DENSE: Final = re.compile(r".+-([0-9a-f]{16})\.(npy|lock)")
_UNENDED: Final = ("pending", "running", "interrupted", "damaged")


@attrs.frozen
class Garbage:
    """One file or folder that can go.

    Args:
        path: it.
        why: of what kind it is.
        size: bytes that it holds.
        lease: of the cell that it belongs to; while somebody holds it, nothing of the cell goes.
    """

    path: Path
    why: str
    size: int
    lease: Path | None = None

    def delete(self) -> bool:
        """Delete it and tell whether it is gone; it stays where somebody has the cell, or is about to take it."""
        try:
            if self.lease is not None:
                with FileLock(self.lease.with_name(f"{self.lease.name}.lock"), timeout=0):
                    return not owner_of(self.lease) and _remove(self.path)
            if self.path.suffix == ".lock":
                with FileLock(self.path, timeout=0):
                    return _remove(self.path)
        except (Timeout, StoreError):
            return False
        return _remove(self.path)


def _remove(path: Path) -> bool:
    if path.is_dir():
        going = path.with_name(f".packing-gone-{path.name.removeprefix('.packing-')}")
        path.rename(going)  # at once, so that nobody opens half of it
        shutil.rmtree(going)
    else:
        path.unlink(missing_ok=True)
    return True


def find_garbage(store: Path) -> list[Garbage]:
    """Return what can go, cell by cell, then of the data sets; nothing of a cell that somebody runs."""
    standings = read_standings(store)
    derived = [Path(entry) for entry in list_folder(store / "derived") if entry.is_dir()]
    written = [one for place in (store, *derived) for one in _temporary(place, None)]
    return [*_of_cells(store, standings), *_of_data(store / "data", standings), *written]


def _of_cells(store: Path, standings: list[Standing]) -> Iterator[Garbage]:
    known = {one.name: one for one in standings}
    folders = [Path(entry) for entry in list_folder(store / "cells") if entry.is_dir()]
    for folder in folders:
        one, lease = known.get(folder.name), folder / ".lease"
        if _busy(lease):
            continue
        for place in (folder, folder / "pretrained"):
            yield from _temporary(place, lease)
        if one is None or one.status in _UNENDED:
            continue
        if one.status == "ok" and one.folder.checkpoint.is_file():
            yield Garbage(one.folder.checkpoint, "checkpoint of a finished cell", one.folder.checkpoint.stat().st_size, lease)
        for path in (lease, folder / ".lease.lock"):
            if path.is_file():
                yield Garbage(path, "lease of a cell that ended", path.stat().st_size, lease)


def _busy(lease: Path) -> bool:
    """Tell whether somebody runs a cell, or nobody can say so."""
    try:
        return bool(owner_of(lease))
    except StoreError:
        return True


def _temporary(folder: Path, lease: Path | None) -> Iterator[Garbage]:
    """Yield what killed writers left in a folder."""
    for path in sorted(folder.glob(".*")):
        if (_WRITTEN.fullmatch(path.name) or path.name.startswith(".lease.clock-")) and path.is_file() and _old([path]):
            yield Garbage(path, "left by a killed writer", path.stat().st_size, lease)


def _of_data(data: Path, standings: list[Standing]) -> Iterator[Garbage]:
    """Yield packed data that no cell is made of, and tensors made by other code; not of data sets that cells may be using unseen."""
    folders = [Path(entry) for entry in list_folder(data) if entry.is_dir() and os.access(entry, os.R_OK | os.X_OK)]
    yield from _temporary(data, None)
    locks = [path for path in data.glob("*.lock") if _held(path)]
    for folder in (path for path in folders if path.name.startswith(".packing-") and not locks):
        if _old(folder.rglob("*")) and _old([folder]):
            yield Garbage(folder, "left by a killed writer", _size(folder))
    yield from _of_packed([path for path in folders if any(path.glob("*/clips.json")) and not path.name.startswith(".")], standings)


def _of_packed(folders: list[Path], standings: list[Standing]) -> Iterator[Garbage]:
    keys = {str(one.told[key]) for one in standings for key in ("data_key", "pretrain_data_key") if key in one.told}
    read_now = {one.spec["dataset"]["name"] for one in standings if one.status == "running"}
    waiting = [one.spec for one in standings if one.spec and one.status != "skipped" and "data_key" not in one.told]
    read_later = {spec[kind]["name"] for spec in waiting for kind in ("dataset", "pretrain_on") if spec.get(kind)}
    unknown = any(one.status == "damaged" for one in standings)  # which may be made of anything
    for folder in folders:
        name, _, key = folder.name.rpartition("-")
        if name in read_now:
            continue
        if key in keys or name in read_later or unknown or not _old([folder]):
            yield from _other_tensors(folder)
            continue
        yield Garbage(folder, "data that no cell is made of", _size(folder))
        if (lock := folder.with_name(f"{folder.name}.lock")).is_file():
            yield Garbage(lock, "data that no cell is made of", lock.stat().st_size)


def _other_tensors(folder: Path) -> Iterator[Garbage]:
    """Yield the tensors of a packed data set that today's code will not read, and their locks."""
    yield from _temporary(folder, None)
    for path in sorted(folder.iterdir()):
        found = _DENSE.fullmatch(path.name)
        if found and found[1] != engine_digest() and _old([path]):
            yield Garbage(path, "tensors made by other code", path.stat().st_size)


def _old(paths: Iterable[Path]) -> bool:
    """Tell whether nothing was written for long; what goes meanwhile is not old but somebody's."""
    try:
        return all(time.time() - path.stat().st_mtime > OLD for path in paths)
    except FileNotFoundError:
        return False


def _held(lock: Path) -> bool:
    try:
        with FileLock(lock, timeout=0):
            return False
    except (Timeout, OSError):
        return True


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
