"""IRDS, IntelliRehabDS: nine rehabilitation gestures before a Kinect v2 [Miron et al., Data 2021]."""

import re
from pathlib import Path
from typing import Final

import attrs
import numpy as np

from mgbench import Clips, DataError, Dataset, Skeleton, load_skeleton, make_clips
from mgbench.components import Split
from mgbench.errors import nearest
from mgbench_plugins.datasets.files import list_files
from mgbench_plugins.datasets.tables import Array, lines_of, read_matrix, read_text


_GESTURES: Final = (
    "Elbow flexion left", "Elbow flexion right", "Shoulder flexion left", "Shoulder flexion right", "Shoulder abduction left",
    "Shoulder abduction right", "Shoulder forward elevation", "Side tap left", "Side tap right",
)  # fmt: skip
#: The joints as files name them, in their order.
_JOINTS: Final = (
    "SpineBase", "SpineMid", "Neck", "Head", "ShoulderLeft", "ElbowLeft", "WristLeft", "HandLeft", "ShoulderRight", "ElbowRight",
    "WristRight", "HandRight", "HipLeft", "KneeLeft", "AnkleLeft", "FootLeft", "HipRight", "KneeRight", "AnkleRight", "FootRight",
    "SpineShoulder", "HandTipLeft", "ThumbLeft", "HandTipRight", "ThumbRight",
)  # fmt: skip
#: A frame: three time stamps, then name, state, x, y, z and two pixels of each joint; pixels outside the image are no numbers.
_STAMPS, _PER_JOINT = 3, 7
_NUMBER: Final = r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d\d?)?"
_STATES: Final = r"(?:Tracked|Inferred|NotTracked)"
_JOINT: Final = rf"{_STATES}(?:,{_NUMBER}){{3}}(?:,[^,()]*){{2}}\)"
_FRAME: Final = re.compile(r"\d+,\d+,\d+" + "".join(rf",\({name},{_JOINT}" for name in _JOINTS), re.ASCII)
_FILE: Final = re.compile(r"(\d+)_\d+_([0-8])_\d+_[123]_[\w-]+\.txt", re.ASCII | re.IGNORECASE)


@attrs.frozen
class Irds(Dataset):
    """IRDS: nine rehabilitation gestures, done well or badly, standing or in a wheelchair, Kinect-25.

    One person is tested, the next one validates, and all others train. A joint that the sensor did not track is zero.

    Args:
        held_out: the person who is tested, by the number that file names begin with.
    """

    name = "irds"
    citation = """@article{miron2021intellirehabds,
  title={IntelliRehabDS (IRDS): A Dataset of Physical Rehabilitation Movements},
  author={Miron, Alina and Sadawi, Noureddin and Ismail, Waidah and Hussain, Hafez and Grosan, Crina},
  journal={Data},
  volume={6},
  number={5},
  year={2021}
}"""
    folders = ("irds_kinect25", "irds", "IRDS")
    how = """IRDS is published under CC BY 4.0 (Zenodo 4610859). Expected, in raw, RawData or SkeletonData/RawData:
  irds/RawData/215_18_0_1_1_stand.txt   person_date_gesture_repetition_correctness_position; Version0.1, then a frame a line:
                                        three time stamps, and (name,state,x,y,z,u,v) of each of the 25 joints"""
    public = True

    held_out: int = 215

    @property
    def skeleton(self) -> Skeleton:
        """Kinect-25."""
        return load_skeleton("kinect25")

    @property
    def classes(self) -> tuple[str, ...]:
        """The nine gestures."""
        return _GESTURES

    def load(self, split: Split, folder: Path) -> Clips:
        """Read the recordings of the split's people."""
        found = [(_named(path), path) for path in _files(folder)]
        people = sorted({int(match[1]) for match, _ in found})
        if self.held_out not in people:
            known = nearest(str(self.held_out), map(str, people)) if people else "it has no file named like 215_18_0_1_1_stand.txt."
            msg = f"{str(folder)!r} has no recording of person {self.held_out}; {known}"
            raise DataError(msg)
        if len(people) < 3:  # noqa: PLR2004 - one a split
            msg = f"{str(folder)!r} has recordings of {len(people)} people; training, validation and test need one each."
            raise DataError(msg)
        place = people.index(self.held_out)
        homes: dict[int, Split] = {self.held_out: "test", people[(place + 1) % len(people)]: "val"}
        chosen = [(match, path) for match, path in found if homes.get(int(match[1]), "train") == split]
        label, subject = [int(match[2]) for match, _ in chosen], [int(match[1]) for match, _ in chosen]
        return make_clips([read_recording(path)[:, None] for _, path in chosen], label, subject, [path.stem for _, path in chosen])


def _files(folder: Path) -> list[Path]:
    places = (folder / "raw", folder / "RawData", folder / "SkeletonData" / "RawData", folder)
    found = ([path for path in list_files(place, ".txt") if path.name[0].isdigit()] for place in places)
    return next((files for files in found if files), [])


def _named(path: Path) -> re.Match[str]:
    match = _FILE.fullmatch(path.name)
    if match is None:
        msg = f"{str(path)!r} is not named like 215_18_0_1_1_stand.txt: person, date, gesture 0-8, repetition, correctness 1-3, position."
        raise DataError(msg)
    return match


def read_recording(path: Path) -> Array:
    """Read one recording `(T, 25, 3)`; a last line that is not finished is left out, as the recorder sometimes breaks off."""
    text = read_text(path, "IRDS has a recording a file")
    version, *lines = lines_of(text)
    if version.strip() != "Version0.1":
        msg = f"{str(path)!r}, line 1 is {version[:40]!r}; it must be Version0.1."
        raise DataError(msg)
    if lines and not text.endswith(b"\n") and not _FRAME.fullmatch(lines[-1].strip()):
        lines.pop()
    for number, line in enumerate(lines, start=2):
        if not _FRAME.fullmatch(line.strip()):
            msg = (
                f"{str(path)!r}, line {number} is no frame; it must be three time stamps and (name,state,x,y,z,u,v) of each of the "
                f"{len(_JOINTS)} joints, in Kinect's order: {_fault(line.strip())}."
            )
            raise DataError(msg)
    if not lines:
        msg = f"{str(path)!r} has no whole frame; it needs at least one."
        raise DataError(msg)
    return _values(path, lines)


def _fault(line: str) -> str:
    """Return where a line stops being a frame."""
    groups = line.split(",(")
    for group, name in zip(groups[1:], _JOINTS, strict=False):
        if not re.fullmatch(rf"{name},{_JOINT}", group, re.ASCII):
            return f"({group[:60]} stands for {name}"
    return f"it has {len(groups) - 1} joints"


def _values(path: Path, lines: list[str]) -> Array:
    """Return the coordinates of whole frames."""
    used = [_STAMPS + _PER_JOINT * joint + column for joint in range(len(_JOINTS)) for column in (2, 3, 4)]
    plain = "\n".join(["", *lines]).replace("(", "").replace(")", "")
    x = read_matrix(path, plain.encode(), _STAMPS + _PER_JOINT * len(_JOINTS), used, "3 + 25 x 7", skip=1)
    states = np.array([re.findall(rf",({_STATES}),", line) for line in lines])
    return np.where((states == "NotTracked")[..., None], np.float32(0), x.reshape(-1, len(_JOINTS), 3))
