"""A data set parsed once and kept as arrays that cells map: split by split, so that what is packed survives whatever stops the rest."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import attrs
from filelock import FileLock

from mgbench.clips import Clips, open_clips, save_clips
from mgbench.components import Dataset, Split
from mgbench.errors import DataError
from mgbench.fingerprint import packed_folder
from mgbench.part import Part
from mgbench.paths import dataset_folder
from mgbench.skeleton import Skeleton, skeleton_from
from mgbench.store import StoreError, read_json, write_json


#: Called with a split and what is being done with it: `reads`, `checks`, `writes` or `packed`.
Tell: TypeAlias = Callable[[Split, str], None]
#: Packs splits of a folder, its first argument after them, into the second.
PackSplits: TypeAlias = Callable[[Sequence[Split], Path, Path], None]


@attrs.frozen
class Facts:
    """What cells know of packed data without their files: as `Dataset` has it where they lie."""

    skeleton: Skeleton
    classes: tuple[str, ...]
    persons: int
    splits: tuple[Split, ...]


def fitted_splits(splits: Sequence[Split], *, select: bool = False) -> list[Split]:
    """Return the splits that cells are fitted on: all but the test split, or the training split where a choice is being made."""
    return ["train"] if select else [split for split in splits if split != "test"]


class EndedError(DataError):
    """A process that packed a split was killed; what others packed is sound."""


def pack(dataset: Dataset, part: Part, root: Path, cache: Path, pack_splits: PackSplits | None = None) -> Path:
    """Parse and check every split once and return the packed folder.

    A failure leaves nothing behind; a kill leaves the splits that were packed, and the next call takes up the others.
    """
    folder, target = dataset_folder(part, root), packed_folder(part, root, cache)
    if target.is_dir():
        return target
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{target.name}.lock"):
            if not target.is_dir():
                _pack(dataset, folder, target, pack_splits)
    except OSError as error:
        msg = f"Cannot write to {str(cache)!r}: {error.strerror or error}; make room, or give another place by --store or MGBENCH_STORE."
        raise StoreError(msg) from error
    return target


def _pack(dataset: Dataset, folder: Path, target: Path, pack_splits: PackSplits | None) -> None:
    working = target.with_name(f".packing-{target.name}")
    dataset = dataset.at(folder)
    left = [split for split in dataset.splits if not (working / split).is_dir()]
    try:
        if pack_splits is None:
            for split in left:
                pack_split(dataset, split, folder, working)
        else:
            pack_splits(left, folder, working)
        write_json(working / "facts.json", attrs.asdict(_facts(dataset)))
        os.replace(working, target)
    except EndedError:
        raise
    except Exception:
        shutil.rmtree(working, ignore_errors=True)
        raise


def pack_split(dataset: Dataset, split: Split, folder: Path, working: Path, tell: Tell = lambda _split, _stage: None) -> None:
    """Read, check and write one split; its folder appears when it is whole."""
    dataset = dataset.at(folder)
    tell(split, "reads")
    clips = read_split(dataset, split, folder)
    tell(split, "checks")
    clips.check(dataset.skeleton, len(dataset.classes), f"{dataset.name} {split}")
    tell(split, "writes")
    unfinished = working / f".{split}"
    save_clips(clips, unfinished)
    os.replace(unfinished, working / split)
    tell(split, "packed")


def read_split(dataset: Dataset, split: Split, folder: Path) -> Clips:
    """Load a split; a file that cannot be read is a `DataError` as well."""
    try:
        return dataset.load(split, folder)
    except OSError as error:
        msg = f"{dataset.name} {split} cannot be read: {error}."
        raise DataError(msg) from error


def _facts(dataset: Dataset) -> Facts:
    return Facts(dataset.skeleton, dataset.classes, dataset.persons, dataset.splits)


def read_facts(dataset: Dataset, packed: Path) -> Facts:
    """Return what was known of a data set when it was packed; what was packed before that was kept is as its class says."""
    return stored_facts(packed) or _facts(dataset)


def stored_facts(packed: Path) -> Facts | None:
    """Return what was known of a data set when it was packed, or None where that was not kept."""
    stored = read_json(packed / "facts.json")
    if not stored:
        return None
    return Facts(skeleton_from(stored["skeleton"]), tuple(stored["classes"]), stored["persons"], tuple(stored["splits"]))


def open_packed(packed: Path, split: Split) -> Clips:
    """Open one split of a packed folder, or raise `StoreError` where somebody damaged it."""
    try:
        return open_clips(packed / split)
    except (OSError, EOFError, ValueError, KeyError) as error:
        msg = f"The packed data {str(packed / split)!r} are damaged ({error}); delete {str(packed)!r}, and they are packed anew."
        raise StoreError(msg) from error


def packed_digest(packed: Path, split: Split) -> str:
    """Return the digest of a packed split, as it was when it was packed."""
    return str(json.loads((packed / split / "clips.json").read_text())["digest"])
