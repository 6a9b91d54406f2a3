"""How fast `.skeleton` files are read: `python tests/benchmark_readers.py [--data FOLDER]` prints one table; ratios have targets.

The files of a folder are repeated, as NTU RGB+D has tens of thousands, and read by a straightforward parser, line by line and column by
column, and by the project's, on one core and by two processes, in interleaved rounds. The ratio is that of the least times: where a
machine does other things too, they are nearest to what the readers take.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from mgbench_plugins.datasets.many_files import read_all
from mgbench_plugins.datasets.ntu60 import read_clip
from mgbench_plugins.datasets.skeleton_lines import Recording


Array = npt.NDArray[np.float32]


def parse(path: str) -> Recording:
    """Read a file as its format is described: every line, every column, every count."""
    frame, body, x = [], [], []
    with open(path) as file:  # noqa: PTH123 - what anyone would write
        frames = int(file.readline())
        for index in range(frames):
            for _ in range(int(file.readline())):
                identity, *states = file.readline().split()
                if len([float(state) for state in states]) != 9:
                    msg = "a body has ten columns"
                    raise ValueError(msg)
                if int(file.readline()) != 25:
                    msg = "a body has 25 joints"
                    raise ValueError(msg)
                joints = [[float(cell) for cell in file.readline().split()] for _ in range(25)]
                if any(len(joint) != 12 for joint in joints):
                    msg = "a joint has twelve columns"
                    raise ValueError(msg)
                frame.append(index)
                body.append(int(identity))
                x.append(np.array(joints)[:, :3])
        if file.read().strip():
            msg = "nothing follows the last frame"
            raise ValueError(msg)
    return Recording(frames, np.array(frame), tuple(body), np.array(x, dtype=np.float32).reshape(-1, 25, 3))


def straightforward(path: str) -> Array:
    """Read one recording as `(T, 2, 25, 3)`."""
    return parse(path).persons()


def microseconds(clips: Iterable[Array]) -> float:
    """Return how long a file takes, wall time."""
    began = time.perf_counter()
    count = sum(1 for _ in clips)
    return 1e6 * (time.perf_counter() - began) / count


def repeat(source: Path, target: Path, count: int) -> list[tuple[str]]:
    """Link so many files to those of a folder, in turn, and return their paths as jobs."""
    found = sorted(source.glob("*.skeleton"))
    if not found:
        raise SystemExit(f"{source} holds no .skeleton file")
    for number in range(count):
        (target / f"{number}.skeleton").symlink_to(found[number % len(found)])
    return [(str(target / f"{number}.skeleton"),) for number in range(count)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MGBENCH_DATA", ".")) / "format_fixtures" / "ntu_skeleton")
    parser.add_argument("--files", type=int, default=12_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    figures: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        jobs = repeat(arguments.data.absolute(), Path(folder), arguments.files)
        for job in jobs[:20]:
            np.testing.assert_array_equal(read_clip(*job), straightforward(*job))
        for _ in range(arguments.rounds):
            figures["straightforward"].append(microseconds(read_all(straightforward, jobs[: len(jobs) // 20], processes=1)))
            figures["one core (4)"].append(microseconds(read_all(read_clip, jobs[: len(jobs) // 5], processes=1)))
            figures["two processes (7)"].append(microseconds(read_all(read_clip, jobs, processes=2)))
    print(
        f"| reader (target) | microseconds a file, least of {arguments.rounds} rounds | median | straightforward / it |\n|---|---|---|---|"
    )
    for name, spent in figures.items():
        print(f"| {name} | {min(spent):.0f} | {statistics.median(spent):.0f} | {min(figures['straightforward']) / min(spent):.1f} |")


if __name__ == "__main__":
    main()
