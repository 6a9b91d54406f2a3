"""Kinetics-skeleton: what OpenPose saw in the videos of Kinetics-400 [Yan et al., AAAI 2018; Kay et al., 2017]."""

import hashlib
import re
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from mgbench import Clips, DataError, Dataset, Skeleton, load_skeleton
from mgbench.components import Split
from mgbench_plugins import works
from mgbench_plugins.datasets.json_clips import read_object, to_array
from mgbench_plugins.datasets.many_files import gather


_CLASSES: Final = tuple(f"class_{number:03}" for number in range(400))
#: The owners' names for the splits.
_PARTS: Final[dict[Split, str]] = {"train": "kinetics_train", "test": "kinetics_val"}
_JOINTS, _LONGEST = 18, 300
#: Names that lead nowhere but to a file of the folder.
_PLAIN: Final = re.compile(r"[\w-][\w.-]{0,99}", re.ASCII)
#: So many people of a frame are looked at, as in ST-GCN.
_CROWD: Final = 5

Array = npt.NDArray[np.float32]


@attrs.frozen
class KineticsSkeleton(Dataset):
    """Kinetics-skeleton: 400 actions in ten-second videos from the web, OpenPose-18 with scores, two people in a clip.

    The owners' validation videos are the test split, as in ST-GCN; there is no other. Who is in a video is unknown, so that each counts
    as a subject of its own.
    """

    name = "kinetics_skeleton"
    citation = works.STGCN
    folders = ("kinetics_skeleton", "kinetics-skeleton")
    how = """Kinetics-skeleton was made by the authors of ST-GCN, who offer it to researchers (github.com/yysijie/st-gcn).
Expected:
  kinetics_skeleton/kinetics_train/VIDEO.json ...         frames of people of 18 joints
  kinetics_skeleton/kinetics_train_label.json             {VIDEO: {"has_skeleton", "label", "label_index"}}
  kinetics_skeleton/kinetics_val/VIDEO.json ..., kinetics_val_label.json"""
    persons = 2
    splits = ("train", "test")

    @property
    def skeleton(self) -> Skeleton:
        """OpenPose's 18 joints of COCO, with scores."""
        return load_skeleton("openpose18")

    @property
    def classes(self) -> tuple[str, ...]:
        """The 400 actions by number; their names stand in the label files."""
        return _CLASSES

    def load(self, split: Split, folder: Path) -> Clips:
        """Read the videos that the split's label file lists, but for those in which nobody was seen."""
        part = _PARTS[split]
        listed = _listed(folder / f"{part}_label.json")
        jobs = [(str(folder / part / f"{video}.json"), label) for video, label in listed.items()]
        return gather(read_clip, jobs, list(listed.values()), [_number(video) for video in listed], list(listed))


def _listed(path: Path) -> dict[str, int]:
    """Return class numbers by video, in order of the videos' names, of those in which somebody was seen."""
    found: dict[str, int] = {}
    names: dict[int, object] = {}
    for video, entry in sorted(read_object(path).items()):
        if not _PLAIN.fullmatch(video):
            msg = f"{str(path)!r} lists the video {video[:40]!r}; a video is named like its file, in letters, digits, dots, - and _."
            raise DataError(msg)
        index = entry.get("label_index") if isinstance(entry, dict) else None
        if not isinstance(index, int) or not 0 <= index < len(_CLASSES) or not isinstance(entry.get("has_skeleton"), bool):
            msg = f"{str(path)!r}, entry {video!r} must have a 'label_index' of 0 to {len(_CLASSES) - 1} and 'has_skeleton', true or false."
            raise DataError(msg)
        if names.setdefault(index, entry.get("label")) != entry.get("label"):
            msg = f"{str(path)!r}, entry {video!r} calls class {index} {entry.get('label')!r}; an entry before it says {names[index]!r}."
            raise DataError(msg)
        if entry["has_skeleton"]:
            found[video] = index
    if not found:
        msg = f"{str(path)!r} lists no video whose 'has_skeleton' is true; a split needs at least one."
        raise DataError(msg)
    return found


def _number(video: str) -> int:
    """Return a number for a video, the same wherever and however often it is listed."""
    return int.from_bytes(hashlib.blake2b(video.encode(), digest_size=6).digest(), "big")


def read_clip(path: str, label: int) -> Array:
    """Read one video as `(T, 2, 18, 3)`: in each frame the two people of highest scores, x and y around the middle of the image."""
    held = read_object(Path(path), "data", "label_index")
    if held["label_index"] != label:
        msg = f"{path!r} has the class {held['label_index']!r}; the label file beside its folder says {label}."
        raise DataError(msg)
    frames = _frames(path, held["data"])
    seen = [(frame, person) for frame, people in frames.items() for person in people[:_CROWD]]
    clip = np.zeros((1 + max(frames) - min(frames), KineticsSkeleton.persons, _JOINTS, 3), dtype=np.float32)
    if seen:
        pose, score = _people(path, seen)
        frame = np.array([number for number, _ in seen]) - min(frames)
        order = np.lexsort((-score.sum(axis=1), frame))
        rank = np.arange(len(order)) - np.searchsorted(frame[order], frame[order])
        best, place = order[rank < clip.shape[1]], rank[rank < clip.shape[1]]
        clip[frame[best], place, :, :2] = np.where(score[best, :, None] == 0, 0, pose[best] - 0.5)
        clip[frame[best], place, :, 2] = score[best]
    return clip


def _frames(path: str, data: object) -> dict[int, list[Any]]:
    """Return the people of each frame by its number, in rising order."""
    frames: dict[int, list[Any]] = {}
    first = last = None
    for place, entry in enumerate(data if isinstance(data, list) else []):
        number, people = (entry.get("frame_index"), entry.get("skeleton")) if isinstance(entry, dict) else (None, None)
        if not isinstance(number, int) or not isinstance(people, list):
            msg = f"{path!r}, entry {place} of 'data' must have a whole number as 'frame_index' and a list as 'skeleton'."
            raise DataError(msg)
        first, last = number if first is None else first, number - 1 if last is None else last
        if not last < number < first + _LONGEST:
            msg = f"{path!r}, entry {place} of 'data' is frame {number} after {last}; frames rise, and a clip has {_LONGEST} at most."
            raise DataError(msg)
        frames[number], last = people, number
    if not frames:
        msg = f"{path!r} has no frame; 'data' must be a list of at least one."
        raise DataError(msg)
    return frames


def _people(path: str, seen: list[tuple[int, object]]) -> tuple[Array, Array]:
    """Return poses `(B, 18, 2)` and scores `(B, 18)` of people, or raise `DataError` with the frame of the first who is none."""
    pose, score = _arrays([person for _, person in seen])
    if pose is not None and score is not None:
        return pose.reshape(-1, _JOINTS, 2), score
    frame = next(frame for frame, person in seen if any(part is None for part in _arrays([person])))
    msg = f"{path!r}, frame {frame} has a person without {2 * _JOINTS} finite numbers as 'pose' and {_JOINTS} as 'score'."
    raise DataError(msg)


def _arrays(people: list[Any]) -> tuple[Array | None, Array | None]:
    try:
        pose, score = ([person[key] for person in people] for key in ("pose", "score"))
    except (KeyError, TypeError):
        return None, None
    return to_array(pose, 2 * _JOINTS), to_array(score, _JOINTS)
