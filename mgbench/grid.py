"""Cells: the points of the cartesian grid, their identity, and their text on disk."""

import hashlib
import itertools
import json
import re
from typing import Any

import attrs

from mgbench import spec
from mgbench.components import Component, Dataset, Encoder, Evaluator, Method, Precision, SetAugmentation, Stream, ViewAugmentation
from mgbench.errors import SpecError
from mgbench.registry import Registry


@attrs.frozen
class Budget:
    """What overrides every method's recipe, so that rows compare; None leaves the recipe's own value."""

    epochs: int | None = None
    batch_size: int | None = None
    steps: int | None = None

    def apply(self, method: Method) -> Method:
        """Return the method with this budget; a floor, which learns nothing, keeps its own."""
        if not method.learns:
            return method
        recipe = method.recipe
        epochs = recipe.epochs if self.epochs is None else self.epochs
        batch_size = recipe.batch_size if self.batch_size is None else self.batch_size
        return attrs.evolve(method, recipe=attrs.evolve(recipe, epochs=epochs, batch_size=batch_size))


@attrs.frozen
class Run:
    """What is the same for every cell of one command: the choices outside the grid."""

    preprocess: str = "frame50"
    precision: Precision = "fp32"
    threads: int = 1
    select: bool = False
    budget: Budget = Budget()


@attrs.frozen
class Cell:
    """One point of the grid. Without encoder and method it scores clips as they are.

    Evaluators are no part of its identity: another one can be added to a finished cell.
    """

    dataset: Dataset
    encoder: Encoder | None
    method: Method | None
    evaluators: tuple[Evaluator, ...]
    augmentation: str
    stream: Stream
    seed: int
    run: Run

    @property
    def steps(self) -> int | None:
        """Optimiser steps where the budget counts them, None for the recipe's epochs."""
        return self.run.budget.steps if self.method is not None and self.method.learns else None

    @property
    def skipped(self) -> str:
        """Why this combination cannot run, or an empty string."""
        if self.encoder is None or self.method is None:
            return ""
        if self.method.uses_labels and self.method.prepare:
            return f"{self.method.name} needs labels, which the new clips of a set augmentation do not have"
        lacking = sorted(self.method.needs - self.encoder.gives)
        return f"{self.method.name} needs {', '.join(lacking)}, which {self.encoder.name} does not give" if lacking else ""

    def identity(self) -> dict[str, Any]:
        """Return everything that decides the cell's weights."""
        parts = {"dataset": self.dataset, "encoder": self.encoder, "method": self.method}
        return {
            **{kind: None if part is None else {"name": part.name, **spec.write_full(part)} for kind, part in parts.items()},
            "augmentation": self.augmentation,
            "stream": self.stream,
            "seed": self.seed,
            "steps": self.steps,
            "preprocess": self.run.preprocess,
            "precision": self.run.precision,
            "threads": self.run.threads,
            "select": self.run.select,
        }

    @property
    def id(self) -> str:
        """A hash of the identity."""
        return hashlib.blake2b(json.dumps(self.identity(), sort_keys=True).encode(), digest_size=5).hexdigest()

    @property
    def name(self) -> str:
        """The directory's name: readable words, then the id."""
        words = [self.dataset, self.encoder, self.method]
        slugs = [re.sub(r"[^a-z0-9_]+", "-", str(word).lower()).strip("-")[:40] for word in words if word is not None]
        return "-".join([*slugs, f"s{self.seed}", self.id])


def _augmented(method: Method, steps: tuple[Component, ...] | None) -> Method:
    """Replace the pipelines that `-a` replaces: view steps the common one, set steps the preparation, none both."""
    if steps is None:
        return method
    views = tuple(step for step in steps if isinstance(step, ViewAugmentation))
    sets = tuple(step for step in steps if isinstance(step, SetAugmentation))
    if steps and not sets:
        return attrs.evolve(method, augment=views)
    if steps and not views:
        return attrs.evolve(method, prepare=sets)
    return attrs.evolve(method, augment=views, prepare=sets)


def parse_augmentation(text: str, registry: Registry) -> tuple[Component, ...] | None:
    """Return the steps of `shear+rotate[degrees=10]`, none of `none`, and None for `default`, the method's own."""
    if text == "default":
        return None
    return () if text == "none" else tuple(registry.parse("augmentation", part) for part in spec.split(text, "+"))


def canonical_augmentation(text: str, registry: Registry) -> str:
    """Return the one way to write a pipeline, so that two ways are one cell."""
    steps = parse_augmentation(text, registry)
    return "default" if steps is None else "+".join(map(str, steps)) or "none"


def parse_axis(texts: tuple[str, ...], kind: str, registry: Registry) -> list[Any]:
    """Return the components of one axis: lists and sweeps expanded, repeated options joined, doubles dropped."""
    found: dict[str, Any] = {}
    for text in texts:
        for call in spec.read_list(text):
            for component in registry.expand(kind, call):
                found.setdefault(str(component), component)
    return list(found.values())


@attrs.frozen
class Axes:
    """The lists whose product is the grid."""

    datasets: list[Dataset]
    encoders: list[Encoder]
    methods: list[Method]
    evaluators: list[Evaluator]
    augmentations: list[str]
    streams: list[Stream]
    seeds: list[int]


def make_cells(axes: Axes, run: Run, registry: Registry) -> list[Cell]:
    """Return the cells of a grid, and one a data set and stream for the evaluators that read clips."""
    learned = tuple(evaluator for evaluator in axes.evaluators if evaluator.reads != "clips")
    bare = tuple(evaluator for evaluator in axes.evaluators if evaluator.reads == "clips")
    cells: dict[str, Cell] = {}
    for dataset, stream in itertools.product(axes.datasets, axes.streams):
        if bare:
            still = attrs.evolve(run, precision="fp32", budget=Budget())
            cell = Cell(dataset, None, None, bare, "default", stream, 0, still)
            cells[cell.id] = cell
    points = itertools.product(axes.datasets, axes.streams, axes.seeds, axes.encoders, axes.augmentations, axes.methods)
    for dataset, stream, seed, encoder, augmentation, method in points:
        text = augmentation if method.learns else "default"
        made = run.budget.apply(_augmented(method, parse_augmentation(text, registry)))
        cell = Cell(dataset, encoder, made, learned, text, stream, seed, run)
        cells.setdefault(cell.id, cell)
    return list(cells.values())


def _component(component: Component, registry: Registry) -> dict[str, Any]:
    entry = registry.entry_of(component)
    return {
        "name": component.name,
        "distribution": entry.plugin.distribution,
        "version": component.version,
        "spec": str(component),
        "parameters": spec.write_full(component),
    }


def to_spec(cell: Cell, registry: Registry) -> dict[str, Any]:
    """Return a cell as JSON, with every field of every component, so that a changed default rewrites no history."""
    parts = {"dataset": cell.dataset, "encoder": cell.encoder, "method": cell.method}
    return {
        "id": cell.id,
        **{kind: None if part is None else _component(part, registry) for kind, part in parts.items()},
        "evaluators": [_component(evaluator, registry) for evaluator in cell.evaluators],
        "augmentation": cell.augmentation,
        "stream": cell.stream,
        "seed": cell.seed,
        "run": attrs.asdict(cell.run),
    }


def parse_component(kind: str, stored: dict[str, Any], registry: Registry) -> Any:  # noqa: ANN401
    """Return the component of a `spec.json`; the distribution that it came from must be installed."""
    entries = [entry for entry in registry.entries(kind) if entry.cls.name == stored["name"]]
    same = [entry for entry in entries if entry.plugin.distribution == stored["distribution"]]
    if not same:
        registry.find(kind, stored["name"])
        msg = f"The {kind} {stored['name']!r} came from {stored['distribution']!r}, which is not installed."
        raise SpecError(msg)
    call = spec.Call(stored["name"], tuple(stored["parameters"].items()))
    return next(spec.expand(same[0].cls, call, registry.find_type))


def from_spec(stored: dict[str, Any], registry: Registry) -> Cell:
    """Return the cell of a `spec.json`."""
    parts = {kind: stored[kind] and parse_component(kind, stored[kind], registry) for kind in ("dataset", "encoder", "method")}
    evaluators = tuple(parse_component("evaluator", evaluator, registry) for evaluator in stored["evaluators"])
    run = Run(**{**stored["run"], "budget": Budget(**stored["run"]["budget"])})
    return Cell(**parts, evaluators=evaluators, augmentation=stored["augmentation"], stream=stored["stream"], seed=stored["seed"], run=run)
