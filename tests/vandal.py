"""A one-file plugin for the robustness campaigns: an augmentation that leaves tracks or misbehaves, and deaths in the middle of writes.

Run as a script it is `mgbench` with those deaths armed from the first line on: multiprocessing imports the main script in every child,
so a cell's process is armed before it takes its lease. The environment says what is done:

VANDAL_FOLDER: where tracks and deaths are noted, one folder a store; without it nothing is.
VANDAL_SEED: arms the deaths, and decides them; a file `calm` in the folder ends them.
VANDAL_LARGEST: no file may grow beyond so many bytes, as on a full disk.
"""

import os
import random
import resource
import signal
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from mgbench import Augmentation, Skeleton, ViewAugmentation, hookimpl


if TYPE_CHECKING:
    from torch import Generator

    from mgbench import View


#: How likely a process dies at a call, before it or after it; a cell writes some two files a step, a runner one a cell.
_CHANCE: Final = {"cell": 0.01, "runner": 0.01}
_MEGABYTE: Final = 2**20


@attrs.frozen
class Tread(ViewAugmentation):
    """Leave a clip as it is and a line a step in the file of its cell; be slow, or misbehave, as told.

    Args:
        track: names the file, together with the seed.
        pause: seconds a step.
        how: hang, eat memory, or none.
    """

    name = "tread"

    track: str = "a"
    pause: float = 0.0
    how: Literal["none", "hang", "eat"] = "none"

    def apply(self, view: "View", skeleton: Skeleton, generator: "Generator") -> "View":
        """Note process and clips of this step, which tell one step from all others and show that random numbers go on as they were."""
        folder = os.environ.get("VANDAL_FOLDER")
        if folder:
            line = f"{os.getpid()} {zlib.crc32(view.x.contiguous().numpy().data):08x}\n"
            _append(Path(folder) / "tracks" / f"{self.track}-{generator.initial_seed()}", line)
        time.sleep(self.pause)
        while self.how == "hang":
            time.sleep(1)
        eaten = []
        while self.how == "eat":
            eaten.append(b"x" * 20 * _MEGABYTE)  # written, so resident
            time.sleep(0.1)
        return view


def _append(path: Path, line: str) -> int:
    """Add a line in one call, which a kill cannot tear, and return the size of the file after it."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(handle, line.encode())
        return os.lseek(handle, 0, os.SEEK_CUR)
    finally:
        os.close(handle)


def arm(folder: Path, seed: str) -> None:
    """Make this process kill itself at some of its writes; each process of a store draws anew."""
    if hasattr(os.replace, "vandal"):  # a cell's process imports this file as its main script, and as a plugin
        return
    role = "runner" if __name__ == "__main__" else "cell"  # whose main script has another name
    rng = random.Random(f"{seed}/{role}/{_append(folder / 'processes', '.')}")  # noqa: S311 - no secret
    os.replace, os.fsync = (_deadly(call, role, rng, folder) for call in (os.replace, os.fsync))


def _deadly(call: Callable[..., Any], role: str, rng: random.Random, folder: Path) -> Callable[..., Any]:
    def strike(moment: str) -> None:
        if rng.random() < _CHANCE[role] and not (folder / "calm").exists():
            _append(folder / "deaths", f"{role} {moment} {call.__name__}\n")
            os.kill(os.getpid(), signal.SIGKILL)

    def deadly(*arguments: Any, **named: Any) -> Any:
        strike("before")
        result = call(*arguments, **named)
        strike("after")
        return result

    deadly.vandal = True  # type: ignore[attr-defined] # marks the function
    return deadly


if "VANDAL_FOLDER" in os.environ and os.environ.get("VANDAL_SEED"):
    arm(Path(os.environ["VANDAL_FOLDER"]), os.environ["VANDAL_SEED"])


@hookimpl
def mgbench_augmentations() -> list[type[Augmentation]]:
    """Offer the augmentation."""
    return [Tread]


if __name__ == "__main__":
    from mgbench.cli import main

    if "VANDAL_LARGEST" in os.environ:
        largest = int(os.environ["VANDAL_LARGEST"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    main()
