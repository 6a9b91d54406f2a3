"""Anybody's own clips, in the layouts in which the field passes them on: ST-GCN, CTR-GCN, pyskl and OpenPose."""

import os
import re
from pathlib import Path
from types import ModuleType
from typing import Final, Literal

import attrs
import numpy as np

from mgbench import Clips, DataError, Dataset, Skeleton, load_skeleton
from mgbench.components import Split
from mgbench.errors import nearest
from mgbench.skeleton import read_skeleton, skeleton_names
from mgbench_plugins.datasets.layouts import ctrgcn_npz, openpose_json, pyskl_pkl, stgcn_npy
from mgbench_plugins.datasets.layouts.held import Held, Ints, Wanted, gather
from mgbench_plugins.datasets.layouts.subjects import subjects_of
from mgbench_plugins.datasets.layouts.tables import read_names


_LAYOUTS: Final[dict[str, ModuleType]] = {
    "stgcn_npy": stgcn_npy,
    "ctrgcn_npz": ctrgcn_npz,
    "pyskl_pkl": pyskl_pkl,
    "openpose_json": openpose_json,
}
#: People who can be asked for; where files hold fewer, the others are zero.
_CROWD: Final = 100
_ALIEN: Final = re.compile(r"[\\:\0]|^~")


def _is_below(dataset: "Packed", attribute: "attrs.Attribute[str]", value: str) -> None:
    """Refuse a folder that could lie outside the data root."""
    if any(part in {"", ".", ".."} for part in value.split("/")) or _ALIEN.search(value):
        msg = (
            f"{attribute.name} got {value!r}; it is a name below the data root, such as mine or mine/first, without .. and without a root."
        )
        raise ValueError(msg)


def _is_name(dataset: "Packed", attribute: "attrs.Attribute[str]", value: str) -> None:
    """Refuse a file that could lie outside the folder."""
    if "/" in value or value in {".", ".."} or _ALIEN.search(value):
        msg = f"{attribute.name} got {value!r}; it is the name of a file in the folder, without a path."
        raise ValueError(msg)


def _is_skeleton(dataset: "Packed", attribute: "attrs.Attribute[str]", value: str) -> None:
    """Refuse a skeleton that is neither known nor a file."""
    if not value.endswith(".toml") and value not in skeleton_names():
        msg = f"skeleton got {value!r}, which is no .toml file of the folder either; {nearest(value, skeleton_names())}"
        raise ValueError(msg)


@attrs.frozen
class Packed(Dataset):
    """Clips of your own, in the files of ST-GCN, CTR-GCN, pyskl or OpenPose.

    Splits are those of the files; where no part is called test, the one called val is the test split, and there is no validation split.

    Args:
        folder: where the files lie, below the data root.
        layout: of the files; `auto` takes the one that is there.
        skeleton: of every clip: one that comes with mgbench, or a TOML file of your own in the folder.
        file: which `.npz` or `.pkl` is meant, where the folder has several.
        protocol: which splits of a `.pkl` are meant, where it has several: `xsub` for `xsub_train` and `xsub_val`.
        people: so many of each clip are kept, those that come first; 0 for as many as the files hold.
        shared_subjects: accept people who are in two splits, as in NTU's cross-view protocol.
    """

    name = "packed"
    tiny = "folder=stgcn_npy,skeleton=kinect25"
    how = """It is your own data, in one of these layouts:
  stgcn_npy      train_data.npy (N, C, T, V, M), train_label.pkl (names, labels), and val_... or test_...
  ctrgcn_npz     one .npz with x_train (N, T, M x V x C), y_train one-hot, x_test, y_test
  pyskl_pkl      one .pkl with split and annotations
  openpose_json  labels.csv (clip,label,split) and CLIP/..._keypoints.json, or train/CLASS/CLIP/..._keypoints.json and test/...
and beside it, where wanted, skeleton.toml, classes.txt and subjects.csv (clip,subject)."""

    folder: str = attrs.field(default="packed", validator=_is_below)
    layout: Literal["auto", "stgcn_npy", "ctrgcn_npz", "pyskl_pkl", "openpose_json"] = "auto"
    skeleton: str = attrs.field(default="skeleton.toml", validator=[_is_name, _is_skeleton])  # type: ignore[assignment]  # its name; `at` has it
    file: str = attrs.field(default="", validator=_is_name)
    protocol: str = ""
    people: int = attrs.field(default=0, validator=[attrs.validators.ge(0), attrs.validators.le(_CROWD)])
    shared_subjects: bool = False

    @property
    def folders(self) -> tuple[str, ...]:
        """The folder that is named."""
        return (self.folder,)

    @property
    def classes(self) -> tuple[str, ...]:
        """Refused, as `persons` and `splits` are: the folder tells them."""
        raise _untold("classes")

    @property
    def persons(self) -> int:
        """Refused."""
        raise _untold("persons")

    @property
    def splits(self) -> tuple[Split, ...]:
        """Refused."""
        raise _untold("splits")

    def at(self, folder: Path) -> Dataset:
        """Look at the folder; coordinates are read when a split is loaded."""
        parts = Path(self.folder).parts
        try:
            _check_links(folder, folder.parents[len(parts) - 1] if folder.parts[-len(parts) :] == parts else folder)
            skeleton, listed = self._skeleton(folder), folder / "classes.txt"
            names = read_names(listed) if listed.is_file() else ()
            held: Held = self._reader(folder).read(Wanted(folder, skeleton, self.file, self.protocol, names))
            subjects = subjects_of(folder, held, shared=self.shared_subjects)
            classes, persons = _class_names(listed, names, held), self.people or held.persons()
            return _Opened(self.folders, skeleton, classes, persons, tuple(held.sides), held, subjects)
        except OSError as error:
            msg = f"{str(folder)!r} cannot be read: {error}."
            raise DataError(msg) from error

    def load(self, split: Split, folder: Path) -> Clips:
        """Look at the folder and read a split."""
        return self.at(folder).load(split, folder)

    def _skeleton(self, folder: Path) -> Skeleton:
        if not self.skeleton.endswith(".toml"):
            return load_skeleton(self.skeleton)
        path = folder / self.skeleton
        if not path.is_file():
            msg = f"The skeleton {str(path)!r} is missing; name one, skeleton={' or '.join(skeleton_names())}, or write that file."
            raise DataError(msg)
        return read_skeleton(path)

    def _reader(self, folder: Path) -> ModuleType:
        if self.layout != "auto":
            return _LAYOUTS[self.layout]
        found = [name for name, reader in _LAYOUTS.items() if reader.holds(folder)]
        if len(found) == 1:
            return _LAYOUTS[found[0]]
        if found:
            msg = f"{str(folder)!r} has files of the layouts {' and '.join(found)}; name the one that is meant, as in layout={found[0]}."
            raise DataError(msg)
        held = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
        allowed = ", ".join(_LAYOUTS)
        inner = next((path.name for path in sorted(folder.glob("[!.]*/")) if any(reader.holds(path) for reader in _LAYOUTS.values())), None)
        deeper = f"; {inner} in it has one: folder={self.folder}/{inner}" if inner else ""
        msg = f"{str(folder)!r} holds {held}, and none of the layouts {allowed}; docs/datasets/packed.md shows the files of each{deeper}."
        raise DataError(msg)


@attrs.frozen(eq=False)
class _Opened(Dataset):
    """Clips of your own, as one folder holds them."""

    name = Packed.name
    how = Packed.how

    folders: tuple[str, ...]
    skeleton: Skeleton
    classes: tuple[str, ...]
    persons: int
    splits: tuple[Split, ...]
    held: Held
    subjects: dict[Split, Ints]

    def load(self, split: Split, folder: Path) -> Clips:
        """Read a split, clip by clip."""
        side = self.held.sides[split]
        x, offsets = gather(side, self.persons, self.skeleton)
        return Clips(x, offsets, np.array(side.labels, dtype=np.int64), self.subjects[split], tuple(side.names))


def _untold(what: str) -> DataError:
    return DataError(f"The {what} of 'packed' are told by its folder: Packed(...).at(folder).{what}.")


def _check_links(folder: Path, root: Path) -> None:
    """Refuse symbolic links that lead out of the folder and out of the data root; the folder itself may be a link, as its user made it."""
    allowed, left, known = (root.resolve(), folder.resolve()), [folder], set[Path]()
    while left:
        place = left.pop()
        target = place.resolve()
        if not any(target.is_relative_to(one) for one in allowed):
            msg = f"{str(place)!r} is a link that leaves the data root {str(allowed[0])!r}; copy the files, or move the data root."
            raise DataError(msg)
        if target.is_dir() and target not in known:
            known.add(target)
            with os.scandir(target) as entries:
                left += [Path(entry.path) for entry in entries if entry.is_symlink() or entry.is_dir()]


def _class_names(path: Path, names: tuple[str, ...], held: Held) -> tuple[str, ...]:
    """Return the names that are listed, or the layout's own, or numbers from 1."""
    if not isinstance(held.classes, int):
        return held.classes
    if not names:
        if not any(0 in side.labels for side in held.sides.values()):
            fault = "has no clip of class 0, as where classes count from 1"
            msg = f"{str(path.parent)!r} {fault}; take 1 off, or name all of them in {path.name}."
            raise DataError(msg)
        return tuple(f"class {number}" for number in range(1, held.classes + 1))
    for side in held.sides.values():
        for name, label in zip(side.names, side.labels, strict=True):
            if label >= len(names):
                msg = f"{str(side.path)!r}, clip {name!r} has class number {label}; {path.name} beside it names 0 to {len(names) - 1}."
                raise DataError(msg)
    return names
