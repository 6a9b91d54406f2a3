"""The tensors of iMiGUE's owners: splits without their test videos, and malformed files told in words."""

import pickle
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from mgbench_plugins.datasets.imigue import Imigue

from mgbench import DataError, SpecError
from mgbench.components import Split
from mgbench.registry import registry


SPLITS: tuple[Split, ...] = ("train", "val", "test")
PACKED = Imigue(layout="packed", joints="imigue22")


@pytest.fixture
def packed(tmp_path: Path) -> tuple[Path, npt.NDArray[np.float32]]:
    """Write the owners' tensors: their training file with a validation video in it, and their validation file."""
    x = np.random.default_rng(0).normal(size=(4, 3, 6, 22, 1)).astype(np.float32)
    x[0, :, 4:] = 0
    x[0, :, 1] = 0
    x[1] = 0
    folder = tmp_path / "imigue_processed"
    folder.mkdir()
    for stem, data, labels in (
        ("train", x, (["0187_0", "0187_10", "0020_3", "0001_0"], [7, 31, 0, 2])),
        ("valid", x[:1], (["0001_0"], [2])),
    ):
        np.save(folder / f"{stem}_data.npy", data)
        (folder / f"{stem}_label.pkl").write_bytes(pickle.dumps(labels))
    return tmp_path, x


def test_packed_tensors_load(packed: tuple[Path, npt.NDArray[np.float32]]) -> None:
    """The owners' validation is scored, every tenth training video validates, and no validation video trains."""
    folder, x = packed
    clips = {split: PACKED.load(split, folder).check(PACKED.skeleton, 32, "imigue") for split in SPLITS}

    assert {split: (part.clip, part.label.tolist()) for split, part in clips.items()} == {
        "train": (("0187_0", "0187_10"), [7, 31]),
        "val": (("0020_3",), [0]),
        "test": (("0001_0",), [2]),
    }
    assert clips["train"].frames.tolist() == [4, 6]  # zeros at the end are padding, unless nobody was seen at all
    np.testing.assert_array_equal(clips["train"][0][:, 0], x[0, :, :4, :, 0].transpose(1, 2, 0))


def test_the_other_layout_is_hinted_at(packed: tuple[Path, npt.NDArray[np.float32]]) -> None:
    """Where there are packed tensors in place of recordings, the error says how to read them."""
    with pytest.raises(DataError, match=r"it holds packed tensors, which imigue\[layout=packed,joints=imigue22\] reads\.$"):
        Imigue().load("train", packed[0])


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ((["0012_1"], [0, 1]), "train_label.pkl' must hold two lists of one length, names and class numbers."),
        (7, "train_label.pkl' must hold two lists of one length, names and class numbers."),
        ((["0012_1"], [32]), "train_label.pkl', entry 0 is ('0012_1', 32); allowed are a name like 0012_3 and a class 0 to 31."),
        ((["12"], [0]), "train_label.pkl', entry 0 is ('12', 0); allowed are a name like 0012_3 and a class 0 to 31."),
        (
            (["0012_1"] * 2, [0, 0]),
            "train_data.npy' is float32 (1, 3, 2, 22, 1); it must be float32 (2, 3, T, 22, 1), a clip for each name in its labels.",
        ),
        ((["0012_1"], [0]), "train_data.npy', clip '0012_1' has a coordinate that is not finite."),
    ],
)
def test_malformed_tensors_name_file_entry_and_rule(held: object, said: str, tmp_path: Path) -> None:
    """Names and class numbers must pair up with each other and with clips of finite numbers."""
    (tmp_path / "imigue_processed").mkdir()
    np.save(tmp_path / "imigue_processed" / "train_data.npy", np.full((1, 3, 2, 22, 1), np.nan, dtype=np.float32))
    (tmp_path / "imigue_processed" / "train_label.pkl").write_bytes(pickle.dumps(held))
    place = tmp_path / "imigue_processed"
    with pytest.raises(DataError, match=rf"^'{re.escape(str(place))}/{re.escape(said)}$"):
        PACKED.load("train", tmp_path)


def test_a_cut_tensor_is_a_data_error(packed: tuple[Path, npt.NDArray[np.float32]]) -> None:
    """Packed files that are cut off anywhere are refused by name."""
    for name in ("train_data.npy", "train_label.pkl"):
        path = packed[0] / "imigue_processed" / name
        whole = path.read_bytes()
        for end in np.random.default_rng(0).choice(len(whole), 50, replace=False).tolist():
            path.write_bytes(whole[:end])
            with pytest.raises(DataError, match=re.escape(name)):
                PACKED.load("train", packed[0])
        path.write_bytes(whole)


@pytest.mark.parametrize("options", ["layout=packed", "layout=packed,joints=imigue22,protocol=paper"])
def test_tensors_hold_22_joints_and_no_people(options: str) -> None:
    """What the owners' tensors cannot give is refused at once."""
    with pytest.raises(SpecError, match=r"imigue: layout=packed holds 22 joints and MiGA's videos; use imigue\[layout=packed"):
        registry().parse("dataset", f"imigue[{options}]")
