"""The pickle of pyskl: protocols, clips of any length, scores, and annotations that do not fit told by name."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from mgbench_plugins.datasets.packed import Packed
from opened import load_checked, refuse

from mgbench import Clips, DataError
from mgbench.components import Split


MINE = Packed(folder="mine", skeleton="kinect25")
FLAT = Packed(folder="mine", skeleton="body25")


def annotation(name: str, label: int = 0, shape: tuple[int, ...] = (1, 3, 25, 3), **changed: Any) -> dict[str, Any]:
    """Return one clip; a value None removes its key."""
    keypoint = np.random.default_rng(len(name)).normal(size=shape).astype(np.float16)
    usual = {"frame_dir": name, "label": label, "total_frames": shape[1], "keypoint": keypoint}
    return {key: value for key, value in {**usual, **changed}.items() if value is not None}


def write(folder: Path, annotations: Any, split: Any = None, name: str = "mine.pkl") -> Path:
    """Write a pickle, by default with clips `a` and `b` to train on and `c` to score."""
    held = {"split": {"train": ["a", "b"], "val": ["c"]} if split is None else split, "annotations": annotations}
    (folder / name).write_bytes(pickle.dumps(held))
    return folder / name


def three(**changed: Any) -> list[dict[str, Any]]:
    """Return the clips `c`, `b` and `a`, the last one changed."""
    return [annotation("c", 1), annotation("b", 3, (2, 5, 25, 3)), annotation("a", **changed)]


def loaded(folder: Path, split: Split = "train", dataset: Packed = MINE) -> Clips:
    """Return a split of mine."""
    return load_checked(dataset, folder, split)


def refused(said: str, folder: Path, dataset: Packed = MINE) -> None:
    """Hold the whole sentence of the error against what is expected; `{}` stands for what is read."""
    refuse(dataset, folder, said, folder / "mine.pkl")


def test_clips_come_back_in_the_order_of_the_split(tmp_path: Path) -> None:
    """Clips are as long as they are recorded, in single precision; a clip of fewer people gets empty places."""
    clips = three()
    write(tmp_path, clips)
    got = loaded(tmp_path)
    assert (got.clip, got.label.tolist(), got.frames.tolist(), got.x.shape[1]) == (("a", "b"), [0, 3], [3, 5], 2)
    np.testing.assert_array_equal(got[0][:, 0], clips[2]["keypoint"][0].astype(np.float32))
    np.testing.assert_array_equal(got[1], clips[1]["keypoint"].swapaxes(0, 1).astype(np.float32))
    assert not got[0][:, 1].any()
    assert len(MINE.at(tmp_path).classes) == 4


def test_empty_frames_at_the_end_stay(tmp_path: Path) -> None:
    """The pickle tells how long a clip is: zeros behind its last frame are frames in which nobody was seen."""
    write(tmp_path, three(keypoint=np.zeros((1, 3, 25, 3), np.float16)))
    assert loaded(tmp_path).frames.tolist() == [3, 5]


def test_a_protocol_is_chosen(tmp_path: Path) -> None:
    """Of several protocols one is named; one alone, or splits without one, need no name."""
    clips = [annotation(name) for name in "abcd"]
    both = {"xsub_train": ["a"], "xsub_val": ["b"], "xset_train": ["b", "c"], "xset_val": ["d"]}
    write(tmp_path, clips, both)
    choose = "choose from xset, xsub."
    refused(f"'{{}}' has no protocol ''; {choose}", tmp_path)
    chosen = Packed(folder="mine", skeleton="kinect25", protocol="xset")
    assert (loaded(tmp_path, dataset=chosen).clip, loaded(tmp_path, "test", chosen).clip) == (("b", "c"), ("d",))
    refused("'{}' has no protocol 'xsup'; did you mean 'xsub'?", tmp_path, Packed(folder="mine", skeleton="kinect25", protocol="xsup"))
    write(tmp_path, clips, {"xsub_train": ["a"], "xsub_val": ["b"], "xsub_test": ["c"], "other": ["d"]})
    assert MINE.at(tmp_path).splits == ("train", "val", "test")
    assert loaded(tmp_path, "test").clip == ("c",)


def test_scores_stand_behind_two_channels(tmp_path: Path) -> None:
    """In 2-D the score is the third channel, 1 where none is told; where it is 0 the joint is not seen."""
    flat, score = annotation("a", 0, (1, 3, 25, 2)), np.full((1, 3, 25), 0.5, np.float16)
    score[0, 1, 4] = 0
    others = [annotation("b", 1, (1, 2, 25, 2)), annotation("c", 1, (1, 2, 25, 3))]
    write(tmp_path, [{**flat, "keypoint_score": score}, *others])
    got = loaded(tmp_path, dataset=FLAT)
    np.testing.assert_array_equal(got[0][0, 0, :, :2], flat["keypoint"][0, 0].astype(np.float32))
    assert (got[0][0, 0, :, 2] == 0.5).all()
    assert not got[0][1, 0, 4].any()
    assert (got[1][..., 2] == 1).all()


def test_a_cut_pickle_is_told(tmp_path: Path) -> None:
    """Cut off anywhere, the pickle is an error that names it and says what it must be."""
    path = write(tmp_path, three())
    whole = path.read_bytes()
    for keep in np.random.default_rng(0).integers(0, len(whole), 50):
        path.write_bytes(whole[:keep])
        with pytest.raises(DataError, match=r"mine\.pkl' cannot be read .*a pickle of data is whole"):
            loaded(tmp_path)


def test_the_pickle_runs_nothing(tmp_path: Path) -> None:
    """A pickle that names a function is refused before the function is called."""
    (tmp_path / "mine.pkl").write_bytes(b"cposix\nsystem\n(S'touch called'\ntR.")
    with pytest.raises(DataError, match=r"posix\.system"):
        loaded(tmp_path)


@pytest.mark.parametrize(
    "held",
    [
        [],
        {"split": {}},
        {"annotations": []},
        {"split": [], "annotations": []},
        {"split": {"train": []}, "annotations": []},
        {"split": {}, "annotations": 3},
    ],
)
def test_a_pickle_of_something_else_is_told(held: object, tmp_path: Path) -> None:
    """A pickle holds splits and at least one annotation."""
    (tmp_path / "mine.pkl").write_bytes(pickle.dumps(held))
    refused("'{}' must hold a dictionary with 'split', names by split, and 'annotations', a list of at least one clip.", tmp_path)


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ({"train": ["a"], 7: ["b"]}, "'{}', split 7 must be a list of names, the frame_dir of its clips."),
        ({"train": "ab"}, "'{}', split 'train' must be a list of names, the frame_dir of its clips."),
        ({"train": ["a", 7]}, "'{}', split 'train' must be a list of names, the frame_dir of its clips."),
        ({}, "'{}' has no protocol ''; it has no split train or ..._train."),
        ({"train": ["a"]}, "'{}', protocol '' has train; it needs a train part, and a test part, which may be called val."),
        ({"x_test": ["a"]}, "'{}', protocol 'x' has test; it needs a train part, and a test part, which may be called val."),
        ({"train": ["a", "z"], "val": ["c"]}, "'{}', split 'train' names 'z', which no annotation has as its frame_dir."),
        ({"train": ["a", "a"], "val": ["c"]}, "'{}' has the clip 'a' twice in train; each name is one clip."),
        ({"train": ["a", "c"], "val": ["c"]}, "'{}' has the clip 'c' in train and in test; each name is one clip."),
    ],
)
def test_wrong_splits_are_told(split: object, said: str, tmp_path: Path) -> None:
    """A split is a list of the annotations' names, and a clip is in one of them once."""
    write(tmp_path, three(), split)
    refused(said, tmp_path)


def test_wrong_lists_of_annotations_are_told(tmp_path: Path) -> None:
    """An annotation is a dictionary, and no two have one name."""
    rule = "each has frame_dir, label, total_frames and keypoint."
    write(tmp_path, [*three(), 7])
    refused(f"'{{}}', annotation 3 has no 'frame_dir', only int; {rule}", tmp_path)
    write(tmp_path, [*three(), annotation("a")])
    refused("'{}' has two annotations of 'a'; each frame_dir has one.", tmp_path)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"frame_dir": 7}, ", entry 2 is (7, 0); allowed are a name and a class number 0 to 9999."),
        (
            {"label": None},
            ", annotation 2 has no 'label', only frame_dir, total_frames, keypoint; each has frame_dir, label, total_frames and keypoint.",
        ),
        ({"label": -1}, ", entry 2 is ('a', -1); allowed are a name and a class number 0 to 9999."),
        ({"keypoint": None}, ", clip 'a' has the keypoint NoneType; it must be floats (M, T, V, C) of at least one person and frame."),
        ({"keypoint": [1.0]}, ", clip 'a' has the keypoint list; it must be floats (M, T, V, C) of at least one person and frame."),
        (
            {"keypoint": np.zeros((0, 3, 25, 3))},
            ", clip 'a' has the keypoint float64 (0, 3, 25, 3); it must be floats (M, T, V, C) of at least one person and frame.",
        ),
        (
            {"keypoint": np.ones((1, 3, 25, 3), int)},
            ", clip 'a' has the keypoint int64 (1, 3, 25, 3); it must be floats (M, T, V, C) of at least one person and frame.",
        ),
        ({"shape": (1, 3, 17, 3)}, ", clip 'a' has the keypoint (1, 3, 17, 3); the skeleton 'kinect25' has V = 25 and C = 3."),
        ({"shape": (1, 3, 25, 2)}, ", clip 'a' has the keypoint (1, 3, 25, 2); the skeleton 'kinect25' has V = 25 and C = 3."),
        ({"total_frames": 4}, ", clip 'a' states 4 frames; its keypoint (1, 3, 25, 3) has 3."),
        ({"total_frames": None}, ", clip 'a' states None frames; its keypoint (1, 3, 25, 3) has 3."),
        (
            {"keypoint_score": np.ones((1, 3, 24))},
            ", clip 'a' has the keypoint_score (1, 3, 24); it must be (1, 3, 25) as the keypoint is.",
        ),
        ({"keypoint_score": 1.0}, ", clip 'a' has the keypoint_score 1.0; it must be (1, 3, 25) as the keypoint is."),
        ({"keypoint": np.full((1, 3, 25, 3), np.nan)}, ", clip 'a' has a coordinate that is not finite."),
    ],
)  # fmt: skip
def test_wrong_annotations_are_told(changed: dict[str, Any], said: str, tmp_path: Path) -> None:
    """Keys, shapes and numbers of an annotation are held against each other and against the skeleton."""
    write(tmp_path, three(**changed))
    refused(f"'{{}}'{said}", tmp_path)


def test_a_list_of_keypoints_kept_elsewhere_is_told(tmp_path: Path) -> None:
    """Kinetics' pickle, whose keypoints lie in files of their own, is no clip here."""
    write(tmp_path, [annotation("a", keypoint=None, raw_file="a.pkl")])
    refused("'{}', clip 'a' has the keypoint NoneType; it must be floats (M, T, V, C) of at least one person and frame.", tmp_path)


def test_one_pickle_is_named(tmp_path: Path) -> None:
    """Of several pickles one is named; labels of ST-GCN's arrays are none of them."""
    write(tmp_path, three())
    (tmp_path / "train_label.pkl").write_bytes(b"")
    assert loaded(tmp_path).clip == ("a", "b")
    write(tmp_path, three(), name="more.pkl")
    with pytest.raises(DataError, match=r"it has mine\.pkl, more\.pkl; name one, as in file=mine\.pkl\.$"):
        loaded(tmp_path)


def recording(x: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    """Return `(M, T, V, C)` as clips have it."""
    return x.swapaxes(0, 1).astype(np.float32)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_of_pickles_is_read(protocol: int, tmp_path: Path) -> None:
    """Whatever version of pickle wrote it, a clip comes back."""
    clips = three()
    (tmp_path / "mine.pkl").write_bytes(pickle.dumps({"split": {"train": ["a"], "val": ["b"]}, "annotations": clips}, protocol))
    np.testing.assert_array_equal(loaded(tmp_path, "test")[0], recording(clips[1]["keypoint"]))
