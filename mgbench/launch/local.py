"""One process a cell from a forkserver that has torch loaded: isolated like a subprocess, without the seconds of importing.

A cell that segfaults, hangs or eats the memory costs itself alone. Whatever ends a process before it could write its cell's status,
the runner writes it.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final

import attrs
import psutil

from mgbench.errors import MgbenchError
from mgbench.lease import Lease, owner_of
from mgbench.store import CellFolder, StoreError, read_json, write_json


#: Exit code of a cell's process that found the cell in other hands.
_BUSY: Final = 75
#: Exit code of a cell's process that could not write how the cell ended.
_UNWRITTEN: Final = 74
#: What multiprocessing says of a process whose end nobody saw, because the forkserver had gone; also a code of its own making.
_UNSEEN: Final = 255
#: Seconds between looks at the running processes, and at cells that other runners have.
_LOOK: Final = 0.2
_LOOK_AGAIN: Final = 1.0


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
        sys.exit(_UNWRITTEN)
    if status == "busy":
        sys.exit(_BUSY)


@attrs.define(eq=False)
class _Running:
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

    @property
    def unseen(self) -> bool:
        """Whether nobody knows how, or if, it ended, because the forkserver was killed."""
        if self.process.exitcode != _UNSEEN or self.server is None:
            return False
        try:
            return not self.server.is_running() or self.server.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    def check(self, limits: Limits) -> None:
        """Kill it where it is over a limit."""
        if self.ended_for is not None:
            return
        seconds = time.monotonic() - self.began
        if limits.seconds is not None and seconds > limits.seconds:
            self.ended_for = "timed-out", f"it ran longer than {limits.seconds:g} seconds"
        elif limits.memory is not None and (used := _memory(self.process.pid)) > limits.memory:
            self.ended_for = "out-of-memory", f"it used {used / 2**30:.2f} GiB, over the ceiling of {limits.memory / 2**30:.2f} GiB"
        if self.ended_for is not None:
            self.kill()


def _started(context: multiprocessing.context.ForkServerContext, job: Job, gpu: str | None) -> ForkServerProcess:
    """Start a cell's process; where the forkserver was killed, another one is asked, but not for ever."""
    for _ in range(3):
        process = context.Process(target=_in_child, args=(job, gpu), daemon=False)
        try:
            process.start()
        except (EOFError, ConnectionError):
            continue
        return process
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


def gpus() -> list[str]:
    """Return the names of the accelerators that this process may use, without asking CUDA, which a forkserver must not touch."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name for name in given.split(",") if name]
    found = Path("/proc/driver/nvidia/gpus")
    return [str(i) for i, _ in enumerate(found.iterdir())] if found.is_dir() else []


#: Called a few times a second with the jobs that run and, once each, the jobs that ended.
Watch = Callable[[list[Job], list[Job]], None]


@attrs.define(eq=False)
class LocalRunner:
    """Runs jobs, so many at a time; jobs may be added meanwhile."""

    jobs: deque[Job]
    workers: int
    limits: Limits
    watch: Watch
    _running: list[_Running] = attrs.field(factory=list, init=False)
    _elsewhere: deque[Job] = attrs.field(factory=deque, init=False)
    _looked: float = attrs.field(default=0.0, init=False)

    def run(self) -> Generator[tuple[Job, str], None, None]:
        """Run everything and yield each job with its status as it ends; leaving early ends what still runs."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["mgbench.launch.preload"])
        try:
            while self.jobs or self._running or self._elsewhere:
                yield from self._back()
                self._start(context)
                wait([one.process.sentinel for one in self._running], timeout=_LOOK)
                for one in self._running:
                    one.check(self.limits)
                ended = [one for one in self._running if not one.process.is_alive()]
                self._running = [one for one in self._running if one not in ended]
                self.watch([one.job for one in self._running], [one.job for one in ended])
                for one in ended:
                    status = _status(one)
                    if status is None:
                        self._elsewhere.append(one.job)
                    else:
                        yield one.job, status
        finally:
            self._stop()

    def _start(self, context: multiprocessing.context.ForkServerContext) -> None:
        devices = gpus()
        while self.jobs and len(self._running) < self.workers:
            job = self.jobs.popleft()
            if owner_of(job.folder.lease):
                self._elsewhere.append(job)
                continue
            slot = min(set(range(self.workers)) - {one.slot for one in self._running})
            gpu = devices[slot % len(devices)] if devices else None
            process = _started(context, job, gpu)
            self._running.append(_Running(job, slot, process, _parent(process.pid), time.monotonic()))

    def _back(self) -> Iterator[tuple[Job, str]]:
        """Look at the cells that other runners have: yield those that ended there, take up those that were left behind."""
        if not self._elsewhere or time.monotonic() - self._looked < _LOOK_AGAIN:
            return
        self._looked = time.monotonic()
        for _ in range(len(self._elsewhere)):
            job = self._elsewhere.popleft()
            stored = read_json(job.folder.status)
            if owner_of(job.folder.lease):
                self._elsewhere.append(job)
            elif "ended" in stored and stored["ended"] != job.before:
                yield job, str(stored["status"])
            else:
                self.jobs.append(job)

    def _stop(self) -> None:
        for one in self._running:
            one.kill()
            one.process.join()
            with contextlib.suppress(StoreError):  # a full disk, whose error is on its way; the cell then stays `running` by a dead process
                _write_end(one.job, "interrupted", "the same command continues it")


def _status(one: _Running) -> str | None:
    """Return the status that a cell wrote, write one where its process died before it could; None where others have the cell."""
    code = one.process.exitcode or 0
    stored = read_json(one.job.folder.status)
    if code == _BUSY:
        return None
    if code == 0 and "ended" in stored:
        return str(stored["status"])
    if code == _UNWRITTEN:
        return _write_end(one.job, "interrupted", "it could not write to the store; the same command continues it")
    if one.unseen and one.ended_for is None:
        one.kill()
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(one.process.pid).wait()
        return _write_end(one.job, "interrupted", "the process that starts cells was killed; the same command continues it")
    status, reason = one.ended_for or ("killed", f"its process ended with {f'signal {-code}' if code < 0 else f'exit code {code}'}")
    return _write_end(one.job, status, reason, number=-code if code < 0 and not one.ended_for else None)


def _write_end(job: Job, status: str, reason: str, number: int | None = None) -> str | None:
    """Write the end of a cell whose process did not, and return it; None where somebody else has taken the cell up by now."""
    lease = Lease(job.folder.lease, lost=lambda: None)
    if not lease.take():
        return None
    with lease:
        stored = read_json(job.folder.status)
        if "ended" in stored and stored["ended"] != job.before:
            return str(stored["status"])
        kept = {key: value for key, value in stored.items() if key not in {"failure", "signal"}}
        ending = {"status": status, "reason": reason, "ended": time.time(), **({"signal": number} if number else {})}
        write_json(job.folder.status, {**kept, **ending})
    return status
