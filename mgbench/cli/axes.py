"""The options that span a grid, shared by `run` and `plan`, and the way from them to planned cells."""

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import rich_click as click

from mgbench.cli.components import complete_name, warn_of_failures
from mgbench.cli.options import data_root_option, plugin_option, set_option, store_option
from mgbench.cli.study import read_study, with_study
from mgbench.cli.where import keep_where
from mgbench.components import Precision
from mgbench.errors import SpecError, nearest
from mgbench.paths import data_root, store_root
from mgbench.preprocessings import PREPROCESSINGS, STREAMS
from mgbench.registry import registry
from mgbench.spec import split
from mgbench.study import Table


if TYPE_CHECKING:
    from mgbench.catalogue import Catalogue
    from mgbench.components import Stream
    from mgbench.grid import Axes, Cell, Run
    from mgbench.part import Part
    from mgbench.plan import Planned, Retry


_Command = Callable[..., Any]
_FLOORS = ("untrained", "untrained[calibrate=true]")
#: More seeds than anybody runs, and few enough to list.
_MOST_SEEDS = 10_000
_BUDGET = "Overrides every method's recipe."
_WHERE = "Keep the cells for which this SQL condition holds, of dataset, encoder, method, augmentation, stream, pretrain_on and seed."


def _axis(letter: str, name: str, default: tuple[str, ...], about: str) -> Callable[[_Command], _Command]:
    """Make the option of one axis of the grid."""
    return click.option(
        f"-{letter}",
        f"--{name}",
        f"{name}s",
        multiple=True,
        default=default,
        show_default=bool(default),
        shell_complete=complete_name(name),
        help=about,
    )


_OPTIONS = (
    click.argument("study", required=False, type=click.Path(path_type=Path, dir_okay=False)),
    _axis("d", "dataset", ("synthetic",), "Data sets. Every axis takes lists a,b and sweeps name[key=[1,2]], and may be repeated."),
    _axis("m", "method", (), "Methods."),
    _axis("e", "encoder", ("stgcn",), "Encoders."),
    _axis("E", "evaluator", ("linear", "knn", "majority", "raw"), "Evaluators."),
    _axis("a", "augmentation", ("default",), "Pipelines a+b in place of the method's own; 'none' clears it."),
    click.option("--stream", "streams", multiple=True, default=("joint",), show_default=True, help="joint, bone or motion."),
    click.option(
        "--pretrain-on",
        multiple=True,
        default=("none",),
        show_default=True,
        help="Data sets to train on before the weights are carried over to the data set; 'none' trains on it itself.",
    ),
    click.option("--seeds", default="1", show_default=True, help="How many (0, 1, ...), or which, in brackets: [3,7]."),
    click.option("--floors/--no-floors", default=True, show_default=True, help="Also measure the untrained encoder, both ways."),
    click.option("--where", help=_WHERE),
    set_option,
    click.option("--epochs", type=click.IntRange(min=1), help=_BUDGET),
    click.option("--batch-size", type=click.IntRange(min=2), help=_BUDGET),
    click.option("--steps", type=click.IntRange(min=1), help="Optimiser steps, in place of epochs."),
    click.option("--select", is_flag=True, help="Fit on train and score val, for choosing hyperparameters without the test split."),
    click.option("--preprocess", default="frame50", show_default=True, help="frame50, raw50 or first_frame."),
    click.option(
        "--precision", type=click.Choice(["fp32", "tf32", "bf16"]), default="fp32", show_default=True, help="Of training; tf32 needs a GPU."
    ),
    click.option("--compile", is_flag=True, help="Train through torch.compile; slow to start, and worth it on an accelerator."),
    click.option("--capture", is_flag=True, help="Record training steps as CUDA graphs and replay them; needs a GPU."),
    click.option(
        "--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Processor threads a cell, part of its identity."
    ),
    click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Cells at a time."),
    click.option(
        "--retry",
        type=click.Choice(["failed", "stale", "half-batch"]),
        multiple=True,
        help="Run cells that failed, or went stale, from the start; after out-of-memory once more with half the batch.",
    ),
    data_root_option,
    store_option,
    plugin_option,
)


def grid_options(command: _Command) -> _Command:
    """Add the options that span a grid."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@attrs.frozen(kw_only=True)
class GridOptions:
    """What these options say, by name; paths are absolute, because a plugin may change the folder when it is imported."""

    datasets: tuple[str, ...]
    methods: tuple[str, ...]
    encoders: tuple[str, ...]
    evaluators: tuple[str, ...]
    augmentations: tuple[str, ...]
    streams: tuple[str, ...]
    pretrain_on: tuple[str, ...]
    seeds: str
    floors: bool
    where: str | None
    epochs: int | None
    batch_size: int | None
    steps: int | None
    select: bool
    preprocess: str
    precision: Precision
    compile: bool
    capture: bool
    threads: int
    workers: int
    retry: tuple["Retry", ...]
    root: Path
    store: Path
    plugin_files: tuple[Path, ...]
    table: Table | None

    @property
    def places(self) -> tuple[Path, Path]:
        """The store and the data root."""
        return self.store, self.root


def split_options(ctx: click.Context, given: dict[str, Any]) -> tuple[GridOptions, dict[str, Any]]:
    """Return the grid's options, completed by the study, and what else the command was given."""
    study = read_study(given["study"], given["changes"])
    merged = with_study(ctx, {key: value for key, value in given.items() if key not in {"study", "changes"}}, study)
    merged["table"] = study.table
    merged["store"], merged["root"] = store_root(merged["store"]).absolute(), data_root(merged["root"]).absolute()
    files = merged["plugin_files"]
    merged["plugin_files"] = tuple(path.absolute() if path.is_file() else path for path in files)  # a missing one is told as it was given
    names = {field.name for field in attrs.fields(GridOptions)}
    return GridOptions(**{name: merged[name] for name in names}), {key: value for key, value in merged.items() if key not in names}


def open_catalogue(options: GridOptions) -> "Catalogue":
    """Return the catalogue of what is installed and of the given plugin files."""
    from mgbench.catalogue import Catalogue

    return Catalogue(registry(options.plugin_files))


def plan_of(options: GridOptions, catalogue: "Catalogue") -> "list[Planned]":
    """Return the grid's cells and where each stands in the store."""
    from mgbench.plan import make_plan

    if options.preprocess not in PREPROCESSINGS:
        msg = f"There is no preprocessing {options.preprocess!r}; {nearest(options.preprocess, PREPROCESSINGS)}"
        raise SpecError(msg)
    cells = keep_where(_cells(options, catalogue), options.where)
    catalogue.save()
    warn_of_failures(catalogue.registry)
    return make_plan(cells, *options.places, options.retry)


def _cells(options: GridOptions, catalogue: "Catalogue") -> "list[Cell]":
    """Return the cells of the grid; with a table, those of all its rows, seed by seed."""
    from mgbench.grid import make_cells

    if options.table is None:
        return make_cells(_axes(options, catalogue), _shared(options), catalogue)
    found: dict[str, Cell] = {}
    for row in options.table.mapped(catalogue.written).rows:
        grid = attrs.evolve(
            options,
            methods=row.values("method", options.methods),
            encoders=row.values("encoder", options.encoders),
            augmentations=row.values("augmentation", options.augmentations),
            pretrain_on=row.values("pretrain-on", options.pretrain_on),
        )
        found |= {cell.id: cell for cell in make_cells(_axes(grid, catalogue), _shared(options), catalogue)}
    sets = list(dict.fromkeys(cell.dataset for cell in found.values()))
    return sorted(found.values(), key=lambda cell: (sets.index(cell.dataset), cell.seed))


def kept_halves(planned: "list[Planned]", options: GridOptions, catalogue: "Catalogue") -> "list[Planned]":
    """Return the half-batch cells of those that the store keeps as out-of-memory, where `--retry half-batch` asks for them."""
    if "half-batch" not in options.retry:
        return []
    known = {one.cell.name for one in planned}
    halves = half_batches((one.cell for one in planned if one.status == "out-of-memory" and not one.runs), options, catalogue)
    return [one for one in halves if one.cell.name not in known]


def half_batches(cells: "Iterable[Cell]", options: GridOptions, catalogue: "Catalogue") -> "list[Planned]":
    """Return cells once more with half the batch: cells of their own, because their results are others; a batch of two has no half."""
    from mgbench.catalogue import Budget
    from mgbench.plan import make_plan

    halves: dict[str, Cell] = {}
    for cell in cells:
        method = cell.method
        if method is not None and method.learns and int(method.value("batch_size")) >= 4:  # noqa: PLR2004 - twice the least
            budget = Budget(batch_size=int(method.value("batch_size")) // 2)
            half = attrs.evolve(cell, method=catalogue.method(method, "default", budget))
            halves[half.name] = half
    return make_plan(list(halves.values()), *options.places, options.retry) if halves else []


def _shared(options: GridOptions) -> "Run":
    from mgbench.catalogue import Budget
    from mgbench.grid import Run

    budget = Budget(options.epochs, options.batch_size, options.steps)
    return Run(options.preprocess, options.precision, options.threads, options.select, options.compile, options.capture, budget)


def _axes(options: GridOptions, catalogue: "Catalogue") -> "Axes":
    from mgbench.grid import Axes

    floors = _FLOORS if options.floors else ()
    axes = Axes(
        datasets=catalogue.axis("dataset", options.datasets),
        encoders=catalogue.axis("encoder", options.encoders),
        methods=catalogue.axis("method", (*options.methods, *floors)),
        evaluators=catalogue.axis("evaluator", options.evaluators),
        augmentations=list(dict.fromkeys(catalogue.augmentation(text) for given in options.augmentations for text in split(given, ","))),
        streams=_streams(options.streams),
        seeds=read_seeds(options.seeds),
        sources=tuple(_sources(options.pretrain_on, catalogue)),
    )
    if not options.methods:
        msg = "No method was given; name one by -m, such as -m mgrl, or -m untrained for the floors alone."
        raise SpecError(msg)
    empty = [field.name for field in attrs.fields(Axes) if not getattr(axes, field.name)]
    if empty:
        msg = f"The grid has no cell, because its {' and '.join(empty)} are an empty list; give at least one, or leave the option out."
        raise SpecError(msg)
    return axes


def _sources(texts: tuple[str, ...], catalogue: "Catalogue") -> "Iterator[Part | None]":
    for text in dict.fromkeys(word for given in texts for word in split(given, ",")):
        if text == "none":
            yield None
        else:
            yield from catalogue.axis("dataset", (text,))


def _streams(texts: Collection[str]) -> "list[Stream]":
    words = dict.fromkeys(word for text in texts for word in text.split(","))
    for word in words:
        if word not in STREAMS:
            msg = f"There is no stream {word!r}; {nearest(word, STREAMS)}"
            raise SpecError(msg)
    return [stream for stream in STREAMS if stream in words]


def read_seeds(text: str) -> list[int]:
    """Return the seeds that `--seeds` gives."""
    listed = text.startswith("[") and text.endswith("]")
    parts = split(text[1:-1], ",") if listed else [text]
    sound = all(part.isascii() and part.isdecimal() and len(part) < 10 for part in parts)  # noqa: PLR2004 - digits
    if sound and not listed and int(text) > _MOST_SEEDS:
        msg = f"--seeds got {text!r}; {_MOST_SEEDS} are the most."
        raise SpecError(msg)
    if not sound or not (listed or int(text)):
        msg = f"--seeds got {text!r}; write how many, such as 3, or a list such as [3,7]."
        raise SpecError(msg)
    return sorted({int(part) for part in parts}) if listed else list(range(int(text)))
