"""iMiGUE by people, as in the paper: the table of subjects."""

import shutil
from pathlib import Path

import pytest
from imigue_files import SPLITS, recording, refused, write_video
from mgbench_plugins.datasets.imigue import Imigue

from mgbench import DataError
from mgbench.paths import dataset_folder


def write_table(root: Path, text: str) -> None:
    """Write the full release's table of labels."""
    (root / "Label").mkdir()
    (root / "Label" / "labels_20200831.csv").write_text(text)


def test_the_papers_protocol_splits_people(tmp_path: Path) -> None:
    """37 people train, of whom the last five validate here, and 35 test, whatever MiGA does with their videos."""
    people = {20 + person: person for person in range(1, 73)}
    for video in people:
        write_video(tmp_path / "train", video, recording(1), "1,0,0\n")
    lines = [f"{video},{person},1,0,0,Win\n{video},{person},2,0,0,Win\n" for video, person in people.items()]
    write_table(tmp_path, "video_id,subject_id,class,start_frame,end_frame,win_or_lose\n" + "".join(lines))
    found = {split: Imigue(protocol="paper").load(split, tmp_path).subject.tolist() for split in SPLITS}

    assert {split: len(people) for split, people in found.items()} == {"train": 32, "val": 5, "test": 35}
    assert found["train"][:6] == [2, 4, 5, 6, 9, 10]
    assert found["val"] == [52, 53, 59, 61, 62]
    assert found["test"] == [1, 3, 7, 8, 11, 16, 19, 24, 26, 27, 32, 33, 34, 37, 40, 45, 49, 50, 51, 54, 55, 56, 57, 58, 60,
                             *range(63, 73)]  # fmt: skip


TABLE = "'{}/Label/labels_20200831.csv'"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("video_id,subject,class\n12,2,1\n", f"{TABLE} has no column 'subject_id'; did you mean 'subject'?"),
        ("video_id,subject_id\n12,2\n12,4\n", f"{TABLE}, line 3 gives video 12 to another subject than an earlier line; a video has one."),
        ("video_id,subject_id\n12,73\n", f"{TABLE}, line 2 lacks a video, or a subject from 1 to 72; each clip has both."),
        ("video_id,subject_id\n13,2\n12,\n", f"{TABLE}, line 3 lacks a video, or a subject from 1 to 72; each clip has both."),
        ("video_id,subject_id\n13,2\n", f"{TABLE} has no line of video 12, whose recording is there; each video needs a subject."),
    ],
)
def test_a_malformed_table_names_file_line_and_rule(table: str, said: str, tmp_path: Path) -> None:
    """Every recorded video has one of the 72 people."""
    write_video(tmp_path, 12, recording(1), "1,0,0\n")
    write_table(tmp_path, table)
    refused(said, tmp_path, dataset=Imigue(protocol="paper"))


def test_the_papers_protocol_needs_the_full_release(tmp_path: Path) -> None:
    """Without the table of people, the error says who has it, and what works without."""
    write_video(tmp_path, 12, recording(1), "1,0,0\n")
    refused(
        "imigue[protocol=paper] splits people, and '{}' lacks Label/labels_20200831.csv, the table of the full release that names them; "
        "ask its owners for it, or use protocol=miga.",
        tmp_path,
        dataset=Imigue(protocol="paper"),
    )


def test_a_missing_folder_says_who_grants_it(tmp_path: Path) -> None:
    """Without the folder the message names the owner and the expected tree."""
    shutil.rmtree(tmp_path)
    with pytest.raises(DataError, match=r"(?s)'imigue' or 'iMiGUE'.*University of Oulu.*0012_light_hand\.csv"):
        dataset_folder(Imigue(), tmp_path)
