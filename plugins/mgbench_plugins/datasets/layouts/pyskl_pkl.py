"""The pickle of pyskl and mmaction2: `split`, names by split, and `annotations`, a dictionary a clip with `keypoint` (M, T, V, C)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mgbench import DataError, Skeleton
from mgbench.components import Split
from mgbench.errors import nearest
from mgbench.safe_pickle import load_pickle
from mgbench_plugins.datasets.files import list_files
from mgbench_plugins.datasets.layouts.held import PARTS, Array, Held, Side, Wanted, channels_fit, check_entries, name_splits, the_file


def _files(folder: Path) -> list[Path]:
    return [path for path in list_files(folder, ".pkl") if not path.stem.endswith("_label")]


def holds(folder: Path) -> bool:
    """Tell whether a folder has a file of this layout."""
    return bool(_files(folder))


def read(wanted: Wanted) -> Held:
    """Read the pickle, whose coordinates stay as they are written, mostly float16, until they are asked for."""
    path = the_file(wanted, ".pkl", _files(wanted.folder))
    names, annotations = _content(path)
    splits = _splits(path, wanted.protocol, names)
    every, labels = check_entries(path, [_value(path, i, one, "frame_dir") for i, one in enumerate(annotations)],
                                  [_value(path, i, one, "label") for i, one in enumerate(annotations)])  # fmt: skip
    place = dict(zip(every, range(len(every)), strict=True))
    if len(place) != len(every):
        twice = next(name for index, name in enumerate(every) if place[name] != index)
        msg = f"{str(path)!r} has two annotations of {twice!r}; each frame_dir has one."
        raise DataError(msg)
    for index, one in enumerate(annotations):
        _check(path, every[index], one, wanted.skeleton)

    def side(part: str) -> Side:
        missing = next((name for name in names[part] if name not in place), None)
        if missing is not None:
            msg = f"{str(path)!r}, split {part!r} names {missing!r}, which no annotation has as its frame_dir."
            raise DataError(msg)
        rows = [place[name] for name in names[part]]

        def clips() -> Iterator[Array]:
            return (_coordinates(annotations[row]) for row in rows)

        return Side(path, names[part], [labels[row] for row in rows], clips)

    persons = max(one["keypoint"].shape[0] for one in annotations)
    return Held({split: side(part) for split, part in splits.items()}, 1 + max(labels), lambda: persons)


def _content(path: Path) -> tuple[dict[str, list[str]], list[dict[str, Any]]]:
    held = load_pickle(path)
    split, annotations = (held.get("split"), held.get("annotations")) if isinstance(held, dict) else (None, None)
    if not isinstance(split, dict) or not isinstance(annotations, list | tuple) or not annotations:
        msg = f"{str(path)!r} must hold a dictionary with 'split', names by split, and 'annotations', a list of at least one clip."
        raise DataError(msg)
    for name, clips in split.items():
        if not isinstance(name, str) or not isinstance(clips, list | tuple) or not all(isinstance(clip, str) for clip in clips):
            msg = f"{str(path)!r}, split {name!r} must be a list of names, the frame_dir of its clips."
            raise DataError(msg)
    return {name: list(clips) for name, clips in split.items()}, list(annotations)


def _splits(path: Path, protocol: str, names: dict[str, list[str]]) -> dict[Split, str]:
    """Return what the pickle calls each split: `train`, or `xsub_train` where a protocol is told or there is but one."""
    found: dict[str, list[Split]] = {}
    for part in PARTS:
        for name in names:
            if name == part or name.endswith(f"_{part}"):
                found.setdefault(name.removesuffix(part).removesuffix("_"), []).append(part)
    if protocol not in found and (protocol or len(found) != 1):
        allowed = nearest(protocol, found) if found else "it has no split train or ..._train."
        msg = f"{str(path)!r} has no protocol {protocol!r}; {allowed}"
        raise DataError(msg)
    chosen = protocol if protocol in found else next(iter(found))
    splits = name_splits(found[chosen], f"{str(path)!r}, protocol {chosen!r}")
    return {split: f"{chosen}_{part}" if chosen else part for split, part in splits.items()}


def _value(path: Path, index: int, annotation: object, key: str) -> Any:  # noqa: ANN401 - whatever the pickle holds
    if not isinstance(annotation, dict) or key not in annotation:
        held = ", ".join(map(str, annotation)) if isinstance(annotation, dict) else type(annotation).__name__
        msg = f"{str(path)!r}, annotation {index} has no {key!r}, only {held}; each has frame_dir, label, total_frames and keypoint."
        raise DataError(msg)
    return annotation[key]


def _check(path: Path, name: str, annotation: dict[str, Any], skeleton: Skeleton) -> None:
    """Hold a clip's arrays against the skeleton and against each other."""
    keypoint, score, frames = (annotation.get(key) for key in ("keypoint", "keypoint_score", "total_frames"))
    where, joints = f"{str(path)!r}, clip {name!r}", len(skeleton.joints)
    if not isinstance(keypoint, np.ndarray) or keypoint.ndim != 4 or keypoint.dtype.kind != "f" or not keypoint.size:  # noqa: PLR2004
        held = f"{keypoint.dtype} {keypoint.shape}" if isinstance(keypoint, np.ndarray) else type(keypoint).__name__
        msg = f"{where} has the keypoint {held}; it must be floats (M, T, V, C) of at least one person and frame."
        raise DataError(msg)
    if keypoint.shape[2] != joints or not channels_fit(keypoint.shape[3], skeleton):
        msg = f"{where} has the keypoint {keypoint.shape}; the skeleton {skeleton.name!r} has V = {joints} and C = {len(skeleton.axes)}."
        raise DataError(msg)
    if not isinstance(frames, int | np.integer) or frames != keypoint.shape[1]:
        msg = f"{where} states {frames!r} frames; its keypoint {keypoint.shape} has {keypoint.shape[1]}."
        raise DataError(msg)
    if score is not None and (not isinstance(score, np.ndarray) or score.shape != keypoint.shape[:3]):
        msg = f"{where} has the keypoint_score {getattr(score, 'shape', score)!r}; it must be {keypoint.shape[:3]} as the keypoint is."
        raise DataError(msg)


def _coordinates(annotation: dict[str, Any]) -> Array:
    """Return a clip `(T, M, V, C)`, with its score as the last of two and a score."""
    x: Array = annotation["keypoint"]
    score = annotation.get("keypoint_score")
    if x.shape[3] == 2 and score is not None:  # noqa: PLR2004 - x and y
        x = np.concatenate([x, score[..., None]], axis=3)
    return x.swapaxes(0, 1)
