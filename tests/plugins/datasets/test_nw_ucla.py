"""Northwestern-UCLA: the field's JSON, its cross-view protocol, the layout of Kinect v1, and malformed files told in words."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mgbench_plugins.datasets.nw_ucla import NwUcla

from mgbench import Clips, DataError, load_skeleton
from mgbench.components import Split
from mgbench.paths import dataset_folder


SPLITS: tuple[Split, ...] = ("train", "test")
LABELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 8: 7, 9: 8, 11: 9, 12: 10}
#: Child and parent joints of Kinect v1 as the field's graph has them.
BONES = "0-1 1-2 3-2 4-2 5-4 6-5 7-6 8-2 9-8 10-9 11-10 12-0 13-12 14-13 15-14 16-0 17-16 18-17 19-18"


def write_clip(root: Path, name: str, **changes: Any) -> Path:
    """Write a clip of two frames as the field has it, with these entries changed."""
    frames = np.arange(120, dtype=float).reshape(2, 20, 3).tolist()
    held = {"file_name": name, "skeletons": frames, "label": LABELS.get(int(name[1:3]), 0), **changes}
    path = root / "all_sqe" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(held))
    return path


def checked(clips: Clips) -> Clips:
    """Hold clips against the contract of the data set."""
    return clips.check(NwUcla().skeleton, 10, "nw_ucla")


@pytest.mark.data
def test_the_fixtures_load(data_folder: Path) -> None:
    """Real bodies in this layout give the clips that their names say, number for number."""
    folder = dataset_folder(NwUcla(), data_folder / "format_fixtures")
    train, test = (checked(NwUcla().load(split, folder)) for split in SPLITS)
    assert (train.label.tolist(), train.subject.tolist()) == ([0, 0, 1, 1], [1, 2, 1, 2])
    assert (test.clip, test.label.tolist()) == (("a01_s03_e00_v03", "a02_s03_e00_v03"), [0, 1])
    held = json.loads((folder / "all_sqe" / "a02_s03_e00_v03.json").read_text())["skeletons"]
    np.testing.assert_array_equal(test[1][:, 0], np.float32(held))


@pytest.mark.data
def test_the_fixtures_stand_upright(data_folder: Path) -> None:
    """Joints are those of the layout: heads above pelvises, shoulders a body's width apart."""
    x = NwUcla().load("train", dataset_folder(NwUcla(), data_folder / "format_fixtures")).x[:, 0]
    joint = NwUcla().skeleton.joint
    assert (x[:, joint("head"), 1] > x[:, joint("spine_base"), 1] + 0.3).all()
    assert 0.2 < np.median(np.linalg.norm(x[:, joint("shoulder_right")] - x[:, joint("shoulder_left")], axis=1)) < 0.5


def test_the_third_camera_tests(tmp_path: Path) -> None:
    """Cameras 1 and 2 train, camera 3 tests; actions 1-6, 8, 9, 11 and 12 are classes 0 to 9."""
    for action in LABELS:
        for view in (1, 2, 3):
            write_clip(tmp_path, f"a{action:02}_s10_e05_v{view:02}")
    train, test = (checked(NwUcla().load(split, tmp_path)) for split in SPLITS)
    assert (train.label.tolist(), test.label.tolist()) == (sorted([*range(10)] * 2), list(range(10)))
    assert {name[-1] for name in train.clip} == {"1", "2"}
    assert {name[-1] for name in test.clip} == {"3"}
    assert set(test.subject.tolist()) == {10}
    np.testing.assert_array_equal(test[0], np.arange(120, dtype=np.float32).reshape(2, 1, 20, 3))


def test_the_bones_are_those_of_the_field() -> None:
    """Kinect-20 is Kinect-25 without neck, tips and thumbs; its bones are the field's."""
    skeleton, larger = load_skeleton("kinect20"), load_skeleton("kinect25")
    assert set(skeleton.bones) == {(int(child), int(parent)) for child, _, parent in (bone.partition("-") for bone in BONES.split())}
    assert set(larger.joints) - set(skeleton.joints) == {"neck", "hand_tip_left", "thumb_left", "hand_tip_right", "thumb_right"}
    assert [skeleton.joints[i] for i in (3, 4, 11, 12, 19)] == ["head", "shoulder_left", "hand_right", "hip_left", "foot_right"]
    assert sum(skeleton.degrees) == 38


FRAME = [[0.0, 0.0, 0.0]] * 20
RULE = "must hold in 'skeletons' at least one frame of 20 joints of 3 finite numbers"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"label": 2}, "has the label 2; its name says action 1, whose label is 1."),
        ({"skeletons": []}, f"{RULE}."),
        ({"skeletons": None}, f"{RULE}."),
        ({"skeletons": [FRAME, FRAME[:19]]}, f"{RULE}; frame 1 is none."),
        ({"skeletons": [FRAME, FRAME, [[0.0, "1.0", 0.0]] * 20]}, f"{RULE}; frame 2 is none."),
        ({"skeletons": [[[0.0, float("nan"), 0.0]] * 20]}, f"{RULE}; frame 0 is none."),
        ({"skeletons": [[[0.0, 1e39, 0.0]] * 20]}, f"{RULE}; frame 0 is none."),
        ({"skeletons": [[[0, 10**400, 0]] * 20]}, f"{RULE}; frame 0 is none."),
    ],
)
def test_a_malformed_clip_names_file_and_rule(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    """A label that is not the name's, and frames that are no bodies, are refused."""
    path = write_clip(tmp_path, "a01_s01_e00_v01", **changes)
    with pytest.raises(DataError, match=f"^{re.escape(repr(str(path)))} {re.escape(said)}$"):
        NwUcla().load("train", tmp_path)


@pytest.mark.parametrize("text", ["{}", "[]", '"text"', '{"label": 1}'])
def test_a_file_of_another_form_is_refused(text: str, tmp_path: Path) -> None:
    """A file holds one object with frames and label."""
    path = write_clip(tmp_path, "a01_s01_e00_v01")
    path.write_text(text)
    with pytest.raises(DataError, match=r"v01\.json' must hold an object with 'skeletons', 'label'\."):
        NwUcla().load("train", tmp_path)


def test_a_cut_clip_is_refused(tmp_path: Path) -> None:
    """A file cut off at any of fifty places is refused by name."""
    path = write_clip(tmp_path, "a01_s01_e00_v01")
    text = path.read_text()
    for end in np.random.default_rng(0).choice(len(text), 50, replace=False):
        path.write_text(text[:end])
        with pytest.raises(DataError, match=r"v01\.json' is no JSON: .*; copy the file again if it is cut off\."):
            NwUcla().load("train", tmp_path)


@pytest.mark.parametrize("name", ["a07_s01_e00_v01", "a01_s01_e00_v04", "a01_s01_e00", "a1_s01_e00_v01"])
def test_a_name_that_the_set_does_not_have_is_refused(name: str, tmp_path: Path) -> None:
    """Actions 7 and 10 are not among the ten, and there are three cameras."""
    write_clip(tmp_path, "a01_s01_e00_v01").with_stem(name).write_text("{}")
    with pytest.raises(DataError, match=f"{name}.json' is no clip of this data set; names are aAA_sSS_eEE_vVV.json, AA one of 01, 02, .*"):
        NwUcla().load("train", tmp_path)


def test_a_split_without_clips_is_told(tmp_path: Path) -> None:
    """A split that has no clip names the folder and the cameras."""
    write_clip(tmp_path, "a01_s01_e00_v03")
    said = "all_sqe' has no clip of camera 1 and 2, the train split, among 1 files such as a01_s01_e00_v01.json."
    with pytest.raises(DataError, match=re.escape(said)):
        NwUcla().load("train", tmp_path)
