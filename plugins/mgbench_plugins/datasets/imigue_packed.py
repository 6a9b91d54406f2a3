"""The tensors that iMiGUE's owners made of MiGA's training and validation videos."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from mgbench import DataError
from mgbench.components import Split
from mgbench.safe_pickle import load_pickle
from mgbench_plugins.datasets.arrays import map_array
from mgbench_plugins.datasets.tables import Array


def packed_clips(split: Split, folder: Path, home: Callable[[int], Split], classes: int) -> Iterator[tuple[Array, int, int, str]]:
    """Yield coordinates `(T, 1, 22, 3)`, class, video and name of each clip, without the zeros behind its end.

    There is no tensor of the test videos: the owners' validation is scored, and every tenth of the other videos validates. The
    training tensor may hold the owners' validation videos too, which are left out of it.
    """
    stem = "valid" if split == "test" else "train"
    path = folder / f"{stem}_data.npy"
    names, labels = _read_labels(folder / f"{stem}_label.pkl", classes)
    x = map_array(path, "a whole .npy file of float32 (N, 3, T, 22, 1)")
    if x.ndim != 5 or (*x.shape[:2], *x.shape[3:]) != (len(names), 3, 22, 1) or x.dtype != np.float32:  # noqa: PLR2004
        msg = f"{str(path)!r} is {x.dtype} {x.shape}; it must be float32 ({len(names)}, 3, T, 22, 1), a clip for each name in its labels."
        raise DataError(msg)
    for index, (name, label) in enumerate(zip(names, labels, strict=True)):
        video = int(name[:4])
        if _split(video, home) != split:
            continue
        clip = np.moveaxis(x[index], (0, 1, 2, 3), (3, 0, 2, 1))
        if not np.isfinite(clip).all():
            msg = f"{str(path)!r}, clip {name!r} has a coordinate that is not finite."
            raise DataError(msg)
        seen = np.flatnonzero(clip.any(axis=(1, 2, 3)))
        yield np.array(clip[: seen[-1] + 1 if seen.size else None]), label, video, name


def _split(video: int, home: Callable[[int], Split]) -> Split | None:
    """Return the split that a video is in here, where MiGA's validation is what is scored."""
    if home(video) == "train":
        return "train" if video % 10 else "val"
    return "test" if home(video) == "val" else None


def _read_labels(path: Path, classes: int) -> tuple[list[str], list[int]]:
    held = load_pickle(path)
    paired = isinstance(held, tuple | list) and len(held) == 2 and all(isinstance(part, tuple | list | np.ndarray) for part in held)  # noqa: PLR2004
    if not paired or len(held[0]) != len(held[1]):
        msg = f"{str(path)!r} must hold two lists of one length, names and class numbers."
        raise DataError(msg)
    for index, (name, label) in enumerate(zip(*held, strict=True)):
        named = isinstance(name, str) and re.fullmatch(r"\d{4}_\d+", name, re.ASCII)
        if not named or not isinstance(label, int | np.integer) or not 0 <= label < classes:
            msg = f"{str(path)!r}, entry {index} is ({name!r}, {label!r}); allowed are a name like 0012_3 and a class 0 to {classes - 1}."
            raise DataError(msg)
    return [str(name) for name in held[0]], [int(label) for label in held[1]]
