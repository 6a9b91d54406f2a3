"""What a person sees while cells run: a live table on a terminal, plain lines elsewhere."""

import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import attrs
import rich_click as click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mgbench.launch.local import Job
from mgbench.plan import Planned
from mgbench.snapshot import read_cells
from mgbench.standing import read_progress, read_standing
from mgbench.store import CellFolder
from mgbench.timing import Costs, read_costs
from mgbench.words import counted


#: Seconds between plain lines about one running cell.
_EVERY: Final = 10.0
#: Seconds between reckonings of the time left, which go through all cells.
_RECKON: Final = 2.0
#: So many kept cells are named one by one; more are counted.
_NAMED: Final = 40


@attrs.define
class Watcher:
    """Reads the progress that cells write, and tells it."""

    store: Path
    planned: list[Planned]
    console: Console = attrs.field(factory=Console)
    told: dict[CellFolder, float] = attrs.field(factory=dict)
    over: set[Path] = attrs.field(factory=set)
    done: int = 0
    missing: dict[str, None] = attrs.field(factory=dict)
    live: Live | None = None
    costs: Costs = attrs.field(factory=Costs)
    counted: tuple[float, str] = (float("-inf"), "")
    running: list[Job] = attrs.field(factory=list)
    waits: bool = False

    def __enter__(self) -> Self:
        """Start the table where there is a terminal."""
        if any(one.runs for one in self.planned):
            self.costs = read_costs(read_cells(self.store).values())
        if self.console.is_terminal:
            self.live = Live(console=self.console, transient=True, refresh_per_second=4, get_renderable=self._table)
            self.live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop the table."""
        if self.live:
            self.live.stop()
            self.live = None

    def __call__(self, running: list[Job], ended: list[Job]) -> None:
        """Tell where the running cells stand."""
        self.running = running
        if not (running or ended or self.waits):  # a runner that has nothing to start, and has not come to its end, waits for others
            self.waits = True
            left = sum(one.runs and one.folder.path not in self.over for one in self.planned)
            self.say(f"{counted(left, 'cell')} {'is' if left == 1 else 'are'} in other hands; waiting", err=True)
        for job in running if self.live is None else []:
            progress = read_progress(job.folder)
            now = time.monotonic()
            if now - self.told.setdefault(job.folder, now) >= _EVERY and progress:
                self.told[job.folder] = now
                click.echo(f"        {job.folder.path.name}  {progress_text(progress)}")

    def _table(self) -> Group:
        rows = []
        for job in self.running:
            progress = read_progress(job.folder)
            rows.append((job.folder.path.name, progress_text(progress) if progress else "starts"))
        total = len(self.planned)
        if time.monotonic() - self.counted[0] > _RECKON:
            self.counted = time.monotonic(), self._left()
        left = f", {self.counted[1]}" if self.done < total else ""
        return Group(*_lines(rows, self.console.width), Text(f"{self.done}/{total} cells{left}", style="bold"))

    def _left(self) -> str:
        """Return the time that is left: each waiting cell weighs what its kin cost."""
        left = sum(read_progress(job.folder).get("seconds_left", 0.0) for job in self.running)
        busy = {job.folder.path for job in self.running} | self.over
        waiting = [self.costs.seconds(one.cell) for one in self.planned if one.runs and one.folder.path not in busy]
        known = [seconds for seconds in waiting if seconds is not None]
        if len(known) < len(waiting):
            return f"{len(waiting)} waiting, time left unknown until one like them has finished"
        return f"about {clock((left + sum(known)) / max(len(self.running), 1))} left"

    def tell_kept(self) -> None:
        """Tell of the cells that need no run: one by one where they are few or bad, counted otherwise."""
        kept = [one for one in self.planned if not one.runs]
        quiet = {id(one) for one in kept if one.status == "ok" and not one.stale} if len(kept) > _NAMED else set()
        for one in kept:
            if id(one) in quiet:
                self.done += 1
                continue
            again = "" if one.status in {"ok", "skipped", "damaged"} else "; --retry failed runs it again"
            reason = (
                f"stale ({one.stale}); --retry stale runs it again"
                if one.stale
                else f"{one.reason.partition(chr(10))[0].removesuffix('.')}{again}"
            )
            self._line(one.folder, one.status if one.status == "skipped" else f"{one.status} (kept)", reason)
        if quiet:
            self.say(f"{len(quiet)} finished cells are kept")

    def ended(self, folder: CellFolder, status: str) -> None:
        """Tell how a cell ended."""
        self.over.add(folder.path)
        one = read_standing(folder)
        if status == "no-data":  # told once for all cells, when they have run
            self.missing[one.reason] = None
        found = "  ".join(f"{name} {100 * row['top1']:.1f}" for name, row in one.rows.items()) if status == "ok" else ""
        self._line(folder, status, found or ("" if status == "no-data" else one.first_line))
        if status == "ok":  # what has finished teaches what the rest will cost
            self.costs.learn(one.stored)

    def _line(self, folder: CellFolder, status: str, text: str) -> None:
        self.done += 1
        self.say(f"[{self.done}/{len(self.planned)}] {folder.path.name}  {status}  {text}".rstrip())

    def say(self, line: str, *, err: bool = False) -> None:
        """Print one line above the table; without one, on stderr where it is no result."""
        if self.live:
            self.live.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            click.echo(line, err=err)

    def summary(self, statuses: list[str]) -> str:
        """Return how many cells ended how."""
        return ", ".join(f"{count} {status}" for status, count in Counter(statuses).most_common()) or "no cell"


def _lines(rows: list[tuple[str, str]], width: int) -> list[RenderableType]:
    """Return names with their texts beside them, or below them where the terminal is too narrow for both."""
    if not rows:
        return []
    if sum(max(map(len, column)) for column in zip(*rows, strict=True)) + 2 > width:
        return [Text(line, overflow="fold") for name, text in rows for line in (name, f"  {text}")]
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, text in rows:
        table.add_row(Text(name), Text(text))
    return [table]


def clock(seconds: float) -> str:
    """Return a time as people say it: 42 s, 3:07, 5 h 12 min."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"  # noqa: PLR2004 - an hour


def progress_text(progress: dict[str, Any]) -> str:
    """Return where a running cell stands."""
    if "step" not in progress:
        return str(progress["stage"])
    return (
        f"step {progress['step']}/{progress['steps']}  loss {progress['loss']:.4g}  "
        f"{progress['clips_per_second']:.0f} clips/s  {clock(progress['seconds_left'])} left"
    )
