"""Pickles of data, read without running anything: plain containers, numbers, strings and numpy arrays of numbers.

A pickle is a program, and data sets of the field are passed on as pickles. Here the names that it may call stand for
functions of this file, which make arrays out of bytes; every other name is refused. Numpy's own functions are not among them:
they take an array's memory layout from the file.
"""

import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from mgbench.errors import DataError


_KINDS: Final = "?bhilqBHILQefd"
#: The instructions that put an object in a numbered place.
_PUTS: Final = {"PUT", "BINPUT", "LONG_BINPUT"}


class _Type:
    """A stand-in for `numpy.dtype`: numbers only, of whatever byte order the state that follows says."""

    def __init__(self, text: str, *_: object) -> None:
        self.value = np.dtype(str(text))
        if self.value.char not in _KINDS:
            msg = f"an array of {text!r}"
            raise pickle.UnpicklingError(msg)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in {"<", ">"}:
            self.value = self.value.newbyteorder(state[1])


class _Array:
    """A stand-in for an array, until `_settle` replaces it."""

    value: np.ndarray[Any, Any]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, raw = state
        self.value = _from_bytes(raw, kind, shape, "F" if fortran else "C").value


def _from_bytes(raw: bytes | str, kind: _Type, shape: tuple[int, ...], order: str = "C") -> _Array:
    array = _Array()
    data = raw.encode("latin1") if isinstance(raw, str) else bytes(raw)  # Python 2 wrote bytes as text
    flat = np.frombuffer(data, kind.value).astype(kind.value.newbyteorder("="))
    array.value = flat.reshape(shape, order="F" if order == "F" else "C")
    return array


def _scalar(kind: _Type, raw: bytes | str) -> Any:  # noqa: ANN401 - a numpy scalar of any number type
    return _from_bytes(raw, kind, ()).value[()]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Return the bytes that Python 3 writes as text where the protocol is below 3."""
    if encoding != "latin1":
        msg = f"the encoding {encoding!r}"
        raise pickle.UnpicklingError(msg)
    return text.encode("latin1")


_NUMPY: Final[dict[str, Callable[..., Any]]] = {
    "multiarray._reconstruct": lambda *_: _Array(),
    "multiarray.scalar": _scalar,
    "numeric._frombuffer": _from_bytes,
}
#: What a pickle may name, and what it gets; numpy renamed `core` to `_core`, and Python 3 `__builtin__` to `builtins`.
_ALLOWED: Final[dict[str, Callable[..., Any]]] = {
    **{f"numpy.{core}.{name}": function for core in ("core", "_core") for name, function in _NUMPY.items()},
    **{f"{module}.{kind.__name__}": kind for module in ("builtins", "__builtin__") for kind in (set, frozenset, complex, bytes)},
    "numpy.dtype": _Type,
    "numpy.ndarray": _Array,
    "_codecs.encode": _encode,
    "collections.OrderedDict": OrderedDict,
}


class _Callable:
    """A function that a pickle may call but, other than a function, cannot change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: object) -> Any:  # noqa: ANN401
        return self._function(*args)

    def __setstate__(self, state: object) -> None:
        msg = "a change of a function"
        raise pickle.UnpicklingError(msg)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - as the method it replaces
        if f"{module}.{name}" not in _ALLOWED:
            msg = f"{module}.{name}"
            raise pickle.UnpicklingError(msg)
        return _Callable(_ALLOWED[f"{module}.{name}"])

    def persistent_load(self, pid: object) -> Any:  # noqa: ANN401 - as the method it replaces
        msg = f"the object {pid!r} outside the file"
        raise pickle.UnpicklingError(msg)


def _check_memo(file: BinaryIO) -> None:
    """Refuse a place in the memo far beyond what was put there: the unpickler would make room up to it before it reads on."""
    for count, (opcode, place, _) in enumerate(pickletools.genops(file)):
        if opcode.name in _PUTS and isinstance(place, int) and place > count:
            msg = f"the place {place} in a memo of at most {count}"
            raise pickle.UnpicklingError(msg)


def load_pickle(path: Path) -> Any:  # noqa: ANN401 - whatever plain data the file holds
    """Read plain data from a pickle; raise `DataError` where it is damaged or wants anything else."""
    try:
        with path.open("rb") as file:
            _check_memo(file)
            file.seek(0)
            return _settle(_Unpickler(file, encoding="latin1").load(), {})
    except FileNotFoundError as error:
        msg = f"The file {str(path)!r} is missing."
        raise DataError(msg) from error
    except Exception as error:  # a damaged pickle can raise anything
        msg = (
            f"{str(path)!r} cannot be read ({type(error).__name__}: {error}); a pickle of data is whole, and holds plain "
            "containers, numbers, strings and numpy arrays of numbers alone."
        )
        raise DataError(msg) from error


def _settle(value: Any, settled: dict[int, Any]) -> Any:  # noqa: ANN401
    """Put arrays in the place of their stand-ins; what occurs again and again is settled once, by its `id`."""
    if isinstance(value, _Array):
        return value.value
    if not isinstance(value, (list, tuple, dict)):
        return value
    if id(value) not in settled:
        if isinstance(value, dict):
            settled[id(value)] = type(value)((key, _settle(item, settled)) for key, item in value.items())
        else:
            settled[id(value)] = type(value)(_settle(item, settled) for item in value)
    return settled[id(value)]
