"""Every reader: what is written comes back, and whatever is damaged is either sound or a `DataError`, never another error."""

import contextlib
import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from mgbench_plugins.datasets import irds, kinetics_skeleton, nw_ucla, wmft

from mgbench import Clips, DataError, Dataset, load_skeleton
from mgbench.packing import read_split
from mgbench.registry import registry


Floats = npt.NDArray[np.float32]
Files = dict[str, bytes]

#: Numbers that a text of any form can hold; what is zero in all joints ends a clip in two layouts, and zero in z is no joint in another.
NUMBERS: Final = st.floats(0.125, 99, width=32)
JOINTS: Final = tuple(irds._JOINTS)
OFTEN: Final = settings(
    derandomize=True, deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def clips_of(joints: int, channels: int = 3) -> st.SearchStrategy[Floats]:
    """Draw clips `(T, V, C)`."""
    return arrays.arrays(np.float32, st.integers(1, 4).map(lambda frames: (frames, joints, channels)), elements=NUMBERS)


def array(frames: int = 2, joints: int = 25) -> Floats:
    """Return a clip `(T, V, 3)`."""
    return np.random.default_rng(frames).uniform(0.5, 2, size=(frames, joints, 3)).astype(np.float32)


def numbers(x: npt.NDArray[Any], *before: object) -> str:
    """Write a line of numbers between commas."""
    return ",".join([*map(str, before), *map(repr, x.astype(float).ravel().tolist())])


def npy(x: npt.NDArray[Any]) -> bytes:
    """Write `.npy`."""
    stream = io.BytesIO()
    np.save(stream, x)
    return stream.getvalue()


def npz(**held: npt.NDArray[Any]) -> bytes:
    """Write `.npz`."""
    stream = io.BytesIO()
    np.savez(stream, **held)  # type: ignore[arg-type] # numpy's stub wants a flag first
    return stream.getvalue()


def as_ucla(x: Floats) -> bytes:
    """Write a clip of class 1."""
    return json.dumps({"file_name": "a", "skeletons": x.astype(float).tolist(), "label": 1}).encode()


def as_kinetics(x: Floats) -> bytes:
    """Write a video of class 0 with one person."""
    people = [[{"pose": frame[:, :2].astype(float).ravel().tolist(), "score": frame[:, 2].astype(float).tolist()}] for frame in x]
    frames = [{"frame_index": index, "skeleton": one} for index, one in enumerate(people, start=1)]
    return json.dumps({"data": frames, "label": "a", "label_index": 0}).encode()


def as_irds(x: Floats) -> bytes:
    """Write a recording whose joints are all tracked."""
    frames = [
        ",".join(["1,2,3", *(f"({name},Tracked,{numbers(row)},1,1)" for name, row in zip(JOINTS, frame, strict=True))]) for frame in x
    ]
    return "\n".join(["Version0.1", *frames, ""]).encode()


def as_ntu(x: Floats) -> bytes:
    """Write a recording of one body."""
    text = [str(len(x))]
    for frame in x:
        text += ["1", "72057594037931101 0 1 1 1 1 0 0.5 -0.5 2", "25"]
        text += [f"{a!r} {b!r} {c!r} 277.419 191.8218 1036.233 519.1677 0 0 0 0 2" for a, b, c in frame.astype(float).tolist()]
    return "\n".join([*text, ""]).encode()


def _smg() -> Files:
    columns = np.zeros((3, 25, 11))
    columns[:, :, :3] = array(3)
    rows = "".join(numbers(row) + "\n" for row in columns)
    kinds = {"skeleton": rows, "finelabels": "1,0,2\n3,1,3\n", "data": "3,28,8000\n"}
    samples = (f"Sample{subject:04}" for subject in (1, 31, 36))
    return {f"{sample}/{sample}_{kind}.csv": text.encode() for sample in samples for kind, text in kinds.items()}


def _imigue() -> Files:
    rows = "".join(numbers(row, index) + "\n" for index, row in enumerate(array(3, 35))).encode()
    held = {"light_hand": rows, "label": b"1,0,1\n99,1,2\n"}
    return {f"imigue_skeleton_train/{video}/{video}_{kind}.csv": text for video in ("0012", "0001", "0054") for kind, text in held.items()}


def _ui_prmd() -> Files:
    count = 7
    facts = {name: np.full(count, 1) for name in ("frames", "movement", "episode", "correct")}
    joints = np.ones((count, 22, 3), np.int16)
    return {"ui_prmd_kinect22.npz": npz(joints_i16=joints, scale_cm=np.float32(1), subject=np.array([1, 2, 3, 7, 8, 9, 10]), **facts)}


def _ui_prmd_text() -> Files:
    row = f"{numbers(array(1, 22))}\n".encode()
    return {f"m01_s{subject:02}_e01_{kind}.txt": row for subject in (1, 2, 9) for kind in ("positions", "angles")}


def _ar_body25() -> Files:
    classes = ("come", "five", "handshake", "hello", "ignore", "look_at")
    label = np.repeat(np.arange(6), 46)
    return {"ar_body25.npz": npz(keypoints=np.ones((len(label), 92, 25, 2), np.float32), label=label, class_names=np.array(classes))}


def _tensors(joints: int, **parts: list[str]) -> Files:
    x = array(3, joints)[None].transpose(0, 3, 1, 2)[..., None]
    files = {f"{part}_label.pkl": pickle.dumps((names, [0] * len(names))) for part, names in parts.items()}
    return files | {f"{part}_data.npy": npy(np.repeat(x, len(names), axis=0)) for part, names in parts.items()}


def _pyskl() -> Files:
    annotations = [
        {"frame_dir": name, "label": label, "total_frames": 2, "keypoint": array()[None].astype(np.float16)}
        for label, name in enumerate("ab")
    ]
    return {"x.pkl": pickle.dumps({"split": {"train": ["a"], "val": ["b"]}, "annotations": annotations})}


def _openpose() -> Files:
    person = {"pose_keypoints_2d": [float(number) for number in range(1, 76)]}
    frames = {f"{clip}/x_{frame:012}_keypoints.json": json.dumps({"people": [person]}).encode() for clip in "ab" for frame in range(2)}
    return {"labels.csv": b"clip,label,split\na,up,train\nb,down,test\n", **frames}


ONE_HOT: Final = npz(x_train=array().reshape(1, 2, 75), y_train=np.eye(2)[:1], x_test=array(3).reshape(1, 3, 75), y_test=np.eye(2)[1:])
KINETICS: Final = json.dumps({"a": {"has_skeleton": True, "label": "a", "label_index": 0}}).encode()
MADE: Final[dict[str, Callable[[], Files]]] = {
    "ntu60": lambda: {f"S001C001P{who:03}R001A001.skeleton": as_ntu(array()) for who in (1, 3)},
    "smg": _smg,
    "smg[layout=packed]": lambda: _tensors(25, train=["Sample00011", "Sample00311"], test=["Sample00361"]),
    "imigue": _imigue,
    "imigue[layout=packed,joints=imigue22]": lambda: {
        f"imigue_processed/{name}": text for name, text in _tensors(22, train=["0012_0", "0020_0"], valid=["0001_0"]).items()
    },
    "kinetics_skeleton": lambda: {
        **{f"kinetics_{part}/a.json": as_kinetics(array(2, 18)) for part in ("train", "val")},
        **{f"kinetics_{part}_label.json": KINETICS for part in ("train", "val")},
    },
    "nw_ucla": lambda: {f"all_sqe/a01_s01_e00_v0{view}.json": as_ucla(array(2, 20)) for view in (1, 2, 3)},
    "irds": lambda: {f"raw/{who}_18_0_1_1_stand.txt": as_irds(array()) for who in (215, 216, 217)},
    "wmft[condition=healthy]": lambda: {
        f"data/S{who:02}_healthy_task{task:02}.bin": array(1).tobytes() for who in range(1, 25) for task in range(1, 16)
    },
    "ui_prmd": _ui_prmd,
    "ui_prmd[layout=text]": _ui_prmd_text,
    "ar_body25": _ar_body25,
    "packed[folder=x,skeleton=kinect25,layout=stgcn_npy]": lambda: _tensors(25, train=["a"], val=["b"]),
    "packed[folder=x,skeleton=kinect25,layout=ctrgcn_npz]": lambda: {"x.npz": ONE_HOT},
    "packed[folder=x,skeleton=kinect25,layout=pyskl_pkl]": _pyskl,
    "packed[folder=x,skeleton=body25,layout=openpose_json]": _openpose,
}


def write(folder: Path, files: Files) -> None:
    """Write files, by their paths."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def load(dataset: Dataset, folder: Path) -> list[Clips]:
    """Read and check the splits that there are."""
    opened = dataset.at(folder)
    return [read_split(opened, split, folder).check(opened.skeleton, len(opened.classes), "made") for split in opened.splits]


@pytest.mark.parametrize("spec", MADE)
@OFTEN
@given(data=st.data())
def test_damage_is_told_or_harmless(spec: str, tmp_path: Path, data: st.DataObject) -> None:
    """Wherever a file loses, gains or changes bytes, it still gives sound clips, or a `DataError`."""
    files, dataset = MADE[spec](), registry(()).parse("dataset", spec)
    if not (tmp_path / "x").is_dir():
        write(tmp_path / "x", files)
        assert load(dataset, tmp_path / "x")
    name = data.draw(st.sampled_from(sorted(files)))
    start = data.draw(st.integers(0, len(files[name])))
    stop = start + data.draw(st.integers(0, 12) | st.just(len(files[name])))
    words = st.sampled_from([b"", b"nan", b"-1", b"1e999", b"9" * 30, b"\n", b",", b'"', b"[", b"null", b"\xff\xfe", b"true"])
    new = data.draw(words | st.binary(max_size=12))
    (tmp_path / "x" / name).write_bytes(files[name][:start] + new + files[name][stop:])
    try:
        with contextlib.suppress(DataError):
            load(dataset, tmp_path / "x")
    finally:
        (tmp_path / "x" / name).write_bytes(files[name])


@pytest.mark.parametrize("spec", MADE)
def test_what_systems_leave_beside_files_changes_nothing(spec: str, tmp_path: Path) -> None:
    """Files of Finder and of archives made by it, and a text by the user, are no data."""
    files, dataset = MADE[spec](), registry(()).parse("dataset", spec)
    write(tmp_path / "x", files)
    before = [clips.digest for clips in load(dataset, tmp_path / "x")]
    doubles = {str(Path(name).with_name(f"._{Path(name).name}")): b"\0\5\x16\7" for name in files}
    zipped = {f"__MACOSX/{name}": content for name, content in doubles.items()}
    write(tmp_path / "x", doubles | zipped | {".DS_Store": b"\0", "README.md": b"mine", ".cache/x": b""})

    assert [clips.digest for clips in load(dataset, tmp_path / "x")] == before


@pytest.mark.parametrize("spec", ["ntu60", "nw_ucla", "irds", "packed[folder=x,skeleton=kinect25,layout=ctrgcn_npz]"])
def test_endings_in_capitals_are_endings(spec: str, tmp_path: Path) -> None:
    """No file is passed over because a camera or a disk writes its ending in capitals."""
    files, dataset = MADE[spec](), registry(()).parse("dataset", spec)
    write(tmp_path / "x", files)
    write(tmp_path / "y", {name.replace(Path(name).suffix, Path(name).suffix.upper()): content for name, content in files.items()})

    assert [clips.digest for clips in load(dataset, tmp_path / "x")] == [clips.digest for clips in load(dataset, tmp_path / "y")]


@OFTEN
@given(x=clips_of(20))
def test_ucla_comes_back(x: Floats, tmp_path: Path) -> None:
    """What is written as JSON is read value for value."""
    (tmp_path / "a.json").write_bytes(as_ucla(x))
    np.testing.assert_array_equal(nw_ucla.read_clip(str(tmp_path / "a.json"), 0)[:, 0], x)


@OFTEN
@given(x=clips_of(18))
def test_kinetics_comes_back(x: Floats, tmp_path: Path) -> None:
    """Scores are read value for value, and places around the middle of the image."""
    (tmp_path / "a.json").write_bytes(as_kinetics(x))
    np.testing.assert_array_equal(kinetics_skeleton.read_clip(str(tmp_path / "a.json"), 0)[:, 0], x - np.float32([0.5, 0.5, 0]))


@OFTEN
@given(x=clips_of(25))
def test_irds_comes_back(x: Floats, tmp_path: Path) -> None:
    """Joints that are tracked are read value for value."""
    (tmp_path / "a.txt").write_bytes(as_irds(x))
    np.testing.assert_array_equal(irds.read_recording(tmp_path / "a.txt"), x)


@OFTEN
@given(x=clips_of(25))
def test_wmft_comes_back(x: Floats, tmp_path: Path) -> None:
    """Bytes are read value for value."""
    (tmp_path / "a.bin").write_bytes(x.tobytes())
    np.testing.assert_array_equal(wmft._read(tmp_path / "a.bin")[:, 0], x)


@pytest.mark.parametrize("layout", ["ctrgcn_npz", "pyskl_pkl"])
@OFTEN
@given(first=clips_of(25), second=clips_of(25))
def test_packed_clips_come_back(layout: str, first: Floats, second: Floats, tmp_path: Path) -> None:
    """Archives and pickles give each clip value for value, at its own length."""
    pair = dict(zip("ab", (first, second), strict=True))
    if layout == "ctrgcn_npz":
        rows = {part: x.reshape(1, len(x), -1) for part, x in zip(("train", "test"), pair.values(), strict=True)}
        held = {f"x_{part}": x for part, x in rows.items()} | {f"y_{part}": np.eye(1) for part in rows}
        write(tmp_path / "x", {"x.npz": npz(**held)})
    else:
        annotations = [{"frame_dir": name, "label": 0, "total_frames": len(x), "keypoint": x[None]} for name, x in pair.items()]
        write(tmp_path / "x", {"x.pkl": pickle.dumps({"split": {"train": ["a"], "test": ["b"]}, "annotations": annotations})})
    read = load(registry(()).parse("dataset", f"packed[folder=x,skeleton=kinect25,layout={layout}]"), tmp_path / "x")

    for clips, x in zip(read, pair.values(), strict=True):
        np.testing.assert_array_equal(clips.x[:, 0], x)


@OFTEN
@given(x=clips_of(22), angles=arrays.arrays(np.float32, (4, 22, 3), elements=st.floats(-180, 180, width=32)))
def test_ui_prmd_keeps_the_lengths_of_bones(x: Floats, angles: Floats, tmp_path: Path) -> None:
    """However joints are turned, a bone in space is as long as its offset in the text."""
    for kind, rows in (("positions", x), ("angles", angles[: len(x)])):
        (tmp_path / f"m01_s01_e01_{kind}.txt").write_text("".join(numbers(row) + "\n" for row in rows))
    read = registry(()).parse("dataset", "ui_prmd[layout=text]").load("train", tmp_path).x[:, 0] * 100
    child, parent = np.array(load_skeleton("kinect22").bones).T
    lengths = np.linalg.norm(read[:, child] - read[:, parent], axis=-1)

    np.testing.assert_allclose(lengths, np.linalg.norm(x[:, child], axis=-1), rtol=1e-3)
