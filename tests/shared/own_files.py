"""A folder of one's own clips, made up."""

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from mgbench_plugins.datasets.packed import Packed

from mgbench import Clips, DataError
from mgbench.components import Split


KINECT = {"folder": "mine", "skeleton": "kinect25"}


def write(folder: Path, part: str, names: list[str], labels: list[int] | None = None, joints: int = 25) -> npt.NDArray[np.float32]:
    """Write one part in ST-GCN's layout, one clip a name, and return its array."""
    folder.mkdir(exist_ok=True, parents=True)
    x = np.random.default_rng(len(names)).normal(size=(len(names), 3, 4, joints, 1)).astype(np.float32)
    np.save(folder / f"{part}_data.npy", x)
    (folder / f"{part}_label.pkl").write_bytes(pickle.dumps((names, [0] * len(names) if labels is None else labels)))
    return x


def loaded(place: Path, split: Split = "train", **fields: Any) -> Clips:
    """Return a split, held against the contract."""
    dataset = Packed(**{**KINECT, **fields}).at(place)
    return dataset.load(split, place).check(dataset.skeleton, len(dataset.classes), "packed")


def refused(said: str, place: Path, **fields: Any) -> None:
    """Hold the whole sentence of the error against what is expected; `{}` stands for the folder."""
    with pytest.raises(DataError, match=f"^{re.escape(said.replace('{}', str(place)))}$"):
        Packed(**{**KINECT, **fields}).at(place)
