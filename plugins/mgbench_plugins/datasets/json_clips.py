"""Files of JSON that hold a clip each: read, and their lists of numbers made arrays."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mgbench import DataError


def read_object(path: Path, *keys: str) -> dict[str, Any]:
    """Read a file that holds one object with these keys, or raise `DataError`."""
    try:
        held = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        msg = f"The file {str(path)!r} is missing."
        raise DataError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"{str(path)!r} is no JSON: {error}; copy the file again if it is cut off."
        raise DataError(msg) from error
    if not isinstance(held, dict) or not set(keys) <= held.keys():
        msg = f"{str(path)!r} must hold an object with {', '.join(map(repr, keys)) or 'an entry a clip'}."
        raise DataError(msg)
    return held


def to_array(value: object, *shape: int) -> npt.NDArray[np.float32] | None:
    """Return nested lists as an array `(N, *shape)`; None where they have another shape, or anything but finite numbers."""
    try:
        array = np.array(value)
    except ValueError:  # lists of several lengths
        return None
    if array.dtype.kind not in "iuf" or array.shape[1:] != shape:
        return None
    with np.errstate(over="ignore"):
        x = array.astype(np.float32)
    return x if np.isfinite(x).all() else None
