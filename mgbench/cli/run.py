"""`mgbench run`: from options to cells to a summary."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import rich_click as click

from mgbench.cli.components import complete_name, warn_of_failures
from mgbench.cli.options import plugin_option, store_option
from mgbench.cli.watch import Watcher
from mgbench.errors import SpecError, nearest
from mgbench.cli.prepare import prepare
from mgbench.paths import data_root, store_root
from mgbench.registry import Registry, registry
from mgbench.spec import split


if TYPE_CHECKING:
    from mgbench.grid import Axes, Run


_FLOORS = ("untrained", "untrained[calibrate=true]")


@click.command("run")
@click.option("-d", "--dataset", "datasets", multiple=True, default=("synthetic",), show_default=True, shell_complete=complete_name("dataset"), help="Data sets; every axis takes lists a,b and sweeps name[key=[1,2]], and may be repeated.")  # fmt: skip
@click.option("-m", "--method", "methods", multiple=True, required=True, shell_complete=complete_name("method"), help="Methods.")
@click.option("-e", "--encoder", "encoders", multiple=True, default=("stgcn",), show_default=True, shell_complete=complete_name("encoder"), help="Encoders.")  # fmt: skip
@click.option("-E", "--evaluator", "evaluators", multiple=True, default=("linear", "knn", "majority", "raw"), show_default=True, shell_complete=complete_name("evaluator"), help="Evaluators.")  # fmt: skip
@click.option("-a", "--augmentation", "augmentations", multiple=True, default=("default",), show_default=True, help="Pipeline a+b in place of the method's own; 'none' clears it.")  # fmt: skip
@click.option("--stream", "streams", multiple=True, default=("joint",), show_default=True, help="joint, bone or motion.")
@click.option("--seeds", default="1", show_default=True, help="How many (0, 1, ...), or a list such as 3,7 in brackets: [3,7].")
@click.option("--floors/--no-floors", default=True, show_default=True, help="Also measure the untrained encoder, as initialised and calibrated.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(min=1), help="Overrides every method's recipe.")
@click.option("--batch-size", type=click.IntRange(min=2), help="Overrides every method's recipe.")
@click.option("--steps", type=click.IntRange(min=1), help="Optimiser steps, in place of epochs.")
@click.option("--select", is_flag=True, help="Fit on train and score val, for choosing hyperparameters without the test split.")
@click.option("--preprocess", default="frame50", show_default=True, help="frame50, raw50 or first_frame.")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), default="fp32", show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Processor threads a cell; part of its identity.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Cells at a time.")
@click.option("--checkpoint-seconds", type=click.FloatRange(min=0), default=60.0, show_default=True, help="At most one checkpoint in so many seconds.")  # fmt: skip
@click.option("--rerun", type=click.Choice(["failed", "stale"]), multiple=True, help="Run these cells again from the start.")
@click.option("--data-root", "root", type=click.Path(path_type=Path), help="Where the data sets' folders lie.  [default: MGBENCH_DATA, then the configuration, then the platform's data folder]")  # fmt: skip
@store_option
@plugin_option
def run_command(**options: Any) -> None:  # noqa: ANN401 - click passes every option by name, and Options names them again
    """Run every combination of the given data sets, methods, encoders and seeds, and evaluate each.

    Finished cells are kept: the same command again runs only what is missing. Exit status: 0 all cells ok or skipped, 1 some failed,
    2 usage error or nothing could run.
    """
    sys.exit(_run(Options(**options)))


@attrs.frozen(kw_only=True)
class Options:
    """The command's options, by name."""

    datasets: tuple[str, ...]
    methods: tuple[str, ...]
    encoders: tuple[str, ...]
    evaluators: tuple[str, ...]
    augmentations: tuple[str, ...]
    streams: tuple[str, ...]
    seeds: str
    floors: bool
    epochs: int | None
    batch_size: int | None
    steps: int | None
    select: bool
    preprocess: str
    precision: str
    threads: int
    workers: int
    checkpoint_seconds: float
    rerun: tuple[str, ...]
    root: Path | None
    store: Path | None
    plugin_files: tuple[Path, ...]


def _run(options: Options) -> int:
    """Plan, prepare and run; return the exit status."""
    from mgbench.grid import make_cells
    from mgbench.launch.local import Job, run_jobs

    loaded = registry(options.plugin_files)
    cells = make_cells(_axes(options, loaded), _shared(options), loaded)
    warn_of_failures(loaded)
    store, root = store_root(options.store), data_root(options.root)
    watcher = Watcher(len(cells))
    jobs, statuses = [], []
    for cell in cells:
        folder, status = prepare(cell, store, loaded, options.rerun)
        if status:
            statuses.append(status)
            watcher.kept(folder, status)
        else:
            jobs.append(Job(folder, store, root, options.plugin_files, options.checkpoint_seconds))
    with watcher:
        for job, status in run_jobs(jobs, options.workers, watcher):
            statuses.append(status)
            watcher.ended(job.folder, status)
    click.echo(f"{watcher.summary(statuses)}; results in {store}")
    bad = [status for status in statuses if status not in {"ok", "skipped"}]
    return 0 if not bad else 2 if len(bad) == len(statuses) and set(bad) == {"no-data"} else 1


def _shared(options: Options) -> "Run":
    from mgbench.grid import Budget, Run
    from mgbench.preprocess import preprocessing

    preprocessing(options.preprocess)
    budget = Budget(options.epochs, options.batch_size, options.steps)
    return Run(options.preprocess, options.precision, options.threads, options.select, budget)


def _axes(options: Options, loaded: Registry) -> "Axes":
    from mgbench.grid import Axes, parse_augmentation, parse_axis
    from mgbench.preprocess import STREAMS

    methods = parse_axis(options.methods, "method", loaded)
    if options.floors:
        chosen = {str(method) for method in methods}
        methods += [floor for floor in parse_axis(_FLOORS, "method", loaded) if str(floor) not in chosen]
    streams = [stream for text in options.streams for stream in text.split(",")]
    for stream in streams:
        if stream not in STREAMS:
            msg = f"There is no stream {stream!r}; {nearest(stream, STREAMS)}"
            raise SpecError(msg)
    for text in options.augmentations:
        parse_augmentation(text, loaded)
    return Axes(
        datasets=parse_axis(options.datasets, "dataset", loaded),
        encoders=parse_axis(options.encoders, "encoder", loaded),
        methods=methods,
        evaluators=parse_axis(options.evaluators, "evaluator", loaded),
        augmentations=list(dict.fromkeys(options.augmentations)),
        streams=list(dict.fromkeys(streams)),
        seeds=_seeds(options.seeds),
    )


def _seeds(text: str) -> list[int]:
    listed = text.startswith("[") and text.endswith("]")
    parts = split(text[1:-1], ",") if listed else [text]
    if not all(part.isdecimal() for part in parts) or (not listed and int(text) < 1):
        msg = f"--seeds got {text!r}; write how many, such as 3, or a list such as [3,7]."
        raise SpecError(msg)
    return sorted({int(part) for part in parts}) if listed else list(range(int(text)))
