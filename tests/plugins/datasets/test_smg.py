"""SMG in the owners' files of recordings and labels."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from mgbench_plugins.datasets.smg import Smg, read_skeleton_csv
from smg_files import SPLITS, checked, refused

from mgbench import DataError
from mgbench.components import Split
from mgbench.paths import dataset_folder


OFFICIAL = {"train": range(1, 31), "val": range(31, 36), "test": range(36, 41)}


def recording(frames: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Return coordinates `(T, 25, 3)` of nobody."""
    return np.random.default_rng(seed).normal(size=(frames, 25, 3)).astype(np.float32)


def as_csv(x: npt.NDArray[np.float32]) -> str:
    """Write coordinates as SMG does: eleven columns a joint, of which the first three are x, y, z."""
    columns = np.full((len(x), 25, 11), -1.5)
    columns[:, :, :3] = x
    return "".join(",".join(map(repr, row.tolist())) + "\n" for row in columns.reshape(len(x), 275))


def write_subject(root: Path, subject: int, x: npt.NDArray[np.float32], labels: str) -> Path:
    """Write one subject's three files and return their folder."""
    folder = root / f"Sample{subject:04}"
    folder.mkdir(parents=True)
    (folder / f"{folder.name}_skeleton.csv").write_text(as_csv(x))
    (folder / f"{folder.name}_finelabels.csv").write_text(labels)
    (folder / f"{folder.name}_data.csv").write_text(f"{len(x)},28,8000\n")
    return folder


@pytest.mark.data
def test_the_fixtures_load(data_folder: Path) -> None:
    """Real recordings in SMG's layout give the clips that their label files list, row for row, split by split."""
    folder = dataset_folder(Smg(), data_folder / "format_fixtures")
    expected = {"train": ([4, 7, 8, 2, 16], 1), "val": ([7, 8], 31), "test": ([7, 8, 4], 36)}
    for split in SPLITS:
        clips = checked(Smg().load(split, folder))
        labels, subject = expected[split]
        assert clips.label.tolist() == labels
        assert set(clips.subject.tolist()) == {subject}
        assert clips.frames.tolist() == [69] * len(labels)
    first = Smg().load("train", folder)[0]
    lines = (folder / "Sample0001" / "Sample0001_skeleton.csv").read_text().splitlines()
    np.testing.assert_array_equal(first[0, 0, 24], np.float32(lines[6].split(",")[264:267]))
    np.testing.assert_array_equal(first[-1, 0, 0], np.float32(lines[74].split(",")[:3]))


def test_frames_count_from_zero_and_exclude_the_end(tmp_path: Path) -> None:
    """A clip is the rows from start to end - 1, counted from 0, as the owners' converter takes them; clips may overlap."""
    x = recording(8)
    write_subject(tmp_path, 2, x, "5,0,8\n17,3,4\n1,2,6\n")
    clips = checked(Smg().load("train", tmp_path))
    assert clips.label.tolist() == [4, 16, 0]
    assert clips.clip == ("Sample0002-0001", "Sample0002-0002", "Sample0002-0003")
    for index, rows in enumerate((x, x[3:4], x[2:6])):
        np.testing.assert_array_equal(clips[index][:, 0], rows)


@pytest.mark.parametrize("split", SPLITS)
def test_the_split_is_the_owners(split: Split, tmp_path: Path) -> None:
    """Subjects 1-30 train, 31-35 validate and 36-40 test."""
    for subject in range(1, 41):
        write_subject(tmp_path, subject, recording(1), "1,0,1\n")
    assert Smg().load(split, tmp_path).subject.tolist() == list(OFFICIAL[split])


def test_samples_lie_as_deep_as_zips_unpack_them(tmp_path: Path) -> None:
    """MiGA's folders are looked through; a subject that lies in two is read once, and what macOS packs beside is no subject."""
    write_subject(tmp_path / "smg_skeleton_train", 1, recording(4), "1,0,2\n")
    write_subject(tmp_path / "phase1" / "smg_skeleton_validate", 31, recording(4), "2,0,2\n")
    write_subject(tmp_path / "phase2" / "a", 1, recording(4), "3,0,2\n")
    (tmp_path / "__MACOSX" / "Sample0002").mkdir(parents=True)

    assert [Smg().load(split, tmp_path).clip for split in SPLITS[:2]] == [("Sample0001-0001",), ("Sample0031-0001",)]
    assert Smg().load("train", tmp_path).label.tolist() == [0]


def test_a_split_without_subjects_is_told(tmp_path: Path) -> None:
    """A split that has no clip names the folder and the subjects that it looked for."""
    write_subject(tmp_path, 1, recording(1), "1,0,1\n")
    refused("'{}' has no clip of the test split, Sample0036 to Sample0040.", tmp_path, "test")


@settings(derandomize=True, deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(x=arrays.arrays(np.float32, st.tuples(st.integers(1, 3), st.just(25), st.just(3)), elements=st.floats(-9, 9, width=32)))
def test_a_recording_comes_back(x: npt.NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Coordinates that are written and read come back bit for bit."""
    path = tmp_path_factory.mktemp("smg") / "x.csv"
    path.write_text(as_csv(x))
    np.testing.assert_array_equal(read_skeleton_csv(path), x)


@settings(derandomize=True, deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(end=st.integers(0, len(as_csv(recording(2)))))
def test_a_cut_recording_never_passes(end: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A file cut off anywhere is an error, or nothing that is read is lost: it never gives fewer or other frames."""
    root = tmp_path_factory.mktemp("smg")
    x = recording(2)
    write_subject(root, 1, x, "1,0,1\n")
    (root / "Sample0001" / "Sample0001_skeleton.csv").write_text(as_csv(x)[:end])
    if end > len(as_csv(x)) - 5:  # within the last column, which is not read
        np.testing.assert_array_equal(Smg().load("train", root)[0][:, 0], x[:1])
    else:
        with pytest.raises(DataError, match="Sample0001_"):
            Smg().load("train", root)


@pytest.mark.parametrize("change", ["\r\n", "spaces", "mark", "unread"])
def test_harmless_variants_load(change: str, tmp_path: Path) -> None:
    """Line ends of Windows, spaces, a byte-order mark, and anything in columns that are not read change nothing."""
    x, text = recording(3), as_csv(recording(3))
    changed = {
        "\r\n": text.replace("\n", "\r\n"),
        "spaces": text.replace(",", ", "),
        "mark": "\ufeff" + text,
        "unread": text.replace("-1.5", "-inf", 2).replace("-1.5", "", 1),
    }
    (tmp_path / "x.csv").write_bytes(changed[change].encode())
    np.testing.assert_array_equal(read_skeleton_csv(tmp_path / "x.csv"), x)


@pytest.mark.parametrize(
    ("line", "cells", "said"),
    [
        (2, slice(0, 275), "line 2 has 1 columns; each has 25 joints x 11 = 275: copy the file again if it is cut off."),
        (3, slice(274, 275), "line 3 has 274 columns; each has 25 joints x 11 = 275: copy the file again if it is cut off."),
        (1, "1,1", "line 1 has 276 columns; each has 25 joints x 11 = 275: copy the file again if it is cut off."),
        (2, "metre", "line 2, column 1 holds 'metre'; a coordinate is a finite number."),
        (2, "NaN", "line 2, column 1 holds 'NaN'; a coordinate is a finite number."),
        (3, "-inf", "line 3, column 1 holds '-inf'; a coordinate is a finite number."),
        (3, "1e39", "line 3, column 1 holds '1e39'; a coordinate is a finite number."),
        (1, "", "line 1, column 1 holds ''; a coordinate is a finite number."),
    ],
)
def test_a_malformed_recording_names_file_line_and_rule(line: int, cells: str | slice, said: str, tmp_path: Path) -> None:
    """A line of the wrong length or a coordinate that is no finite number is refused, wherever it stands."""
    rows = [row.split(",") for row in as_csv(recording(3)).splitlines()]
    if isinstance(cells, slice):
        del rows[line - 1][cells]
    else:
        rows[line - 1][0] = cells
    folder = write_subject(tmp_path, 1, recording(3), "1,0,1\n")
    (folder / "Sample0001_skeleton.csv").write_text("".join(",".join(row) + "\n" for row in rows))
    refused(f"'{{}}/Sample0001/Sample0001_skeleton.csv', {said}", tmp_path)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("1,0,2\n18,0,2\n", "line 2 has class 18; allowed are 1 to 17."),
        ("0,0,2\n", "line 1 has class 0; allowed are 1 to 17."),
        ("1,2,2\n", "line 1 is an empty clip: it starts at frame 2 and ends before 2; the start must be smaller."),
        ("1,2,1\n", "line 1 is an empty clip: it starts at frame 2 and ends before 1; the start must be smaller."),
        ("1,0,3\n1,0,4\n", "line 2 takes frames 0 to 3; the recording has 0 to 2."),
        ("1,-1,2\n", "line 1 takes frames -1 to 1; the recording has 0 to 2."),
        ("1,0\n", "line 1 is '1,0'; it must be 3 whole numbers: class, first frame, frame after the last."),
        ("1,0,2.5\n", "line 1 is '1,0,2.5'; it must be 3 whole numbers: class, first frame, frame after the last."),
        ("", "is empty; it needs at least one line."),
    ],
)
def test_malformed_labels_name_file_line_and_rule(labels: str, said: str, tmp_path: Path) -> None:
    """Classes outside 1-17, empty clips, and frames that the recording lacks are refused."""
    write_subject(tmp_path, 1, recording(3), labels)
    comma = " " if said.startswith("is empty") else ", "
    refused(f"'{{}}/Sample0001/Sample0001_finelabels.csv'{comma}{said}", tmp_path)


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ("4,28,8000\n", "line 1 states 4 frames; the recording beside it has 3, so one of them is cut off or changed."),
        ("3,28\n", "line 1 is '3,28'; it must be 3 whole numbers: frames, frames a second, greatest depth."),
        ("3,28,8000\n3,28,8000\n", "line 2 states 3 frames; the file has one line."),
    ],
)
def test_the_stated_frames_must_agree(stated: str, said: str, tmp_path: Path) -> None:
    """The recording has as many lines as the file beside it states."""
    folder = write_subject(tmp_path, 1, recording(3), "1,0,1\n")
    (folder / "Sample0001_data.csv").write_text(stated)
    refused(f"'{{}}/Sample0001/Sample0001_data.csv', {said}", tmp_path)


@pytest.mark.parametrize("kind", ["skeleton", "finelabels", "data"])
def test_a_missing_file_is_named(kind: str, tmp_path: Path) -> None:
    """A subject's folder without one of its three files is refused."""
    folder = write_subject(tmp_path, 1, recording(3), "1,0,1\n")
    (folder / f"Sample0001_{kind}.csv").unlink()
    rule = "a subject has _skeleton.csv, _finelabels.csv and _data.csv."
    refused(f"The file '{{}}/Sample0001/Sample0001_{kind}.csv' is missing; {rule}", tmp_path)


def test_an_empty_recording_is_told(tmp_path: Path) -> None:
    """A recording without a line is refused."""
    folder = write_subject(tmp_path, 1, recording(3), "1,0,1\n")
    (folder / "Sample0001_skeleton.csv").write_text("")
    refused("'{}/Sample0001/Sample0001_skeleton.csv' is empty; it needs at least one line.", tmp_path)
