"""What every layout gives: splits of named, labelled clips, whose coordinates are read clip by clip when they are asked for."""

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs
import numpy as np
import numpy.typing as npt

from mgbench import DataError, Skeleton
from mgbench.components import Split


Array: TypeAlias = npt.NDArray[np.floating[Any]]
Ints: TypeAlias = npt.NDArray[np.int64]

#: The words of the field for parts of a data set, in the order of splits.
PARTS: Final[tuple[Split, ...]] = ("train", "val", "test")
#: Class numbers lie below this: a larger one is no class, but something else in its place.
CLASSES: Final = 10_000


@attrs.frozen
class Wanted:
    """What of a folder is wanted.

    Args:
        folder: where the data lie.
        skeleton: of every clip.
        file: which of several files, or an empty text.
        protocol: which of several ways to split, or an empty text.
        classes: names in the order of the labels, where the folder lists them.
    """

    folder: Path
    skeleton: Skeleton
    file: str = ""
    protocol: str = ""
    classes: tuple[str, ...] = ()


@attrs.frozen(eq=False)
class Side:
    """The clips of one split.

    Args:
        path: the file or folder that holds them.
        names: of the clips.
        labels: class numbers from 0.
        clips: gives the coordinates clip by clip, `(T, M, V, C)`, anew at each call; M may differ.
    """

    path: Path
    names: Sequence[str]
    labels: Sequence[int]
    clips: Callable[[], Iterable[Array]]


@attrs.frozen(eq=False)
class Held:
    """What a folder holds.

    Args:
        sides: its splits, in order.
        classes: how many there are, or their names.
        persons: tells how many people are in a clip, at most; may take as long as reading all of it.
        subjects: who is recorded, by clip, where the layout tells.
    """

    sides: dict[Split, Side]
    classes: int | tuple[str, ...]
    persons: Callable[[], int]
    subjects: dict[str, str] = attrs.field(factory=dict)


def the_file(wanted: Wanted, ending: str, found: Sequence[Path]) -> Path:
    """Return the one file that is meant, or raise `DataError` that names the choice."""
    names = sorted(path.name for path in found)
    if wanted.file and wanted.file not in names:
        msg = f"{str(wanted.folder)!r} has no {ending} file {wanted.file!r}; it has {', '.join(names) or 'none'}."
        raise DataError(msg)
    if not wanted.file and len(names) != 1:
        choice = f"{', '.join(names)}; name one, as in file={names[0]}" if names else "none"
        msg = f"{str(wanted.folder)!r} must have one {ending} file; it has {choice}."
        raise DataError(msg)
    return wanted.folder / (wanted.file or names[0])


def name_splits(found: Collection[str], where: str) -> dict[Split, Split]:
    """Return which part of the files is which split; where no part is called test, val is it, as the field has it."""
    if "train" not in found or not {"val", "test"} & set(found):
        held = ", ".join(part for part in PARTS if part in found) or "none"
        msg = f"{where} has {held}; it needs a train part, and a test part, which may be called val."
        raise DataError(msg)
    if "test" not in found:
        return {"train": "train", "test": "val"}
    return {part: part for part in PARTS if part in found}


def check_entries(path: Path, names: Sequence[object], labels: Sequence[object]) -> tuple[list[str], list[int]]:
    """Return names and class numbers, or raise `DataError` that names the first entry that is none."""
    for index, (name, label) in enumerate(zip(names, labels, strict=True)):
        whole = isinstance(label, int | np.integer) and not isinstance(label, bool)
        if not isinstance(name, str) or not name or not whole or not 0 <= int(label) < CLASSES:  # type: ignore[call-overload] # checked just before
            msg = f"{str(path)!r}, entry {index} is ({name!r}, {label!r}); allowed are a name and a class number 0 to {CLASSES - 1}."
            raise DataError(msg)
    return [str(name) for name in names], [int(label) for label in labels]  # type: ignore[call-overload] # checked just before


def channels_fit(channels: int, skeleton: Skeleton) -> bool:
    """Tell whether so many channels are those of the skeleton; a score may be left out."""
    return channels in {len(skeleton.axes), skeleton.spatial_axes}


def unpadded(clip: Array, path: Path, name: str) -> Array:
    """Return a clip without the zeros behind its last frame; raise `DataError` where it holds nothing else."""
    with np.errstate(invalid="ignore"):  # told later, by clip
        seen = np.flatnonzero(clip.any(axis=(1, 2, 3)))
    if not seen.size:
        msg = f"{str(path)!r}, clip {name!r} is empty: all its frames are zero, which stands for padding; leave it out."
        raise DataError(msg)
    return clip[: seen[-1] + 1]


def gather(side: Side, persons: int, skeleton: Skeleton) -> tuple[npt.NDArray[np.float32], Ints]:
    """Return the coordinates of all clips in one array, and where each begins; in a first pass their lengths are found."""
    offsets = np.cumsum([0, *(len(clip) for clip in side.clips())], dtype=np.int64)
    x = np.zeros((int(offsets[-1]), persons, len(skeleton.joints), len(skeleton.axes)), dtype=np.float32)
    for clip, name, start, end in zip(side.clips(), side.names, offsets[:-1], offsets[1:], strict=True):
        taken = clip[:, :persons]
        into = x[start:end, : taken.shape[1]]
        with np.errstate(over="ignore", invalid="ignore"):  # too large becomes infinite, which is refused
            into[..., : taken.shape[3]] = taken
            if taken.shape[3] < len(skeleton.axes):  # no score is told
                into[..., -1] = taken.any(axis=3)
        if skeleton.axes[-1] == "score":
            into[into[..., -1] == 0] = 0
        if not np.isfinite(into).all():
            msg = f"{str(side.path)!r}, clip {name!r} has a coordinate that is not finite."
            raise DataError(msg)
    return x, offsets
