"""Recordings of NTU RGB+D as text, made up."""

from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from mgbench_plugins.datasets.ntu60 import Ntu60

from mgbench import Clips
from mgbench.components import Split


SPLITS: tuple[Split, ...] = ("train", "test")


ID = 72057594037931101


#: Each frame's bodies: ID and joints `(25, 3)`.
Frames: TypeAlias = list[list[tuple[int, npt.NDArray[np.float64]]]]


def joints(seed: int, spread: float = 1.0) -> npt.NDArray[np.float64]:
    """Return the joints of nobody."""
    return np.random.default_rng(seed).normal(scale=spread, size=(25, 3)).round(7)


def as_text(frames: Frames, number: str = "{!r}") -> str:
    """Write bodies as NTU RGB+D does, with a sign, a small number and a place outside the image among the columns that are not read."""
    lines = [f"{len(frames)}"]
    for bodies in frames:
        lines.append(f"{len(bodies)}")
        for body, x in bodies:
            lines += [f"{body} 0 1 1 1 1 0 0.02764709 -0.5 2", "25"]
            lines += [" ".join([*map(number.format, row.tolist()), "277.419 191.8218 -9 1e3 -0.2 5.1E-05 0 -0.12 2"]) for row in x]
    return "\n".join(lines) + "\n"


def write(path: Path, text: str | bytes) -> Path:
    """Write a recording and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def checked(clips: Clips) -> Clips:
    """Hold clips against the contract of the data set."""
    return clips.check(Ntu60().skeleton, len(Ntu60().classes), "ntu60")


def numbers() -> st.SearchStrategy[npt.NDArray[np.float64]]:
    """Draw joints, small and large, some of whose numbers are written with an exponent and some without a point."""
    number = st.one_of(st.floats(-9, 9, width=32), st.sampled_from([0.0, -0.0, 1e-7, -3.725291e-05, 123456.75, 1e20]))
    return st.lists(number, min_size=75, max_size=75).map(lambda values: np.array(values).reshape(25, 3))


def frames() -> st.SearchStrategy[Frames]:
    """Draw a few frames of no, one or two bodies, in any order."""
    bodies = st.lists(st.tuples(st.sampled_from([ID, ID + 1, 2**64 - 1]), numbers()), max_size=2, unique_by=lambda body: body[0])
    return st.lists(bodies, min_size=1, max_size=3)
