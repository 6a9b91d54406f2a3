"""What a person sees while cells run: a bar a cell on a terminal, plain lines elsewhere."""

import time
from collections import Counter
from types import TracebackType
from typing import Any, Self

import attrs
import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from mgbench.launch.local import Job
from mgbench.store import CellFolder, read_json


#: Seconds between plain lines about one running cell.
_EVERY = 10.0


@attrs.define
class Watcher:
    """Reads the progress that cells write, and tells it."""

    cells: int
    console: Console = attrs.field(factory=Console)
    bars: dict[CellFolder, TaskID] = attrs.field(factory=dict)
    told: dict[CellFolder, float] = attrs.field(factory=dict)
    done: int = 0
    missing: dict[str, None] = attrs.field(factory=dict)
    live: Progress | None = None

    def __enter__(self) -> Self:
        """Start the bars where there is a terminal."""
        if self.console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"))
            self.live = Progress(*columns, console=self.console, transient=True)
            self.live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop the bars."""
        if self.live:
            self.live.stop()

    def __call__(self, running: list[Job], ended: list[Job]) -> None:
        """Tell where the running cells stand."""
        for job in running:
            progress = read_json(job.folder.progress)
            if progress and self.live:
                self._draw(job.folder, progress)
            elif progress and time.monotonic() - self.told.get(job.folder, 0) >= _EVERY:
                self.told[job.folder] = time.monotonic()
                click.echo(f"        {job.folder.path.name}  {_text(progress)}")
        for job in ended:
            if self.live and job.folder in self.bars:
                self.live.remove_task(self.bars.pop(job.folder))

    def _draw(self, folder: CellFolder, progress: dict[str, Any]) -> None:
        assert self.live is not None  # noqa: S101 - the caller's branch
        if folder not in self.bars:
            self.bars[folder] = self.live.add_task(folder.path.name, text="")
        self.live.update(self.bars[folder], completed=progress.get("step", 0), total=progress.get("steps"), text=_text(progress))

    def kept(self, folder: CellFolder, status: str) -> None:
        """Tell of a cell that needs no run."""
        stored = read_json(folder.status)
        reason = f"stale ({stored['stale']}); --rerun stale runs it again" if stored.get("stale") else stored.get("reason", "")
        self._line(folder, f"{status} (kept)" if status == "ok" else status, reason)

    def ended(self, folder: CellFolder, status: str) -> None:
        """Tell how a cell ended."""
        stored = read_json(folder.status)
        if status == "no-data":  # told once for all cells, when they have run
            self.missing[stored["reason"]] = None
            stored = {}
        rows = read_json(folder.metrics).get("rows", {}) if status == "ok" else {}
        self._line(
            folder,
            status,
            "  ".join(f"{name} {100 * row['top1']:.1f}" for name, row in rows.items()) or stored.get("reason", "").partition("\n")[0],
        )

    def _line(self, folder: CellFolder, status: str, text: str) -> None:
        self.done += 1
        line = f"[{self.done}/{self.cells}] {folder.path.name}  {status}  {text}".rstrip()
        if self.live:
            self.live.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            click.echo(line)

    def summary(self, statuses: list[str]) -> str:
        """Return how many cells ended how."""
        return ", ".join(f"{count} {status}" for status, count in Counter(statuses).most_common()) or "no cell"


def _text(progress: dict[str, Any]) -> str:
    if "step" not in progress:
        return str(progress["stage"])
    minutes, seconds = divmod(round(progress["seconds_left"]), 60)
    return (
        f"step {progress['step']}/{progress['steps']}  loss {progress['loss']:.4g}  "
        f"{progress['clips_per_second']:.0f} clips/s  {minutes}:{seconds:02} left"
    )
