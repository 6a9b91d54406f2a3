"""ST-GCN's arrays, which 2s-AGCN and AimCLR use too: `train_data.npy` (N, C, T, V, M) with `train_label.pkl`, mapped into memory."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from mgbench import DataError, Skeleton
from mgbench.components import Split
from mgbench.safe_pickle import load_pickle
from mgbench_plugins.datasets.arrays import map_array
from mgbench_plugins.datasets.layouts import held
from mgbench_plugins.datasets.layouts.held import PARTS, Array, Held, Side, Wanted


#: What the coordinates of a part are called in ST-GCN, 2s-AGCN and AimCLR.
_DATA: Final = ("data", "data_joint", "position")


def _arrays(folder: Path, part: Split) -> list[Path]:
    return [path for path in (folder / f"{part}_{word}.npy" for word in _DATA) if path.is_file()]


def holds(folder: Path) -> bool:
    """Tell whether a folder has a file of this layout."""
    return any(_arrays(folder, part) for part in PARTS)


def read(wanted: Wanted) -> Held:
    """Map the arrays and read names and labels."""
    found = {part: paths for part in PARTS if (paths := _arrays(wanted.folder, part))}
    for paths in found.values():
        if len(paths) > 1:
            msg = f"{str(wanted.folder)!r} has {' and '.join(path.name for path in paths)}; keep one of them in the folder."
            raise DataError(msg)
    splits = held.name_splits(found, f"The folder {str(wanted.folder)!r}")
    arrays = {split: _coordinates(found[part][0], wanted.skeleton) for split, part in splits.items()}
    sides = {split: _side(found[part][0], arrays[split], wanted.folder, part) for split, part in splits.items()}
    classes = 1 + max(label for side in sides.values() for label in side.labels)
    return Held(sides, classes, lambda: max(x.shape[4] for x in arrays.values()))


def _coordinates(path: Path, skeleton: Skeleton) -> Array:
    joints, axes = len(skeleton.joints), len(skeleton.axes)
    rule = f"float32 (N, C, T, V, M), with C = {axes} and V = {joints} of the skeleton {skeleton.name!r}"
    x = map_array(path, rule)
    if x.ndim != 5 or x.dtype.kind != "f" or not x.size or x.shape[3] != joints or not held.channels_fit(x.shape[1], skeleton):  # noqa: PLR2004 - as the rule says
        msg = f"{str(path)!r} is {x.dtype} {x.shape}; it must be {rule}."
        raise DataError(msg)
    return x


def _side(path: Path, x: Array, folder: Path, part: Split) -> Side:
    source, names, labels = _labels(folder, part)
    if len(names) != len(x):
        msg = f"{str(path)!r} has {len(x)} clips; {source.name} beside it has {len(names)} labels, one of them is another's."
        raise DataError(msg)

    def clips() -> Iterator[Array]:
        for clip, name in zip(x, names, strict=True):  # (C, T, V, M)
            yield held.unpadded(np.asarray(clip).transpose(1, 3, 2, 0), path, name)

    return Side(path, names, labels, clips)


def _labels(folder: Path, part: Split) -> tuple[Path, list[str], list[int]]:
    """Return names and class numbers of the pickle, or class numbers of an array, whose clips get their place as name."""
    path = folder / f"{part}_label.pkl"
    if path.is_file() or not path.with_suffix(".npy").is_file():
        return path, *held.check_entries(path, *_pair(path, load_pickle(path)))
    path = path.with_suffix(".npy")
    label = map_array(path, "whole numbers (N,) or (N, 1)")
    if label.dtype.kind not in "iu" or label.shape not in {(label.size,), (label.size, 1)}:
        msg = f"{str(path)!r} is {label.dtype} {label.shape}; it must be whole numbers (N,) or (N, 1)."
        raise DataError(msg)
    return path, *held.check_entries(path, [f"{part}-{index:06}" for index in range(label.size)], label.ravel().tolist())


def _pair(path: Path, content: object) -> tuple[Sequence[object], Sequence[object]]:
    lists = list(content) if isinstance(content, tuple | list) else []
    lists = [part.tolist() if isinstance(part, np.ndarray) else part for part in lists]
    if len(lists) != 2 or not all(isinstance(part, tuple | list) for part in lists) or len(lists[0]) != len(lists[1]):  # noqa: PLR2004 - a pair
        msg = f"{str(path)!r} must hold two lists of one length, names and class numbers."
        raise DataError(msg)
    return lists[0], lists[1]
