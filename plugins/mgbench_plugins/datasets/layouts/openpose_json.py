"""OpenPose's files: a folder a clip, in it `..._keypoints.json` a frame; who is who from frame to frame is not told, and found here."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from mgbench import DataError, Skeleton
from mgbench.components import Split
from mgbench_plugins.datasets.arrays import damaged
from mgbench_plugins.datasets.layouts.held import PARTS, Array, Held, Side, Wanted, name_splits
from mgbench_plugins.datasets.layouts.tables import read_table


_FRAME: Final = re.compile(r"(?!\.)(?:(.*)_)?(\d{1,18})_keypoints\.json")

Floats = npt.NDArray[np.float32]


@attrs.frozen
class _Clip:
    """One clip as it is listed."""

    name: str
    label: str
    part: str
    subject: str = ""


def holds(folder: Path) -> bool:
    """Tell whether a folder has a file of this layout."""
    return next(folder.glob("**/*_keypoints.json"), None) is not None


def read(wanted: Wanted) -> Held:
    """List clips and frames; the files are read when the coordinates are asked for."""
    folder, skeleton = wanted.folder, wanted.skeleton
    if skeleton.axes[-1] != "score":
        msg = f"OpenPose's files have x, y and a score; the skeleton {skeleton.name!r} has {', '.join(skeleton.axes)}."
        raise DataError(msg)
    listed = list(_from_table(folder) if (folder / "labels.csv").is_file() else _from_folders(folder))
    if not listed:
        msg = f"{str(folder)!r} has frames, but neither labels.csv nor the folders train/CLASS/CLIP and test/CLASS/CLIP."
        raise DataError(msg)
    classes = wanted.classes or tuple(sorted({clip.label for clip in listed}))
    unknown = next((clip for clip in listed if clip.label not in classes), None)
    if unknown is not None:
        msg = f"{str(folder)!r}, clip {unknown.name!r} has the class {unknown.label!r}, which classes.txt does not list."
        raise DataError(msg)
    splits = name_splits({clip.part for clip in listed}, f"The folder {str(folder)!r}")
    frames = {clip.name: _frames(folder / clip.name) for clip in listed}

    def side(part: Split) -> Side:
        own = [clip for clip in listed if clip.part == part]

        def clips() -> Iterator[Array]:
            return (_follow([read_frame(path, skeleton) for path in frames[clip.name]]) for clip in own)

        return Side(folder, [clip.name for clip in own], [classes.index(clip.label) for clip in own], clips)

    sides = {split: side(part) for split, part in splits.items()}
    subjects = {clip.name: clip.subject for clip in listed if clip.subject}
    return Held(sides, classes, lambda: _most(frames, skeleton), subjects)


def _from_table(folder: Path) -> Iterator[_Clip]:
    """Yield the clips that `labels.csv` lists."""
    path = folder / "labels.csv"
    for name, row in read_table(path, ("clip", "label", "split"), ("subject",)).items():
        place = PurePosixPath(name)
        if str(place) != name and not place.is_absolute() and place.parts:
            msg = f"{str(path)!r} lists the clip {name!r}; write {str(place)!r}, so that no clip has two names."
            raise DataError(msg)
        if place.is_absolute() or not place.parts or ".." in place.parts or "\\" in name or not (folder / place).is_dir():
            msg = f"{str(path)!r} lists the clip {name!r}; {str(folder)!r} has no such folder."
            raise DataError(msg)
        if row["split"] not in PARTS:
            msg = f"{str(path)!r} puts the clip {name!r} in the split {row['split']!r}; allowed are {', '.join(PARTS)}."
            raise DataError(msg)
        yield _Clip(name, row["label"], row["split"], row.get("subject", ""))


def _from_folders(folder: Path) -> Iterator[_Clip]:
    """Yield the clips of `SPLIT/CLASS/CLIP`."""
    for part in PARTS:
        for clip in sorted(path for path in folder.glob(f"{part}/*/[!.]*") if path.is_dir()):
            yield _Clip(str(PurePosixPath(clip.relative_to(folder))), clip.parent.name, part)


def _frames(clip: Path) -> list[Path]:
    """Return the files of a clip in order; their numbers must follow each other."""
    found = {path: match for path in clip.iterdir() if (match := _FRAME.fullmatch(path.name))}
    files = sorted(found, key=lambda path: int(found[path][2]))
    numbers = [int(found[path][2]) for path in files]
    if not files:
        msg = f"{str(clip)!r} has no frame; a clip is a folder of ..._000000000000_keypoints.json, one file a frame."
        raise DataError(msg)
    for path, number, expected in zip(files, numbers, range(numbers[0], numbers[0] + len(files)), strict=True):
        if number != expected:
            fault = "is there twice" if number < expected else f"comes where {expected} is missing"
            msg = f"{str(path)!r}: frame {number} {fault}; a clip has the frames of one recording, each once and none left out."
            raise DataError(msg)
    return files


def read_frame(path: Path, skeleton: Skeleton) -> Floats:
    """Read the people of one frame `(P, V, 3)`."""
    width = 3 * len(skeleton.joints)
    try:
        people = json.loads(path.read_bytes())["people"]
        with np.errstate(over="ignore"):  # too large becomes infinite, which is refused
            rows = [np.array(person["pose_keypoints_2d"], dtype=np.float32) for person in people]
    except Exception as error:  # a damaged file can raise anything
        raise damaged(path, error, "the JSON of one frame with people and their pose_keypoints_2d") from error
    for number, row in enumerate(rows):
        if row.shape != (width,) or not np.isfinite(row).all():
            held = (
                "a number that is not finite" if row.shape == (width,) else f"{row.size} numbers" if row.ndim == 1 else "lists of numbers"
            )
            msg = f"{str(path)!r}, person {number} has {held}; the skeleton {skeleton.name!r} has {width}: x, y and score a joint."
            raise DataError(msg)
    return np.array(rows, dtype=np.float32).reshape(-1, len(skeleton.joints), 3)


def _most(frames: Mapping[str, Sequence[Path]], skeleton: Skeleton) -> int:
    """Return how many people are in one frame at most."""
    return max(1, *(len(read_frame(path, skeleton)) for paths in frames.values() for path in paths))


def _follow(frames: Sequence[Floats]) -> Floats:
    """Return a clip `(T, M, V, 3)`: people keep the place whose person was last seen nearest, whoever is not seen is zero.

    There are as many places as people in the fullest frame, so one who comes may take the place of one who left. The places are in order
    of their summed scores.
    """
    places = max(1, *map(len, frames))
    x = np.zeros((len(frames), places, *frames[0].shape[1:]), dtype=np.float32)
    last = np.zeros(x.shape[1:], dtype=np.float32)
    for index, people in enumerate(frames):
        rows, columns = _match(people, last)
        x[index, columns] = people[rows]
        last[columns] = people[rows]
    return x[:, np.argsort(-x[..., 2].sum(axis=(0, 2)), kind="stable")]


def _match(people: Floats, last: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return people and their places, such that the distances add up to the least; a place never taken is farther than any."""
    from scipy.optimize import linear_sum_assignment

    if len(last) == 1:
        return np.arange(len(people)), np.arange(len(people))
    both = (people[:, None, :, 2] > 0) & (last[None, :, :, 2] > 0)
    apart = np.linalg.norm((people[:, None] - last[None])[..., :2].astype(np.float64), axis=-1)
    count = both.sum(axis=-1)
    mean = np.where(both, apart, 0.0).sum(axis=-1) / np.maximum(count, 1)
    farther = 1.0 + mean.max(initial=0.0) * len(last)
    rows, columns = linear_sum_assignment(np.where(count > 0, mean, farther))
    return rows, columns
