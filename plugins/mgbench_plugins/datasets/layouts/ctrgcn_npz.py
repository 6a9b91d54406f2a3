"""CTR-GCN's archive: `x_train` (N, T, M x V x C), `y_train` one-hot, `x_test`, `y_test`; read clip by clip, never as a whole."""

import contextlib
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from mgbench import DataError, Skeleton
from mgbench.components import Split
from mgbench_plugins.datasets.arrays import Header, damaged, open_member
from mgbench_plugins.datasets.files import list_files
from mgbench_plugins.datasets.layouts.held import CLASSES, PARTS, Array, Held, Side, Wanted, name_splits, the_file, unpadded


_KEYS: Final = "x_train (N, T, M x V x C), y_train (N, classes), x_test and y_test"


def holds(folder: Path) -> bool:
    """Tell whether a folder has a file of this layout."""
    return bool(list_files(folder, ".npz"))


def read(wanted: Wanted) -> Held:
    """Read the headers and the labels."""
    path = the_file(wanted, ".npz", list_files(wanted.folder, ".npz"))
    with _opened(path) as archive:
        held = {name.removesuffix(".npy") for name in archive.namelist()}
    splits = name_splits([part for part in PARTS if f"x_{part}" in held], repr(str(path)))
    width = len(wanted.skeleton.joints) * len(wanted.skeleton.axes)
    headers = {part: _coordinates(path, part, wanted.skeleton) for part in splits.values()}
    labels = {part: _labels(path, part, headers[part].shape[0]) for part in splits.values()}
    counts = {count for count, _ in labels.values()}
    if len(counts) > 1:
        msg = f"{str(path)!r} has labels of {' and '.join(map(str, sorted(counts)))} classes; each y has a column for every class."
        raise DataError(msg)
    sides = {split: _side(path, part, headers[part], labels[part][1], wanted.skeleton) for split, part in splits.items()}
    return Held(sides, counts.pop(), lambda: max(header.shape[2] // width for header in headers.values()))


def _side(path: Path, part: Split, header: Header, labels: list[int], skeleton: Skeleton) -> Side:
    names = [f"{part}-{index:06}" for index in range(len(labels))]
    frames, axes = header.shape[1], len(skeleton.axes)

    def clips() -> Iterator[Array]:
        for row, name in zip(_rows(path, f"x_{part}"), names, strict=True):
            yield unpadded(row.reshape(frames, -1, len(skeleton.joints), axes), path, name)

    return Side(path, names, labels, clips)


def _coordinates(path: Path, part: Split, skeleton: Skeleton) -> Header:
    header, width = _header(path, f"x_{part}"), len(skeleton.joints) * len(skeleton.axes)
    shape = header.shape
    if len(shape) != 3 or header.dtype.kind != "f" or shape[2] % width:  # noqa: PLR2004 - as the rule says
        msg = (
            f"{str(path)!r}, x_{part} is {header.dtype} {shape}; it must be float32 (N, T, M x {width}), "
            f"the joints and axes of the skeleton {skeleton.name!r}."
        )
        raise DataError(msg)
    return header


def _labels(path: Path, part: Split, clips: int) -> tuple[int, list[int]]:
    """Return the number of classes and each clip's; its row is 1 at its class and 0 elsewhere."""
    key = f"y_{part}"
    header = _header(path, key)
    if len(header.shape) != 2 or header.shape[0] != clips or not 0 < header.shape[1] <= CLASSES:  # noqa: PLR2004 - as the rule says
        msg = f"{str(path)!r}, {key} has shape {header.shape}; it must be one-hot, ({clips}, classes), with a row a clip of x_{part}."
        raise DataError(msg)
    labels = []
    for index, row in enumerate(_rows(path, key)):
        label = int(row.argmax())
        if row[label] != 1 or np.count_nonzero(row) != 1:
            msg = f"{str(path)!r}, {key}, row {index} is not one-hot; it must be 1 at the clip's class and 0 elsewhere."
            raise DataError(msg)
        labels.append(label)
    return header.shape[1], labels


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open the archive; whatever a damaged one raises while it is open becomes a `DataError`."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except DataError:
        raise
    except Exception as error:  # a damaged archive can raise anything
        raise damaged(path, error, f"a whole .npz with {_KEYS}") from error


@contextlib.contextmanager
def _member(path: Path, key: str) -> Iterator[tuple[IO[bytes], Header]]:
    """Open one array behind its header; one-hot rows are nearly all zero."""
    with _opened(path) as archive:
        if f"{key}.npy" not in archive.namelist():
            held = ", ".join(sorted(other.removesuffix(".npy") for other in archive.namelist()))
            msg = f"{str(path)!r} has no array {key!r}, only {held}; it must have {_KEYS}."
            raise DataError(msg)
        with open_member(path, archive, key, sparse=key.startswith("y")) as member:
            yield member


def _header(path: Path, key: str) -> Header:
    with _member(path, key) as (_, header):
        return header


def _rows(path: Path, key: str) -> Iterator[npt.NDArray[Any]]:
    """Yield an array along its first axis; the archive's checksum is compared behind the last."""
    with _member(path, key) as (stream, header):
        size = math.prod(header.shape[1:]) * header.dtype.itemsize
        for _ in range(header.shape[0]):
            yield np.frombuffer(stream.read(size), header.dtype).reshape(header.shape[1:])
