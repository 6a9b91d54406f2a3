"""AR.data: the real clips as counted, thirds of people that share nobody, and malformed archives told in words."""

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from mgbench_plugins.datasets.ar_body25 import ArBody25

from mgbench import Clips, DataError, SpecError
from mgbench.components import Split
from mgbench.paths import dataset_folder
from mgbench.registry import registry


SPLITS: tuple[Split, ...] = ("train", "val", "test")
CLASSES = ("come", "five", "handshake", "hello", "ignore", "look_at")
COUNTS = (46, 45, 45, 44, 46, 46)


def loaded(folder: Path, fold: int = 2) -> dict[Split, Clips]:
    """Load every split, held against the contract."""
    dataset = ArBody25(fold=fold)
    return {split: dataset.load(split, folder).check(dataset.skeleton, 6, split) for split in SPLITS}


def write(folder: Path, **changes: npt.NDArray[np.generic] | None) -> Path:
    """Write an archive whose coordinates tell clip, frame and joint, with these arrays changed or left out; return its path."""
    label = np.repeat(np.arange(6), COUNTS)
    xy = np.zeros((272, 92, 25, 2), dtype=np.float32)
    xy[..., 0] = np.arange(272)[:, None, None]
    xy[..., 1] = np.arange(92)[:, None] + np.arange(25) / 100
    arrays = {"keypoints": xy, "label": label, "class_names": np.array(CLASSES), **changes}
    path = folder / "ar_body25.npz"
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})  # type: ignore[arg-type] # numpy's stub wants a flag first
    return path


@pytest.mark.data
def test_the_real_clips_are_those_counted(data_folder: Path) -> None:
    """272 clips of 92 frames and six classes; each is tested in one third or left out at the two borders of its class."""
    folder = dataset_folder(ArBody25(), data_folder)
    folds = [loaded(folder, fold) for fold in range(3)]

    assert [{split: len(clips) for split, clips in fold.items()} for fold in folds] == [
        {"train": 134, "val": 44, "test": 86},
        {"train": 124, "val": 44, "test": 92},
        {"train": 134, "val": 44, "test": 86},
    ]
    tested = [name for fold in folds for name in fold["test"].clip]
    assert len(tested) == len(set(tested)) == 272 - 8
    assert all((clips.frames == 92).all() for fold in folds for clips in fold.values())
    assert ArBody25().classes == CLASSES
    first, raw = folds[0]["test"], np.load(folder / "ar_body25.npz")["keypoints"]
    np.testing.assert_array_equal(first[first.clip.index("come-00")][5, 0, 3, :2], raw[0, 5, 3])
    np.testing.assert_array_equal(first[first.clip.index("look_at-14")][91, 0, 24, :2], raw[272 - 46 + 14, 91, 24])


@pytest.mark.data
def test_the_real_clips_stand_upright_in_an_image(data_folder: Path) -> None:
    """Pixels from 3 to 488, y downwards: noses above feet, and right shoulders left of left ones, facing the robot."""
    x = loaded(dataset_folder(ArBody25(), data_folder))["test"].x[:, 0]
    joint = ArBody25().skeleton.joint

    assert 3 <= x[..., :2].min() < x[..., :2].max() <= 488
    assert (x[..., 2] == 1).all()
    assert (x[:, joint("nose"), 1] < x[:, joint("ankle_left"), 1]).mean() > 0.98
    assert (x[:, joint("shoulder_right"), 0] < x[:, joint("shoulder_left"), 0]).mean() > 0.9


@pytest.mark.parametrize("fold", [0, 1, 2])
def test_splits_share_nobody_wherever_clips_are_missing(fold: int, tmp_path: Path) -> None:
    """Clip k of a class that lacks m is of one of the people k to k + m; in no split is one who may be in another."""
    write(tmp_path)
    people = {
        split: {int(name[-2:]) + lost for name in clips.clip for lost in range(46 - COUNTS[CLASSES.index(name[:-3])] + 1)}
        for split, clips in loaded(tmp_path, fold).items()
    }
    assert not people["train"] & people["val"]
    assert not people["train"] & people["test"]
    assert not people["val"] & people["test"]
    assert people["train"] | people["val"] | people["test"] == set(range(46))


def test_clips_come_as_they_lie(tmp_path: Path) -> None:
    """Frames, joints and both axes keep their order, the confidence is 1, and names count the clips of a class."""
    write(tmp_path)
    for clips in loaded(tmp_path).values():
        for i, name in enumerate(clips.clip):
            word, number = name.rsplit("-", 1)
            assert clips.label[i] == CLASSES.index(word)
            assert (clips[i][..., 0] == sum(COUNTS[: clips.label[i]]) + int(number)).all()
            np.testing.assert_array_equal(clips[i][:, 0, :, 1], np.float32(np.arange(92)[:, None] + np.arange(25) / 100))
            assert (clips[i][..., 2] == 1).all()


LABEL = np.repeat(np.arange(6), COUNTS)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"label": None}, " has no array 'label'; choose from class_names, keypoints."),
        (
            {"keypoints": np.zeros((272, 92, 25, 3), dtype=np.float32)},
            " holds keypoints float32 (272, 92, 25, 3) and labels int64 (272,); it must be float32 (N, 92, 25, 2) and whole numbers (N,).",
        ),
        (
            {"label": LABEL[1:]},
            " holds keypoints float32 (272, 92, 25, 2) and labels int64 (271,); it must be float32 (N, 92, 25, 2) and whole numbers (N,).",
        ),
        *(
            (
                {"label": label},
                f" holds keypoints float32 (272, 92, 25, 2) and labels {held}; it must be float32 (N, 92, 25, 2) and whole numbers (N,).",
            )
            for label, held in ((LABEL.astype(float), "float64 (272,)"), (np.array(3), "int64 ()"), (LABEL.astype(str), "<U21 (272,)"))
        ),
        (
            {"class_names": np.array([*CLASSES[:5], "stare"])},
            " has the classes come, five, handshake, hello, ignore, stare; they are come, five, handshake, hello, ignore, look_at.",
        ),
        ({"label": np.where(LABEL == 5, 6, LABEL)}, ", clip 226 has class 6; classes are 0 to 5, coordinates finite."),
        (
            {"keypoints": np.full((272, 92, 25, 2), np.inf, dtype=np.float32)},
            ", clip 0 has a coordinate that is not finite; classes are 0 to 5, coordinates finite.",
        ),
        ({"label": np.zeros_like(LABEL)}, " has 272, 0, 0, 0, 0, 0 clips of its classes; each has 1 to 46, one of a person."),
    ],
)
def test_a_malformed_archive_names_file_and_rule(changes: dict[str, npt.NDArray[np.generic] | None], said: str, tmp_path: Path) -> None:
    """Arrays that are missing, of other shapes or with other content are refused."""
    path = write(tmp_path, **changes)
    with pytest.raises(DataError, match=f"^{re.escape(repr(str(path)) + said)}$"):
        ArBody25().load("train", tmp_path)


def test_a_cut_archive_is_a_data_error(tmp_path: Path) -> None:
    """An archive that is cut off anywhere is refused by name, and so is one that is missing."""
    path = write(tmp_path)
    size = path.stat().st_size
    for end in sorted(np.random.default_rng(0).choice(size, 50, replace=False).tolist(), reverse=True):
        with path.open("r+b") as file:
            file.truncate(end)
        with pytest.raises(DataError, match=r"ar_body25\.npz' cannot be read"):
            ArBody25().load("train", tmp_path)
    path.unlink()
    with pytest.raises(DataError, match=r"^The file .*ar_body25\.npz' is missing; AR\.data is one archive"):
        ArBody25().load("train", tmp_path)


@pytest.mark.parametrize("fold", ["-1", "3"])
def test_there_are_three_thirds(fold: str) -> None:
    """Only three folds exist."""
    with pytest.raises(SpecError, match=r"^ar_body25: 'fold' must be (>= 0|< 3): "):
        registry().parse("dataset", f"ar_body25[fold={fold}]")
