"""The tensors that the owners of SMG and iMiGUE made of their sets: `(N, 3, T, V, 1)`, padded by zeros, and two lists beside them."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from mgbench import DataError
from mgbench.safe_pickle import load_pickle
from mgbench_plugins.datasets.arrays import map_array
from mgbench_plugins.datasets.tables import Array


def read_tensors(
    stem: Path, joints: int, classes: int, keep: Callable[[str], bool], pattern: str = "", allowed: str = "a name and a class number"
) -> Iterator[tuple[str, int, Array]]:
    """Yield name, class and coordinates `(T, 1, V, 3)` of the clips to keep, without the zeros behind their end.

    A clip of nothing but zeros is whole. Raises `DataError` where `STEM_data.npy` and `STEM_label.pkl` are not such tensors, or where a
    name does not match the pattern; `allowed` tells what a name and a class are.
    """
    path = stem.with_name(f"{stem.name}_data.npy")
    names, labels = _labels(stem.with_name(f"{stem.name}_label.pkl"), classes, pattern, allowed)
    x = map_array(path, f"a whole .npy file of float32 (N, 3, T, {joints}, 1)")
    if x.ndim != 5 or (*x.shape[:2], *x.shape[3:]) != (len(names), 3, joints, 1) or x.dtype != np.float32:  # noqa: PLR2004 - its axes
        shape = f"({len(names)}, 3, T, {joints}, 1)"
        msg = f"{str(path)!r} is {x.dtype} {x.shape}; it must be float32 {shape}, a clip for each name in its labels."
        raise DataError(msg)
    for index, (name, label) in enumerate(zip(names, labels, strict=True)):
        if not keep(name):
            continue
        clip = np.moveaxis(x[index], (0, 1, 2, 3), (3, 0, 2, 1))
        if not np.isfinite(clip).all():
            msg = f"{str(path)!r}, clip {name!r} has a coordinate that is not finite."
            raise DataError(msg)
        seen = np.flatnonzero(clip.any(axis=(1, 2, 3)))
        yield name, label, np.array(clip[: seen[-1] + 1 if seen.size else None])


def _labels(path: Path, classes: int, pattern: str, allowed: str) -> tuple[list[str], list[int]]:
    held = load_pickle(path)
    paired = isinstance(held, tuple | list) and len(held) == 2 and all(isinstance(part, tuple | list | np.ndarray) for part in held)  # noqa: PLR2004 - a pair
    if not paired or len(held[0]) != len(held[1]):
        msg = f"{str(path)!r} must hold two lists of one length, names and class numbers."
        raise DataError(msg)
    for index, (name, label) in enumerate(zip(*held, strict=True)):
        named = isinstance(name, str) and (not pattern or re.fullmatch(pattern, name, re.ASCII))
        if not named or not isinstance(label, int | np.integer) or not 0 <= label < classes:
            msg = f"{str(path)!r}, entry {index} is ({name!r}, {label!r}); allowed are {allowed} 0 to {classes - 1}."
            raise DataError(msg)
    return [str(name) for name in held[0]], [int(label) for label in held[1]]
