"""Arrays in files: what is asked for is given, and whatever states more than it is, or could run code, is told in words."""

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mgbench_plugins.datasets.arrays import map_array, read_npz

from mgbench import DataError


def stated(shape: tuple[int, ...], content: bytes = bytes(1000)) -> bytes:
    """Return a `.npy` file whose header states a shape, whatever it holds."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return stream.getvalue() + content


def test_archives_lack_nothing(tmp_path: Path) -> None:
    """An archive gives the arrays asked for; a missing one is told with the nearest, a damaged or missing archive by name."""
    path = tmp_path / "x.npz"
    with pytest.raises(DataError, match=rf"^The file {re.escape(repr(str(path)))} is missing; one is there\.$"):
        read_npz(path, ["label"], "one is there")
    np.savez(path, labels=np.arange(3), other=np.ones(2))
    assert read_npz(path, ["labels"], "")["labels"].tolist() == [0, 1, 2]
    with pytest.raises(DataError, match=r"x\.npz' has no array 'label'; did you mean 'labels'\?$"):
        read_npz(path, ["label"], "")
    whole = path.read_bytes()
    for end in np.random.default_rng(0).choice(len(whole), 50, replace=False).tolist():
        path.write_bytes(whole[:end])
        with pytest.raises(DataError, match=r"x\.npz' cannot be read"):
            read_npz(path, ["labels"], "")


def test_archives_hold_numbers_only(tmp_path: Path) -> None:
    """An array of objects, which could run code when read, is refused."""
    np.savez(tmp_path / "x.npz", labels=np.array([{}], dtype=object))
    with pytest.raises(DataError, match=r"x\.npz', labels states object \(1,\) in C order"):
        read_npz(tmp_path / "x.npz", ["labels"], "")


@pytest.mark.parametrize("shape", [(2**29,), (2**40, 25), (2**62, 2**62)])
def test_an_array_that_states_more_than_it_holds_is_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    """A kilobyte that states two gigabytes, terabytes or nonsense is refused by its sizes, in an archive and alone, without a warning."""
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("labels.npy", stated(shape))
    (tmp_path / "x.npy").write_bytes(stated(shape))
    with pytest.raises(DataError, match=r"x\.npz', labels states float32 .*, \d+ bytes of 1128; it must be an array of numbers that fills"):
        read_npz(tmp_path / "x.npz", ["labels"], "")
    with pytest.raises(DataError, match=r"x\.npy' cannot be read \(.*\); it must be numbers: copy it again"):
        map_array(tmp_path / "x.npy", "numbers")


def test_an_array_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    """Zeros that shrank to a thousandth are refused before they are unpacked; a few of them are not."""
    np.savez_compressed(tmp_path / "x.npz", labels=np.zeros(2**22), few=np.zeros(2**15))

    assert read_npz(tmp_path / "x.npz", ["few"], "")["few"].shape == (2**15,)
    with pytest.raises(DataError, match=r"labels states 33554560 bytes out of \d+ in the archive; .* not shrink more than 500 times"):
        read_npz(tmp_path / "x.npz", ["labels"], "")


@pytest.mark.parametrize("array", [np.asfortranarray(np.ones((2, 3))), np.array(["a", "b"]), np.float64(2), np.arange(3, dtype=">i2")])
def test_archives_give_what_numpy_wrote(array: Any, tmp_path: Path) -> None:
    """Text, single numbers, and numbers of any order and byte order come back."""
    np.savez(tmp_path / "x.npz", one=array)
    np.testing.assert_array_equal(read_npz(tmp_path / "x.npz", ["one"], "")["one"], array)


def test_a_mapped_array_fills_its_file(tmp_path: Path) -> None:
    """Bytes behind an array, which it does not state, are told; a file that is missing too."""
    path = tmp_path / "x.npy"
    path.write_bytes(stated((2,), bytes(11)))
    with pytest.raises(DataError, match=r"x\.npy' has 139 bytes; its header states 136, float32 \(2,\): copy it again if it is cut off\.$"):
        map_array(path, "numbers")
    with pytest.raises(DataError, match=r"^The file .*none\.npy' is missing; it must be numbers\.$"):
        map_array(tmp_path / "none.npy", "numbers")
