"""ST-GCN's arrays: what is written comes back, and a file that is cut, changed or somebody else's is told in words."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mgbench_plugins.datasets.packed import Packed
from opened import load_checked, refuse

from mgbench import Clips, DataError
from mgbench.components import Split


MINE = Packed(folder="mine", skeleton="kinect25")


def array(frames: tuple[int, ...] = (3, 2), people: int = 2, length: int = 4) -> npt.NDArray[np.float32]:
    """Return clips `(N, C, T, V, M)` of so many frames, padded with zeros to one length."""
    x = np.random.default_rng(sum(frames)).normal(size=(len(frames), 3, length, 25, people)).astype(np.float32)
    for clip, own in zip(x, frames, strict=True):
        clip[:, own:] = 0
    return x


def write(folder: Path, part: str, x: npt.NDArray[Any], held: object = None, suffix: str = "data") -> None:
    """Write one part: an array, and a pickle of names and labels, by default one class a clip."""
    np.save(folder / f"{part}_{suffix}.npy", x)
    default = [f"{part}{index}" for index in range(len(x))], list(range(len(x)))
    (folder / f"{part}_label.pkl").write_bytes(pickle.dumps(default if held is None else held))


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder of two training clips and one test clip."""
    folder = tmp_path / "mine"
    folder.mkdir()
    write(folder, "train", array())
    write(folder, "val", array((4,)))
    return folder


def loaded(folder: Path, split: Split = "train", dataset: Packed = MINE) -> Clips:
    """Return a split of mine."""
    return load_checked(dataset, folder, split)


def refused(said: str, folder: Path, dataset: Packed = MINE) -> None:
    """Hold the whole sentence of the error against what is expected; `{}` stands for what is read."""
    refuse(dataset, folder, said, folder)


def test_padding_is_cut(mine: Path) -> None:
    """Zero frames behind the last are padding; zero frames before it, and empty people, stay."""
    x = array((3, 2))
    x[0, :, :2], x[1, ..., 1] = 0, 0
    write(mine, "train", x)
    clips = loaded(mine)
    assert clips.frames.tolist() == [3, 2]
    np.testing.assert_array_equal(clips[0], x[0].transpose(1, 3, 2, 0)[:3])
    assert not clips[0][:2].any()
    assert not clips[1][:, 1].any()


@pytest.mark.parametrize("suffix", ["data", "data_joint", "position"])
@pytest.mark.parametrize("part", ["val", "test"])
def test_the_field_has_several_names(suffix: str, part: str, tmp_path: Path) -> None:
    """Files are called as in ST-GCN, 2s-AGCN or AimCLR; the part that is scored is val or test."""
    write(tmp_path, "train", array(), suffix=suffix)
    write(tmp_path, part, array((4,)), suffix=suffix)
    assert loaded(tmp_path, "test").clip == (f"{part}0",)


@pytest.mark.parametrize("label", [np.array([1, 0]), np.array([[1], [0]], dtype=np.uint8)])
def test_labels_may_be_an_array(label: npt.NDArray[Any], mine: Path) -> None:
    """AimCLR's `_label.npy` has no names: clips are called by part and place. Beside a pickle it is not read."""
    np.save(mine / "train_label.npy", label)
    assert loaded(mine).clip == ("train0", "train1")
    (mine / "train_label.pkl").unlink()
    clips = loaded(mine)
    assert (clips.clip, clips.label.tolist()) == (("train-000000", "train-000001"), [1, 0])


@pytest.mark.parametrize("held", [(["a", "b"], np.array([0, 1])), [("a", "b"), (np.int64(0), 1)]])
def test_labels_are_any_two_lists(held: object, mine: Path) -> None:
    """The pickle's pair may be a list, and its labels an array or numbers of numpy."""
    write(mine, "train", array(), held)
    assert (loaded(mine).clip, loaded(mine).label.tolist()) == (("a", "b"), [0, 1])


@pytest.mark.parametrize("kind", ["<f2", "<f8", ">f4"])
def test_floats_of_any_kind_are_read(kind: str, mine: Path) -> None:
    """Half and double precision and the other byte order become float32; Fortran's order changes nothing."""
    x = np.asfortranarray(array().astype(kind))
    write(mine, "train", x)
    np.testing.assert_array_equal(loaded(mine)[0], x[0].transpose(1, 3, 2, 0)[:3].astype(np.float32))


def test_a_score_is_added_where_it_is_left_out(mine: Path) -> None:
    """On a skeleton with a score, two channels get 1 where a joint is seen; three keep theirs, and what has none is not seen."""
    dataset = Packed(folder="mine", skeleton="openpose18")
    for part in ("train", "val"):
        x = np.ones((1, 2, 3, 18, 1), dtype=np.float32)
        x[:, :, 1, 4] = 0
        write(mine, part, x)
    clip = loaded(mine, dataset=dataset)[0]
    assert clip[0, 0, 4].tolist() == [1, 1, 1]
    assert clip[1, 0, 4].tolist() == [0, 0, 0]
    scored = np.full((1, 3, 3, 18, 1), 0.5, dtype=np.float32)
    scored[:, 2, 1, 4] = 0
    write(mine, "train", scored)
    clip = loaded(mine, dataset=dataset)[0]
    assert (clip[0, 0, 4].tolist(), clip[1, 0, 4].tolist()) == ([0.5, 0.5, 0.5], [0, 0, 0])


@settings(derandomize=True, deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_is_written_comes_back(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Clips of any number, length and people come back bit for bit with their names and labels, unpadded."""
    folder = tmp_path_factory.mktemp("packed")
    frames = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    names = data.draw(st.lists(st.text(min_size=1), min_size=len(frames), max_size=len(frames), unique=True))
    labels = data.draw(st.lists(st.integers(0, 9999), min_size=len(frames), max_size=len(frames)))
    x = array(tuple(frames), people=data.draw(st.integers(1, 3)))
    write(folder, "train", x, (names, labels))
    write(folder, "test", array((1,)), (["".join(names) + "!"], [0]))
    clips = loaded(folder)
    assert (clips.clip, clips.label.tolist(), clips.frames.tolist()) == (tuple(names), labels, frames)
    for index, own in enumerate(frames):
        np.testing.assert_array_equal(clips[index][:, : x.shape[4]], x[index].transpose(1, 3, 2, 0)[:own])


@pytest.mark.parametrize("name", ["train_data.npy", "train_label.pkl", "train_label.npy"])
def test_a_cut_file_is_told(name: str, mine: Path) -> None:
    """Cut off anywhere, an array or a label file is an error that names it and says what it must be."""
    if name == "train_label.npy":
        (mine / "train_label.pkl").unlink()
        np.save(mine / name, np.array([0, 1]))
    path = mine / name
    whole = path.read_bytes()
    for keep in np.random.default_rng(0).integers(0, len(whole), 50):
        path.write_bytes(whole[:keep])
        with pytest.raises(DataError, match=rf"{name}' (cannot be read .*(it must be|is whole)|has \d+ bytes; its header states)"):
            loaded(mine)


def test_a_longer_file_is_told(mine: Path) -> None:
    """Bytes behind the array are no part of it: the file was changed."""
    with (mine / "train_data.npy").open("ab") as file:
        file.write(b"more")
    refused("'{}/train_data.npy' has 4932 bytes; its header states 4928, float32 (2, 3, 4, 25, 2): copy it again if it is cut off.", mine)


def test_a_header_is_not_believed(mine: Path) -> None:
    """A small file whose header states two gigabytes, or nonsense, is refused before anything is allocated."""
    for shape in ((10_000, 3, 360, 25, 2), (10**9, 3, 10**9, 25, 2), (-1, 3, 4, 25, -2), (0, 3, 4, 25, 2)):
        with (mine / "train_data.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
            file.write(bytes(600))
        with pytest.raises(DataError, match=r"train_data\.npy' "):
            loaded(mine)


def test_objects_and_archives_are_no_arrays(mine: Path) -> None:
    """An array of objects, whose numbers would be unpickled, and an archive under the name of an array are refused."""
    np.save(mine / "train_data.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"train_data\.npy' cannot be read"):
        loaded(mine)
    with (mine / "train_data.npy").open("wb") as file:
        np.savez(file, x=array())
    with pytest.raises(DataError, match=r"train_data\.npy' cannot be read"):
        loaded(mine)


@pytest.mark.parametrize(
    "x",
    [
        np.zeros((2, 3, 4, 25), dtype=np.float32),
        np.ones((2, 3, 4, 25, 2), dtype=np.int64),
        np.ones((2, 3, 4, 22, 2), dtype=np.float32),
        np.ones((2, 2, 4, 25, 2), dtype=np.float32),
        np.ones((2, 4, 3, 25, 2), dtype=np.float32),
    ],
)
def test_wrong_shapes_are_told(x: npt.NDArray[Any], mine: Path) -> None:
    """An array of other axes, joints, channels or numbers is told with what it must be."""
    write(mine, "train", x)
    rule = "float32 (N, C, T, V, M), with C = 3 and V = 25 of the skeleton 'kinect25'"
    refused(f"'{{}}/train_data.npy' is {x.dtype} {x.shape}; it must be {rule}.", mine)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"names": []}, "'{}/train_label.pkl' must hold two lists of one length, names and class numbers."),
        ((["a"], [0, 1]), "'{}/train_label.pkl' must hold two lists of one length, names and class numbers."),
        ((["a", "b"], "01"), "'{}/train_label.pkl' must hold two lists of one length, names and class numbers."),
        ((["a", "b"], [0, -1]), "'{}/train_label.pkl', entry 1 is ('b', -1); allowed are a name and a class number 0 to 9999."),
        ((["a", "b"], [0, 1.0]), "'{}/train_label.pkl', entry 1 is ('b', 1.0); allowed are a name and a class number 0 to 9999."),
        ((["a", "b"], [True, 1]), "'{}/train_label.pkl', entry 0 is ('a', True); allowed are a name and a class number 0 to 9999."),
        ((["a", 7], [0, 1]), "'{}/train_label.pkl', entry 1 is (7, 1); allowed are a name and a class number 0 to 9999."),
        ((["a", ""], [0, 1]), "'{}/train_label.pkl', entry 1 is ('', 1); allowed are a name and a class number 0 to 9999."),
        ((["a"], [0]), "'{}/train_data.npy' has 2 clips; train_label.pkl beside it has 1 labels, one of them is another's."),
    ],
)
def test_wrong_labels_are_told(held: object, said: str, mine: Path) -> None:
    """Names and labels must pair up with each other and with the clips."""
    write(mine, "train", array(), held)
    refused(said, mine)


@pytest.mark.parametrize("label", [np.array([0.0, 1.0]), np.zeros((2, 2), dtype=int), np.array(3)])
def test_wrong_arrays_of_labels_are_told(label: npt.NDArray[Any], mine: Path) -> None:
    """An array of labels holds one whole number a clip."""
    (mine / "train_label.pkl").unlink()
    np.save(mine / "train_label.npy", label)
    refused(f"'{{}}/train_label.npy' is {label.dtype} {label.shape}; it must be whole numbers (N,) or (N, 1).", mine)


def test_missing_files_are_told(mine: Path) -> None:
    """Labels that are not there are missing; two arrays of one part are one too many."""
    write(mine, "train", array(), suffix="position")
    refused("'{}' has train_data.npy and train_position.npy; keep one of them in the folder.", mine)
    (mine / "train_position.npy").unlink()
    (mine / "train_label.pkl").unlink()
    refused("The file '{}/train_label.pkl' is missing.", mine)


def test_the_pickle_runs_nothing(mine: Path) -> None:
    """A label file that names a function is refused before the function is called."""
    (mine / "train_label.pkl").write_bytes(b"cposix\nsystem\n(S'touch called'\ntR.")
    with pytest.raises(DataError, match=r"posix\.system"):
        loaded(mine)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "'{}/train_data.npy', clip 'train1' is empty: all its frames are zero, which stands for padding; leave it out."),
        (np.nan, "'{}/train_data.npy', clip 'train1' has a coordinate that is not finite."),
        (1e300, "'{}/train_data.npy', clip 'train1' has a coordinate that is not finite."),
    ],
)
def test_wrong_clips_are_told(value: float, said: str, mine: Path) -> None:
    """A clip of padding alone, or with a coordinate that no float32 is, is refused by name."""
    x = array().astype(np.float64)
    x[1] = value
    write(mine, "train", x)
    refused(said, mine)
