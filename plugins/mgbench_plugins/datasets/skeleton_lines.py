"""The text format `.skeleton` of NTU RGB+D: what a recording holds, and a reader that goes line by line and tells which one is wrong."""

from pathlib import Path
from typing import Final, NoReturn, TypeAlias

import attrs
import numpy as np
import numpy.typing as npt

from mgbench import DataError


Array: TypeAlias = npt.NDArray[np.float32]
Ints: TypeAlias = npt.NDArray[np.int64]

#: A body's lines: body ID and nine states; the number of joints; for each joint x, y, z in metres, its place in two images (2 + 2),
#: orientation (4) and tracking state.
JOINTS: Final = 25
COLUMNS: Final = (10, 1, *[12] * JOINTS)
IDS: Final = range(2**64)
#: The columns of a joint that need not be finite: where a joint is outside the image, its place there is none.
_IMAGES: Final = range(3, 7)
_GREATEST: Final = float(np.finfo(np.float32).max)


@attrs.frozen(eq=False)
class Recording:
    """What a file holds, one row a body and frame.

    Args:
        frames: its length; a frame may be without bodies.
        frame: numbers of the frames, from 0 `(B,)`.
        body: body IDs of 64 bits, `B` of them.
        x: joints in metres `(B, 25, 3)`.
    """

    frames: int
    frame: Ints
    body: tuple[int, ...]
    x: Array

    def persons(self, count: int = 2) -> Array:
        """Return so many people `(T, count, 25, 3)`; whoever is not seen is zero.

        Bodies are taken in order of the variance of x, y and z over all their joints, added up, as the owners find the main actor. Each
        becomes the first person who is not seen in any of its frames, so that one whom the sensor lost and found again stays one person,
        and there is no room for a third.
        """
        people = np.zeros((self.frames, count, JOINTS, 3), dtype=np.float32)
        free = np.ones((count, self.frames), dtype=np.bool_)
        for rows in self._ranked():
            frames = self.frame[rows]
            person = next((i for i in range(count) if free[i, frames].all()), None)
            if person is not None:
                people[frames, person] = self.x[rows]
                free[person, frames] = False
        return people

    def _ranked(self) -> list[Ints]:
        """Return the rows of each body, the one that moves most first."""
        bodies = list(dict.fromkeys(self.body))
        if len(bodies) < 2:  # noqa: PLR2004 - nothing to rank
            return [np.arange(len(self.body))] * len(bodies)
        number = {body: index for index, body in enumerate(bodies)}
        numbers = np.array([number[body] for body in self.body])
        rows = [np.flatnonzero(numbers == index) for index in range(len(bodies))]
        return sorted(rows, key=lambda own: -float(self.x[own].reshape(-1, 3).astype(np.float64).var(axis=0).sum()))


def read_lines(path: Path, data: bytes) -> Recording:
    """Read a file, or raise `DataError` that names the first line that breaks a rule."""
    lines = _Lines(path, data)
    frame: list[int] = []
    body: list[int] = []
    x: list[list[float]] = []
    frames = lines.count("the number of frames")
    if not frames:
        lines.fail("states no frame; a recording has at least one")
    for index in range(frames):
        own: list[int] = []
        for _ in range(lines.count(f"the number of bodies in frame {index + 1} of {frames}")):
            own.append(lines.body(own))
            if (joints := lines.count("the number of joints")) != JOINTS:
                lines.fail(f"states {joints} joints; a body has {JOINTS}")
            x += [lines.joint() for _ in range(JOINTS)]
        body += own
        frame += [index] * len(own)
    if lines.left:
        lines.fail(f"is the last of {frames} frames, but {lines.left} lines follow; the number of frames or of bodies is wrong")
    return Recording(frames, np.array(frame, dtype=np.int64), tuple(body), np.array(x, dtype=np.float32).reshape(-1, JOINTS, 3))


class _Lines:
    """The lines of a file, one after another, each held against its rule."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.lines, self.number = path, data.rstrip().splitlines(), 0

    @property
    def left(self) -> int:
        return len(self.lines) - self.number

    def fail(self, fault: str) -> NoReturn:
        msg = f"{str(self.path)!r}, line {self.number} {fault}."
        raise DataError(msg)

    def count(self, what: str) -> int:
        """Return the one whole number of the next line."""
        (cell,) = self._cells(1, what)
        return self._whole(cell, what)

    def body(self, others: list[int]) -> int:
        """Return the ID of the body that the next line describes."""
        cells = self._cells(COLUMNS[0], "the line of a body")
        self._numbers(cells[1:], range(0))
        body = self._whole(cells[0], "a body ID")
        if body in others:
            self.fail(f"repeats the body {body}; each is there once in a frame")
        return body

    def joint(self) -> list[float]:
        """Return x, y and z of the joint that the next line describes."""
        return self._numbers(self._cells(COLUMNS[-1], "the line of a joint"), _IMAGES)[:3]

    def _cells(self, columns: int, what: str) -> list[bytes]:
        if not self.left:
            msg = f"{str(self.path)!r} ends after line {self.number}, where {what} should follow; copy the file again if it is cut off."
            raise DataError(msg)
        cells = self.lines[self.number].split()
        self.number += 1
        if len(cells) != columns:
            self.fail(f"has {len(cells)} columns; {what} has {columns}: copy the file again if it is cut off")
        return cells

    def _whole(self, cell: bytes, what: str) -> int:
        if not cell.isdigit() or len(cell) > len(str(IDS.stop)) or int(cell) not in IDS:
            self.fail(f"holds {_shown(cell)}; {what} is a whole number of 64 bits")
        return int(cell)

    def _numbers(self, cells: list[bytes], unbounded: range) -> list[float]:
        numbers: list[float] = []
        for index, cell in enumerate(cells):
            number = _number(cell)
            if number is None or not (index in unbounded or abs(number) <= _GREATEST):
                self.fail(f"holds {_shown(cell)}; it must be a finite number, but for places in an image")
            numbers.append(number)
        return numbers


def _number(cell: bytes) -> float | None:
    try:
        return float(cell) if b"_" not in cell else None
    except ValueError:
        return None


def _shown(cell: bytes) -> str:
    return repr(cell[:40].decode("latin1"))
