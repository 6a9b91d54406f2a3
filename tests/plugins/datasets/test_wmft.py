"""WMFT: the real recordings as counted by hand, the long tail on request, and malformed files told in words."""

from pathlib import Path

import numpy as np
import pytest
from mgbench_plugins.datasets.wmft import Wmft

from mgbench import Clips, DataError, SpecError
from mgbench.components import Split
from mgbench.paths import dataset_folder
from mgbench.registry import registry


SPLITS: tuple[Split, ...] = ("train", "val", "test")
SUBJECTS = {"train": range(1, 13), "val": range(13, 17), "test": range(17, 25)}


def recording(frames: int = 2, value: float = 0.5) -> np.ndarray:
    """Return one recording as it lies in a file."""
    return np.full((frames, 25, 3), value, dtype="<f4")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Write every healthy recording, each with its subject, task and frame in its coordinates."""
    (tmp_path / "data").mkdir()
    for subject in range(1, 25):
        for task in range(1, 16):
            x = recording(1 + task % 3, value=subject)
            x[:, :, 1] = task
            x[:, :, 2] = np.arange(len(x))[:, None]
            x.tofile(tmp_path / "data" / f"S{subject:02}_healthy_task{task:02}.bin")
    return tmp_path


@pytest.fixture
def real(data_folder: Path) -> Path:
    """The folder of the real recordings."""
    return dataset_folder(Wmft(), data_folder)


def loaded(folder: Path, split: Split, **options: object) -> Clips:
    """Load a split."""
    return Wmft(**options).load(split, folder)  # type: ignore[arg-type] # fields of any kind


@pytest.mark.data
def test_the_real_splits_have_the_counted_clips_and_frames(real: Path) -> None:
    """480 clips train, with validation, and 240 test; together they have 156,229 frames, 51 to 1,171 each."""
    splits = {split: loaded(real, split) for split in SPLITS}
    frames = np.concatenate([clips.frames for clips in splits.values()])

    assert {split: len(clips) for split, clips in splits.items()} == {"train": 360, "val": 120, "test": 240}
    assert frames.sum() == 156_229
    assert (frames.min(), np.median(frames), frames.max()) == (51, 163, 1171)
    for split, clips in splits.items():
        assert sorted(set(clips.subject.tolist())) == list(SUBJECTS[split])
        assert np.bincount(clips.label).tolist() == [len(clips) // 15] * 15


@pytest.mark.data
def test_the_real_clips_are_bodies_before_a_sensor(real: Path) -> None:
    """Coordinates are metres in Kinect's space: metres away, head above pelvis, shoulders a body's width apart."""
    clips = loaded(real, "val", condition="mild")
    x = clips.x[:, 0]
    shoulders = np.linalg.norm(x[:, 8] - x[:, 4], axis=1)

    assert clips.x.shape[1:] == (1, 25, 3)
    assert 1.5 < np.median(x[..., 2]) < 4
    assert ((x[:, 3, 1] - x[:, 0, 1]) > 0).mean() > 0.99
    assert 0.25 < np.median(shoulders) < 0.45
    assert clips.check(Wmft().skeleton, 15, "val") is clips


def test_a_recording_becomes_the_clip_it_is(made: Path) -> None:
    """Frames, joints and axes come in the order of the file; label, subject and name from the file's name."""
    clips = loaded(made, "val", condition="healthy")

    assert clips.clip[:2] == ("S13_healthy_task01", "S13_healthy_task02")
    for i, name in enumerate(clips.clip):
        subject, task = int(name[1:3]), int(name[-2:])
        assert (clips.subject[i], clips.label[i]) == (subject, task - 1)
        assert clips[i].shape == (1 + task % 3, 1, 25, 3)
        assert (clips[i][..., 0] == subject).all()
        assert (clips[i][..., 1] == task).all()
        assert (clips[i][..., 2] == np.arange(1 + task % 3)[:, None, None]).all()


def test_splits_share_no_subject(made: Path) -> None:
    """Training, validation and test people are different, 24 in all."""
    people = [set(loaded(made, split, condition="healthy").subject.tolist()) for split in SPLITS]

    assert [len(one) for one in people] == [12, 4, 8]
    assert set.union(*people) == set(range(1, 25))


def test_the_classes_are_the_fifteen_tasks() -> None:
    """Class names are the tasks' in the order of their numbers, on Kinect-25."""
    assert len(Wmft().classes) == 15
    assert (Wmft().classes[0], Wmft().classes[9], Wmft().classes[14]) == (
        "Forearm to table",
        "Lift a Paper Clip",
        "Lift Baskets",
    )
    assert Wmft().skeleton.name == "kinect25"


@pytest.mark.parametrize("tail", [0.5, 1.0, 1.5])
def test_a_tail_keeps_the_shares_of_a_power_law(made: Path, tail: float) -> None:
    """The k-th class of a drawn order keeps k ** -tail of its 12 training clips, and at least three."""
    counts = np.bincount(loaded(made, "train", condition="healthy", tail=tail).label, minlength=15)
    expected = [max(round(12 * k**-tail), 3) for k in range(1, 16)]

    assert sorted(counts.tolist(), reverse=True) == expected


def test_train_and_validation_have_the_same_order_of_classes(made: Path) -> None:
    """A class that is frequent in training is frequent in validation."""
    dataset = Wmft(condition="healthy", tail=0.3, tail_minimum=1)
    train, val = (np.bincount(dataset.load(split, made).label, minlength=15) for split in SPLITS[:2])

    assert (np.diff(val[np.argsort(-train, kind="stable")]) <= 0).all()


def test_the_test_split_stays_balanced_under_a_tail(made: Path) -> None:
    """Scores are always taken on all test clips."""
    clips = loaded(made, "test", condition="healthy", tail=2.0)

    assert clips.digest == loaded(made, "test", condition="healthy").digest


def test_the_tail_is_the_seeds(made: Path) -> None:
    """One seed chooses the same clips each time, another seed others; clips keep their order and content."""
    tailed = [loaded(made, "train", condition="healthy", tail=1.0, tail_seed=seed) for seed in (0, 0, 1)]
    whole = loaded(made, "train", condition="healthy")
    places = [whole.clip.index(name) for name in tailed[0].clip]

    assert tailed[0].digest == tailed[1].digest != tailed[2].digest
    assert places == sorted(places)
    assert tailed[0].digest == whole.select(places).digest


def test_every_class_keeps_its_minimum(made: Path) -> None:
    """However steep the tail, `tail_minimum` clips a class are left."""
    counts = np.bincount(loaded(made, "train", condition="healthy", tail=9.0, tail_minimum=2).label, minlength=15)

    assert sorted(counts.tolist()) == [2] * 14 + [12]


@pytest.mark.parametrize("size", [0, 1, 299, 301])
def test_a_recording_of_a_wrong_size_is_named(made: Path, size: int) -> None:
    """A file that is no positive multiple of 300 bytes is refused with its size and the rule."""
    path = made / "data" / "S14_healthy_task07.bin"
    path.write_bytes(b"\0" * size)

    with pytest.raises(DataError) as caught:
        loaded(made, "val", condition="healthy")

    assert str(caught.value) == (
        f"{str(path)!r} has {size} bytes; a recording is a positive multiple of 300, 25 joints x 3 float32 a frame."
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_coordinate_that_is_no_number_is_placed(made: Path, value: float) -> None:
    """NaN and infinity are refused with file and frame."""
    path, x = made / "data" / "S20_healthy_task03.bin", recording(9)
    x[6, 11, 2] = value
    x.tofile(path)

    with pytest.raises(DataError) as caught:
        loaded(made, "test", condition="healthy")

    assert str(caught.value) == f"{str(path)!r}, frame 6 has a coordinate that is not finite."


def test_a_missing_recording_is_named(made: Path) -> None:
    """A file that is not there is named, and why it should be."""
    path = made / "data" / "S02_healthy_task15.bin"
    path.unlink()

    with pytest.raises(DataError) as caught:
        loaded(made, "train", condition="healthy")

    words = "WMFT has every task of every subject in each condition"
    assert str(caught.value) == f"The recording {str(path)!r} is missing; {words}."


def test_a_condition_that_is_not_there_is_named(made: Path) -> None:
    """Asked for a condition without files, the first missing recording is named."""
    with pytest.raises(DataError, match=r"S01_moderate_task01\.bin' is missing"):
        loaded(made, "train", condition="moderate")


def test_a_missing_folder_says_what_is_expected(tmp_path: Path) -> None:
    """Without the folder the message names the place, the folder's names and the expected files."""
    with pytest.raises(DataError) as caught:
        dataset_folder(Wmft(), tmp_path)

    assert "The data of 'wmft' is missing" in str(caught.value)
    assert "no folder 'wmft_kinect25' or 'wmft'" in str(caught.value)
    assert "S01_healthy_task01.bin" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wmft[condition=mld]", "wmft[condition] got 'mld'; did you mean 'mild'?"),
        ("wmft[tail=-1]", "wmft: 'tail' must be >= 0: -1.0"),
        ("wmft[tail_minimum=0]", "wmft: 'tail_minimum' must be >= 1: 0"),
    ],
)
def test_options_are_checked(text: str, words: str) -> None:
    """Values that no recording can meet are refused."""
    with pytest.raises(SpecError) as caught:
        registry().parse("dataset", text)

    assert str(caught.value) == words
