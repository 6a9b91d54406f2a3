"""Files of SMG in the owners' layouts, made up."""

import re
from pathlib import Path

import pytest
from mgbench_plugins.datasets.smg import Smg

from mgbench import Clips, DataError
from mgbench.components import Split


SPLITS: tuple[Split, ...] = ("train", "val", "test")


def refused(said: str, root: Path, split: Split = "train", dataset: Smg | None = None) -> None:
    """Hold the whole sentence of the error against what is expected; `{}` stands for the root."""
    with pytest.raises(DataError, match=f"^{re.escape(said.replace('{}', str(root)))}$"):
        (dataset or Smg()).load(split, root)


def checked(clips: Clips) -> Clips:
    """Hold clips against the contract of the data set."""
    return clips.check(Smg().skeleton, len(Smg().classes), "smg")
