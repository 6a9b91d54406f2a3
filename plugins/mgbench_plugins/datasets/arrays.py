"""Arrays in files, `.npy` and `.npz`: what they state of themselves is held against the file's size before room is made for them."""

import contextlib
import math
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from mgbench import DataError
from mgbench.errors import nearest


#: Coordinates with all their padding compress to a tenth; what shrinks more than this is no recording, but meant to fill a disk.
_RATIO: Final = 500
#: Bytes that may come out of anything.
_SMALL: Final = 2**20


def damaged(path: Path, error: Exception, rule: str) -> DataError:
    """Return the error of a file that cannot be read, with what it should be."""
    return DataError(f"{str(path)!r} cannot be read ({type(error).__name__}: {error}); it must be {rule}: copy it again if it is cut off.")


def map_array(path: Path, rule: str) -> npt.NDArray[Any]:
    """Map a `.npy` file into memory, which it must fill; nothing is allocated."""
    try:
        with np.errstate(over="ignore"):  # a shape beyond all bounds is refused
            x = np.lib.format.open_memmap(path, mode="r")
        size = path.stat().st_size
    except FileNotFoundError as error:
        msg = f"The file {str(path)!r} is missing; it must be {rule}."
        raise DataError(msg) from error
    except Exception as error:  # a damaged header can raise anything
        raise damaged(path, error, rule) from error
    stated = x.offset + x.nbytes
    if size != stated:
        msg = f"{str(path)!r} has {size} bytes; its header states {stated}, {x.dtype} {x.shape}: copy it again if it is cut off."
        raise DataError(msg)
    return x


def read_npz(path: Path, names: Collection[str], needed: str) -> dict[str, npt.NDArray[Any]]:
    """Return arrays of an archive by name; raise `DataError` where it is missing or damaged, or lacks one."""
    try:
        with zipfile.ZipFile(path) as archive:
            held = [name.removesuffix(".npy") for name in archive.namelist()]
            lacking = [name for name in names if name not in held]
            if not lacking:
                for name in names:
                    with open_member(path, archive, name, plain=False):
                        pass  # its header was held against its size
                with np.load(path, allow_pickle=False) as loaded:
                    return {name: loaded[name] for name in names}
    except FileNotFoundError as error:
        msg = f"The file {str(path)!r} is missing; {needed}."
        raise DataError(msg) from error
    except DataError:
        raise
    except Exception as error:  # a damaged archive can raise anything
        msg = f"{str(path)!r} cannot be read ({type(error).__name__}: {error}); {needed}: copy it again."
        raise DataError(msg) from error
    msg = f"{str(path)!r} has no array {lacking[0]!r}; {nearest(lacking[0], held)}"
    raise DataError(msg)


@attrs.frozen
class Header:
    """What an array of an archive states of itself."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


@contextlib.contextmanager
def open_member(
    path: Path, archive: zipfile.ZipFile, key: str, *, sparse: bool = False, plain: bool = True
) -> Iterator[tuple[IO[bytes], Header]]:
    """Open one array behind its header, which was held against the sizes that the archive states.

    Args:
        path: of the archive, for errors.
        archive: it, open.
        key: the array's name, which the archive has.
        sparse: the array may be nearly all zero, and is not read as a whole.
        plain: it must hold numbers, row after row; else it may hold text, and column after column.
    """
    info = archive.getinfo(f"{key}.npy")
    stored, deflated = info.compress_type == zipfile.ZIP_STORED, info.compress_type == zipfile.ZIP_DEFLATED
    most = info.compress_size if stored else math.inf if sparse else max(_SMALL, _RATIO * info.compress_size)
    if not (stored or deflated) or info.file_size > most or info.compress_size > path.stat().st_size:
        msg = (
            f"{str(path)!r}, {key} states {info.file_size} bytes out of {info.compress_size} in the archive; it must be written by "
            f"numpy.savez or savez_compressed, and not shrink more than {_RATIO} times."
        )
        raise DataError(msg)
    with archive.open(info) as stream:
        yield stream, _read_header(path, key, stream, info.file_size, plain=plain)


def _read_header(path: Path, key: str, stream: IO[bytes], size: int, *, plain: bool) -> Header:
    version = np.lib.format.read_magic(stream)
    reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    shape, fortran, dtype = reader(stream)
    stated = stream.tell() + math.prod(shape) * dtype.itemsize
    if dtype.kind not in ("fiub" if plain else "fiubU") or (plain and fortran) or min(shape, default=1) < 1 or stated != size:
        order = "Fortran" if fortran else "C"
        msg = (
            f"{str(path)!r}, {key} states {dtype} {shape} in {order} order, {stated} bytes of {size}; it must be an array of numbers "
            "that fills its place in the archive, in C order, which numpy.ascontiguousarray gives."
        )
        raise DataError(msg)
    return Header(shape, dtype)
