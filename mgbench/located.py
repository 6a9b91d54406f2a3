"""A data set together with the places where it lies and where it is packed."""

from functools import cached_property
from pathlib import Path

import attrs

from mgbench.clips import Clips, join_clips
from mgbench.components import Dataset, Split
from mgbench.errors import DataError, MissingDataError, SpecError
from mgbench.fingerprint import packed_folder
from mgbench.packing import fitted_splits, open_packed, read_split
from mgbench.part import Part, describe
from mgbench.paths import dataset_folder
from mgbench.registry import Registry


@attrs.frozen(eq=False)
class Located:
    """A data set and its places.

    Args:
        dataset: it.
        part: it, as it is described.
        root: the data root, or the folder above the one that was given.
        cache: the store's folder of packed data.
    """

    dataset: Dataset
    part: Part
    root: Path
    cache: Path

    @property
    def open(self) -> bool:
        """Whether clips may be named and drawn unasked."""
        return self.dataset.public or not self.part.folders

    @cached_property
    def here(self) -> Dataset:
        """The data set as its folder has it; raises `MissingDataError` where there is none."""
        return self.dataset.at(self.folder)

    @property
    def folder(self) -> Path:
        """The data set's folder; raises `MissingDataError` where there is none."""
        return dataset_folder(self.part, self.root)

    @property
    def packed(self) -> Path:
        """The packed folder that runs use, whether it is there or not."""
        return packed_folder(self.part, self.root, self.cache)

    def read(self, split: Split) -> Clips:
        """Read a split from the packed copy where there is one, else from its files; whatever a loader raises is a `DataError`."""
        if self.packed.is_dir():
            return open_packed(self.packed, split)
        try:
            return read_split(self.here, split, self.folder)
        except DataError:
            raise
        except Exception as error:
            msg = f"The loader raised {type(error).__name__}: {error}"
            raise DataError(msg) from error

    def read_fit(self, *, select: bool = False) -> Clips:
        """Read and check what cells are fitted on, joined as they join it."""
        here = self.here
        splits = fitted_splits(here.splits, select=select)
        return join_clips([self.read(split).check(here.skeleton, len(here.classes), f"{here.name} {split}") for split in splits])


def locate(name: str, registry: Registry, root: Path, store: Path, given: Path | None = None) -> Located:
    """Return the data set of a spec, with its folder below the data root, or the given folder in its place."""
    dataset: Dataset = registry.parse("dataset", name)
    part = describe(dataset, registry)
    if given is not None:
        place = given.expanduser().resolve()
        if not part.folders:
            msg = f"The data of {dataset.name!r} are made, not read, so there is nothing to read from {str(given)!r}; leave --from out."
            raise SpecError(msg)
        if not place.is_dir() or not place.name:
            msg = f"--from got {str(given)!r}, which is no folder; give the one that would be {str(root / part.folders[0])!r}."
            raise MissingDataError(msg)
        part, root = attrs.evolve(part, folders=(place.name,)), place.parent
    return Located(dataset, part, root, store / "data")
