"""`mgbench run`: from planned cells to a summary."""

import contextlib
import re
import sys
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import rich_click as click

from mgbench.cli.axes import GridOptions, grid_options, open_catalogue, plan_of, split_options
from mgbench.cli.watch import Watcher
from mgbench.errors import SpecError
from mgbench.launch.local import Job, Limits, LocalRunner
from mgbench.store import StoreError


if TYPE_CHECKING:
    from mgbench.catalogue import Catalogue
    from mgbench.plan import Planned


_SECONDS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES: Final = {"M": 2**20, "G": 2**30, "T": 2**40}


@click.command("run")
@grid_options
@click.option("--timeout", metavar="TIME", help="End a cell after 90s, 30m or 2h; its row says timed-out.")
@click.option("--memory", metavar="SIZE", help="End a cell whose processes use more than 500M or 8G; its row says out-of-memory.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first cell that fails.")
@click.option("--max-failures", type=click.IntRange(min=1), help="Stop after so many failed cells.")
@click.option("--tensorboard", is_flag=True, help="Also write losses for TensorBoard, into the cells' folders.")
@click.option(
    "--checkpoint-seconds", type=click.FloatRange(min=0), default=60.0, show_default=True, help="At most one checkpoint in these."
)
@click.pass_context
def run_command(ctx: click.Context, /, **given: Any) -> None:  # noqa: ANN401 - click passes every option by name, and RunOptions names them again
    """Run every combination of the given data sets, methods, encoders and seeds, and evaluate each.

    STUDY is a TOML file whose keys are these options; what is given here wins. Finished cells are kept: the same command again runs only
    what is missing. Exit status: 0 all cells ok or skipped, 1 some failed, 2 usage error or nothing could run.
    """
    options, rest = split_options(ctx, given)
    own = RunOptions(
        Limits(_quantity(rest["timeout"], _SECONDS, "--timeout", "90s, 30m or 2h"), _whole(rest["memory"])),
        1 if rest["fail_fast"] else rest["max_failures"],
        rest["checkpoint_seconds"],
        rest["tensorboard"],
    )
    sys.exit(_Campaign(options, own, open_catalogue(options)).run())


@attrs.frozen
class RunOptions:
    """How cells are run, which changes no result."""

    limits: Limits
    max_failures: int | None
    checkpoint_seconds: float
    tensorboard: bool


def _quantity(text: str | None, units: dict[str, float], option: str, examples: str) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([A-Za-z]?)", text.strip())
    if match is None or match[2] not in units or not float(match[1]):
        msg = f"{option} got {text!r}; write {examples}."
        raise SpecError(msg)
    return float(match[1]) * units[match[2]]


def _whole(text: str | None) -> int | None:
    size = _quantity(text, {unit: float(number) for unit, number in _BYTES.items()}, "--memory", "500M, 8G or 1T")
    return None if size is None else int(size)


@attrs.define(eq=False)
class _Campaign:
    """One command's cells on their way."""

    options: GridOptions
    own: RunOptions
    catalogue: "Catalogue"
    statuses: list[str] = attrs.field(factory=list, init=False)
    halved: "dict[Path, Planned]" = attrs.field(factory=dict, init=False)

    def run(self) -> int:
        """Run what is left to do and return the exit status."""
        from mgbench.plan import lay_out

        if self.own.tensorboard:
            _need_tensorboard()
        store, _ = self.options.places
        planned = plan_of(self.options, self.catalogue)
        watcher = Watcher(store, planned)
        jobs: deque[Job] = deque()
        for one in planned:
            lay_out(one)
            if one.runs:
                jobs.append(self._job(one))
            else:
                self.statuses.append(one.status)
        watcher.tell_kept()
        try:
            with watcher:
                self._launch(jobs, watcher)
        except StoreError as error:
            click.echo(f"Error: {error} What is finished is kept: make room, and run the same command again.", err=True)
            return 1
        click.echo(f"{watcher.summary(self.statuses)}; results in {store}")
        for reason in watcher.missing:
            click.echo(f"Error: {reason}", err=True)
        bad = set(self.statuses) - {"ok", "skipped"}
        return 0 if not bad else 2 if set(self.statuses) <= {"no-data", "skipped"} else 1

    def _job(self, planned: "Planned") -> Job:
        files = tuple(path.absolute() for path in self.options.plugin_files)
        if "half-batch" in self.options.retry:
            self.halved[planned.folder.path] = planned
        return Job(planned.folder, *self.options.places, files, self.own.checkpoint_seconds, planned.before, self.own.tensorboard)

    def _launch(self, jobs: deque[Job], watcher: Watcher) -> None:
        failures = 0
        runner = LocalRunner(jobs, self.options.workers, self.own.limits, watcher)
        with contextlib.closing(runner.run()) as ends:
            for job, status in ends:
                self.statuses.append(status)
                watcher.ended(job.folder, status)
                if status == "out-of-memory" and job.folder.path in self.halved:
                    runner.jobs.extend(self._half(self.halved.pop(job.folder.path), watcher))
                failures += status not in {"ok", "skipped", "no-data"}
                if self.own.max_failures is not None and failures >= self.own.max_failures:
                    watcher.say(f"Stopped after {failures} failed {'cell' if failures == 1 else 'cells'}; the same command goes on.")
                    self.statuses += ["pending"] * (len(watcher.planned) - len(self.statuses))
                    return

    def _half(self, planned: "Planned", watcher: Watcher) -> list[Job]:
        """Return the cell once more with half the batch: another cell, with a row of its own, because its result is another's."""
        from mgbench.catalogue import Budget
        from mgbench.plan import lay_out, make_plan

        method = planned.cell.method
        if method is None or int(method.value("batch_size")) < 4:  # noqa: PLR2004 - a batch of two has no half
            return []
        smaller = self.catalogue.method(method, "default", Budget(batch_size=int(method.value("batch_size")) // 2))
        made = make_plan([attrs.evolve(planned.cell, method=smaller)], *self.options.places)[0]
        watcher.planned.append(made)
        watcher.say(f"        once more with batch_size={smaller.value('batch_size')}: {made.folder.path.name}")
        if not made.runs:
            self.statuses.append(made.status)
            return []
        lay_out(made)
        job = self._job(made)
        self.halved.pop(made.folder.path)  # once
        return [job]


def _need_tensorboard() -> None:
    import importlib.util

    if importlib.util.find_spec("tensorboard") is None:
        msg = "--tensorboard needs the package tensorboard; install mgbench[tensorboard]."
        raise SpecError(msg)
