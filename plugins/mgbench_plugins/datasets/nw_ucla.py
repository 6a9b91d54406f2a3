"""Northwestern-UCLA: ten actions by ten people before three Kinect v1, in the field's JSON [Wang et al., CVPR 2014]."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from mgbench import Clips, DataError, Dataset, Skeleton, load_skeleton
from mgbench.components import Split
from mgbench_plugins.datasets.files import list_files
from mgbench_plugins.datasets.json_clips import read_object, to_array
from mgbench_plugins.datasets.many_files import gather


_CLASSES: Final = (
    "pick up with one hand", "pick up with two hands", "drop trash", "walk around", "sit down", "stand up", "donning", "doffing", "throw",
    "carry",
)  # fmt: skip
#: The number of each class in the names of files.
_ACTIONS: Final = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12)
_VIEWS: Final[dict[Split, tuple[int, ...]]] = {"train": (1, 2), "test": (3,)}
_PUBLISHED: Final[dict[Split, int]] = {"train": 1_020, "test": 464}
_NAME: Final = re.compile(r"a(\d\d)_s(\d\d)_e(\d\d)_v(\d\d)", re.ASCII)


@attrs.frozen
class NwUcla(Dataset):
    """Northwestern-UCLA: ten everyday actions by ten people from three cameras, Kinect-20.

    Cameras 1 and 2 train, camera 3 tests; there is no validation split. The same people are on both sides.
    """

    name = "nw_ucla"
    citation = """@inproceedings{wang2014crossview,
  title={Cross-view Action Modeling, Learning and Recognition},
  author={Wang, Jiang and Nie, Xiaohan and Xia, Yin and Wu, Ying and Zhu, Song-Chun},
  booktitle={IEEE Conference on Computer Vision and Pattern Recognition},
  year={2014}
}"""
    folders = ("nw_ucla", "NW-UCLA", "nwucla_json")
    how = """The Northwestern-UCLA Multiview Action 3D Dataset is offered for research by its authors (wangjiangb.github.io/my_data.html).
Expected are its skeletons as JSON, the NW-UCLA.zip that the code of CTR-GCN links to (github.com/Uason-Chen/CTR-GCN):
  nw_ucla/all_sqe/a01_s01_e00_v01.json ... a12_s10_e05_v03.json   {"file_name", "skeletons": [T][20][3], "label": 1 to 10}"""
    splits = ("train", "test")

    @property
    def skeleton(self) -> Skeleton:
        """Kinect-20."""
        return load_skeleton("kinect20")

    @property
    def classes(self) -> tuple[str, ...]:
        """The ten actions."""
        return _CLASSES

    @property
    def published(self) -> Mapping[Split, int | tuple[int, ...]]:
        """The files of the field's protocol."""
        return _PUBLISHED

    def load(self, split: Split, folder: Path) -> Clips:
        """Read the clips of the split's cameras, as many as there are."""
        place = folder / "all_sqe" if (folder / "all_sqe").is_dir() else folder
        found = {path: _named(path) for path in list_files(place, ".json")}
        chosen = {path: numbers for path, numbers in found.items() if numbers[3] in _VIEWS[split]}
        if not chosen:
            views = " and ".join(map(str, _VIEWS[split]))
            msg = f"{str(place)!r} has no clip of camera {views}, the {split} split, among {len(found)} files such as a01_s01_e00_v01.json."
            raise DataError(msg)
        label = [_ACTIONS.index(action) for action, _, _, _ in chosen.values()]
        jobs = list(zip(map(str, chosen), label, strict=True))
        return gather(read_clip, jobs, label, [subject for _, subject, _, _ in chosen.values()], [path.stem for path in chosen])


def read_clip(path: str, label: int) -> npt.NDArray[np.float32]:
    """Read one clip of a class as `(T, 1, 20, 3)`."""
    held = read_object(Path(path), "skeletons", "label")
    if held["label"] != label + 1:
        msg = f"{path!r} has the label {held['label']!r}; its name says action {_ACTIONS[label]}, whose label is {label + 1}."
        raise DataError(msg)
    x = to_array(held["skeletons"], 20, 3)
    if x is None or not len(x):
        rule = "at least one frame of 20 joints of 3 finite numbers"
        msg = f"{path!r} must hold in 'skeletons' {rule}{_wrong(held['skeletons'])}."
        raise DataError(msg)
    return x[:, None]


def _wrong(frames: object) -> str:
    """Return which frame is the first that is none, where one is."""
    numbers = (number for number, frame in enumerate(frames if isinstance(frames, list) else []) if to_array([frame], 20, 3) is None)
    first = next(numbers, None)
    return "" if first is None else f"; frame {first} is none"


def _named(path: Path) -> tuple[int, ...]:
    """Return the numbers of action, subject, take and camera in a name."""
    found = _NAME.fullmatch(path.stem)
    numbers = tuple(map(int, found.groups())) if found else (0, 0, 0, 0)
    if numbers[0] not in _ACTIONS or numbers[3] not in {1, 2, 3}:
        actions = ", ".join(f"{action:02}" for action in _ACTIONS)
        msg = f"{str(path)!r} is no clip of this data set; names are aAA_sSS_eEE_vVV.json, AA one of {actions}, VV 01 to 03."
        raise DataError(msg)
    return numbers
