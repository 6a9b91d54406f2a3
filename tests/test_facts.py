"""What is kept beside packed data is all that cells know of a data set, whether its class tells it or its files."""

from pathlib import Path

import attrs
import numpy as np
import pytest

from mgbench import Clips, DataError, Dataset, Skeleton, load_skeleton, make_clips
from mgbench.components import Split
from mgbench.data import open_fold
from mgbench.packing import pack, read_facts
from mgbench.part import Part


@attrs.frozen
class Grows(Dataset):
    """As many classes as its folder's file says, once it is at that folder."""

    name = "grows"
    folders = ("grows",)

    count: int = 0

    @property
    def skeleton(self) -> Skeleton:
        """Kinect-25."""
        return load_skeleton("kinect25")

    @property
    def classes(self) -> tuple[str, ...]:
        """As many as were counted."""
        return tuple(map(str, range(self.count)))

    @property
    def splits(self) -> tuple[Split, ...]:
        """No validation split where there are few classes."""
        return ("train", "val", "test") if self.count > 2 else ("train", "test")

    def at(self, folder: Path) -> Dataset:
        """Count the classes."""
        return Grows(int((folder / "classes").read_text()))

    def load(self, split: Split, folder: Path) -> Clips:
        """Make a clip a class."""
        place = ("train", "val", "test").index(split)
        names = [f"{split}{label}" for label in range(self.count)]
        return make_clips([np.ones((2, 1, 25, 3))] * self.count, list(range(self.count)), [place] * self.count, names)


PART = Part("dataset", "grows", "tests", 1, "grows", (), folders=("grows",))


def packed(root: Path, count: int) -> Path:
    """Return the packed folder of so many classes."""
    (root / "grows").mkdir(parents=True)
    (root / "grows" / "classes").write_text(str(count))
    return pack(Grows(), PART, root, root / "cache")


def test_cells_know_what_the_files_told(tmp_path: Path) -> None:
    """Classes and splits that the files tell are kept with the clips, the skeleton with every field."""
    folder = packed(tmp_path, 3)
    facts = read_facts(Grows(), folder)
    assert (facts.classes, facts.persons, facts.splits) == (("0", "1", "2"), 1, ("train", "val", "test"))
    assert facts.skeleton == load_skeleton("kinect25")
    assert open_fold(Grows(), folder, select=True).facts == facts
    assert open_fold(Grows(), folder, select=False).fitted == "train+val"


def test_a_split_that_the_files_lack_is_told(tmp_path: Path) -> None:
    """Where the files tell of no validation split, nothing can be chosen on it."""
    folder = packed(tmp_path, 2)
    assert open_fold(Grows(), folder, select=False).fitted == "train"
    with pytest.raises(DataError, match="'grows' has no validation split"):
        open_fold(Grows(), folder, select=True)


def test_data_packed_before_facts_were_kept_are_as_the_class_says(tmp_path: Path) -> None:
    """A folder that an earlier version packed has no facts of its own."""
    folder = packed(tmp_path, 2)
    (folder / "facts.json").unlink()
    assert read_facts(Grows(2), folder).classes == ("0", "1")


def test_a_data_set_is_itself_at_any_folder(tmp_path: Path) -> None:
    """Unless it says otherwise, a data set does not depend on where it lies."""

    @attrs.frozen
    class Fixed(Grows):
        """Knows itself."""

        def at(self, folder: Path) -> Dataset:
            """Stay as it is."""
            return Dataset.at(self, folder)

    fixed = Fixed(2)
    assert fixed.at(tmp_path) is fixed
