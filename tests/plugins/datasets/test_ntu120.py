"""NTU RGB+D 120: its protocols, its owners' archives, and the names of its classes."""

import re
from pathlib import Path

import pytest
from mgbench_plugins.datasets.ntu60 import Ntu60
from mgbench_plugins.datasets.ntu120 import Ntu120

from mgbench import DataError
from mgbench.components import Split
from mgbench.paths import dataset_folder


SPLITS: tuple[Split, ...] = ("train", "test")
#: The 53 people who train in X-Sub; they differ from the 53 others by no rule.
TRAINING = {
    1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38, 45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74,
    78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94, 95, 97, 98, 100, 103,
}  # fmt: skip
BODY = "1 0 0 0 0 0 0 0 0 2\n25\n" + "0.1 0.2 0.3 0 0 0 0 0 0 0 0 2\n" * 25


def write_clip(root: Path, name: str) -> None:
    """Write a recording of one frame where the owners' archives put it."""
    folder = root / ("nturgb+d_skeletons" if int(name[1:4]) <= 17 else "nturgb+d_skeletons120")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.skeleton").write_text(f"1\n1\n{BODY}")


@pytest.mark.data
def test_the_fixtures_load(data_folder: Path) -> None:
    """Files of the smaller set are files of this one."""
    folder = dataset_folder(Ntu120(), data_folder / "format_fixtures")
    for split in SPLITS:
        clips, same = Ntu120().load(split, folder), Ntu60().load(split, folder)
        assert clips.check(Ntu120().skeleton, 120, "ntu120").digest == same.digest


@pytest.mark.parametrize("split", SPLITS)
def test_other_people_test(split: Split, tmp_path: Path) -> None:
    """X-Sub trains on 53 of 106 people, wherever their recordings are."""
    for performer in range(1, 107):
        write_clip(tmp_path, f"S{performer % 32 + 1:03}C001P{performer:03}R001A120")
    clips = Ntu120().load(split, tmp_path)
    assert len(TRAINING) == 53
    assert set(clips.subject.tolist()) == (TRAINING if split == "train" else set(range(1, 107)) - TRAINING)
    assert set(clips.label.tolist()) == {119}


@pytest.mark.parametrize("split", SPLITS)
def test_other_setups_test(split: Split, tmp_path: Path) -> None:
    """X-Set trains on the setups of even number and tests on those of odd number."""
    for setup in range(1, 33):
        write_clip(tmp_path, f"S{setup:03}C003P106R002A001")
    clips = Ntu120(protocol="xset").load(split, tmp_path)
    assert [int(name[1:4]) for name in clips.clip] == list(range(2 if split == "train" else 1, 33, 2))


@pytest.mark.parametrize("name", ["S033C001P001R001A001", "S018C001P107R001A061", "S018C001P106R001A121"])
def test_a_name_that_the_set_does_not_have_is_refused(name: str, tmp_path: Path) -> None:
    """Setups, people and actions end at 32, 106 and 120."""
    write_clip(tmp_path, name)
    said = f"{name}.skeleton' is no recording of this data set; names go from S001C001P001R001A001 to S032C003P106R002A120."
    with pytest.raises(DataError, match=re.escape(said)):
        Ntu120().load("train", tmp_path)


def test_the_first_sixty_classes_are_those_of_the_smaller_set() -> None:
    """A model of one reads the other's first sixty labels."""
    assert Ntu120().classes[:60] == Ntu60().classes
    assert len(set(Ntu120().classes)) == 120
    assert Ntu120().classes[60] == "A061"
