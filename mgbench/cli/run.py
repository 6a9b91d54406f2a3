"""`mgbench run`: from options to cells to a summary."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import rich_click as click

from mgbench.cli.components import complete_name, warn_of_failures
from mgbench.cli.options import plugin_option, store_option
from mgbench.cli.prepare import prepare
from mgbench.cli.watch import Watcher
from mgbench.components import Precision
from mgbench.errors import SpecError, nearest
from mgbench.paths import data_root, store_root
from mgbench.registry import Registry, registry
from mgbench.spec import split


if TYPE_CHECKING:
    from mgbench.components import Stream
    from mgbench.grid import Axes, Run


_FLOORS = ("untrained", "untrained[calibrate=true]")


def _axis(letter: str, name: str, default: tuple[str, ...], about: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make the option of one axis of the grid."""
    return click.option(
        f"-{letter}",
        f"--{name}",
        f"{name}s",
        multiple=True,
        default=default,
        required=not default,
        show_default=bool(default),
        shell_complete=complete_name(name),
        help=about,
    )


#: More cells than anybody runs, and few enough to list.
_MOST_SEEDS = 10_000
_BUDGET = "Overrides every method's recipe."
_DATA_ROOT = "Where the data sets' folders lie.  [default: MGBENCH_DATA, then the configuration, then the platform's data folder]"


@click.command("run")
@_axis("d", "dataset", ("synthetic",), "Data sets. Every axis takes lists a,b and sweeps name[key=[1,2]], and may be repeated.")
@_axis("m", "method", (), "Methods.")
@_axis("e", "encoder", ("stgcn",), "Encoders.")
@_axis("E", "evaluator", ("linear", "knn", "majority", "raw"), "Evaluators.")
@_axis("a", "augmentation", ("default",), "A pipeline a+b in place of the method's own; 'none' clears it.")
@click.option("--stream", "streams", multiple=True, default=("joint",), show_default=True, help="joint, bone or motion.")
@click.option("--seeds", default="1", show_default=True, help="How many (0, 1, ...), or which, in brackets: [3,7].")
@click.option("--floors/--no-floors", default=True, show_default=True, help="Also measure the untrained encoder, both ways.")
@click.option("--epochs", type=click.IntRange(min=1), help=_BUDGET)
@click.option("--batch-size", type=click.IntRange(min=2), help=_BUDGET)
@click.option("--steps", type=click.IntRange(min=1), help="Optimiser steps, in place of epochs.")
@click.option("--select", is_flag=True, help="Fit on train and score val, for choosing hyperparameters without the test split.")
@click.option("--preprocess", default="frame50", show_default=True, help="frame50, raw50 or first_frame.")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), default="fp32", show_default=True, help="Of training.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Processor threads a cell, part of its identity.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Cells at a time.")
@click.option(
    "--checkpoint-seconds", type=click.FloatRange(min=0), default=60.0, show_default=True, help="At most one checkpoint in these."
)
@click.option("--rerun", type=click.Choice(["failed", "stale"]), multiple=True, help="Run these cells again from the start.")
@click.option("--data-root", "root", type=click.Path(path_type=Path), help=_DATA_ROOT)
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
    precision: Precision
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
    store, root = store_root(options.store).absolute(), data_root(options.root).absolute()
    files = tuple(path.absolute() for path in options.plugin_files)
    watcher = Watcher(len(cells))
    jobs, statuses = [], []
    for cell in cells:
        folder, status = prepare(cell, store, root, loaded, options.rerun)
        if status:
            statuses.append(status)
            watcher.kept(folder, status)
        else:
            jobs.append(Job(folder, store, root, files, options.checkpoint_seconds))
    with watcher:
        for job, status in run_jobs(jobs, options.workers, watcher):
            statuses.append(status)
            watcher.ended(job.folder, status)
    click.echo(f"{watcher.summary(statuses)}; results in {store}")
    for reason in watcher.missing:
        click.echo(f"Error: {reason}", err=True)
    bad = set(statuses) - {"ok", "skipped"}
    return 0 if not bad else 2 if set(statuses) <= {"no-data", "skipped"} else 1


def _shared(options: Options) -> "Run":
    from mgbench.grid import Budget, Run
    from mgbench.preprocess import preprocessing

    preprocessing(options.preprocess)
    budget = Budget(options.epochs, options.batch_size, options.steps)
    return Run(options.preprocess, options.precision, options.threads, options.select, budget)


def _axes(options: Options, loaded: Registry) -> "Axes":
    from mgbench.grid import Axes, canonical_augmentation, parse_axis

    methods = parse_axis(options.methods, "method", loaded)
    if options.floors:
        chosen = {str(method) for method in methods}
        methods += [floor for floor in parse_axis(_FLOORS, "method", loaded) if str(floor) not in chosen]
    return Axes(
        datasets=parse_axis(options.datasets, "dataset", loaded),
        encoders=parse_axis(options.encoders, "encoder", loaded),
        methods=methods,
        evaluators=parse_axis(options.evaluators, "evaluator", loaded),
        augmentations=list(dict.fromkeys(canonical_augmentation(text.strip(), loaded) for text in options.augmentations)),
        streams=_streams(options.streams),
        seeds=_seeds(options.seeds),
    )


def _streams(texts: tuple[str, ...]) -> "list[Stream]":
    from mgbench.preprocess import STREAMS

    words = dict.fromkeys(word for text in texts for word in text.split(","))
    for word in words:
        if word not in STREAMS:
            msg = f"There is no stream {word!r}; {nearest(word, STREAMS)}"
            raise SpecError(msg)
    return [stream for stream in STREAMS if stream in words]


def _seeds(text: str) -> list[int]:
    listed = text.startswith("[") and text.endswith("]")
    parts = split(text[1:-1], ",") if listed else [text]
    sound = all(part.isdecimal() and len(part) < 10 for part in parts)  # noqa: PLR2004 - digits
    if not sound or (not listed and not 0 < int(text) <= _MOST_SEEDS):
        msg = f"--seeds got {text!r}; write how many, such as 3, or a list such as [3,7]."
        raise SpecError(msg)
    return sorted({int(part) for part in parts}) if listed else list(range(int(text)))
