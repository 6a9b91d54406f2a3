"""Rules for data sets; those whose files are not there cannot be checked."""

from typing import Any

from mgbench.components import Dataset
from mgbench.errors import DataError, MissingDataError
from mgbench.paths import data_root, dataset_folder
from mgbench.registry import Registry
from mgbench.testing.kit import CheckError, Rule, UnavailableError, hold


def _splits(dataset: Dataset) -> tuple[Dataset, dict[str, Any]]:
    try:
        folder = dataset_folder(dataset, data_root(None))
    except MissingDataError as error:
        raise UnavailableError(str(error).partition("\n")[0]) from error
    dataset = dataset.at(folder)
    return dataset, {split: dataset.load(split, folder) for split in dataset.splits}


def holds_valid_clips(dataset: Dataset, _loaded: Registry) -> None:
    """Every split has finite clips of the skeleton's shape with labels in range, and no subject is in two splits."""
    dataset, splits = _splits(dataset)
    for name, clips in splits.items():
        try:
            clips.check(dataset.skeleton, len(dataset.classes), name)
        except DataError as error:
            raise CheckError(str(error)) from error
        hold(clips.x.shape[1] == dataset.persons, f"{name} has {clips.x.shape[1]} persons; the data set says {dataset.persons}")
    names = list(splits)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            shared = set(splits[first].subject.tolist()) & set(splits[second].subject.tolist())
            hold(not shared, f"{len(shared)} subjects are in both {first} and {second}")


def loads_the_same_twice(dataset: Dataset, _loaded: Registry) -> None:
    """Two loads give equal digests."""
    (_, first), (_, second) = _splits(dataset), _splits(dataset)
    hold(all(first[name].digest == second[name].digest for name in first), "a split changes between loads")


RULES: list[Rule] = [holds_valid_clips, loads_the_same_twice]
