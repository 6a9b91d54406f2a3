"""What a cell's process works with: its folder, its components as they are installed today, and what they depend on."""

from pathlib import Path
from typing import Any

import attrs
import torch

from mgbench.components import Dataset, Encoder, Evaluator, Method
from mgbench.data import Dense, Fold, dense_fold, open_fold, pack
from mgbench.fingerprint import component_versions, data_key, environment, source_fingerprint
from mgbench.grid import Cell, from_spec
from mgbench.part import Part, build, describe
from mgbench.paths import dataset_folder
from mgbench.preprocessings import preprocessing
from mgbench.registry import Registry
from mgbench.store import CellFolder, read_json


@attrs.frozen
class Place:
    """Where a cell finds data and leaves results.

    Args:
        folder: the cell's.
        store: that it belongs to.
        data_root: folder of the data sets' folders.
        checkpoint_seconds: at most one checkpoint in so many seconds.
        before: when the cell had ended last as it was planned; a later end is another runner's, and is left as it is.
        tensorboard: whether losses are also written as TensorBoard's events.
        plugin_files: one-file plugins that were given; the status keeps them, so that the cell can be repeated.
    """

    folder: CellFolder
    store: Path
    data_root: Path
    checkpoint_seconds: float = 60.0
    before: float | None = None
    tensorboard: bool = False
    plugin_files: tuple[Path, ...] = ()


@attrs.frozen(eq=False)
class Work:
    """A cell with its components built; `source` is the data set that it is trained on where that is another."""

    cell: Cell
    place: Place
    dataset: Dataset
    encoder: Encoder | None
    method: Method | None
    evaluators: tuple[tuple[Part, Evaluator], ...]
    source: Dataset | None = None


def make_work(place: Place, registry: Registry) -> Work:
    """Build the components of a folder's cell, and describe them anew, since today's code may differ from what the plan saw."""
    cell = from_spec(read_json(place.folder.spec))
    dataset: Dataset = build(cell.dataset, registry)
    encoder: Encoder | None = None if cell.encoder is None else build(cell.encoder, registry)
    method: Method | None = None if cell.method is None else build(cell.method, registry)
    source: Dataset | None = None if cell.pretrain_on is None else build(cell.pretrain_on, registry)
    evaluators = [(describe(evaluator, registry), evaluator) for evaluator in (build(part, registry) for part in cell.evaluators)]
    cell = attrs.evolve(
        cell,
        dataset=describe(dataset, registry),
        encoder=None if encoder is None else describe(encoder, registry),
        method=None if method is None else describe(method, registry),
        pretrain_on=None if source is None else describe(source, registry),
        evaluators=tuple(part for part, _ in evaluators),
    )
    return Work(cell, place, dataset, encoder, method, tuple(evaluators), source)


def open_data(dataset: Dataset, part: Part, cell: Cell, place: Place, device: torch.device) -> tuple[Fold, Dense, Dense]:
    """Return what a data set is fitted on and scored on, as clips and preprocessed; packed and preprocessed once for all cells."""
    packed = pack(dataset, part, place.data_root, place.store / "data")
    fold = open_fold(dataset, packed, select=cell.run.select)
    return fold, *dense_fold(fold.facts.skeleton, fold, packed, preprocessing(cell.run.preprocess), cell.stream, device)


def code_origin(cell: Cell) -> dict[str, Any]:
    """Return the code that a result depends on."""
    return {"source": source_fingerprint(cell), "components": component_versions(cell)}


def data_origin(cell: Cell, place: Place, fold: Fold, device: torch.device) -> dict[str, Any]:
    """Return what else weights depend on; kept with them, so that a later evaluator does not make them look new."""
    parts = {"data_key": cell.dataset, "pretrain_data_key": cell.pretrain_on}
    keys = {name: data_key(part, dataset_folder(part, place.data_root)) for name, part in parts.items() if part is not None}
    return {"data": fold.digest, **keys, "environment": environment(device)}
