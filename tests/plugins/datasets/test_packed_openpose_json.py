"""OpenPose's files: clips by table or by folder, people followed from frame to frame, and wrong files told in words."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mgbench_plugins.datasets.packed import Packed
from opened import load_checked, refuse

from mgbench import Clips, DataError
from mgbench.components import Split


MINE = Packed(folder="mine", skeleton="openpose18")
JOINTS = 18


def person(x: float, y: float = 0.0, score: float = 1.0) -> list[float]:
    """Return the numbers of one person, every joint in one place."""
    return [x, y, score] * JOINTS


def write(clip: Path, frames: Sequence[Sequence[list[float]]], first: int = 0) -> None:
    """Write one clip: a file a frame, in it the people."""
    clip.mkdir(parents=True, exist_ok=True)
    for index, people in enumerate(frames, start=first):
        held = {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": one, "face_keypoints_2d": []} for one in people]}
        (clip / f"{clip.name}_{index:012}_keypoints.json").write_text(json.dumps(held))


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder of two training clips and one test clip, by class."""
    write(tmp_path / "train" / "wave" / "a", [[person(1)], [person(2)]])
    write(tmp_path / "train" / "point" / "b", [[person(3)]])
    write(tmp_path / "test" / "wave" / "c", [[person(4)]])
    return tmp_path


def loaded(folder: Path, split: Split = "train", dataset: Packed = MINE) -> Clips:
    """Return a split of mine."""
    return load_checked(dataset, folder, split)


def refused(said: str, folder: Path, dataset: Packed = MINE) -> None:
    """Hold the whole sentence of the error against what is expected; `{}` stands for what is read."""
    refuse(dataset, folder, said, folder)


def followed(folder: Path, frames: Sequence[Sequence[list[float]]]) -> npt.NDArray[np.float32]:
    """Return the x of everybody's first joint `(T, M)` in a clip of these frames."""
    write(folder / "train" / "any" / "one", frames)
    write(folder / "test" / "any" / "two", [[person(1)]])
    clips = loaded(folder)
    return clips[0][:, :, 0, 0]


def test_clips_come_by_folder(mine: Path) -> None:
    """`SPLIT/CLASS/CLIP` tells split, class and name; classes are in the order of their names."""
    clips = loaded(mine)
    assert (clips.clip, clips.label.tolist(), clips.frames.tolist()) == (("train/point/b", "train/wave/a"), [0, 1], [1, 2])
    assert MINE.at(mine).classes == ("point", "wave")
    np.testing.assert_array_equal(clips[1][:, 0, 5], [[1, 0, 1], [2, 0, 1]])
    assert loaded(mine, "test").label.tolist() == [1]


def test_clips_come_by_table(mine: Path) -> None:
    """`labels.csv` tells class, split and person of each clip; folders that it does not list are left out."""
    (mine / "labels.csv").write_text("clip,split,label,subject\ntrain/wave/a,train,up,7\ntest/wave/c,test,down,9\n")
    clips = loaded(mine)
    assert (clips.clip, clips.label.tolist(), clips.subject.tolist()) == (("train/wave/a",), [1], [7])
    assert MINE.at(mine).classes == ("down", "up")
    (mine / "classes.txt").write_text("up\nleft\ndown\n")
    assert (loaded(mine).label.tolist(), loaded(mine, "test").label.tolist()) == ([0], [2])
    (mine / "classes.txt").write_text("up\n")
    refused("'{}', clip 'test/wave/c' has the class 'down', which classes.txt does not list.", mine)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clip,label\na,b\n", "'{}/labels.csv', line 1 is 'clip,label'; it names the columns: clip,label,split, and may have subject."),
        ("clip,label,split\nz,b,train\n", "'{}/labels.csv' lists the clip 'z'; '{}' has no such folder."),
        ("clip,label,split\n../x,b,train\n", "'{}/labels.csv' lists the clip '../x'; '{}' has no such folder."),
        ("clip,label,split\n/tmp,b,train\n", "'{}/labels.csv' lists the clip '/tmp'; '{}' has no such folder."),
        ("clip,label,split\n.,b,train\n", "'{}/labels.csv' lists the clip '.'; '{}' has no such folder."),
        *(
            (
                f"clip,label,split\ntrain/wave/a,b,train\n{name},b,test\n",
                f"'{{}}/labels.csv' lists the clip '{name}'; write 'train/wave/a', so that no clip has two names.",
            )
            for name in ("./train/wave/a", "train/wave/a/", "train//wave/a")
        ),
        (
            "clip,label,split\ntrain/wave/a,b,dev\n",
            "'{}/labels.csv' puts the clip 'train/wave/a' in the split 'dev'; allowed are train, val, test.",
        ),
        (
            "clip,label,split\ntrain/wave/a,b,train\n",
            "The folder '{}' has train; it needs a train part, and a test part, which may be called val.",
        ),
    ],
)
def test_a_wrong_table_is_told(text: str, said: str, mine: Path) -> None:
    """The table names file, clip and rule; a clip is a folder below the data set's."""
    (mine.parent / "x").mkdir(exist_ok=True)
    (mine / "labels.csv").write_text(text)
    refused(said, mine)


def test_clips_without_labels_are_told(tmp_path: Path) -> None:
    """Frames alone tell neither class nor split."""
    write(tmp_path / "a", [[person(1)]])
    refused("'{}' has frames, but neither labels.csv nor the folders train/CLASS/CLIP and test/CLASS/CLIP.", tmp_path)


def test_nobody_is_zero(tmp_path: Path) -> None:
    """A frame without people is a frame of zeros, and a clip of nobody at all is one too."""
    assert followed(tmp_path, [[person(1)], [], [person(2)]]).tolist() == [[1], [0], [2]]
    write(tmp_path / "train" / "any" / "one", [[], [], []])
    assert loaded(tmp_path)[0].shape == (3, 1, JOINTS, 3)
    assert not loaded(tmp_path).x.any()


def test_people_keep_their_place(tmp_path: Path) -> None:
    """Whoever is nearest to where a person was last seen is that person, in whatever order a frame lists them."""
    frames = [[person(10), person(20)], [person(21), person(11)], [], [person(23)], [person(12), person(24)]]
    assert followed(tmp_path, frames).tolist() == [[20, 10], [21, 11], [0, 0], [23, 0], [24, 12]]


def test_the_nearest_in_all_are_chosen(tmp_path: Path) -> None:
    """Distances add up to the least: a person half way is not given away to one who is nearer to somebody else."""
    frames = [[person(10, score=0.9), person(20, score=0.8)], [person(19), person(29)]]
    assert followed(tmp_path, frames).tolist() == [[10, 20], [19, 29]]


def test_one_who_comes_takes_a_free_place(tmp_path: Path) -> None:
    """A new person takes the place that was never taken; places are in order of their scores."""
    assert followed(tmp_path, [[person(10)], [person(50), person(11)]]).tolist() == [[10, 0], [11, 50]]


def test_the_most_seen_person_is_the_first(tmp_path: Path) -> None:
    """Places are in order of summed scores, so that `people=1` keeps who is seen longest and best."""
    followed(tmp_path, [[person(50, score=0.4), person(10, score=0.9)], [person(11, score=0.9)]])
    one = loaded(tmp_path, dataset=Packed(folder="mine", skeleton="openpose18", people=1))
    assert one[0][:, :, 0, 0].tolist() == [[10], [11]]


def test_joints_that_are_not_seen_do_not_count(tmp_path: Path) -> None:
    """Distances are means over joints that both frames show; a joint without a score is zero, wherever it is said to be."""
    half = [*person(10)[:27], *[0.0] * 27]
    hidden = person(12)
    hidden[:3] = [900, 900, 0]
    got = followed(tmp_path, [[half, person(20)], [person(21), hidden]])
    assert got.tolist() == [[20, 10], [21, 0]]
    assert loaded(tmp_path)[0][1, 1, 1].tolist() == [12, 0, 1]


@settings(derandomize=True, deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(counts=st.lists(st.integers(0, 3), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_nobody_is_lost(counts: list[int], seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whoever is in a frame is in that frame of the clip, once, and nobody else."""
    random = np.random.default_rng(seed)
    frames = [[person(*random.integers(1, 99, 2).tolist()) for _ in range(count)] for count in counts]
    folder = tmp_path_factory.mktemp("openpose")
    followed(folder, frames)
    clip = loaded(folder)[0]
    assert clip.shape == (len(counts), max(1, *counts), JOINTS, 3)
    for people, places in zip(frames, clip.reshape(len(counts), -1, 3 * JOINTS), strict=True):
        assert sorted(map(list, places[places.any(axis=1)].tolist())) == sorted(people)


@pytest.mark.parametrize("order", [[0, 1, 2], [7, 8, 9], [9, 10, 11]])
def test_frames_are_in_the_order_of_their_numbers(order: list[int], tmp_path: Path) -> None:
    """A clip may begin at any number, and its frames follow each other by number, not by name; other files do not matter."""
    clip = tmp_path / "train" / "any" / "one"
    clip.mkdir(parents=True)
    for place, number in enumerate(order):
        held = {"people": [{"pose_keypoints_2d": person(place + 1)}]}
        (clip / f"x_{number}_keypoints.json").write_text(json.dumps(held))
    (clip / "Thumbs.db").write_bytes(b"")
    write(tmp_path / "test" / "any" / "two", [[person(1)]])
    assert loaded(tmp_path)[0][:, 0, 0, 0].tolist() == [1, 2, 3]


def test_frames_that_are_missing_or_there_twice_are_told(mine: Path) -> None:
    """A gap, a second recording in the same folder, and a folder without frames are told."""
    clip = mine / "train" / "wave" / "a"
    rule = "a clip has the frames of one recording, each once and none left out."
    write(clip, [[person(1)]], first=4)
    refused(f"'{{}}/train/wave/a/a_000000000004_keypoints.json': frame 4 comes where 2 is missing; {rule}", mine)
    (clip / "a_000000000004_keypoints.json").rename(clip / "b_000000000001_keypoints.json")
    with pytest.raises(DataError, match=r"frame 1 is there twice; a clip has the frames of one recording"):
        loaded(mine)
    (clip / "b_000000000001_keypoints.json").unlink()
    (mine / "train" / "wave" / "empty").mkdir()
    refused("'{}/train/wave/empty' has no frame; a clip is a folder of ..._000000000000_keypoints.json, one file a frame.", mine)


def test_a_cut_frame_is_told(mine: Path) -> None:
    """Cut off anywhere, a frame is an error that names it and says what it must be."""
    path = mine / "train" / "wave" / "a" / "a_000000000001_keypoints.json"
    whole = path.read_bytes()
    for keep in np.random.default_rng(0).integers(0, len(whole), 50):
        path.write_bytes(whole[:keep])
        with pytest.raises(
            DataError, match=r"a_000000000001_keypoints\.json' cannot be read .*it must be the JSON of one frame with people"
        ):
            loaded(mine)


def test_a_cut_table_is_told(mine: Path) -> None:
    """Cut off, the table of labels is an error, unless it ends behind a line: then the clips that follow are left out."""
    path = mine / "labels.csv"
    whole = "clip,label,split\ntrain/wave/a,up,train\ntrain/point/b,up,train\ntest/wave/c,down,test\n"
    for keep in range(len(whole) - 1):
        path.write_text(whole[:keep])
        with pytest.raises(DataError, match=r"labels\.csv|it needs a train part, and a test part"):
            loaded(mine)
    path.write_text(whole[:-1])
    assert len(loaded(mine)) == 2


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"people": 3}', '{"people": [{}]}', '{"people": [{"pose_keypoints_2d": "x"}]}', "[" * 10_000]
)
def test_a_frame_of_something_else_is_told(text: str, mine: Path) -> None:
    """A frame is an object with people, and each has its keypoints."""
    (mine / "train" / "wave" / "a" / "a_000000000000_keypoints.json").write_text(text)
    with pytest.raises(DataError, match=r"a_000000000000_keypoints\.json' cannot be read .*people and their pose_keypoints_2d"):
        loaded(mine)


@pytest.mark.parametrize(
    ("numbers", "held"),
    [
        ("[]", "0 numbers"),
        (json.dumps(person(1)[:-1]), "53 numbers"),
        (json.dumps([person(1)]), "lists of numbers"),
        (json.dumps([float("nan"), *person(1)[1:]]), "a number that is not finite"),
        (json.dumps([1e300, *person(1)[1:]]), "a number that is not finite"),
        (json.dumps([None, *person(1)[1:]]), "a number that is not finite"),
    ],
)
def test_wrong_numbers_are_told(numbers: str, held: str, mine: Path) -> None:
    """A person has x, y and score of every joint, all of them finite."""
    text = f'{{"people": [{{"pose_keypoints_2d": {json.dumps(person(1))}}}, {{"pose_keypoints_2d": {numbers}}}]}}'
    (mine / "train" / "wave" / "a" / "a_000000000000_keypoints.json").write_text(text)
    where = "'{}/train/wave/a/a_000000000000_keypoints.json', person 1"
    refused(f"{where} has {held}; the skeleton 'openpose18' has 54: x, y and score a joint.", mine)


def test_a_skeleton_in_space_is_told(mine: Path) -> None:
    """OpenPose sees no depth."""
    refused(
        "OpenPose's files have x, y and a score; the skeleton 'kinect25' has x, y, z.", mine, Packed(folder="mine", skeleton="kinect25")
    )
