"""Data sets of a file a clip, tens of thousands of them: read by a process a core, kept in a temporary file that memory maps."""

import contextlib
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import IO, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from mgbench import Clips, DataError


Array: TypeAlias = npt.NDArray[np.float32]
#: A function of a module, so that processes find it by name; it makes a clip of the arguments of one job.
Read: TypeAlias = Callable[..., Array]
Jobs: TypeAlias = Sequence[tuple[object, ...]]
Process: TypeAlias = subprocess.Popen[bytes]

#: Fewer files are not worth the start of a process.
_WORTH: Final = 500
_DIMENSIONS: Final = 4


def gather(read: Read, jobs: Jobs, label: Sequence[int], subject: Sequence[int], clip: Sequence[str]) -> Clips:
    """Return the clips `(T, M, V, C)` of all jobs, of which only one at a time is in memory."""
    frames = []
    with tempfile.TemporaryFile() as file:
        for x in read_all(read, jobs):
            file.write(np.ascontiguousarray(x, dtype=np.float32).data)
            frames.append(len(x))
        file.flush()
        held = np.memmap(file, dtype=np.float32, mode="r", shape=(sum(frames), *x.shape[1:]))
    offsets = np.cumsum([0, *frames], dtype=np.int64)
    return Clips(held, offsets, np.array(label, dtype=np.int64), np.array(subject, dtype=np.int64), tuple(clip))


def read_all(read: Read, jobs: Jobs, processes: int | None = None) -> Iterator[Array]:
    """Yield the clip of each job in order; the first error ends it.

    The processes are Pythons of their own: unlike those of `multiprocessing`, they run nothing of the program that asks.
    """
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    count = processes or min(cores, len(jobs) // _WORTH)
    if count < 2:  # noqa: PLR2004 - this process is one
        yield from (read(*job) for job in jobs)
        return
    with ExitStack() as stack:
        crew = [stack.enter_context(_start()) for _ in range(count)]
        for index, process in enumerate(crew):
            stack.callback(process.kill)
            _ask(process, read, jobs[index::count])
        for index, job in enumerate(jobs):
            x = _answer(crew[index % count])
            # A process that met an error has ended, and so has one that could not start: here the error is told, or there is none.
            yield read(*job) if x is None else x


def _start() -> Process:
    command = [sys.executable, "-m", __name__]
    keeps = dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(2**30))  # else glibc gives memory back after each file
    given = {**keeps, **os.environ}
    return subprocess.Popen(command, env=given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _ask(process: Process, read: Read, jobs: Jobs) -> None:
    assert process.stdin is not None  # noqa: S101 - it was asked for
    with contextlib.suppress(BrokenPipeError), process.stdin as pipe:  # where it has ended, its first answer tells
        pickle.dump((read, jobs), pipe)


def _answer(process: Process) -> Array | None:
    """Return the next clip that a process read, or None where it has ended."""
    assert process.stdout is not None  # noqa: S101 - as above
    head = process.stdout.read(8 * _DIMENSIONS)
    if len(head) < 8 * _DIMENSIONS:
        return None
    shape = np.frombuffer(head, dtype=np.int64)
    data = process.stdout.read(4 * int(shape.prod()))
    return np.frombuffer(data, dtype=np.float32).reshape(shape) if len(data) == 4 * shape.prod() else None


def _serve(asked: IO[bytes], answers: IO[bytes]) -> None:
    """Read the clips that another process asks for, up to the first that cannot be read."""
    read, jobs = pickle.load(asked)  # noqa: S301 - from the process that started this one
    for job in jobs:
        try:
            x = np.ascontiguousarray(read(*job), dtype=np.float32)
        except DataError:
            return
        answers.write(np.array(x.shape, dtype=np.int64).data)
        answers.write(x.data)


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
