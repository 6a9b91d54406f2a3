"""NTU RGB+D: sixty actions by forty people before three Kinect v2 [Shahroudy et al., CVPR 2016]."""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal, NamedTuple

import attrs
import numpy as np
import numpy.typing as npt

from mgbench import Clips, DataError, Dataset, Skeleton, load_skeleton
from mgbench.components import Split
from mgbench_plugins.datasets.files import list_files
from mgbench_plugins.datasets.many_files import gather
from mgbench_plugins.datasets.skeleton_text import read_recording


CLASSES: Final = (
    "drink water", "eat meal", "brush teeth", "brush hair", "drop", "pick up", "throw", "sit down", "stand up", "clapping", "reading",
    "writing", "tear up paper", "put on jacket", "take off jacket", "put on a shoe", "take off a shoe", "put on glasses",
    "take off glasses", "put on a hat/cap", "take off a hat/cap", "cheer up", "hand waving", "kicking something", "reach into pocket",
    "hopping", "jump up", "phone call", "play with phone/tablet", "type on a keyboard", "point to something", "taking a selfie",
    "check time (watch)", "rub two hands", "nod head/bow", "shake head", "wipe face", "salute", "put palms together",
    "cross hands in front", "sneeze/cough", "staggering", "falling", "headache", "chest pain", "back pain", "neck pain",
    "nausea/vomiting", "fan self", "punch/slap", "kicking", "pushing", "pat on back", "point finger", "hugging", "giving object",
    "touch pocket", "shaking hands", "walking towards", "walking apart",
)  # fmt: skip
TRAINING_PERFORMERS: Final = frozenset({1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38})
_TRAINING_CAMERAS: Final = frozenset({2, 3})
_PUBLISHED: Final[dict[str, dict[Split, int]]] = {
    "xsub": {"train": 40_091, "test": 16_487},
    "xview": {"train": 37_646, "test": 18_932},
}

#: Those of all 120 actions; setups beyond a data set's own are the other's and left out.
_SETUPS: Final = 32
#: Where the owners' archives put their files, and where they may lie as well.
_PLACES: Final = (".", "nturgb+d_skeletons", "nturgb+d_skeletons120")
#: The owners' lists of recordings whose skeletons are missing or incomplete: the one of all 120 actions holds the other.
_LISTS: Final = ("NTU_RGBD_samples_with_missing_skeletons.txt", "NTU_RGBD120_samples_with_missing_skeletons.txt")
_HEADING: Final = 3
_NAME: Final = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})", re.ASCII)


@attrs.frozen
class Ntu60(Dataset):
    """NTU RGB+D: 60 daily, medical and mutual actions by 40 people from three cameras, Kinect-25, two people in a clip.

    There is no validation split. Recordings that the owners list as incomplete are left out where their list is there.

    Args:
        protocol: `xsub` tests on twenty other people, `xview` on the first camera.
    """

    name = "ntu60"
    citation = """@inproceedings{shahroudy2016ntu,
  title={NTU RGB+D: A Large Scale Dataset for 3D Human Activity Analysis},
  author={Shahroudy, Amir and Liu, Jun and Ng, Tian-Tsong and Wang, Gang},
  booktitle={IEEE Conference on Computer Vision and Pattern Recognition},
  year={2016}
}"""
    folders = ("ntu60", "ntu120", "ntu_skeleton")
    how = """NTU RGB+D is granted by the ROSE Lab of Nanyang Technological University to researchers who sign its agreement
(rose1.ntu.edu.sg/dataset/actionRecognition), and must not be passed on. Expected, of its "3D skeletons (body joints)":
  ntu60/nturgb+d_skeletons/S001C001P001R001A001.skeleton ... S017C003P020R002A060.skeleton
  ntu60/NTU_RGBD_samples_with_missing_skeletons.txt           from github.com/shahroudy/NTURGB-D"""
    persons = 2
    splits = ("train", "test")

    protocol: Literal["xsub", "xview"] = "xsub"

    @property
    def skeleton(self) -> Skeleton:
        """Kinect-25."""
        return load_skeleton("kinect25")

    @property
    def classes(self) -> tuple[str, ...]:
        """The 60 actions, A001 first; from A050 on there are two people."""
        return CLASSES

    @property
    def published(self) -> Mapping[Split, int | tuple[int, ...]]:
        """The recordings less those on the owners' list."""
        return _PUBLISHED[self.protocol]

    def load(self, split: Split, folder: Path) -> Clips:
        """Read the split's recordings, as many as there are."""
        greatest = Name(setup=17, camera=3, performer=40, repetition=2, action=len(CLASSES))
        if self.protocol == "xview":
            return load_recordings(folder, split, greatest, lambda name: name.camera in _TRAINING_CAMERAS)
        return load_recordings(folder, split, greatest, lambda name: name.performer in TRAINING_PERFORMERS)


class Name(NamedTuple):
    """The numbers in the name of a recording, `SsssCcccPpppRrrrAaaa`."""

    setup: int
    camera: int
    performer: int
    repetition: int
    action: int

    def __str__(self) -> str:
        return f"S{self.setup:03}C{self.camera:03}P{self.performer:03}R{self.repetition:03}A{self.action:03}"


def load_recordings(folder: Path, split: Split, greatest: Name, trains: Callable[[Name], bool]) -> Clips:
    """Read one side of a protocol, without what the owners list as missing and without setups beyond the greatest."""
    missing = {name for listed in _LISTS for name in _names(folder / listed)}
    named = {path: _named(path, greatest) for path in _recordings(folder) if path.stem not in missing}
    chosen = {path: name for path, name in named.items() if name.setup <= greatest.setup and trains(name) == (split == "train")}
    if not chosen:
        msg = (
            f"{str(folder)!r} has no recording of the {split} split: there are {len(named)} files of names such as "
            f"{greatest}.skeleton in {' or '.join(_PLACES)}."
        )
        raise DataError(msg)
    return gather(
        read_clip,
        [(str(path),) for path in chosen],
        label=[name.action - 1 for name in chosen.values()],
        subject=[name.performer for name in chosen.values()],
        clip=[path.stem for path in chosen],
    )


def read_clip(path: str) -> npt.NDArray[np.float32]:
    """Read one recording as `(T, 2, 25, 3)`."""
    recording = read_recording(Path(path))
    if not recording.body:
        msg = f"{path!r} has no body in any of its {recording.frames} frames; the owners list such recordings in {_LISTS[0]}: put it there."
        raise DataError(msg)
    return recording.persons(Ntu60.persons)


def _recordings(folder: Path) -> list[Path]:
    """Return the recordings in order of their names, each of which may be there once."""
    paths = sorted((path for place in _PLACES for path in list_files(folder / place, ".skeleton")), key=lambda path: path.stem)
    for first, second in pairwise(paths):
        if first.stem == second.stem:
            msg = f"{str(first)!r} and {str(second)!r} are recordings of one name; keep one of them."
            raise DataError(msg)
    return paths


def _named(path: Path, greatest: Name) -> Name:
    found = _NAME.fullmatch(path.stem)
    name = Name(*map(int, found.groups())) if found else Name(0, 0, 0, 0, 0)
    ours = all(1 <= number <= last for number, last in zip(name, greatest, strict=True))
    if not ours and not greatest.setup < name.setup <= _SETUPS:
        msg = f"{str(path)!r} is no recording of this data set; names go from S001C001P001R001A001 to {greatest}."
        raise DataError(msg)
    return name


def _names(path: Path) -> Iterator[str]:
    """Yield the names in a list of the owners, which are below a heading of three lines."""
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines() if path.is_file() else []
    for number, line in enumerate(lines, start=1):
        if _NAME.fullmatch(line.strip()):
            yield line.strip()
        elif number > _HEADING and line.strip():
            rule = f"below the {_HEADING} lines of its heading are names, such as {Name(1, 2, 5, 2, 8)}"
            msg = f"{str(path)!r}, line {number} is {line!r}; {rule}."
            raise DataError(msg)
