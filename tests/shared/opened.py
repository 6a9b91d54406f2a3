"""Splits of a folder as its data set opens them, held against the contract, and errors held against their whole sentence."""

import re
from pathlib import Path

import pytest

from mgbench import Clips, DataError, Dataset
from mgbench.components import Split


def load_checked(dataset: Dataset, folder: Path, split: Split) -> Clips:
    """Return a split, held against the contract."""
    opened = dataset.at(folder)
    return opened.load(split, folder).check(opened.skeleton, len(opened.classes), "packed")


def refuse(dataset: Dataset, folder: Path, said: str, place: Path) -> None:
    """Hold the whole sentence of the error against what is expected; `{}` stands for the place."""
    with pytest.raises(DataError, match=f"^{re.escape(said.replace('{}', str(place)))}$"):
        load_checked(dataset, folder, "train")
