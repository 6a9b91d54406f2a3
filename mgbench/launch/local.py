"""One process a cell from a forkserver that has torch loaded: isolated like a subprocess, without the seconds of importing."""

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import attrs

from mgbench.store import CellFolder, read_json, write_json


@attrs.frozen
class Job:
    """A planned cell and what its process needs to know."""

    folder: CellFolder
    store: Path
    data_root: Path
    plugin_files: tuple[Path, ...]
    checkpoint_seconds: float


def execute_job(job: Job) -> str:
    """Run a cell in this process and return its status."""
    from mgbench.registry import registry
    from mgbench.run import Place, execute

    return execute(Place(job.folder, job.store, job.data_root, job.checkpoint_seconds), registry(job.plugin_files))


def _end_with_parent() -> None:
    """End this process as soon as the runner's has ended, however it ended: a cell must not go on unseen."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - only called in a child
    wait([parent.sentinel])
    os._exit(1)


def _in_child(job: Job) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    log = os.open(job.folder.log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o666)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    execute_job(job)


#: Called a few times a second with the jobs that run and, once each, the jobs that ended.
Watch = Callable[[list[Job], list[Job]], None]


def run_jobs(jobs: list[Job], workers: int, watch: Watch) -> Iterator[tuple[Job, str]]:
    """Run jobs, so many at a time, and yield each with its status as it ends; a killed process is a status like any other."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mgbench.launch.preload"])
    waiting, running = list(jobs), dict[Job, ForkServerProcess]()
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                job = waiting.pop(0)
                running[job] = context.Process(target=_in_child, args=(job,), daemon=False)
                running[job].start()
            wait([process.sentinel for process in running.values()], timeout=0.3)
            ended = [job for job, process in running.items() if not process.is_alive()]
            watch([job for job in running if job not in ended], ended)
            for job in ended:
                yield job, _status(job, running.pop(job))
    finally:
        for job, process in running.items():
            process.kill()
            process.join()
            stored = read_json(job.folder.status)
            if stored.get("status") in {None, "running"}:
                write_json(job.folder.status, {**stored, "status": "interrupted", "reason": "the same command continues"})


def _status(job: Job, process: ForkServerProcess) -> str:
    """Return the status that the cell wrote, or write one where its process died before it could."""
    stored = read_json(job.folder.status)
    if process.exitcode == 0 and stored.get("status") not in {None, "running"}:
        return str(stored["status"])
    code = process.exitcode or 0
    ending = f"signal {-code}" if code < 0 else f"exit code {code}"
    write_json(job.folder.status, {**stored, "status": "killed", "reason": f"its process ended with {ending}", "ended": time.time()})
    return "killed"
