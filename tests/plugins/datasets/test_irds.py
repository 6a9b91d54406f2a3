"""IRDS: the real recordings as counted, one person held out, and malformed files told in words."""

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from mgbench_plugins.datasets.irds import Irds, read_recording

from mgbench import Clips, DataError
from mgbench.components import Split
from mgbench.paths import dataset_folder


SPLITS: tuple[Split, ...] = ("train", "val", "test")
#: Kinect v2's joints as files name them.
JOINTS = re.findall(
    r"\w+",
    "SpineBase SpineMid Neck Head ShoulderLeft ElbowLeft WristLeft HandLeft ShoulderRight ElbowRight WristRight HandRight HipLeft KneeLeft "
    "AnkleLeft FootLeft HipRight KneeRight AnkleRight FootRight SpineShoulder HandTipLeft ThumbLeft HandTipRight ThumbRight",
)


def as_text(x: npt.NDArray[np.float32], states: dict[tuple[int, int], str] | None = None) -> str:
    """Write coordinates `(T, 25, 3)` as IRDS does; `states` are those of single frames and joints."""
    lines = ["Version0.1"]
    for t, frame in enumerate(x.astype(float).tolist()):
        joints = (
            f"({name},{(states or {}).get((t, j), 'Tracked')},{','.join(map(repr, frame[j]))},{100.5 + j},-Infinity)"
            for j, name in enumerate(JOINTS)
        )
        lines.append(f"{t},5,{33 * t},{','.join(joints)}")
    return "\n".join(lines) + "\n"


def recording(frames: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Return coordinates `(T, 25, 3)` of nobody."""
    return np.random.default_rng(seed).normal(size=(frames, 25, 3)).astype(np.float32)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Write one recording of each of four people."""
    (tmp_path / "RawData").mkdir()
    for person, gesture in ((101, 0), (102, 3), (205, 8), (317, 5)):
        (tmp_path / "RawData" / f"{person}_18_{gesture}_1_1_Stand-frame.txt").write_text(as_text(recording(2, person)))
    return tmp_path


def loaded(folder: Path, held_out: int = 215) -> dict[Split, Clips]:
    """Load every split, held against the contract."""
    dataset = Irds(held_out=held_out)
    return {split: dataset.load(split, folder).check(dataset.skeleton, 9, split) for split in SPLITS}


@pytest.mark.data
@pytest.mark.parametrize(("held_out", "counts"), [(215, (13, 9, 13)), (216, (13, 13, 9)), (217, (9, 13, 13))])
def test_the_real_recordings_are_those_counted(held_out: int, counts: tuple[int, ...], data_folder: Path) -> None:
    """35 clips of nine gestures by three people, of whom one is tested and the next one validates."""
    folder = dataset_folder(Irds(), data_folder)
    splits = loaded(folder, held_out)
    people = [set(clips.subject.tolist()) for clips in splits.values()]

    assert tuple(map(len, splits.values())) == counts
    assert people[2] == {held_out}
    assert set.union(*people) == {215, 216, 217}
    assert sum(map(len, people)) == 3
    assert all(set(clips.label.tolist()) == set(range(9)) for clips in splits.values())
    for clips in splits.values():
        for i, name in enumerate(clips.clip):
            assert len((folder / "raw" / f"{name}.txt").read_text().splitlines()) - 1 == clips.frames[i]
            assert [int(clips.subject[i]), int(clips.label[i])] == [int(name.split("_")[0]), int(name.split("_")[2])]


@pytest.mark.data
def test_the_real_clips_are_bodies_before_a_sensor(data_folder: Path) -> None:
    """Metres in Kinect's space: one to three metres away, head above pelvis, the left shoulder on the side of negative x."""
    clips = loaded(dataset_folder(Irds(), data_folder))["test"]
    x = clips.x[:, 0]

    np.testing.assert_array_equal(clips[0][0, 0, 1], np.float32([-0.4068137, 0.3180874, 2.105106]))
    assert ((x[..., 2] > 1) & (x[..., 2] < 3)).mean() > 0.99
    assert (x[:, 3, 1] > x[:, 0, 1]).all()
    assert (x[:, 4, 0] < x[:, 8, 0]).all()


@pytest.mark.parametrize(("held_out", "val", "train"), [(101, {102}, {205, 317}), (205, {317}, {101, 102}), (317, {101}, {102, 205})])
def test_one_person_is_held_out(held_out: int, val: set[int], train: set[int], made: Path) -> None:
    """The person held out is tested, the next validates, the first after the last, and all others train."""
    people = {split: set(clips.subject.tolist()) for split, clips in loaded(made, held_out).items()}
    assert people == {"train": train, "val": val, "test": {held_out}}


def test_a_recording_comes_back_bit_for_bit(tmp_path: Path) -> None:
    """Coordinates keep their order and every bit; what was inferred is kept, and what was not tracked is zero."""
    x = recording(3)
    (tmp_path / "x.txt").write_text(as_text(x, {(0, 4): "Inferred", (1, 7): "NotTracked"}))
    expected = x.copy()
    expected[1, 7] = 0
    np.testing.assert_array_equal(read_recording(tmp_path / "x.txt"), expected)
    (tmp_path / "x.txt").write_bytes(as_text(x).replace("\n", "\r\n").encode())
    np.testing.assert_array_equal(read_recording(tmp_path / "x.txt"), x)


def test_a_cut_recording_loses_its_last_frames_only(tmp_path: Path) -> None:
    """The format states no number of frames, so that a file cut off anywhere is shorter: whole frames only, or an error by name."""
    path, x = tmp_path / "x.txt", recording(3)
    text = as_text(x)
    lengths = set()
    for end in np.random.default_rng(0).choice(len(text), 50, replace=False).tolist():
        path.write_text(text[:end])
        whole = text[: end + 1].count("\n") - 1  # a frame is whole before the end of its line is written
        if whole > 0:
            np.testing.assert_array_equal(read_recording(path), x[:whole])
        else:
            with pytest.raises(DataError, match=r"x\.txt'"):
                read_recording(path)
        lengths.add(whole)
    assert {0, 1, 2} <= lengths


FRAME = "is no frame; it must be three time stamps and (name,state,x,y,z,u,v) of each of the 25 joints, in Kinect's order: "


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Version0.1", "Version0.2", "line 1 is 'Version0.2'; it must be Version0.1."),
        ("(Neck,Tracked", "(Nape,Tracked", f"line 2 {FRAME}(Nape,Tracked,0,0,0,102.5,-Infinity) stands for Neck."),
        ("(Head,Tracked", "(Head,Lost", f"line 2 {FRAME}(Head,Lost,0,0,0,103.5,-Infinity) stands for Head."),
        ("(Head,Tracked,0", "(Head,Tracked,NaN", f"line 2 {FRAME}(Head,Tracked,NaN,0,0,103.5,-Infinity) stands for Head."),
        (",(ThumbRight,Tracked,0,0,0,124.5,-Infinity)", "", f"line 2 {FRAME}it has 24 joints."),
        ("0,5,0,", "0,5,", f"line 2 {FRAME}it has 25 joints."),
        ("1,5,33,", "\n1,5,33,", f"line 3 {FRAME}it has 0 joints."),
        ("(Head,Tracked,0", "(Head,Tracked,1e39", "line 2, column 27 holds '1e39'; a coordinate is a finite number."),
    ],
)
def test_a_malformed_recording_names_file_line_and_rule(old: str, new: str, said: str, tmp_path: Path) -> None:
    """Another version, joints in another order, unknown states, and coordinates that are no numbers are refused."""
    path, text = tmp_path / "x.txt", as_text(np.zeros((2, 25, 3), dtype=np.float32)).replace("0.0,", "0,")
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=f"^{re.escape(repr(str(path)))}, {re.escape(said)}$"):
        read_recording(path)


@pytest.mark.parametrize(
    ("text", "said"), [("", "is empty; it needs at least one line."), ("Version0.1\n", "has no whole frame; it needs at least one.")]
)
def test_an_empty_recording_is_told(text: str, said: str, tmp_path: Path) -> None:
    """A recording without a frame is refused."""
    (tmp_path / "x.txt").write_text(text)
    with pytest.raises(DataError, match=f"x.txt' {said}$"):
        read_recording(tmp_path / "x.txt")


def test_a_person_who_is_not_there_brings_the_nearest(made: Path) -> None:
    """The person held out must be among those recorded, of whom there are three at least."""
    with pytest.raises(DataError, match=r"has no recording of person 201; did you mean '205'\?$"):
        Irds(held_out=201).load("test", made)
    for person in (102, 205):
        next((made / "RawData").glob(f"{person}_*")).unlink()
    with pytest.raises(DataError, match=r"has recordings of 2 people; training, validation and test need one each\.$"):
        Irds(held_out=101).load("test", made)


def test_a_folder_without_recordings_is_told(tmp_path: Path) -> None:
    """A folder without a file of the right name says what the name is."""
    with pytest.raises(DataError, match=r"has no recording of person 215; it has no file named like 215_18_0_1_1_stand\.txt\.$"):
        Irds().load("test", tmp_path)


def test_a_file_of_another_name_is_told(made: Path) -> None:
    """What a clip is stands in its name, so that no other name is passed over."""
    (made / "RawData" / "101_18_9_1_1_stand.txt").write_text(as_text(recording(1)))
    with pytest.raises(DataError, match=r"101_18_9_1_1_stand\.txt' is not named like 215_18_0_1_1_stand\.txt: person, date, gesture 0-8"):
        Irds(held_out=101).load("test", made)
