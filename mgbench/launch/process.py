"""The process of one cell: what it is told, what it does, and how its runner holds it to its limits and ends it."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final

import attrs
import psutil

from mgbench.errors import MgbenchError
from mgbench.store import CellFolder, StoreError


#: Exit code of a cell's process that found the cell in other hands.
BUSY: Final = 75
#: Exit code of a cell's process that could not write how the cell ended.
UNWRITTEN: Final = 74
#: What multiprocessing says of a process whose end nobody saw, because the forkserver had gone; also a code of its own making.
_UNSEEN: Final = 255
#: Seconds in which a killed process is surely gone, and pauses before another forkserver is asked.
_DYING: Final = 1.0
_PAUSES: Final = (0.0, 0.05, 0.2, 1.0)


@attrs.frozen
class Job:
    """A planned cell and what its process needs to know; `before` is when it had ended last as it was planned."""

    folder: CellFolder
    store: Path
    data_root: Path
    plugin_files: tuple[Path, ...]
    checkpoint_seconds: float
    before: float | None = None
    tensorboard: bool = False


@attrs.frozen
class Limits:
    """What one cell may use: seconds, and bytes of resident memory of its process and all that it started."""

    seconds: float | None = None
    memory: int | None = None


def execute_job(job: Job) -> str:
    """Run a cell in this process and return its status."""
    from mgbench.registry import registry
    from mgbench.run import execute
    from mgbench.work import Place

    place = Place(job.folder, job.store, job.data_root, job.checkpoint_seconds, job.before, job.tensorboard, job.plugin_files)
    return execute(place, registry(job.plugin_files))


def _end_with_parent() -> None:
    """End this process as soon as the runner's has ended, however it ended: a cell must not go on unseen."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - only called in a child
    wait([parent.sentinel])
    os.killpg(0, signal.SIGKILL)


def _in_child(job: Job, gpu: str | None) -> None:
    os.setsid()  # a group of its own, so that what it starts ends with it, and a terminal's Ctrl-C is the runner's
    threading.Thread(target=_end_with_parent, daemon=True).start()
    log = os.open(job.folder.log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o666)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    try:
        status = execute_job(job)
    except StoreError:
        traceback.print_exc()
        sys.exit(UNWRITTEN)
    if status == "busy":
        sys.exit(BUSY)


@attrs.define(eq=False)
class Running:
    """A cell's process as its runner sees it; `ended_for` is the status and reason of an end that the runner made."""

    job: Job
    slot: int
    process: ForkServerProcess
    server: psutil.Process | None
    began: float
    ended_for: tuple[str, str] | None = None

    def kill(self) -> None:
        """End the process and all that it started."""
        try:
            os.killpg(self.process.pid or 0, signal.SIGKILL)
        except ProcessLookupError:  # before its setsid, or after its end
            self.process.kill()

    def end_group(self) -> None:
        """End what the process started and left behind; while one of these lives, no other process gets the number of the group."""
        if self.process.pid and not psutil.pid_exists(self.process.pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    @property
    def unseen(self) -> bool:
        """Whether nobody knows how, or if, it ended, because the forkserver was killed."""
        end = time.monotonic() + _DYING
        while self.process.exitcode == _UNSEEN and self.server is not None and time.monotonic() < end:
            try:
                if not self.server.is_running() or self.server.status() == psutil.STATUS_ZOMBIE:
                    return True
            except psutil.NoSuchProcess:
                return True
            time.sleep(0.01)  # its pipes close a moment before it is gone
        return False

    def check(self, limits: Limits) -> None:
        """Kill it where it is over a limit."""
        if self.ended_for is not None:
            return
        seconds = time.monotonic() - self.began
        if limits.seconds is not None and seconds > limits.seconds:
            self.ended_for = "timed-out", f"it ran longer than {limits.seconds:g} seconds"
        elif limits.memory is not None and (used := _memory(self.process.pid)) > limits.memory:
            self.ended_for = "out-of-memory", f"it used {_size(used)}, over the ceiling of {_size(limits.memory)}"
        if self.ended_for is not None:
            self.kill()


def start(context: multiprocessing.context.ForkServerContext, job: Job, slot: int, gpu: str | None) -> Running:
    """Start a cell's process; where the forkserver was killed, another one is asked, but not for ever."""
    for pause in _PAUSES:
        time.sleep(pause)
        process = context.Process(target=_in_child, args=(job, gpu), daemon=False)
        try:
            process.start()
        except (EOFError, ConnectionError):
            continue
        return Running(job, slot, process, _parent(process.pid), time.monotonic())
    msg = "The process that starts cells ended again and again while it started one; is there memory enough?"
    raise MgbenchError(msg)


def _parent(pid: int | None) -> psutil.Process | None:
    """Return the process that another one was forked from, or None where that has ended."""
    try:
        return psutil.Process(pid).parent()
    except psutil.NoSuchProcess:
        return None


def _memory(pid: int | None) -> int:
    """Return the resident bytes of a process and of all that it started."""
    total = 0
    try:
        process = psutil.Process(pid)
        for one in [process, *process.children(recursive=True)]:
            total += one.memory_info().rss
    except psutil.NoSuchProcess:
        pass  # it ended meanwhile
    return total


def _size(count: int) -> str:
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
