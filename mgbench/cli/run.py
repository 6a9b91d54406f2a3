"""`mgbench run`: from planned cells to a summary."""

import contextlib
import math
import re
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import rich_click as click

from mgbench.cli.axes import GridOptions, grid_options, half_batches, kept_halves, open_catalogue, plan_of, split_options
from mgbench.cli.watch import Watcher
from mgbench.errors import SpecError
from mgbench.launch.local import Job, Limits, LocalRunner
from mgbench.store import StoreError
from mgbench.study import Table


if TYPE_CHECKING:
    from mgbench.catalogue import Catalogue
    from mgbench.plan import Planned


_SECONDS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES: Final = {"M": 2**20, "G": 2**30, "T": 2**40}


_LIMITS: Final = (
    click.option("--timeout", metavar="TIME", help="End a cell after 90s, 30m or 2h; its row says timed-out."),
    click.option("--memory", metavar="SIZE", help="End a cell whose processes use more than 500M or 8G; its row says out-of-memory."),
    click.option("--fail-fast", is_flag=True, help="Stop at the first cell that fails."),
    click.option("--max-failures", type=click.IntRange(min=1), help="Stop after so many failed cells."),
    click.option("--tensorboard", is_flag=True, help="Also write losses for TensorBoard, into the cells' folders."),
    click.option(
        "--checkpoint-seconds", type=click.FloatRange(min=0), default=60.0, show_default=True, help="At most one checkpoint in these."
    ),
)


def limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how cells are run, and change no result."""
    for option in reversed(_LIMITS):
        command = option(command)
    return command


@click.command("run")
@grid_options
@limit_options
@click.pass_context
def run_command(ctx: click.Context, /, **given: Any) -> None:  # noqa: ANN401 - click passes every option by name, and RunOptions names them again
    """Run every combination of the given data sets, methods, encoders and seeds, and evaluate each.

    STUDY is a TOML file whose keys are these options, or the name of one that comes with mgbench, such as mgrl-table1; what is given here
    wins, and where it has a table, its rows are run and it is printed at the end. Finished cells are kept: the same command again runs
    only what is missing. Exit status: 0 all cells ok or skipped, 1 some failed or it was stopped, 2 usage error or nothing could run.
    """
    options, rest = split_options(ctx, given)
    own = read_limits(rest)
    catalogue = open_catalogue(options)
    try:
        status = _Campaign(options, own, catalogue).run()
    except KeyboardInterrupt:
        click.echo("Stopped. What is finished is kept; the same command continues.", err=True)
        status = 1
    sys.exit(status)


@attrs.frozen
class RunOptions:
    """How cells are run, which changes no result."""

    limits: Limits
    max_failures: int | None
    checkpoint_seconds: float
    tensorboard: bool


def read_limits(given: dict[str, Any]) -> RunOptions:
    """Return what these options say, or raise `SpecError` for one that says nothing sound."""
    if math.isnan(given["checkpoint_seconds"]):
        msg = "--checkpoint-seconds got nan; write a number of seconds, such as 60."
        raise SpecError(msg)
    if given["tensorboard"]:
        _need_tensorboard()
    limits = Limits(_quantity(given["timeout"], _SECONDS, "--timeout", "90s, 30m or 2h"), _whole(given["memory"]))
    failures = 1 if given["fail_fast"] else given["max_failures"]
    return RunOptions(limits, failures, given["checkpoint_seconds"], given["tensorboard"])


def _quantity(text: str | None, units: dict[str, float], option: str, examples: str) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]?)", text.strip())
    if match is None or match[2] not in units or not 0 < float(match[1]) < math.inf:
        msg = f"{option} got {text!r}; write {examples}."
        raise SpecError(msg)
    return float(match[1]) * units[match[2]]


def _whole(text: str | None) -> int | None:
    size = _quantity(text, {unit: float(number) for unit, number in _BYTES.items()}, "--memory", "500M, 8G or 1T")
    return None if size is None else int(size)


def _check_gpu(options: GridOptions) -> None:
    """Raise `SpecError` where trainings are asked for that need a GPU, and there is none."""
    from mgbench.arithmetic import Arithmetic
    from mgbench.launch.local import gpus

    Arithmetic(options.precision, options.compile, options.capture).check(gpu=bool(gpus()))


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

        store, _ = self.options.places
        planned = plan_of(self.options, self.catalogue)
        if "half-batch" in self.options.retry:
            self.halved = {one.folder.path: one for one in planned if one.runs}
        planned += kept_halves(planned, self.options, self.catalogue)
        if any(one.runs and not (one.folder.pretrained / "pretrained.json").is_file() for one in planned):
            _check_gpu(self.options)
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
        if self.options.table is not None:
            self._print_table(self.options.table, store, {one.folder.path.name for one in planned})
        bad = set(self.statuses) - {"ok", "skipped"}
        return 0 if not bad else 2 if set(self.statuses) <= {"no-data", "skipped"} else 1

    def _print_table(self, table: Table, store: Path, cells: set[str]) -> None:
        from mgbench.ablation import build_tables

        click.echo()
        click.echo(build_tables(store, table, self.catalogue, cells))

    def _job(self, planned: "Planned") -> Job:
        files = self.options.plugin_files
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
        """Return the job of the cell with half the batch, unless there is none, or it is among the others already."""
        from mgbench.plan import lay_out

        known = {one.folder.path for one in watcher.planned}
        made = next(iter(half_batches([planned.cell], self.options, self.catalogue)), None)
        if made is None or made.cell.method is None or made.folder.path in known:
            return []
        watcher.planned.append(made)
        watcher.say(f"        once more with batch_size={made.cell.method.value('batch_size')}: {made.folder.path.name}")
        if not made.runs:
            self.statuses.append(made.status)
            return []
        lay_out(made)
        return [self._job(made)]


def _need_tensorboard() -> None:
    import importlib.util

    if importlib.util.find_spec("tensorboard") is None:
        msg = "--tensorboard needs the package tensorboard; install mgbench[tensorboard]."
        raise SpecError(msg)
