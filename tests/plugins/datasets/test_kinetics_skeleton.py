"""Kinetics-skeleton: two people by score as ST-GCN takes them, the label files, and malformed files told in words."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mgbench_plugins.datasets.kinetics_skeleton import KineticsSkeleton, read_clip

from mgbench import Clips, DataError
from mgbench.components import Split
from mgbench.paths import dataset_folder


def person(score: float, place: float = 0.75) -> dict[str, Any]:
    """Return a person all of whose joints are at one place."""
    return {"pose": [place, 0.25] * 18, "score": [score] * 18}


def write_video(root: Path, video: str, frames: dict[int, list[Any]], label: int = 3, part: str = "kinetics_train") -> Path:
    """Write a video and list it."""
    folder, listed = root / part, root / f"{part}_label.json"
    folder.mkdir(exist_ok=True)
    entries = json.loads(listed.read_text()) if listed.exists() else {}
    entries[video] = {"has_skeleton": True, "label": f"name {label}", "label_index": label}
    listed.write_text(json.dumps(entries))
    data = [{"frame_index": number, "skeleton": people} for number, people in frames.items()]
    path = folder / f"{video}.json"
    path.write_text(json.dumps({"data": data, "label": f"name {label}", "label_index": label}))
    return path


def loaded(root: Path, split: Split = "train") -> Clips:
    """Load a split and hold it against the contract of the data set."""
    dataset = KineticsSkeleton()
    return dataset.load(split, root).check(dataset.skeleton, len(dataset.classes), "kinetics_skeleton")


def refused(said: str, root: Path) -> None:
    """Hold the whole sentence of the error against what is expected; `{}` stands for the root."""
    with pytest.raises(DataError, match=f"^{re.escape(said.replace('{}', str(root)))}$"):
        loaded(root)


@pytest.mark.data
def test_the_fixtures_load(data_folder: Path) -> None:
    """Real poses in this layout give the clips that the label file lists; a frame in which nobody was seen is zero."""
    folder = dataset_folder(KineticsSkeleton(), data_folder / "format_fixtures")
    clips = loaded(folder, "test")
    assert (clips.clip, clips.label.tolist()) == (("ar_000", "ar_050", "ar_230"), [0, 1, 5])
    assert len(set(clips.subject.tolist())) == 3
    held = json.loads((folder / "kinetics_val" / "ar_050.json").read_text())["data"]
    first = held[0]["skeleton"][0]
    np.testing.assert_allclose(clips[1][0, 0, :, :2].ravel(), np.array(first["pose"]) - 0.5, atol=1e-7)
    empty = {(video, frame) for video in range(3) for frame in range(40) if not clips[video][frame].any()}
    told = {
        (video, entry["frame_index"] - 1)
        for video, name in enumerate(clips.clip)
        for entry in json.loads((folder / "kinetics_val" / f"{name}.json").read_text())["data"]
        if not entry["skeleton"]
    }
    assert empty == told != set()


def test_the_two_people_of_highest_scores_are_kept(tmp_path: Path) -> None:
    """In each frame the first five people are looked at, and two kept: the higher score first, the earlier where scores are equal."""
    crowd = [person(0.1, 0.1), person(0.9, 0.9), person(0.5, 0.5), person(0.9, 0.8), person(0.2), person(1.0, 0.0)]
    path = write_video(tmp_path, "v", {4: crowd, 5: [], 7: crowd[:1]})
    clip = read_clip(str(path), 3)
    assert clip.shape == (4, 2, 18, 3)
    np.testing.assert_allclose(clip[0, :, 0], [[0.4, -0.25, 0.9], [0.3, -0.25, 0.9]], atol=1e-6)
    np.testing.assert_allclose(clip[3, 0, 17], [-0.4, -0.25, 0.1], atol=1e-6)
    assert not clip[1:3].any()
    assert not clip[3, 1].any()


def test_a_joint_without_score_is_zero(tmp_path: Path) -> None:
    """Places count from the middle of the image; where the score is zero, so is the place."""
    seen = person(0.5)
    seen["score"][2] = 0
    clip = read_clip(str(write_video(tmp_path, "v", {0: [seen]})), 3)
    np.testing.assert_array_equal(clip[0, 0, 2], [0, 0, 0])
    np.testing.assert_array_equal(clip[0, 0, 3], [0.25, -0.25, 0.5])


def test_the_splits_are_the_owners(tmp_path: Path) -> None:
    """Training and validation videos are train and test; those in which nobody was seen are not read; each video is a subject."""
    for video, label in (("b", 399), ("a", 0), ("none", 1)):
        write_video(tmp_path, video, {1: [person(1)]}, label)
    write_video(tmp_path, "c", {1: [person(1)], 2: [person(1)]}, 7, "kinetics_val")
    listed = tmp_path / "kinetics_train_label.json"
    entries = json.loads(listed.read_text())
    entries["none"]["has_skeleton"] = False
    listed.write_text(json.dumps(entries))
    (tmp_path / "kinetics_train" / "none.json").unlink()
    train, test = loaded(tmp_path), loaded(tmp_path, "test")
    assert (train.clip, train.label.tolist(), train.frames.tolist()) == (("a", "b"), [0, 399], [1, 1])
    assert (test.clip, test.label.tolist(), test.frames.tolist()) == (("c",), [7], [2])
    assert len({*train.subject.tolist(), *test.subject.tolist()}) == 3
    assert (train.subject >= 0).all()


def test_a_video_of_nobody_is_zero(tmp_path: Path) -> None:
    """Frames are kept where nobody was seen in any of them, though the label file says that there is a skeleton."""
    write_video(tmp_path, "v", {1: [], 2: []})
    assert loaded(tmp_path).x.shape == (2, 2, 18, 3)
    assert not loaded(tmp_path).x.any()


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ({}, "has no frame; 'data' must be a list of at least one."),
        ({3: [], 2: []}, "entry 1 of 'data' is frame 2 after 3; frames rise, and a clip has 300 at most."),
        ({3: [], 303: []}, "entry 1 of 'data' is frame 303 after 3; frames rise, and a clip has 300 at most."),
        ({3: [], 10**12: []}, f"entry 1 of 'data' is frame {10**12} after 3; frames rise, and a clip has 300 at most."),
        ({3: {}}, "entry 0 of 'data' must have a whole number as 'frame_index' and a list as 'skeleton'."),
        ({3: [person(1)], 4: [person(1), {}]}, "frame 4 has a person without 36 finite numbers as 'pose' and 18 as 'score'."),
        ({3: [{**person(1), "pose": [0.5] * 35}]}, "frame 3 has a person without 36 finite numbers as 'pose' and 18 as 'score'."),
        ({3: [person(float("inf"))]}, "frame 3 has a person without 36 finite numbers as 'pose' and 18 as 'score'."),
        ({3: [person(1), 5]}, "frame 3 has a person without 36 finite numbers as 'pose' and 18 as 'score'."),
    ],
)
def test_a_malformed_video_names_file_frame_and_rule(frames: dict[int, Any], said: str, tmp_path: Path) -> None:
    """Frames rise within a clip's length, and people have joints and scores; a large number takes no memory."""
    path = write_video(tmp_path, "v", frames)
    comma = "" if said.startswith("has") else ","
    refused(f"{str(path)!r}{comma} {said}", tmp_path)


def test_a_class_that_is_not_the_listed_one_is_refused(tmp_path: Path) -> None:
    """A video and the label file say one class."""
    path = write_video(tmp_path, "v", {1: []})
    path.write_text(path.read_text().replace('"label_index": 3', '"label_index": 4'))
    refused(f"{str(path)!r} has the class 4; the label file beside its folder says 3.", tmp_path)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (
            {"v": {"has_skeleton": True, "label_index": 400}},
            "entry 'v' must have a 'label_index' of 0 to 399 and 'has_skeleton', true or false.",
        ),
        ({"v": {"label_index": 0}}, "entry 'v' must have a 'label_index' of 0 to 399 and 'has_skeleton', true or false."),
        ({"v": 5}, "entry 'v' must have a 'label_index' of 0 to 399 and 'has_skeleton', true or false."),
        (
            {video: {"has_skeleton": True, "label": video, "label_index": 2} for video in "vw"},
            "entry 'w' calls class 2 'w'; an entry before it says 'v'.",
        ),
        ({"v": {"has_skeleton": False, "label_index": 0}}, "lists no video whose 'has_skeleton' is true; a split needs at least one."),
    ],
)
def test_a_malformed_label_file_names_entry_and_rule(entries: dict[str, Any], said: str, tmp_path: Path) -> None:
    """Entries have a class and tell whether anybody was seen, and a class has one name."""
    (tmp_path / "kinetics_train_label.json").write_text(json.dumps(entries))
    comma = "" if said.startswith("lists") else ","
    refused(f"'{{}}/kinetics_train_label.json'{comma} {said}", tmp_path)


@pytest.mark.parametrize("video", ["../../secret", "/etc/hostname", "a/b", "a\0b", "\ud800", "", ".", "..", "a\n"])
def test_a_video_is_a_file_of_its_folder(video: str, tmp_path: Path) -> None:
    """A name that leads out of the folder, or is no name of a file, is refused before anything is opened."""
    write_video(tmp_path, "v", {1: []})
    (tmp_path / "kinetics_train_label.json").write_text(json.dumps({video: {"has_skeleton": True, "label": "a", "label_index": 3}}))
    with pytest.raises(DataError, match=r"kinetics_train_label\.json' lists the video '.*'; a video is named like its file, in letters"):
        loaded(tmp_path)


def test_missing_and_cut_files_are_named(tmp_path: Path) -> None:
    """The label file, and each video that it lists, must be there and whole."""
    refused("The file '{}/kinetics_train_label.json' is missing.", tmp_path)
    path = write_video(tmp_path, "v", {1: [person(1)]})
    text = path.read_text()
    for end in np.random.default_rng(0).choice(len(text), 50, replace=False):
        path.write_text(text[:end])
        with pytest.raises(DataError, match=r"v\.json' is no JSON: .*; copy the file again if it is cut off\."):
            loaded(tmp_path)
    path.unlink()
    refused(f"The file {str(path)!r} is missing.", tmp_path)
