"""A data set of three files that counts its readings and dies when told to, as a one-file plugin."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from mgbench.fingerprint import data_key


#: A data set of files, one a split; its loader counts its calls, and dies where a file beside the data tells it to.
PLUGIN = '''
import os, signal
import numpy as np
from pathlib import Path
import attrs
from mgbench import Clips, DataError, Dataset, Skeleton, hookimpl, load_skeleton, make_clips

@attrs.frozen
class Boxes(Dataset):
    """Clips from three files."""

    name = "boxes"
    folders = ("boxes", "other")
    how = "Boxes are granted to nobody. Expected:\\n  boxes/train.npy"
    public = PUBLIC

    @property
    def skeleton(self) -> Skeleton:
        return load_skeleton("kinect25")

    @property
    def classes(self) -> tuple[str, ...]:
        return ("wave", "nod")

    def load(self, split, folder: Path) -> Clips:
        with (folder.parent / "calls.txt").open("a") as calls:
            calls.write(f"{split}\\n")
        kill = folder.parent / f"kill-{split}"
        if kill.exists():
            kill.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        x = np.load(folder / f"{split}.npy")
        if len(x) < 2:
            raise DataError(f"'{folder}/secret.npy', line 3 is wrong.")
        first = {"train": 7100, "val": 7200, "test": 7300}[split]
        return make_clips(list(x), np.arange(len(x)) % 2, first + np.arange(len(x)) % 2, [f"secret-{split}-{i}" for i in range(len(x))])

@hookimpl
def mgbench_datasets() -> list[type[Dataset]]:
    return [Boxes]
'''


def calls(root: Path) -> list[str]:
    """Return which splits were loaded."""
    return (root / "calls.txt").read_text().split() if (root / "calls.txt").exists() else []


def break_split(root: Path, split: str) -> None:
    """Leave one clip in a split, which its loader refuses."""
    np.save(root / "boxes" / f"{split}.npy", np.ones((1, 5, 1, 25, 3), np.float32))
    data_key.cache_clear()


def in_shell(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, which may die."""
    call = [sys.executable, "-m", "mgbench", "data", *map(str, words)]
    return subprocess.run(call, check=False, capture_output=True, text=True, env={**os.environ, **environment})
