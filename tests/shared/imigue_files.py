"""Files of iMiGUE as the owners give them, made up."""

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from mgbench_plugins.datasets.imigue import Imigue

from mgbench import DataError
from mgbench.components import Split


SPLITS: tuple[Split, ...] = ("train", "val", "test")


def recording(frames: int, points: int = 35, seed: int = 0) -> npt.NDArray[np.float32]:
    """Return points `(T, 35, 3)` of nobody."""
    return np.random.default_rng(seed).uniform(1, 999, size=(frames, points, 3)).astype(np.float32)


def as_csv(x: npt.NDArray[np.float32], header: str = "") -> str:
    """Write points as iMiGUE does, a running number before them."""
    rows = (",".join([str(number), *map(repr, row.tolist())]) for number, row in enumerate(x.astype(float).reshape(len(x), -1)))
    return "".join(f"{row}\n" for row in ([header, *rows] if header else rows))


def write_video(root: Path, video: int, x: npt.NDArray[np.float32], labels: str, header: str = "") -> Path:
    """Write a video's two files and return their folder."""
    folder = root / f"{video:04}"
    folder.mkdir(parents=True)
    (folder / f"{video:04}_light_hand.csv").write_text(as_csv(x, header))
    (folder / f"{video:04}_label.csv").write_text(labels)
    return folder


def refused(said: str, root: Path, split: Split = "train", dataset: Imigue | None = None) -> None:
    """Hold the whole sentence of the error against what is expected; `{}` stands for the root."""
    with pytest.raises(DataError, match=f"^{re.escape(said.replace('{}', str(root)))}$"):
        (dataset or Imigue()).load(split, root)
