"""CTR-GCN's archive: read clip by clip, refused where it is cut, changed, somebody else's, or made to fill a disk."""

import io
import re
import zipfile
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
KEYS = "x_train (N, T, M x V x C), y_train (N, classes), x_test and y_test"


def array(frames: tuple[int, ...], people: int = 2, length: int = 4) -> npt.NDArray[np.float32]:
    """Return clips `(N, T, M x V x C)` of so many frames, padded with zeros to one length."""
    x = np.random.default_rng(sum(frames)).normal(size=(len(frames), length, people * 75)).astype(np.float32)
    for clip, own in zip(x, frames, strict=True):
        clip[own:] = 0
    return x


def arrays(**changed: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of two training clips and one test clip, some of them changed."""
    usual: dict[str, npt.NDArray[Any]] = {
        "x_train": array((3, 2)),
        "y_train": np.eye(3)[[2, 0]],
        "x_test": array((4,)),
        "y_test": np.eye(3)[[1]],
    }
    return {**usual, **changed}


def write(folder: Path, held: dict[str, npt.NDArray[Any]], *, name: str = "mine.npz", small: bool = False) -> Path:
    """Write an archive and return its path."""
    (np.savez_compressed if small else np.savez)(folder / name, **held)  # type: ignore[arg-type] # numpy's stub wants a flag first
    return folder / name


def loaded(folder: Path, split: Split = "train", dataset: Packed = MINE) -> Clips:
    """Return a split of mine."""
    return load_checked(dataset, folder, split)


def refused(said: str, folder: Path, dataset: Packed = MINE) -> None:
    """Hold the whole sentence of the error against what is expected; `{}` stands for what is read."""
    refuse(dataset, folder, said, folder / "mine.npz")


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("kind", ["<f2", "<f4", ">f8"])
def test_clips_come_back(kind: str, small: bool, tmp_path: Path) -> None:
    """Clips are unpadded and unfolded to persons, joints and axes, whether the archive is compressed or not."""
    x = array((3, 2)).astype(kind)
    write(tmp_path, arrays(x_train=x), small=small)
    clips = loaded(tmp_path)
    assert (clips.clip, clips.label.tolist(), clips.frames.tolist()) == (("train-000000", "train-000001"), [2, 0], [3, 2])
    np.testing.assert_array_equal(clips[1], x[1, :2].reshape(2, 2, 25, 3).astype(np.float32))
    assert MINE.at(tmp_path).classes == ("class 1", "class 2", "class 3")


def test_people_are_counted_by_width(tmp_path: Path) -> None:
    """The width is persons x joints x axes; parts may differ, and the smaller gets empty places."""
    write(tmp_path, arrays(x_test=array((4,), people=1)))
    assert loaded(tmp_path).x.shape[1:] == loaded(tmp_path, "test").x.shape[1:] == (2, 25, 3)
    assert not loaded(tmp_path, "test").x[:, 1].any()


def test_a_validation_part_is_one(tmp_path: Path) -> None:
    """`x_val` beside `x_test` is the validation split, without it the test split."""
    extra: dict[str, npt.NDArray[Any]] = {"x_val": array((1,)), "y_val": np.eye(3)[[1]]}
    write(tmp_path, {**arrays(), **extra})
    assert MINE.at(tmp_path).splits == ("train", "val", "test")
    write(tmp_path, {key: value for key, value in {**arrays(), **extra}.items() if "test" not in key})
    assert MINE.at(tmp_path).splits == ("train", "test")


def test_one_archive_is_named(tmp_path: Path) -> None:
    """Of several archives one is named; a name that is not there brings those that are."""
    write(tmp_path, arrays())
    write(tmp_path, arrays(x_train=array((1, 1))), name="other.npz")
    with pytest.raises(DataError, match=r"must have one \.npz file; it has mine\.npz, other\.npz; name one, as in file=mine\.npz\.$"):
        loaded(tmp_path)
    assert loaded(tmp_path, dataset=Packed(folder="mine", skeleton="kinect25", file="other.npz")).frames.tolist() == [1, 1]
    with pytest.raises(DataError, match=r"has no \.npz file 'third\.npz'; it has mine\.npz, other\.npz\.$"):
        loaded(tmp_path, dataset=Packed(folder="mine", skeleton="kinect25", file="third.npz"))


@pytest.mark.parametrize("small", [False, True])
def test_a_cut_archive_is_told(small: bool, tmp_path: Path) -> None:
    """Cut off anywhere, the archive is an error that names it and says what it must be."""
    path = write(tmp_path, arrays(), small=small)
    whole = path.read_bytes()
    for keep in np.random.default_rng(0).integers(0, len(whole), 50):
        path.write_bytes(whole[:keep])
        with pytest.raises(
            DataError, match=rf"mine\.npz' cannot be read .*; it must be a whole \.npz with {re.escape(KEYS)}: copy it again"
        ):
            loaded(tmp_path)


@pytest.mark.parametrize("small", [False, True])
def test_a_changed_archive_never_passes(small: bool, tmp_path: Path) -> None:
    """A changed byte is an error, or changes nothing that is read: the archive's checksums are compared."""
    path = write(tmp_path, arrays(), small=small)
    whole, expected = path.read_bytes(), [loaded(tmp_path, split).digest for split in ("train", "test")]
    refused_ones = 0
    for place in np.random.default_rng(0).integers(0, len(whole), 200):
        changed = bytearray(whole)
        changed[place] ^= 0x55
        path.write_bytes(changed)
        try:
            got = [loaded(tmp_path, split).digest for split in ("train", "test")]
        except DataError:
            refused_ones += 1
        else:
            assert got == expected
    assert refused_ones > 150


@pytest.mark.parametrize("key", ["y_train", "x_test", "y_test"])
def test_a_missing_array_is_told(key: str, tmp_path: Path) -> None:
    """An array that is not there is named beside those that are; without a test part there is nothing to score."""
    held = arrays()
    del held[key]
    write(tmp_path, held)
    if key == "x_test":
        refused("'{}' has train; it needs a train part, and a test part, which may be called val.", tmp_path)
    else:
        refused(f"'{{}}' has no array {key!r}, only {', '.join(sorted(held))}; it must have {KEYS}.", tmp_path)


@pytest.mark.parametrize(
    "x", [np.ones((2, 4, 2, 75), np.float32), np.ones((2, 4, 149), np.float32), np.ones((2, 4, 150), int), np.ones((2, 4, 66), np.float32)]
)
def test_wrong_shapes_are_told(x: npt.NDArray[Any], tmp_path: Path) -> None:
    """Coordinates are floats whose width is a multiple of the skeleton's joints x axes."""
    write(tmp_path, arrays(x_train=x))
    rule = "it must be float32 (N, T, M x 75), the joints and axes of the skeleton 'kinect25'."
    refused(f"'{{}}', x_train is {x.dtype} {x.shape}; {rule}", tmp_path)


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.array([0, 1]), "has shape (2,); it must be one-hot, (2, classes), with a row a clip of x_train."),
        (np.eye(3), "has shape (3, 3); it must be one-hot, (2, classes), with a row a clip of x_train."),
        (np.zeros((2, 10_001)), "has shape (2, 10001); it must be one-hot, (2, classes), with a row a clip of x_train."),
        (np.array([[0, 1, 0], [0, 1, 1]]), "row 1 is not one-hot; it must be 1 at the clip's class and 0 elsewhere."),
        (np.array([[0, 0, 0], [0, 1, 0]]), "row 0 is not one-hot; it must be 1 at the clip's class and 0 elsewhere."),
        (np.array([[0, 2, 0], [0, 1, 0]]), "row 0 is not one-hot; it must be 1 at the clip's class and 0 elsewhere."),
        (np.array([[0, 1, 0], [0, np.nan, 0]]), "row 1 is not one-hot; it must be 1 at the clip's class and 0 elsewhere."),
    ],
)
def test_wrong_labels_are_told(y: npt.NDArray[Any], said: str, tmp_path: Path) -> None:
    """Each row of labels is 1 at one class and 0 elsewhere, and there is one a clip."""
    write(tmp_path, arrays(y_train=y))
    refused(f"'{{}}', y_train{' ' if said.startswith('has') else ', '}{said}", tmp_path)


def test_parts_have_the_same_classes(tmp_path: Path) -> None:
    """Two parts whose labels have other widths are of two data sets."""
    write(tmp_path, arrays(y_test=np.eye(4)[[1]]))
    refused("'{}' has labels of 3 and 4 classes; each y has a column for every class.", tmp_path)


def test_an_array_of_objects_is_no_array(tmp_path: Path) -> None:
    """Objects, which would be unpickled, are refused; so is an order in which clips do not follow each other."""
    write(tmp_path, arrays(x_train=np.array([[[{}]]], dtype=object)))
    with pytest.raises(DataError, match=r"x_train states object \(1, 1, 1\)"):
        loaded(tmp_path)
    write(tmp_path, arrays(x_train=np.asfortranarray(array((3, 2)))))
    with pytest.raises(DataError, match=r"x_train states float32 \(2, 4, 150\) in Fortran order"):
        loaded(tmp_path)


def header(shape: tuple[int, ...]) -> bytes:
    """Return the header of a float32 array."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("shape", [(40_000, 100, 150), (10**9, 10**9, 150), (0, 4, 150), (-2, -4, 150)])
def test_a_header_is_not_believed(shape: tuple[int, ...], method: int, tmp_path: Path) -> None:
    """A small array whose header states two gigabytes, or nonsense, is refused before anything is allocated."""
    path = write(tmp_path, {key: value for key, value in arrays().items() if key != "x_train"})
    with zipfile.ZipFile(path, "a", method) as archive:
        archive.writestr("x_train.npy", header(shape) + bytes(600))
    with pytest.raises(DataError, match=r"x_train states float32|cannot be read"):
        loaded(tmp_path)


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    """An array that shrank to a thousandth is refused by its sizes, before it is unpacked; so is a way to pack that numpy has not."""
    path = write(tmp_path, {key: value for key, value in arrays().items() if key != "x_train"})
    packed = path.read_bytes()
    bomb = header((100, 300, 150)) + bytes(100 * 300 * 150 * 4)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", bomb)
    with pytest.raises(DataError, match=r"x_train states 18000128 bytes out of \d{5} in the archive; .* not shrink more than 500 times"):
        loaded(tmp_path)
    path.write_bytes(packed)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x_train.npy", header((2, 4, 150)) + array((3, 2)).tobytes())
    with pytest.raises(DataError, match=r"it must be written by numpy\.savez or savez_compressed"):
        loaded(tmp_path)


def test_wrong_clips_are_told(tmp_path: Path) -> None:
    """A clip of padding alone, or with a coordinate that is not finite, is refused by name."""
    write(tmp_path, arrays(x_train=array((3, 0))))
    refused("'{}', clip 'train-000001' is empty: all its frames are zero, which stands for padding; leave it out.", tmp_path)
    write(tmp_path, arrays(x_train=np.full((2, 4, 150), np.inf, np.float32)))
    refused("'{}', clip 'train-000000' has a coordinate that is not finite.", tmp_path)
