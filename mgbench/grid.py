"""Cells: the points of the cartesian grid, their identity, and their text on disk."""

import hashlib
import itertools
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import attrs

from mgbench.catalogue import Budget, Catalogue
from mgbench.components import Precision, Stream
from mgbench.part import Part, from_json


@attrs.frozen
class Run:
    """What is the same for every cell of one command: the choices outside the grid."""

    preprocess: str = "frame50"
    precision: Precision = "fp32"
    threads: int = 1
    select: bool = False
    compile: bool = False
    capture: bool = False
    budget: Budget = attrs.field(factory=Budget)


@attrs.frozen
class Cell:
    """One point of the grid. Without encoder and method it scores clips as they are.

    With `pretrain_on` it is trained on that data set and carried over to its own, whose skeleton may be another.
    Evaluators are no part of its identity: another one can be added to a finished cell.
    """

    dataset: Part
    encoder: Part | None
    method: Part | None
    evaluators: tuple[Part, ...]
    augmentation: str
    stream: Stream
    seed: int
    run: Run
    pretrain_on: Part | None = None

    @property
    def steps(self) -> int | None:
        """Optimiser steps where the budget counts them, None for the recipe's epochs."""
        return self.run.budget.steps if self.method is not None and self.method.learns else None

    @property
    def skipped(self) -> str:
        """Why this combination cannot run, or an empty string."""
        if self.encoder is None or self.method is None:
            return ""
        if self.method.uses_labels and self.method.prepares:
            return f"{self.method.name} needs labels, which the new clips of its set augmentation do not have"
        if self.method.streams and self.stream not in self.method.streams:
            return f"{self.method.name} takes the stream {' or '.join(self.method.streams)}, not {self.stream}"
        lacking = [need for need in self.method.needs if need not in self.encoder.gives]
        return f"{self.method.name} needs {', '.join(lacking)}, which {self.encoder.name} does not give" if lacking else ""

    @property
    def parts(self) -> tuple[Part, ...]:
        """What decides the cell's weights: data set, encoder, method and the data set before it, where it has them."""
        return tuple(filter(None, (self.dataset, self.encoder, self.method, self.pretrain_on)))

    @cached_property
    def id(self) -> str:
        """A hash of everything that decides the cell's weights."""
        digests = "+".join(part.digest for part in self.parts)
        run = self.run
        words: tuple[object, ...] = (digests, self.augmentation, self.stream, self.seed, self.steps)
        words += (run.preprocess, run.precision, run.threads, run.select, *(("compile",) * run.compile), *(("capture",) * run.capture))
        return hashlib.blake2b(repr(words).encode(), digest_size=5).hexdigest()

    @cached_property
    def name(self) -> str:
        """The directory's name: readable words, then the id."""
        return "-".join([*(f"on-{part.slug}" if part is self.pretrain_on else part.slug for part in self.parts), f"s{self.seed}", self.id])

    @property
    def origin(self) -> "Cell | None":
        """The cell that trains the same on the data set before it, whose weights may be taken over."""
        return None if self.pretrain_on is None else attrs.evolve(self, dataset=self.pretrain_on, pretrain_on=None)


@attrs.frozen
class Axes:
    """The lists whose product is the grid."""

    datasets: list[Part]
    encoders: list[Part]
    methods: list[Part]
    evaluators: list[Part]
    augmentations: list[str]
    streams: list[Stream]
    seeds: list[int]
    sources: tuple[Part | None, ...] = (None,)


def make_cells(axes: Axes, run: Run, catalogue: Catalogue) -> list[Cell]:
    """Return the cells of a grid, and one a data set and stream for the evaluators that read clips."""
    learned = tuple(evaluator for evaluator in axes.evaluators if evaluator.reads != "clips")
    bare = tuple(evaluator for evaluator in axes.evaluators if evaluator.reads == "clips")
    still = attrs.evolve(run, precision="fp32", compile=False, capture=False, budget=Budget())
    cells: dict[str, Cell] = {}
    for dataset, stream in itertools.product(axes.datasets, axes.streams if bare else ()):
        cell = Cell(dataset, None, None, bare, "default", stream, 0, still)
        cells[cell.id] = cell
    points = itertools.product(axes.datasets, axes.streams, axes.seeds, axes.encoders, _made(axes, run.budget, catalogue), axes.sources)
    for dataset, stream, seed, encoder, (method, augmentation), source in points if learned else ():
        before = source if method.learns and source != dataset else None
        cell = Cell(dataset, encoder, method, learned, augmentation, stream, seed, run, before)
        cells.setdefault(cell.id, cell)
    return list(cells.values())


def _made(axes: Axes, budget: Budget, catalogue: Catalogue) -> list[tuple[Part, str]]:
    """Return every method with every pipeline; a floor, which has no views, keeps its own."""

    def pairs() -> Iterator[tuple[Part, str]]:
        for augmentation, method in itertools.product(axes.augmentations, axes.methods):
            text = augmentation if method.learns else "default"
            yield catalogue.method(method, text, budget), text

    return list(dict.fromkeys(pairs()))


def to_spec(cell: Cell) -> dict[str, Any]:
    """Return a cell as JSON, with every field of every component, so that a changed default rewrites no history."""
    parts = {"dataset": cell.dataset, "encoder": cell.encoder, "method": cell.method, "pretrain_on": cell.pretrain_on}
    return {
        "id": cell.id,
        **{kind: None if part is None else part.to_json() for kind, part in parts.items()},
        "evaluators": [evaluator.to_json() for evaluator in cell.evaluators],
        "augmentation": cell.augmentation,
        "stream": cell.stream,
        "seed": cell.seed,
        "run": attrs.asdict(cell.run),
    }


def from_spec(stored: dict[str, Any]) -> Cell:
    """Return the cell of a `spec.json`."""
    parts = {kind: stored[kind] and from_json(stored[kind]) for kind in ("dataset", "encoder", "method", "pretrain_on")}
    evaluators = tuple(map(from_json, stored["evaluators"]))
    run = Run(**{**stored["run"], "budget": Budget(**stored["run"]["budget"])})
    return Cell(**parts, evaluators=evaluators, augmentation=stored["augmentation"], stream=stored["stream"], seed=stored["seed"], run=run)
