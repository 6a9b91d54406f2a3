"""SMG as the owners packed it: tensors and labels."""

import pickle
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from mgbench_plugins.datasets.smg import Smg
from smg_files import SPLITS, checked, refused

from mgbench import DataError


def write_packed(root: Path, stem: str, x: npt.NDArray[np.float32], names: list[str], labels: list[int]) -> None:
    """Write one of the owners' tensors with its labels."""
    np.save(root / f"{stem}_data.npy", x)
    (root / f"{stem}_label.pkl").write_bytes(pickle.dumps((names, labels)))


@pytest.fixture
def packed(tmp_path: Path) -> tuple[Path, npt.NDArray[np.float32]]:
    """Write the owners' tensors with three training clips, the last of a validation subject, and one test clip."""
    x = np.random.default_rng(0).normal(size=(3, 3, 6, 25, 1)).astype(np.float32)
    x[0, :, 4:] = 0
    x[0, :, 1] = 0
    write_packed(tmp_path, "train", x, ["Sample000112", "Sample00300", "Sample0031110"], [0, 16, 4])
    write_packed(tmp_path, "test", x[:1], ["Sample0040110"], [8])
    return tmp_path, x


def test_packed_tensors_load(packed: tuple[Path, npt.NDArray[np.float32]]) -> None:
    """The owners' tensors give clips without their padding; the training file's subjects 31-35 are the validation split."""
    folder, x = packed
    clips = {split: checked(Smg(layout="packed").load(split, folder)) for split in SPLITS}
    assert {split: part.clip for split, part in clips.items()} == {
        "train": ("Sample000112", "Sample00300"),
        "val": ("Sample0031110",),
        "test": ("Sample0040110",),
    }
    assert {split: (part.label.tolist(), part.subject.tolist()) for split, part in clips.items()} == {
        "train": ([0, 16], [1, 30]),
        "val": ([4], [31]),
        "test": ([8], [40]),
    }
    assert clips["train"].frames.tolist() == [4, 6]  # zeros at the end are padding, zeros within are frames
    np.testing.assert_array_equal(clips["train"][0][:, 0], x[0, :, :4, :, 0].transpose(1, 2, 0))


def test_the_other_layout_is_hinted_at(packed: tuple[Path, npt.NDArray[np.float32]]) -> None:
    """Where there are packed tensors in place of recordings, the error says how to read them."""
    refused(
        "'{}' has no clip of the val split, Sample0031 to Sample0035; it holds packed tensors, which smg[layout=packed] reads.",
        packed[0],
        "val",
    )


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ((["Sample00011"], [0, 1]), "'{}/train_label.pkl' must hold two lists of one length, names and class numbers."),
        ({"names": []}, "'{}/train_label.pkl' must hold two lists of one length, names and class numbers."),
        ((["Sample00011"], [17]), "'{}/train_label.pkl', entry 0 is ('Sample00011', 17); allowed are a name and a class number 0 to 16."),
        (([5], [0]), "'{}/train_label.pkl', entry 0 is (5, 0); allowed are a name and a class number 0 to 16."),
        ((["Sample00361"], [0]), "'{}/train_data.npy' has the clip 'Sample00361'; names here begin with Sample0001 to Sample0035."),
        ((["S1"], [0]), "'{}/train_data.npy' has the clip 'S1'; names here begin with Sample0001 to Sample0035."),
        (
            (["Sample00011"] * 2, [0, 0]),
            "'{}/train_data.npy' is float32 (1, 3, 2, 25, 1); it must be float32 (2, 3, T, 25, 1), a clip for each name in its labels.",
        ),
    ],
)
def test_malformed_packed_labels_name_file_entry_and_rule(held: object, said: str, tmp_path: Path) -> None:
    """Names and class numbers must pair up with each other and with the clips, and fall into the file's subjects."""
    np.save(tmp_path / "train_data.npy", np.ones((1, 3, 2, 25, 1), dtype=np.float32))
    (tmp_path / "train_label.pkl").write_bytes(pickle.dumps(held))
    refused(said, tmp_path, dataset=Smg(layout="packed"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "'{}/train_data.npy', clip 'Sample00011' is empty: all its frames are zero, which stands for padding."),
        (np.nan, "'{}/train_data.npy', clip 'Sample00011' has a coordinate that is not finite."),
    ],
)
def test_malformed_packed_clips_are_named(value: float, said: str, tmp_path: Path) -> None:
    """A clip of padding alone, or with a coordinate that is not finite, is refused by name."""
    write_packed(tmp_path, "train", np.full((1, 3, 2, 25, 1), value, dtype=np.float32), ["Sample00011"], [0])
    refused(said, tmp_path, dataset=Smg(layout="packed"))


@pytest.mark.parametrize("keep", [0, 5, 60, 200])
def test_a_cut_tensor_is_a_data_error(keep: int, packed: tuple[Path, npt.NDArray[np.float32]]) -> None:
    """A packed file that is cut off in its header or its numbers is refused by name."""
    path = packed[0] / "train_data.npy"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"train_data\.npy' cannot be read \(.*\); it must be a whole \.npy file"):
        Smg(layout="packed").load("train", packed[0])


def test_the_pickle_runs_nothing(packed: tuple[Path, npt.NDArray[np.float32]]) -> None:
    """A label file that names a function is refused before the function is called."""
    (packed[0] / "train_label.pkl").write_bytes(b"cposix\nsystem\n(S'touch called'\ntR.")
    with pytest.raises(DataError, match=r"posix\.system"):
        Smg(layout="packed").load("train", packed[0])
