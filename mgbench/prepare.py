"""Packing ahead of all runs, several splits at a time, a process each; a process that dies takes nothing with it."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

import attrs

from mgbench.components import Dataset, Split
from mgbench.errors import DataError, MgbenchError
from mgbench.packing import EndedError, PackSplits, Tell, pack_split
from mgbench.part import Part, build
from mgbench.registry import registry


#: Bytes of a data set's files below which starting processes takes longer than they save.
_WORTH: Final = 2**28
#: The last message of a process whose split is packed.
_ENDED: Final = "ended"


def processes_for(part: Part, folder: Path, splits: int) -> int:
    """Return how many splits to pack at a time: all that there are cores for, where the files are large."""
    if not part.folders or sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < _WORTH:
        return 1
    return max(1, min(splits, os.cpu_count() or 1))


def packer(dataset: Dataset, part: Part, plugin_files: tuple[Path, ...], processes: int, tell: Tell) -> PackSplits:
    """Return what packs so many splits at a time and tells how far each is; where one fails, the others are ended."""

    def in_turn(splits: Sequence[Split], folder: Path, working: Path) -> None:
        for split in splits:
            with _told(part, split):
                pack_split(dataset, split, folder, working, tell)

    def at_once(splits: Sequence[Split], folder: Path, working: Path) -> None:
        waiting, running = deque(splits), dict[Any, _Running]()
        with contextlib.ExitStack() as stack:
            while waiting or running:
                while waiting and len(running) < processes:
                    one = _start(part, plugin_files, waiting.popleft(), folder, working)
                    stack.callback(one.end)
                    running[one.pipe] = one
                for pipe in wait(list(running)):
                    if running[pipe].listen(tell):
                        del running[pipe]

    return at_once if processes > 1 else in_turn


@attrs.frozen(eq=False)
class _Running:
    """A process that packs one split."""

    split: Split
    process: multiprocessing.process.BaseProcess
    pipe: Connection

    def listen(self, tell: Tell) -> bool:
        """Hear one message, and return whether it was the last; raise what the process raised."""
        try:
            message = self.pipe.recv()
        except EOFError:
            self.process.join()
            msg = (
                f"The process that packed {self.split} was ended (exit status {self.process.exitcode}), as it happens where memory ends; "
                "--workers 1 needs less of it."
            )
            raise EndedError(msg) from None
        if isinstance(message, BaseException):
            raise message
        if message == _ENDED:
            return True
        tell(self.split, message)
        return False

    def end(self) -> None:
        """End the process and wait for it."""
        self.process.terminate()
        self.process.join()
        self.pipe.close()


def _start(part: Part, plugin_files: tuple[Path, ...], split: Split, folder: Path, working: Path) -> _Running:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(part, plugin_files, split, folder, working, theirs))
    process.start()
    theirs.close()
    return _Running(split, process, ours)


def _work(part: Part, plugin_files: tuple[Path, ...], split: Split, folder: Path, working: Path, pipe: Connection) -> None:
    """Pack one split in a process of its own, and tell how far it is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends this process
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with _told(part, split):
            pack_split(build(part, registry(plugin_files)), split, folder, working, lambda _split, stage: pipe.send(stage))
        pipe.send(_ENDED)
    except (MgbenchError, OSError) as error:
        pipe.send(error)


@contextlib.contextmanager
def _told(part: Part, split: Split) -> Iterator[None]:
    """Make a `DataError` of whatever a loader raises; its own words may not reach another process, or be long."""
    try:
        yield
    except (MgbenchError, OSError):
        raise
    except Exception as error:
        msg = f"{part.name} {split} cannot be packed: {type(error).__name__}: {error}"
        raise DataError(msg) from error


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - only called in a child
    wait([parent.sentinel])
    os._exit(1)
