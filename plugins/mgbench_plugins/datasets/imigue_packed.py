"""The tensors that iMiGUE's owners made of MiGA's training and validation videos."""

from collections.abc import Callable, Iterator
from pathlib import Path

from mgbench.components import Split
from mgbench_plugins.datasets.owners_tensors import read_tensors
from mgbench_plugins.datasets.tables import Array


def packed_clips(split: Split, folder: Path, home: Callable[[int], Split], classes: int) -> Iterator[tuple[Array, int, int, str]]:
    """Yield coordinates `(T, 1, 22, 3)`, class, video and name of each clip, without the zeros behind its end.

    There is no tensor of the test videos: the owners' validation is scored, and every tenth of the other videos validates. The
    training tensor may hold the owners' validation videos too, which are left out of it.
    """
    stem = folder / ("valid" if split == "test" else "train")
    kept = read_tensors(stem, 22, classes, lambda name: _split(_video(name), home) == split, r"\d{4}_\d+", "a name like 0012_3 and a class")
    for name, label, clip in kept:
        yield clip, label, _video(name), name


def _video(name: str) -> int:
    return int(name[:4])


def _split(video: int, home: Callable[[int], Split]) -> Split | None:
    """Return the split that a video is in here, where MiGA's validation is what is scored."""
    if home(video) == "train":
        return "train" if video % 10 else "val"
    return "test" if home(video) == "val" else None
