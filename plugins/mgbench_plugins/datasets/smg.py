"""SMG: spontaneous micro-gestures, forty people standing before a Kinect v2 [Chen et al., IJCV 2023]."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias

import attrs

from mgbench import Clips, DataError, Dataset, Skeleton, load_skeleton, make_clips
from mgbench.components import Split
from mgbench_plugins.datasets.owners_tensors import read_tensors
from mgbench_plugins.datasets.tables import Array, read_integers, read_matrix, read_text


_CLASSES: Final = (
    "Turtling neck and shoulder", "Rubbing eyes and forehead", "Folding arms", "Touching or covering suprasternal notch",
    "Moving legs", "Touching or scratching neck", "Folding arms behind body", "Rubbing hands and crossing fingers",
    "Arms akimbo", "Crossing legs", "Scratching some part of body", "Scratching or touching facial parts other than eyes",
    "Playing or adjusting hair", "Holding arms", "Pulling shirt collar", "Playing with jewelry, manipulating other objects",
    "Illustrative hand gestures",
)  # fmt: skip
#: Clips a class in the owners' label files; 3,699 where the paper says 3,692.
_PUBLISHED: Final[dict[Split, tuple[int, ...]]] = {
    "train": (40, 48, 175, 9, 720, 21, 101, 249, 724, 11, 14, 167, 41, 63, 11, 19, 39),
    "val": (3, 0, 7, 0, 384, 2, 22, 6, 156, 5, 2, 23, 19, 1, 0, 2, 5),
    "test": (13, 3, 15, 2, 49, 1, 3, 191, 243, 34, 8, 30, 4, 5, 0, 0, 9),
}
_SUBJECTS: Final[dict[Split, range]] = {"train": range(1, 31), "val": range(31, 36), "test": range(36, 41)}
#: A joint's columns: x, y, z in metres, orientation (4), position in two images (2 + 2); only the first three are read.
_JOINTS, _PER_JOINT = 25, 11
_COLUMNS: Final = _JOINTS * _PER_JOINT
_READ: Final = [_PER_JOINT * joint + axis for joint in range(_JOINTS) for axis in range(3)]

_FILES: Final = "a subject has _skeleton.csv, _finelabels.csv and _data.csv"


@attrs.frozen
class Smg(Dataset):
    """SMG: 16 micro-gestures and one other class by 40 people, Kinect-25, long-tailed.

    Subjects 1-30 train, 31-35 validate, 36-40 test, as the owners have it. Classes 15 and 16 never occur in the test split.

    Args:
        layout: `csv` for the recordings, `packed` for the owners' tensors, whose clips end after 60 or 90 frames.
    """

    name = "smg"
    citation = """@article{chen2023smg,
  title={SMG: A Micro-gesture Dataset Towards Spontaneous Body Gestures for Emotional Stress State Analysis},
  author={Chen, Haoyu and Shi, Henglin and Liu, Xin and Li, Xiaobai and Zhao, Guoying},
  journal={International Journal of Computer Vision},
  volume={131},
  year={2023}
}"""
    folders = ("smg", "SMG")
    how = """SMG is granted by the University of Oulu to researchers who ask for it (github.com/mikecheninoulu/SMG), and must
not be passed on. Expected, here or up to three folders deeper, as in smg_skeleton_train:
  smg/Sample0001/Sample0001_skeleton.csv      a frame a line, 25 joints x 11 columns, no header
  smg/Sample0001/Sample0001_finelabels.csv    a clip a line: label 1-17, first frame, frame after the last
  smg/Sample0001/Sample0001_data.csv          one line: frames, frames a second, greatest depth
  ... smg/Sample0040
or, for smg[layout=packed], smg/train_data.npy, train_label.pkl, test_data.npy, test_label.pkl"""

    layout: Literal["csv", "packed"] = "csv"

    @property
    def skeleton(self) -> Skeleton:
        """Kinect-25."""
        return load_skeleton("kinect25")

    @property
    def classes(self) -> tuple[str, ...]:
        """The 17 classes; the last is none of the micro-gestures."""
        return _CLASSES

    @property
    def published(self) -> Mapping[Split, int | tuple[int, ...]]:
        """The owners' label files."""
        return _PUBLISHED

    def load(self, split: Split, folder: Path) -> Clips:
        """Read the split's subjects, as many as there are."""
        clips = list(_packed(split, folder) if self.layout == "packed" else _recorded(split, folder))
        if not clips:
            subjects = _SUBJECTS[split]
            other = "; it holds packed tensors, which smg[layout=packed] reads" if (folder / "test_data.npy").is_file() else ""
            msg = f"{str(folder)!r} has no clip of the {split} split, Sample{subjects[0]:04} to Sample{subjects[-1]:04}{other}."
            raise DataError(msg)
        return make_clips(*map(list, zip(*clips, strict=True)))


#: Coordinates `(T, 1, 25, 3)`, class, subject, name.
_Clip: TypeAlias = tuple[Array, int, int, str]


def _recorded(split: Split, folder: Path) -> Iterator[_Clip]:
    for subject, place in sorted(_find_samples(folder).items()):
        if subject not in _SUBJECTS[split]:
            continue
        sample = place.name
        x = read_skeleton_csv(place / f"{sample}_skeleton.csv")
        _check_frames(place / f"{sample}_data.csv", len(x))
        for line, (label, start, end) in _read_labels(place / f"{sample}_finelabels.csv", len(x)):
            yield x[start:end, None], label - 1, subject, f"{sample}-{line:04}"


def _find_samples(folder: Path) -> dict[int, Path]:
    """Return the recordings by subject; one that lies in several folders is read once."""
    found: dict[int, Path] = {}
    for depth in range(4):
        for path in sorted(folder.glob("*/" * depth + "Sample[0-9][0-9][0-9][0-9]")):
            if path.is_dir() and "__MACOSX" not in path.parts:
                found.setdefault(int(path.name.removeprefix("Sample")), path)
    return found


def read_skeleton_csv(path: Path) -> Array:
    """Read a recording `(T, 25, 3)`, or raise `DataError` with the first line that breaks a rule."""
    return read_matrix(path, read_text(path, _FILES), _COLUMNS, _READ, "25 joints x 11").reshape(-1, _JOINTS, 3)


def _check_frames(path: Path, frames: int) -> None:
    """Hold the number of frames that the recording states against the lines that were found."""
    lines = read_integers(path, read_text(path, _FILES), 3, "frames, frames a second, greatest depth")
    for number, (stated, *_) in enumerate(lines, start=1):
        if stated != frames or number > 1:
            rule = "the file has one line" if number > 1 else f"the recording beside it has {frames}, so one of them is cut off or changed"
            msg = f"{str(path)!r}, line {number} states {stated} frames; {rule}."
            raise DataError(msg)


def _read_labels(path: Path, frames: int) -> Iterator[tuple[int, list[int]]]:
    """Yield line numbers with class 1-17, first frame and the frame after the last, both counted from 0.

    The owners' converter takes rows this way; their accessor counts from 1 and includes the end, one frame later.
    """
    lines = read_integers(path, read_text(path, _FILES), 3, "class, first frame, frame after the last")
    for number, (label, start, end) in enumerate(lines, start=1):
        where = f"{str(path)!r}, line {number}"
        if not 1 <= label <= len(_CLASSES):
            msg = f"{where} has class {label}; allowed are 1 to {len(_CLASSES)}."
        elif start >= end:
            msg = f"{where} is an empty clip: it starts at frame {start} and ends before {end}; the start must be smaller."
        elif start < 0 or end > frames:
            msg = f"{where} takes frames {start} to {end - 1}; the recording has 0 to {frames - 1}."
        else:
            yield number, [label, start, end]
            continue
        raise DataError(msg)


def _packed(split: Split, folder: Path) -> Iterator[_Clip]:
    """Yield the clips of the owners' tensors; their train file holds the validation subjects too."""
    stem = "test" if split == "test" else "train"
    path = folder / f"{stem}_data.npy"
    for name, label, clip in read_tensors(
        folder / stem, _JOINTS, len(_CLASSES), lambda name: _subject(path, name, stem) in _SUBJECTS[split]
    ):
        if not clip.any():
            msg = f"{str(path)!r}, clip {name!r} is empty: all its frames are zero, which stands for padding."
            raise DataError(msg)
        yield clip, label, _subject(path, name, stem), name


def _subject(path: Path, name: str, stem: str) -> int:
    """Return the subject that a name such as `Sample0040110` begins with: clip 110 of subject 40."""
    allowed = _SUBJECTS["test"] if stem == "test" else range(1, 36)
    found = re.match(r"Sample(\d{4})", name)
    if not found or int(found[1]) not in allowed:
        msg = f"{str(path)!r} has the clip {name!r}; names here begin with Sample{allowed[0]:04} to Sample{allowed[-1]:04}."
        raise DataError(msg)
    return int(found[1])
