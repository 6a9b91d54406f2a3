"""NTU RGB+D: which recordings are in which split, and which are in none."""

import re
from pathlib import Path

import pytest
from mgbench_plugins.datasets.ntu60 import Ntu60
from ntu_files import ID, SPLITS, as_text, checked, joints, write

from mgbench import DataError
from mgbench.components import Split


TRAINING = [1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38]


def write_clip(root: Path, name: str, frames: int = 1, seed: int = 0) -> Path:
    """Write a recording of one person where the owners' archive puts it."""
    return write(root / "nturgb+d_skeletons" / f"{name}.skeleton", as_text([[(ID, joints(seed))]] * frames))


def refused(said: str, root: Path, split: Split = "train", dataset: Ntu60 | None = None) -> None:
    """Hold the whole sentence of the error against what is expected; `{}` stands for the root."""
    with pytest.raises(DataError, match=f"^{re.escape(said.replace('{}', str(root)))}$"):
        (dataset or Ntu60()).load(split, root)


@pytest.mark.parametrize(("protocol", "split"), [("xsub", "train"), ("xsub", "test"), ("xview", "train"), ("xview", "test")])
def test_the_protocols_are_the_published_ones(protocol: str, split: Split, tmp_path: Path) -> None:
    """X-Sub trains on twenty people, X-View on the second and third camera; labels are the numbers of actions less one."""
    for performer in range(1, 41):
        write_clip(tmp_path, f"S017C{performer % 3 + 1:03}P{performer:03}R002A060")
    clips = checked(Ntu60(protocol=protocol).load(split, tmp_path))  # type: ignore[arg-type] # one of the literals
    inside = {"xsub": TRAINING, "xview": [performer for performer in range(1, 41) if performer % 3]}[protocol]
    assert clips.subject.tolist() == [p for c in "123" for p in range(1, 41) if p % 3 + 1 == int(c) and (p in inside) == (split == "train")]
    assert set(clips.label.tolist()) == {59}
    assert all(int(name[9:12]) == subject for name, subject in zip(clips.clip, clips.subject, strict=True))


def test_what_the_owners_list_is_left_out(tmp_path: Path) -> None:
    """Names below the three lines of heading of either list are not read, be they broken or whole."""
    for name in ("S001C001P001R001A001", "S001C001P001R001A002", "S001C001P002R001A003"):
        write_clip(tmp_path, name)
    write(tmp_path / "nturgb+d_skeletons" / "S001C001P001R001A002.skeleton", "5\n0\n")
    heading = "2 of the captured samples have missing skeletons.\nPlease ignore these files.\n\n"
    write(tmp_path / "NTU_RGBD_samples_with_missing_skeletons.txt", heading + "S001C001P001R001A002\n")
    assert Ntu60().load("train", tmp_path).clip == ("S001C001P001R001A001", "S001C001P002R001A003")
    write(
        tmp_path / "NTU_RGBD120_samples_with_missing_skeletons.txt",
        heading.replace("\n", "\r\n") + "S001C001P002R001A003\r\nS032C003P067R002A077\r\n",
    )
    assert Ntu60().load("train", tmp_path).clip == ("S001C001P001R001A001",)


def test_a_list_of_anything_else_is_refused(tmp_path: Path) -> None:
    """A line that is no name, below the heading, is refused: it would leave in what should be out."""
    write(write_clip(tmp_path, "S001C001P001R001A001").parent.parent / "NTU_RGBD_samples_with_missing_skeletons.txt", "a\nb\n\nS001C001\n")
    rule = "below the 3 lines of its heading are names, such as S001C002P005R002A008."
    refused(f"'{{}}/NTU_RGBD_samples_with_missing_skeletons.txt', line 4 is 'S001C001'; {rule}", tmp_path)


def test_a_recording_of_nobody_is_refused(tmp_path: Path) -> None:
    """Where no frame has a body there is nothing to learn, and the owners' list is missing."""
    write(tmp_path / "S001C001P001R001A001.skeleton", "2\n0\n0\n")
    rule = "the owners list such recordings in NTU_RGBD_samples_with_missing_skeletons.txt: put it there."
    refused(f"'{{}}/S001C001P001R001A001.skeleton' has no body in any of its 2 frames; {rule}", tmp_path)


@pytest.mark.parametrize(
    "name", ["S001C001P001R001A061", "S001C004P001R001A001", "S001C001P041R001A001", "S033C001P001R001A001", "a", "S1"]
)
def test_a_name_that_the_set_does_not_have_is_refused(name: str, tmp_path: Path) -> None:
    """Setups, cameras, people, repetitions and actions are those of the data set."""
    path = write_clip(tmp_path, name)
    refused(f"{str(path)!r} is no recording of this data set; names go from S001C001P001R001A001 to S017C003P040R002A060.", tmp_path)


def test_the_larger_set_holds_the_smaller(tmp_path: Path) -> None:
    """Of a folder of all 120 actions only setups 1 to 17 are read."""
    write_clip(tmp_path, "S017C001P001R001A001")
    write(tmp_path / "nturgb+d_skeletons120" / "S018C001P001R001A061.skeleton", "not read")
    assert Ntu60().load("train", tmp_path).clip == ("S017C001P001R001A001",)


def test_one_name_in_two_places_is_refused(tmp_path: Path) -> None:
    """A recording that is there twice would count twice."""
    inside = write_clip(tmp_path, "S001C001P001R001A001")
    outside = write(tmp_path / inside.name, inside.read_bytes())
    refused(f"{str(outside)!r} and {str(inside)!r} are recordings of one name; keep one of them.", tmp_path)


def test_a_split_without_recordings_is_told(tmp_path: Path) -> None:
    """A split that has no recording names the folder and what was looked for."""
    write_clip(tmp_path, "S001C001P001R001A001")
    rule = "there are 1 files of names such as S017C003P040R002A060.skeleton in . or nturgb+d_skeletons or nturgb+d_skeletons120."
    refused(f"'{{}}' has no recording of the test split: {rule}", tmp_path, "test")


def test_there_is_no_validation_split() -> None:
    """The protocols have none, and the published counts are those less the owners' list."""
    assert Ntu60().splits == SPLITS
    assert sum(Ntu60().published.values()) == sum(Ntu60(protocol="xview").published.values()) == 56_880 - 302  # type: ignore[arg-type] # one of the literals
