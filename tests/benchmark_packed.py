"""What opening a data set of NTU-60's size costs: `python tests/benchmark_packed.py [--clips 56578]` prints one table.

Coordinates are zeros in sparse files, which take no room on the disk. Each line is measured in a process of its own. Targets for what
is packed: under one second, and memory that does not grow with the coordinates, only with the names of the clips.
"""

import argparse
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from mgbench_plugins.datasets.packed import Packed

from mgbench import make_clips
from mgbench.clips import open_clips, save_clips


FRAMES, PERSONS, JOINTS, AXES = 64, 2, 25, 3
PADDED = 300
CLASSES = 60


def names(clips: int) -> list[str]:
    """Return names in NTU's form, of forty people."""
    return [f"S{i // 1000:03}C001P{i % 40 + 1:03}R{i % 1000:03}A{i % CLASSES + 1:03}" for i in range(clips)]


def make_packed(folder: Path, clips: int) -> None:
    """Write a packed split as `save_clips` does, its coordinates sparse."""
    one = make_clips([np.zeros((FRAMES, PERSONS, JOINTS, AXES), np.float32)], [0], [0], ["one"])
    save_clips(one, folder)
    shape = (clips * FRAMES, PERSONS, JOINTS, AXES)
    np.lib.format.open_memmap(folder / "x.npy", mode="w+", dtype=np.float32, shape=shape)
    for name, array in (
        ("offsets", np.arange(clips + 1) * FRAMES),
        ("label", np.arange(clips) % CLASSES),
        ("subject", np.arange(clips) % 40),
    ):
        np.save(folder / f"{name}.npy", array.astype(np.int64))
    stored = (folder / "clips.json").read_text()
    (folder / "clips.json").write_text(stored.replace('["one"]', str(names(clips)).replace("'", '"')))


def make_arrays(folder: Path, clips: int) -> None:
    """Write ST-GCN's arrays of so many clips, padded to 300 frames, their coordinates sparse."""
    folder.mkdir()
    every, part = names(clips), {"train": slice(0, clips * 7 // 10), "val": slice(clips * 7 // 10, clips)}
    for word, own in part.items():
        shape = (len(every[own]), AXES, PADDED, JOINTS, PERSONS)
        np.lib.format.open_memmap(folder / f"{word}_data.npy", mode="w+", dtype=np.float32, shape=shape)
        (folder / f"{word}_label.pkl").write_bytes(pickle.dumps((every[own], [i % CLASSES for i in range(len(every[own]))])))


def measure(what: str, folder: Path) -> None:
    """Open a folder in this process and print seconds and the growth of resident memory."""
    process = psutil.Process()
    before, began = process.memory_info().rss, time.perf_counter()
    if what == "packed":
        opened = open_clips(folder)
        count = len(opened)
        assert not opened[count - 1].any()
    else:
        dataset = Packed(folder=folder.name, skeleton="kinect25", shared_subjects=True).at(folder)
        count = len(dataset.classes)
    seconds, grown = time.perf_counter() - began, (process.memory_info().rss - before) / 2**20
    print(f"{seconds:7.3f} s  {grown:7.1f} MiB  {count} {'clips' if what == 'packed' else 'classes'}")


def main() -> None:
    """Make the folders and measure each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=56_578)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure[0], Path(arguments.measure[1]))
        return
    with tempfile.TemporaryDirectory() as scratch:
        for clips in (arguments.clips // 10, arguments.clips):
            for what, make in (("packed", make_packed), ("arrays", make_arrays)):
                folder = Path(scratch) / f"{what}{clips}"
                make(folder, clips)
                files = [path.stat() for path in folder.iterdir()]
                size, disk = sum(file.st_size for file in files) / 2**30, sum(file.st_blocks for file in files) * 512 / 2**20
                print(f"{what:>6} {clips:>6} clips {size:6.2f} GiB ({disk:.0f} MiB on disk): ", end="", flush=True)
                subprocess.run([sys.executable, __file__, "--measure", what, str(folder)], check=True)


if __name__ == "__main__":
    main()
