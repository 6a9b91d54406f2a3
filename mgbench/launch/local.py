"""One process a cell from a forkserver that has torch loaded: isolated like a subprocess, without the seconds of importing.

A cell that segfaults, hangs or eats the memory costs itself alone. Whatever ends a process before it could write its cell's status,
the runner writes it.
"""

import contextlib
import errno
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from multiprocessing.connection import wait
from pathlib import Path
from typing import Final

import attrs
import psutil

from mgbench.launch.process import BUSY, UNWRITTEN, Job, Limits, Running, execute_job, start
from mgbench.lease import Lease, owner_of
from mgbench.snapshot import read_cell
from mgbench.store import StoreError, write_json


__all__ = ["Job", "Limits", "LocalRunner", "Watch", "execute_job", "gpus"]

#: Seconds between looks at the running processes, and at cells that other runners have.
_LOOK: Final = 0.2
_LOOK_AGAIN: Final = 1.0
#: What the system says where one of a cell's files is a folder, or is somebody else's: that stops no other cell.
_ITS_OWN: Final = (errno.EISDIR, errno.ENOTDIR, errno.EACCES, errno.EPERM)


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
    _running: list[Running] = attrs.field(factory=list, init=False)
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
                    one.end_group()
                    status = _ended(one)
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
            if _held(job):
                self._elsewhere.append(job)
                continue
            slot = min(set(range(self.workers)) - {one.slot for one in self._running})
            gpu = devices[slot % len(devices)] if devices else None
            self._running.append(start(context, job, slot, gpu))

    def _back(self) -> Iterator[tuple[Job, str]]:
        """Look at the cells that other runners have: yield those that ended there, take up those that were left behind."""
        if not self._elsewhere or time.monotonic() - self._looked < _LOOK_AGAIN:
            return
        self._looked = time.monotonic()
        for _ in range(len(self._elsewhere)):
            job = self._elsewhere.popleft()
            if _held(job):
                self._elsewhere.append(job)
            elif end := _told_end(job):
                yield job, end
            else:
                self.jobs.append(job)

    def _stop(self) -> None:
        for one in self._running:
            one.kill()
            one.process.join()
            with contextlib.suppress(StoreError):  # a full disk, whose error is on its way; the cell then stays `running` by a dead process
                _write_end(one.job, "interrupted", "the same command continues it")


def _held(job: Job) -> bool:
    try:
        return bool(owner_of(job.folder.lease))
    except StoreError:  # the cell's process meets the same, and its end is told
        return False


def _told_end(job: Job) -> str | None:
    """Return how a cell ended since it was planned, or None where it has not, or tells of an end that cannot be: `ok` has a row."""
    stored = read_cell(job.folder)
    try:
        told, rows = stored.status, stored.metrics.get("rows", {})
        new = "ended" in told and told["ended"] != job.before and "status" in told
        return str(told["status"]) if new and (told["status"] != "ok" or rows or not stored.cell.evaluators) else None
    except StoreError:
        return None


def _ended(one: Running) -> str | None:
    """Return how a cell ended, `damaged` where its own files keep that from being written; None where others have the cell."""
    try:
        return _status(one)
    except StoreError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno not in _ITS_OWN:
            raise
        return "damaged"


def _status(one: Running) -> str | None:
    """Return the status that a cell wrote, write one where its process died before it could; None where others have the cell."""
    code = one.process.exitcode or 0
    if code == BUSY:
        return None
    if code == 0 and (end := _told_end(one.job)):
        return end
    if code == UNWRITTEN:
        return _write_end(one.job, "interrupted", "it could not write to the store; the same command continues it")
    if one.unseen and one.ended_for is None:
        one.kill()
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(one.process.pid).wait()
        return _write_end(one.job, "interrupted", "the process that starts cells was killed; the same command continues it")
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    status, reason = one.ended_for or ("killed", f"its process ended with {how}{'' if code else ' before it had written a result'}")
    return _write_end(one.job, status, reason, number=-code if code < 0 and not one.ended_for else None)


def _write_end(job: Job, status: str, reason: str, number: int | None = None) -> str | None:
    """Write the end of a cell whose process did not, and return it; None where somebody else has taken the cell up by now."""
    lease = Lease(job.folder.lease, lost=lambda: None)
    if not lease.take():
        return None
    with lease:
        if end := _told_end(job):
            return end
        try:
            stored = read_cell(job.folder).status
        except StoreError:  # the process has left rubbish there
            stored = {}
        kept = {key: value for key, value in stored.items() if key not in {"failure", "signal"}}
        ending = {"status": status, "reason": reason, "ended": time.time(), **({"signal": number} if number else {})}
        write_json(job.folder.status, {**kept, **ending})
    return status
