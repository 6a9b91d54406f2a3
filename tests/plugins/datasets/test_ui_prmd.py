"""UI-PRMD: the real clips as counted, positions from angles against a chain computed by hand, and malformed files told in words."""

import gzip
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from mgbench_plugins.datasets.ui_prmd import UiPrmd, forward, read_text_pair

from mgbench import Clips, DataError
from mgbench.components import Split
from mgbench.paths import dataset_folder


SPLITS: tuple[Split, ...] = ("train", "val", "test")
SUBJECTS = {"train": [1, 3, 5, 7], "val": [9], "test": [2, 4, 6, 8, 10]}
TEXT = UiPrmd(layout="text")


def write(folder: Path, **changes: npt.NDArray[np.generic] | None) -> Path:
    """Write an archive of twenty clips, one a subject done well and one done badly, with these arrays changed or left out."""
    count = np.arange(20)
    arrays = {
        "joints_i16": np.arange(20 * 3 * 22 * 3, dtype=np.int16).reshape(60, 22, 3),
        "scale_cm": np.array(0.02, dtype=np.float32),
        "frames": np.full(20, 3),
        "movement": count % 10 + 1,
        "subject": count % 10 + 1,
        "episode": count // 10 + 1,
        "correct": (count < 10).astype(np.int8),
        **changes,
    }
    path = folder / "ui_prmd_kinect22.npz"
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})  # type: ignore[arg-type] # numpy's stub wants a flag first
    return path


def write_pair(folder: Path, name: str, frames: int = 2, suffix: str = "", packed: bool = False) -> None:
    """Write offsets and angles as the owners do."""
    for kind, seed in (("positions", 0), ("angles", 1)):
        x = np.random.default_rng(seed).normal(scale=20, size=(frames, 66))
        text = "".join(",".join(f"{value:.6f}" for value in row) + "\n" for row in x).encode()
        place = folder / f"{name}_{kind}{suffix}.txt{'.gz' if packed else ''}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(gzip.compress(text) if packed else text)


def loaded(folder: Path, dataset: UiPrmd) -> dict[Split, Clips]:
    """Load every split, held against the contract."""
    return {split: dataset.load(split, folder).check(dataset.skeleton, 10, split) for split in SPLITS}


@pytest.mark.data
@pytest.mark.parametrize(("movements", "each"), [("both", 20), ("correct", 10), ("incorrect", 10)])
def test_the_real_clips_are_those_counted(movements: str, each: int, data_folder: Path) -> None:
    """2,000 clips of 151,158 frames, half of them done well: ten movements, ten people, ten times."""
    dataset = UiPrmd(movements=movements)  # type: ignore[arg-type] # one of the literals
    splits = loaded(dataset_folder(dataset, data_folder), dataset)

    for split, clips in splits.items():
        assert sorted(set(clips.subject.tolist())) == SUBJECTS[split]
        assert tuple(np.bincount(clips.label).tolist()) == dataset.published[split] == (each * len(SUBJECTS[split]),) * 10
    if movements == "both":
        assert sum(len(clips.x) for clips in splits.values()) == 151_158


@pytest.mark.data
def test_the_real_clips_are_upright_bodies(data_folder: Path) -> None:
    """Metres: two metres before the sensor, the head above the waist, the right shoulder on the side of negative x, bones of one length."""
    dataset = UiPrmd(movements="correct")
    clips = dataset.load("test", dataset_folder(dataset, data_folder))
    x, joint = clips.x[:, 0], dataset.skeleton.joint
    thigh = np.linalg.norm(x[:, joint("knee_left")] - x[:, joint("hip_left")], axis=-1)

    assert 1.5 < np.median(-x[..., 2]) < 3.5
    assert (x[:, joint("head"), 1] > x[:, joint("waist"), 1]).mean() > 0.99
    assert (x[:, joint("shoulder_right"), 0] < x[:, joint("shoulder_left"), 0]).mean() > 0.95
    assert 0.3 < np.median(thigh) < 0.5


@pytest.mark.data
def test_the_owners_files_give_the_positions_of_the_archive(data_folder: Path) -> None:
    """Offsets turned by their angles are where the archive has the joints, to the hundredth of a centimetre that it keeps."""
    folder = dataset_folder(UiPrmd(), data_folder)
    read, kept = (UiPrmd(layout=layout, movements="correct").load("train", folder) for layout in ("text", "npz"))  # type: ignore[arg-type] # one of the literals

    assert read.clip == tuple(f"m{movement:02}_s01_e01" for movement in range(1, 11))
    for i, name in enumerate(read.clip):
        np.testing.assert_allclose(read[i], kept[kept.clip.index(name)], atol=1.01e-4)
    np.testing.assert_allclose(read[0][0, 0, 0], [-0.035028, 0.8559755, -2.3588153], rtol=1e-6)  # the root's own line
    np.testing.assert_allclose(read[0][0, 0, 5], [-0.0251886, 1.5423111, -2.355425], rtol=1e-5)  # the tip of the head, five bones on


def test_a_chain_turns_as_computed_by_hand() -> None:
    """Angles turn about x, then y, then z; a joint moves what hangs on it, and not itself."""
    local, angles = np.zeros((1, 22, 3)), np.zeros((1, 22, 3))
    local[0, 0] = [1, 2, 3]
    local[0, [1, 2, 3], 1] = 10  # a straight spine
    angles[0, 0] = [0, 0, 90]  # +y becomes -x
    angles[0, 2] = [90, 90, 0]  # +y becomes +z, which becomes +x; and +x is +y after the waist's turn
    x = forward(local, angles)[0]

    np.testing.assert_allclose(x[:4], [[1, 2, 3], [-9, 2, 3], [-19, 2, 3], [-19, 12, 3]], atol=1e-5)


def test_bones_keep_their_length_under_any_angles() -> None:
    """Turning changes no distance between a joint and its parent."""
    local, angles = np.random.default_rng(0).normal(size=(2, 5, 22, 3)) * [[[[1]]], [[[180]]]]
    x = forward(local, angles)
    for child, parent in UiPrmd().skeleton.bones:
        np.testing.assert_allclose(np.linalg.norm(x[:, child] - x[:, parent], axis=-1), np.linalg.norm(local[:, child], axis=-1), rtol=1e-5)


def test_clips_come_as_they_lie(tmp_path: Path) -> None:
    """Frames, joints and axes keep their order, in metres; names tell movement, subject, repetition, and what was done badly."""
    write(tmp_path)
    clips = UiPrmd().load("val", tmp_path)

    assert (clips.clip, clips.label.tolist(), clips.subject.tolist()) == (("m09_s09_e01", "m09_s09_e02_inc"), [8, 8], [9, 9])
    for i, first in enumerate((24, 54)):
        expected = np.arange(first * 66, (first + 3) * 66).reshape(3, 22, 3) * 0.0002
        np.testing.assert_allclose(clips[i][:, 0], expected, rtol=1e-5)
    assert UiPrmd(movements="correct").load("val", tmp_path).clip == clips.clip[:1]
    assert UiPrmd(movements="incorrect").load("val", tmp_path).clip == clips.clip[1:]


HELD = " holds joints int16 {}; they must be int16 ({}, 22, 3), as its frames add up to, and a positive number."


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"correct": None}, " has no array 'correct'; choose from episode, frames, joints_i16, movement, scale_cm, subject."),
        ({"movement": np.full(20, 11)}, ", clip 0 has no movement from 1 to 10; each of its 20 clips needs one."),
        ({"subject": np.arange(20)}, ", clip 0 has no subject from 1 to 10; each of its 20 clips needs one."),
        ({"episode": np.ones(19, dtype=int)}, ", clip 0 has no episode from 1 to 10; each of its 20 clips needs one."),
        ({"frames": np.r_[np.full(19, 3), 0]}, ", clip 19 has no frames from 1 to 1000000; each of its 20 clips needs one."),
        ({"frames": np.full(20, 4)}, HELD.format("(60, 22, 3) and a scale 0.019999999552965164", 80)),
        ({"scale_cm": np.array("two")}, HELD.format("(60, 22, 3) and a scale two", 60)),
        ({"scale_cm": np.array(np.nan)}, HELD.format("(60, 22, 3) and a scale nan", 60)),
    ],
)
def test_a_malformed_archive_names_file_and_rule(changes: dict[str, npt.NDArray[np.generic] | None], said: str, tmp_path: Path) -> None:
    """Arrays that are missing or do not fit each other are refused."""
    path = write(tmp_path, **changes)
    with pytest.raises(DataError, match=f"^{re.escape(repr(str(path)) + said)}$"):
        UiPrmd().load("train", tmp_path)


@pytest.mark.parametrize("packed", [False, True])
def test_the_owners_tree_is_read(packed: bool, tmp_path: Path) -> None:
    """Angles lie beside positions or in a folder of their own; the other sensor's files of the same names are left alone."""
    for subject in (9, 2):
        for folder, suffix in (("Segmented Movements", ""), ("Incorrect Segmented Movements", "_inc")):
            write_pair(tmp_path / folder / "Kinect", f"m04_s{subject:02}_e01", suffix=suffix, packed=packed)
            place = tmp_path / folder / "Kinect"
            for path in list(place.glob("*.*")):
                target = place / ("Positions" if "positions" in path.name else "Angles") / path.name
                target.parent.mkdir(exist_ok=True)
                path.rename(target)
    write_pair(tmp_path / "Segmented Movements" / "Vicon" / "Positions", "m05_s09_e01")
    clips = TEXT.load("val", tmp_path)

    assert clips.clip == ("m04_s09_e01", "m04_s09_e01_inc")
    assert (clips.label.tolist(), clips.subject.tolist(), clips.frames.tolist()) == ([3, 3], [9, 9], [2, 2])


def test_a_cut_pair_is_told_where_the_format_can_tell(tmp_path: Path) -> None:
    """A file cut off anywhere is an error by name, but for a cut within its last number, which the format cannot tell."""
    write_pair(tmp_path, "m04_s09_e01", frames=3)
    for kind in ("positions", "angles"):
        path = tmp_path / f"m04_s09_e01_{kind}.txt"
        text = path.read_bytes()
        for end in np.random.default_rng(0).choice(text.rindex(b",") + 1, 50, replace=False).tolist():
            path.write_bytes(text[:end])
            with pytest.raises(DataError, match=r"m04_s09_e01_(positions|angles)\.txt'"):
                read_text_pair(tmp_path / "m04_s09_e01_positions.txt")
        path.write_bytes(text)


def test_a_pair_of_two_lengths_is_told(tmp_path: Path) -> None:
    """Positions and angles have a line for each frame; a missing partner is named."""
    write_pair(tmp_path, "m04_s09_e01", frames=3)
    path = tmp_path / "m04_s09_e01_angles.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    with pytest.raises(DataError, match=r"m04_s09_e01_positions\.txt' has 3 lines, the angles beside it 2; one of the two is cut off"):
        TEXT.load("val", tmp_path)
    path.unlink()
    with pytest.raises(DataError, match=r"^The file .*m04_s09_e01_angles\.txt' is missing; each _positions\.txt has its _angles\.txt\.$"):
        TEXT.load("val", tmp_path)


def test_another_movement_is_told(tmp_path: Path) -> None:
    """There are ten movements."""
    write_pair(tmp_path, "m11_s09_e01")
    with pytest.raises(DataError, match=r"m11_s09_e01_positions\.txt' is of movement 11; there are 1 to 10\.$"):
        TEXT.load("val", tmp_path)


def test_a_split_without_clips_is_told(tmp_path: Path) -> None:
    """A split that has no clip names the folder and the subjects that it looked for."""
    write_pair(tmp_path, "m04_s09_e01")
    with pytest.raises(DataError, match=r"has no clip of the test split of ui_prmd\[layout=text\], subjects 2, 4, 6, 8, 10\.$"):
        TEXT.load("test", tmp_path)
