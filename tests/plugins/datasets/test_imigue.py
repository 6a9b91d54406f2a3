"""iMiGUE: recordings in all their folders, MiGA's protocol, frames with and without a header, and malformed files told in words."""

import re
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from imigue_files import SPLITS, as_csv, recording, refused, write_video
from mgbench_plugins.datasets.imigue import Imigue, read_skeleton_csv, split_of_video

from mgbench import Clips, DataError
from mgbench.paths import dataset_folder


#: Where the points of the 22 joints stand among the 35 of a file: nose to left wrist, the face, the hands.
UPPER = (0, 1, 2, 3, 4, 5, 6, 7, 15, 16, 17, 18, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34)


def counted(first: str = "") -> str:
    """Return the header of the files: a first cell, then 0 to 104."""
    return ",".join([first, *map(str, range(105))])


def checked(clips: Clips, dataset: Imigue) -> Clips:
    """Hold clips against the contract of the data set."""
    return clips.check(dataset.skeleton, len(dataset.classes), "imigue")


@pytest.mark.data
@pytest.mark.parametrize("joints", ["body25", "imigue22"])
def test_the_fixtures_load(joints: str, data_folder: Path) -> None:
    """Recordings in iMiGUE's layout give the clips that their label files list, one frame less where a header takes the first."""
    dataset = Imigue(joints=joints)  # type: ignore[arg-type] # one of the literals
    folder = dataset_folder(dataset, data_folder / "format_fixtures")
    val, test = (checked(dataset.load(split, folder), dataset) for split in SPLITS[1:])

    assert val.clip == ("0001_0", "0001_1", "0001_2", "0001_3", "0002_0", "0002_1")
    assert val.label.tolist() == [7, 22, 30, 31, 7, 22]
    assert val.frames.tolist() == [91, 60, 92, 60, 92, 60]
    assert (test.label.tolist(), test.frames.tolist(), test.subject.tolist()) == ([7, 22, 7], [91, 60, 92], [54] * 3)
    np.testing.assert_array_equal(val[4][0, 0, :2], np.float32([[151.238, 203.305, 1], [155.216, 221.989, 1]]))
    lines = (folder / "imigue_skeleton_train" / "0001" / "0001_light_hand.csv").read_text().splitlines()
    np.testing.assert_array_equal(val[1][0, 0, 7], np.float32(lines[92].split(",")[22:25]))  # label frame 92, the header being 0
    refused(
        f"'{{}}' has no clip of the train split of {dataset}; its videos with a recording: 2 of val, 1 of test.", folder, dataset=dataset
    )


@pytest.mark.data
def test_without_training_videos_those_of_validation_are_fitted_on(data_folder: Path, tmp_path: Path) -> None:
    """The fixture holds none that trains: it is known as two splits, and complete data as three."""
    folder = dataset_folder(Imigue(), data_folder / "format_fixtures")
    whole = tmp_path / "imigue" / "imigue_skeleton_train" / "0012"
    shutil.copytree(folder / "imigue_skeleton_train" / "0001", whole)
    for path in [*whole.iterdir()]:
        path.rename(path.with_name(path.name.replace("0001", "0012")))

    assert Imigue().at(folder).splits == ("val", "test")
    assert len(Imigue().at(folder).load("val", folder)) == 6
    assert Imigue().at(tmp_path / "imigue").splits == ("train", "val", "test")


@pytest.mark.parametrize("joints", ["body25", "imigue22"])
@pytest.mark.parametrize("header", [counted(), counted("frame"), "," * 105])
def test_frames_count_lines_from_zero_with_the_header(joints: str, header: str, tmp_path: Path) -> None:
    """Labels name the first and the last line, counted from 0: with a header the first frame is 1, and frame 0 is no frame."""
    dataset, x = Imigue(joints=joints), recording(6)  # type: ignore[arg-type] # one of the literals
    write_video(tmp_path / "imigue_skeleton_train", 12, x, "31,0,3\n99,2,2\n1,4,5\n")
    write_video(tmp_path / "imigue_skeleton_train", 13, x, "31,0,3\n99,2,2\n1,4,6\n", header)
    clips = checked(dataset.load("train", tmp_path), dataset)
    points = UPPER if joints == "imigue22" else range(25)

    assert clips.label.tolist() == [30, 31, 0] * 2
    for clip, rows in zip(range(6), (x[:4], x[2:3], x[4:], x[:3], x[1:2], x[3:]), strict=True):
        np.testing.assert_array_equal(clips[clip][:, 0], rows[:, points])


def test_missing_points_stay_zero(tmp_path: Path) -> None:
    """A point that OpenPose did not find is zero in all three channels."""
    x = recording(3)
    x[1, 4] = 0
    write_video(tmp_path / "train", 12, x, "1,0,2\n")
    assert not Imigue().load("train", tmp_path)[0][1, 0, 4].any()


def test_videos_are_split_as_in_miga(tmp_path: Path) -> None:
    """Ten videos validate, 104 test, the others train; those without usable skeletons, which may be empty, are left out."""
    homes = [split_of_video(video) for video in range(1, 454)]
    test = [video for video, home in enumerate(homes, start=1) if home == "test"]
    assert [video for video, home in enumerate(homes, start=1) if home == "val"] == [1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert (len(test), test[0], sum(test)) == (104, 54, 28617)

    for video in (4, 5, 217, 218, 319, 347, 348, 349):
        write_video(tmp_path / "imigue_skeleton_train", video, recording(1), "1,0,0\n")
    for video in (347, 348):
        (tmp_path / "imigue_skeleton_train" / f"{video:04}" / f"{video:04}_light_hand.csv").write_text("")
    assert [Imigue().load(split, tmp_path).subject.tolist() for split in SPLITS] == [[5, 217], [4], [349]]


def test_the_published_counts_are_those_of_the_owners() -> None:
    """12,893 clips train and 777 validate, class by class; of 4,562 test clips the classes are not known."""
    published = Imigue().published
    sums = {split: np.sum(counts) for split, counts in published.items()}
    assert sums == {"train": 12893, "val": 777, "test": 4562}
    assert Imigue(protocol="paper").published == {}


@pytest.mark.parametrize("place", ["imigue_skeleton_validate", "imigue_data_phase1/datasets/imigue_skeleton_train", "a/b/c/d", "."])
def test_folders_may_be_nested(place: str, tmp_path: Path) -> None:
    """A video is found in the folders of the zips as they unpack, and its number alone decides its split."""
    write_video(tmp_path / place, 4, recording(2), "1,0,1\n")
    assert Imigue().load("val", tmp_path).clip == ("0004_0",)


def test_a_video_in_two_folders_is_read_once(tmp_path: Path) -> None:
    """MiGA's training folder may hold the validation videos too."""
    for place in ("imigue_skeleton_train", "imigue_skeleton_validate"):
        write_video(tmp_path / place, 4, recording(2), "1,0,1\n2,1,1\n")
    assert Imigue().load("val", tmp_path).clip == ("0004_0", "0004_1")


def test_files_without_hands_give_the_body(tmp_path: Path) -> None:
    """`_light.csv` has the 25 points of the body; it is read where there is no file with hands, and only for the body."""
    x = recording(2, points=25)
    folder = write_video(tmp_path, 12, recording(2), "1,0,1\n")
    (folder / "0012_light_hand.csv").unlink()
    (folder / "0012_light.csv").write_text(as_csv(x))

    np.testing.assert_array_equal(Imigue().load("train", tmp_path)[0][:, 0], x)
    upper = Imigue(joints="imigue22")
    refused("'{}' has no clip of the train split of imigue[joints=imigue22]; its videos with a recording: 1 of train.", tmp_path,
            dataset=upper)  # fmt: skip


@settings(derandomize=True, deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(
    x=arrays.arrays(np.float32, st.tuples(st.integers(1, 3), st.just(35), st.just(3)), elements=st.floats(0, 2000, width=32)),
    header=st.sampled_from(["", counted(), counted("x"), "," * 105]),
)
def test_a_recording_comes_back(x: npt.NDArray[np.float32], header: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Points that are written and read come back bit for bit, with any header or none."""
    path = tmp_path_factory.mktemp("imigue") / "0012_light_hand.csv"
    path.write_text(as_csv(x, header))
    read, first = read_skeleton_csv(path, UPPER)
    np.testing.assert_array_equal(read, x[:, UPPER])
    assert first == bool(header)


@pytest.mark.parametrize("header", ["", counted()])
@pytest.mark.parametrize("name", ["light_hand", "label"])
def test_a_cut_file_is_told_where_the_format_can_tell(header: str, name: str, tmp_path: Path) -> None:
    """A file cut off anywhere is an error by name, or what is read is whole.

    Two things the format cannot tell: a cut within the last number of a file, and label lines that are gone altogether.
    """
    x, labels = recording(3), f"1,{int(bool(header))},2\n12,2,{2 + bool(header)}\n"
    folder = write_video(tmp_path, 12, x, labels, header)
    path = folder / f"0012_{name}.csv"
    text = path.read_text()
    last = len(text.rpartition(",")[0]) + 1
    for end in sorted(np.random.default_rng(0).choice(len(text), min(50, len(text)), replace=False).tolist()):
        path.write_text(text[:end])
        try:
            clips = Imigue().load("train", tmp_path)
        except DataError as error:
            assert re.search(r"0012_(light_hand|label)\.csv", str(error)), end  # noqa: PT017
        else:
            assert name == "label" or end > last
            assert len(clips) == (2 if end > last else 1)
            np.testing.assert_array_equal(clips[0][:, 0], x[: 2 if header else 3, :25])


COLUMNS = "columns; each has a number and 35 points x 3 = 106: copy the file again if it is cut off."


@pytest.mark.parametrize(
    ("line", "cells", "said"),
    [
        (2, slice(0, 106), f"line 2 has 1 {COLUMNS}"),
        (3, slice(105, 106), f"line 3 has 105 {COLUMNS}"),
        (1, "1,1", f"line 1 has 107 {COLUMNS}"),
        (2, "pixel", "line 2, column 2 holds 'pixel'; a coordinate is a finite number."),
        (3, "nan", "line 3, column 2 holds 'nan'; a coordinate is a finite number."),
    ],
)
def test_a_malformed_recording_names_file_line_and_rule(line: int, cells: str | slice, said: str, tmp_path: Path) -> None:
    """A line of the wrong length or a coordinate that is no finite number is refused, wherever it stands."""
    rows = [row.split(",") for row in as_csv(recording(3)).splitlines()]
    if isinstance(cells, slice):
        del rows[line - 1][cells]
    else:
        rows[line - 1][1] = cells
    folder = write_video(tmp_path, 12, recording(3), "1,0,1\n")
    (folder / "0012_light_hand.csv").write_text("".join(",".join(row) + "\n" for row in rows))
    refused(f"'{{}}/0012/0012_light_hand.csv', {said}", tmp_path)


@pytest.mark.parametrize(
    ("labels", "header", "said"),
    [
        ("1,0,2\n32,0,2\n", "", ", line 2 has class 32; allowed are 1 to 31 and 99."),
        ("0,0,2\n", "", ", line 1 has class 0; allowed are 1 to 31 and 99."),
        ("1,2,1\n", "", ", line 1 is an empty clip: it goes from frame 2 to frame 1, and the first frame is 0."),
        ("1,0,0\n", counted(), ", line 1 is an empty clip: it goes from frame 0 to frame 0, and the first frame is 1."),
        ("1,1,3\n1,0,3\n", "", ", line 1 takes frames 1 to 3; the recording has 0 to 2."),
        ("1,1,3\n1,1,4\n", counted(), ", line 2 takes frames 1 to 4; the recording has 1 to 3."),
        ("1,-1,2\n", "", ", line 1 takes frames -1 to 2; the recording has 0 to 2."),
        ("1,0\n", "", ", line 1 is '1,0'; it must be 3 whole numbers: class, first frame, last frame."),
        ("1,0,2.5\n", "", ", line 1 is '1,0,2.5'; it must be 3 whole numbers: class, first frame, last frame."),
        ("", "", " is empty; it needs at least one line."),
    ],
)
def test_malformed_labels_name_file_line_and_rule(labels: str, header: str, said: str, tmp_path: Path) -> None:
    """Classes that do not exist, empty clips, and frames that the recording lacks are refused."""
    write_video(tmp_path, 12, recording(3), labels, header)
    refused(f"'{{}}/0012/0012_label.csv'{said}", tmp_path)


def test_a_missing_label_file_is_named(tmp_path: Path) -> None:
    """A recording without its labels is refused."""
    (write_video(tmp_path, 12, recording(3), "1,0,1\n") / "0012_label.csv").unlink()
    refused("The file '{}/0012/0012_label.csv' is missing; a video has _light_hand.csv and _label.csv.", tmp_path)
