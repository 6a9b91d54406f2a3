"""UI-PRMD: ten rehabilitation movements before a Kinect v2, done well and badly [Vakanski et al., Data 2018]."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias

import attrs
import numpy as np
import numpy.typing as npt

from mgbench import Clips, DataError, Dataset, Skeleton, load_skeleton, make_clips
from mgbench.components import Split
from mgbench_plugins.datasets.arrays import read_npz
from mgbench_plugins.datasets.tables import Array, read_matrix, read_text


_MOVEMENTS: Final = (
    "Deep squat", "Hurdle step", "Inline lunge", "Side lunge", "Sit to stand", "Standing active straight leg raise",
    "Standing shoulder abduction", "Standing shoulder extension", "Standing shoulder internal-external rotation",
    "Standing shoulder scaption",
)  # fmt: skip
#: Two people, 7 and 10, do what is done on one side with their left; one of them trains.
_SUBJECTS: Final[dict[Split, tuple[int, ...]]] = {"train": (1, 3, 5, 7), "val": (9,), "test": (2, 4, 6, 8, 10)}
_JOINTS: Final = 22
#: What the archive says of each clip, and from which number to which.
_FIELDS: Final = (("frames", 1, 10**6), ("movement", 1, 10), ("subject", 1, 10), ("episode", 1, 10), ("correct", 0, 1))
_FILE: Final = re.compile(r"m(\d\d)_s(\d\d)_e(\d\d)_positions(_inc)?\.txt(?:\.gz)?", re.ASCII)

#: Coordinates `(T, 1, 22, 3)` in metres; movement, subject, episode; whether it was done well.
_Clip: TypeAlias = tuple[Array, tuple[int, int, int], bool]


@attrs.frozen
class UiPrmd(Dataset):
    """UI-PRMD: ten rehabilitation movements by ten people, Kinect-22, balanced; nearly solved, good to train on before another.

    Subjects 1, 3, 5 and 7 train, 9 validates, even ones test. Coordinates are metres.

    Args:
        movements: movements done well, done badly as a patient would, or both.
        layout: `npz` for positions in space, `text` for the owners' files, from whose offsets and angles positions are computed.
    """

    name = "ui_prmd"
    citation = """@article{vakanski2018uiprmd,
  title={A Data Set of Human Body Movements for Physical Rehabilitation Exercises},
  author={Vakanski, Aleksandar and Jun, Hyung-pil and Paul, David and Baker, Russell},
  journal={Data},
  volume={3},
  number={1},
  year={2018}
}"""
    folders = ("ui_prmd_kinect22", "ui_prmd", "UI-PRMD")
    how = """UI-PRMD is in the public domain (PDDL); its files lie in github.com/niemasd/UI-PRMD-Analysis. Expected:
  ui_prmd/ui_prmd_kinect22.npz   joints_i16 (frames, 22, 3), scale_cm, and frames, movement, subject, episode, correct of each clip
or, for ui_prmd[layout=text], here or up to three folders deeper, angles beside positions or in Angles beside Positions:
  ui_prmd/Segmented Movements/Kinect/Positions/m01_s01_e01_positions.txt            a frame a line, 22 offsets x 3, centimetres
  ui_prmd/Segmented Movements/Kinect/Angles/m01_s01_e01_angles.txt                  a frame a line, 22 angles x 3, degrees
  ... ui_prmd/Incorrect Segmented Movements/Kinect/Positions/m01_s01_e01_positions_inc.txt; .txt.gz will do"""
    public = True

    movements: Literal["both", "correct", "incorrect"] = "both"
    layout: Literal["npz", "text"] = "npz"

    @property
    def skeleton(self) -> Skeleton:
        """Kinect-22."""
        return load_skeleton("kinect22")

    @property
    def classes(self) -> tuple[str, ...]:
        """The ten movements."""
        return _MOVEMENTS

    @property
    def published(self) -> Mapping[Split, int | tuple[int, ...]]:
        """Ten clips of each subject and movement, done well and badly."""
        each = 20 if self.movements == "both" else 10
        return {split: (each * len(subjects),) * len(_MOVEMENTS) for split, subjects in _SUBJECTS.items()}

    def load(self, split: Split, folder: Path) -> Clips:
        """Read the clips of the split's subjects."""
        subjects, wanted = _SUBJECTS[split], {"both": {True, False}, "correct": {True}, "incorrect": {False}}[self.movements]
        read = _read_text_files if self.layout == "text" else _read_archive
        clips = [clip for clip in read(folder, subjects) if clip[2] in wanted]
        if not clips:
            msg = f"{str(folder)!r} has no clip of the {split} split of {self}, subjects {', '.join(map(str, subjects))}."
            raise DataError(msg)
        names = [f"m{m:02}_s{s:02}_e{e:02}{'' if well else '_inc'}" for _, (m, s, e), well in clips]
        return make_clips([x for x, _, _ in clips], [key[0] - 1 for _, key, _ in clips], [key[1] for _, key, _ in clips], names)


def _read_archive(folder: Path, subjects: tuple[int, ...]) -> Iterator[_Clip]:
    path = folder / "ui_prmd_kinect22.npz"
    names = ("joints_i16", "scale_cm", *(name for name, _, _ in _FIELDS))
    held = read_npz(path, names, "ui_prmd[layout=npz] is one archive, ui_prmd[layout=text] many files")
    joints, scale, count = held["joints_i16"], held["scale_cm"], held["frames"].size
    for name, least, greatest in _FIELDS:
        right = held[name].shape == (count,) and held[name].dtype.kind in "iu"
        wrong = np.flatnonzero((held[name] < least) | (held[name] > greatest)) if right else np.arange(1)
        if wrong.size:
            msg = f"{str(path)!r}, clip {wrong[0]} has no {name} from {least} to {greatest}; each of its {count} clips needs one."
            raise DataError(msg)
    total = int(held["frames"].sum())
    fits, real = joints.dtype == np.int16 and joints.shape == (total, _JOINTS, 3), scale.shape == () and scale.dtype.kind in "fiu"
    if not fits or not real or not 0 < scale < np.inf:
        msg = (
            f"{str(path)!r} holds joints {joints.dtype} {joints.shape} and a scale {scale}; they must be int16 ({total}, 22, 3), "
            "as its frames add up to, and a positive number."
        )
        raise DataError(msg)
    ends = np.cumsum(held["frames"])
    for i in np.flatnonzero(np.isin(held["subject"], subjects)):
        x = joints[ends[i] - held["frames"][i] : ends[i], None] * np.float32(scale / 100)
        yield x.astype(np.float32), (int(held["movement"][i]), int(held["subject"][i]), int(held["episode"][i])), bool(held["correct"][i])


def _read_text_files(folder: Path, subjects: tuple[int, ...]) -> Iterator[_Clip]:
    found: dict[tuple[bool, int, int, int], Path] = {}
    for depth in range(4):
        for path in sorted(folder.glob("*/" * depth + "m*_positions*.txt*")):
            match = _FILE.fullmatch(path.name)
            if match and "Vicon" not in path.parts:
                found.setdefault((match[4] is not None, int(match[1]), int(match[2]), int(match[3])), path)
    for (badly, movement, subject, episode), path in sorted(found.items()):
        if not 1 <= movement <= len(_MOVEMENTS):
            msg = f"{str(path)!r} is of movement {movement}; there are 1 to {len(_MOVEMENTS)}."
            raise DataError(msg)
        if subject in subjects:
            yield read_text_pair(path)[:, None] / np.float32(100), (movement, subject, episode), not badly


def read_text_pair(path: Path) -> Array:
    """Return positions in space `(T, 22, 3)` in centimetres, from a file of local positions and the file of angles beside it."""
    beside = path.parent.with_name("Angles") if path.parent.name == "Positions" else path.parent
    local, angles = _read_frames(path), _read_frames(beside / path.name.replace("positions", "angles"))
    if len(local) != len(angles):
        msg = f"{str(path)!r} has {len(local)} lines, the angles beside it {len(angles)}; one of the two is cut off or changed."
        raise DataError(msg)
    return forward(local, angles)


def _read_frames(path: Path) -> npt.NDArray[np.float64]:
    columns = 3 * _JOINTS
    text = read_text(path, "each _positions.txt has its _angles.txt")
    x = read_matrix(path, text, columns, range(columns), "22 joints x 3")
    return x.reshape(-1, _JOINTS, 3).astype(np.float64)


def forward(local: npt.NDArray[np.float64], angles: npt.NDArray[np.float64]) -> Array:
    """Return positions in space of a chain whose joints are turned by Euler angles in degrees: first about x, then y, then z."""
    parents = dict(load_skeleton("kinect22").bones)
    turned, x = _rotation(np.deg2rad(angles)), local.copy()
    for joint in range(1, _JOINTS):  # parents come first
        parent = parents[joint]
        x[:, joint] = x[:, parent] + (turned[:, parent] @ local[:, joint, :, None])[..., 0]
        turned[:, joint] = turned[:, parent] @ turned[:, joint]
    return x.astype(np.float32)


def _rotation(angles: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return `Rz Ry Rx` of angles `(..., 3)`."""
    sin, cos = np.sin(angles), np.cos(angles)
    about = np.zeros((3, *angles.shape[:-1], 3, 3))
    for axis in range(3):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        about[axis, ..., axis, axis] = 1
        about[axis, ..., i, i] = about[axis, ..., j, j] = cos[..., axis]
        about[axis, ..., j, i], about[axis, ..., i, j] = sin[..., axis], -sin[..., axis]
    turned: npt.NDArray[np.float64] = about[2] @ about[1] @ about[0]
    return turned
