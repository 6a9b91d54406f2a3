"""Pickles of data are read without running what they name."""

import contextlib
import pickle
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mgbench.errors import DataError
from mgbench.safe_pickle import load_pickle


class _Call:
    """Pickles as a call of a function."""

    def __init__(self, function: Any, *args: object) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
        return self.function, self.args


def _through(value: object, folder: Path, protocol: int = pickle.DEFAULT_PROTOCOL) -> Any:
    (folder / "x.pkl").write_bytes(pickle.dumps(value, protocol))
    return load_pickle(folder / "x.pkl")


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary() | st.complex_numbers(allow_nan=False),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner) | st.frozensets(st.integers()),
    max_leaves=10,
)


def test_a_place_far_beyond_the_memo_is_refused(tmp_path: Path) -> None:
    """Nine bytes that put an object in place two thousand million are refused before the unpickler makes room for so many."""
    (tmp_path / "x.pkl").write_bytes(b"\x80\x04Nr\xff\xff\xff\x7f.")
    with pytest.raises(DataError, match="the place 2147483647 in a memo"):
        load_pickle(tmp_path / "x.pkl")


def test_what_occurs_often_is_settled_once(tmp_path: Path) -> None:
    """A list of a list, each twice in the next one, forty deep, is read at once, and stays what it is."""
    nested: list[Any] = [np.arange(3)]
    for _ in range(40):
        nested = [nested, nested]
    read = _through(nested, tmp_path)
    for _ in range(40):
        assert read[0] is read[1]
        read = read[0]
    np.testing.assert_array_equal(read[0], np.arange(3))


@settings(derandomize=True, deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(value=plain, protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_data_come_back(value: object, protocol: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Containers, numbers and strings come back equal, whatever protocol wrote them."""
    assert _through(value, tmp_path_factory.mktemp("pickle"), protocol) == value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)])
def test_arrays_come_back(protocol: int, shape: tuple[int, ...], tmp_path: Path) -> None:
    """Arrays of numbers come back with shape, type and values, in either memory order and inside any container."""
    for kind in ("?", "i1", "<i8", ">i4", "<f4", ">f8", "f2", "u2"):
        array = np.arange(int(np.prod(shape))).reshape(shape).astype(kind)
        held = _through({"x": [array, (array.copy(order="F"),)]}, tmp_path, protocol)["x"]
        for came in (held[0], held[1][0]):
            np.testing.assert_array_equal(came, array.astype(array.dtype.newbyteorder("=")), strict=True)


def test_scalars_and_ordered_dictionaries_come_back(tmp_path: Path) -> None:
    """A numpy number comes back as one, and an ordered dictionary keeps its order."""
    held = _through(OrderedDict(b=np.int64(3), a=np.float32(0.5)), tmp_path)
    assert list(held.items()) == [("b", 3), ("a", 0.5)]
    assert isinstance(held["a"], np.float32)


def test_strings_of_python_2_come_back(tmp_path: Path) -> None:
    """A list that Python 2 wrote, whose strings are bytes, comes back as text."""
    (tmp_path / "x.pkl").write_bytes(b"\x80\x02]q\x00U\nSample0001q\x01a.")
    assert load_pickle(tmp_path / "x.pkl") == ["Sample0001"]


@pytest.mark.parametrize("function", [exec, eval, getattr, __import__, np.fromfile, np.dtype.__new__, Path])
def test_nothing_else_is_called(function: Any, tmp_path: Path) -> None:
    """A pickle that names any other function is refused before the call."""
    with pytest.raises(DataError, match="cannot be read"):
        _through([_Call(function, "1")], tmp_path)


def test_the_message_names_file_and_function(tmp_path: Path) -> None:
    """The error names the file, what it wanted, and what is allowed."""
    (tmp_path / "x.pkl").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    said = (
        f"{str(tmp_path / 'x.pkl')!r} cannot be read (UnpicklingError: posix.system); a pickle of data is whole, and holds plain "
        "containers, numbers, strings and numpy arrays of numbers alone."
    )
    with pytest.raises(DataError, match=f"^{re.escape(said)}$"):
        load_pickle(tmp_path / "x.pkl")


@pytest.mark.parametrize("array", [np.array([{}], dtype=object), np.zeros(2, dtype="U3"), np.zeros(2, dtype=[("a", "f4")])])
def test_arrays_of_anything_but_numbers_are_refused(array: np.ndarray[Any, Any], tmp_path: Path) -> None:
    """Arrays of objects, texts and records are refused: their layout would come from the file."""
    with pytest.raises(DataError, match="cannot be read"):
        _through(array, tmp_path)


def test_functions_cannot_be_changed(tmp_path: Path) -> None:
    """A pickle that sets the defaults of a function it may call is refused."""
    (tmp_path / "x.pkl").write_bytes(b"c_codecs\nencode\n(N(S'__defaults__'\n(S'utf8'\ntdtb.")
    with pytest.raises(DataError, match="a change of a function"):
        load_pickle(tmp_path / "x.pkl")


def test_bytes_beside_an_array_are_refused(tmp_path: Path) -> None:
    """An array whose bytes do not fill its shape is refused."""
    whole = pickle.dumps(np.arange(4, dtype="<i8"), protocol=2)
    (tmp_path / "x.pkl").write_bytes(whole.replace(b"K\x04\x85", b"K\x05\x85"))
    with pytest.raises(DataError, match="cannot reshape"):
        load_pickle(tmp_path / "x.pkl")


@settings(derandomize=True, deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_damaged_pickle_is_a_data_error(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """However a pickle is cut or changed, reading it gives data or a DataError, and nothing else."""
    whole = pickle.dumps((["Sample0001"], [3], np.arange(4.0)))
    cut = data.draw(st.integers(0, len(whole)))
    place, byte = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    damaged = bytearray(whole)
    damaged[place] = byte
    path = tmp_path_factory.mktemp("pickle") / "x.pkl"
    for text in (whole[:cut], bytes(damaged)):
        path.write_bytes(text)
        with contextlib.suppress(DataError):
            load_pickle(path)


def test_a_missing_pickle_is_named(tmp_path: Path) -> None:
    """A missing file is a DataError that names it."""
    with pytest.raises(DataError, match=r"nothing\.pkl' is missing"):
        load_pickle(tmp_path / "nothing.pkl")
