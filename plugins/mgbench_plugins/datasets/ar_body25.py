"""AR.data: six gestures toward a humanoid robot, seen by OpenPose [Rodriguez-Moreno et al., Sensors 2020; R package dbcsp]."""

from pathlib import Path
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from mgbench import Clips, DataError, Dataset, Skeleton, load_skeleton, make_clips
from mgbench.components import Split
from mgbench_plugins.datasets.arrays import read_npz


_CLASSES: Final = ("come", "five", "handshake", "hello", "ignore", "look_at")
_FRAMES: Final = 92
#: People recorded, of whom each made each gesture once; some clips are not there, and whose is not said.
_PEOPLE: Final = 46
#: People that validate: those just before the tested third.
_VALIDATING: Final = 8
_THIRDS: Final = 3


@attrs.frozen
class ArBody25(Dataset):
    """AR.data: six gestures toward a robot by 46 people, BODY_25, nearly balanced.

    The files number clips, not people. A class has 44 to 46 clips in the order of the people, so the k-th clip is that of person k
    or, where clips are missing, of one of the next. Clips that could belong to people of two splits are left out, 8 or 12 of 272.
    OpenPose's confidence is not published; it is 1.

    Args:
        fold: which third of the people is tested.
    """

    name = "ar_body25"
    citation = """@article{rodriguez2020shedding,
  title={Shedding Light on People Action Recognition in Social Robotics by Means of Common Spatial Patterns},
  author={Rodr{\\'i}guez-Moreno, Itsaso and Mart{\\'i}nez-Otzeta, Jos{\\'e} Mar{\\'i}a and Goienetxea, Izaro and others},
  journal={Sensors},
  volume={20},
  number={8},
  year={2020}
}"""
    folders = ("ar_body25",)
    how = """AR.data is published under GPL (>= 2) with the R package dbcsp (github.com/cran/dbcsp, data/AR.data.rda). Expected:
  ar_body25/ar_body25.npz   keypoints float32 (272, 92, 25, 2), pixels; label (272,); class_names (6,)"""
    public = True

    fold: int = attrs.field(default=2, validator=[attrs.validators.ge(0), attrs.validators.lt(_THIRDS)])

    @property
    def skeleton(self) -> Skeleton:
        """BODY_25."""
        return load_skeleton("body25")

    @property
    def classes(self) -> tuple[str, ...]:
        """The six gestures."""
        return _CLASSES

    def load(self, split: Split, folder: Path) -> Clips:
        """Read the clips that belong to people of the split alone."""
        x, label = _read(folder / "ar_body25.npz")
        home = [self._home(person) for person in range(_PEOPLE)]
        arrays, labels, people, names = [], [], [], []
        for number, name in enumerate(_CLASSES):
            places = np.flatnonzero(label == number)
            missing = _PEOPLE - len(places)
            for k, place in enumerate(places):
                if {home[person] for person in range(k, k + missing + 1)} == {split}:
                    arrays.append(x[place, :, None])
                    labels.append(number)
                    people.append(k + missing // 2)
                    names.append(f"{name}-{k:02}")
        return make_clips(arrays, labels, people, names)

    def _home(self, person: int) -> Split:
        """Return the split of a person, counted from 0: a third, eight before it, and the rest."""
        first, last = (round(_PEOPLE * third / _THIRDS) for third in (self.fold, self.fold + 1))
        if first <= person < last:
            return "test"
        return "val" if (first - person - 1) % _PEOPLE < _VALIDATING else "train"


def _read(path: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return coordinates with a confidence of 1 `(N, 92, 25, 3)`, and classes."""
    arrays = read_npz(path, ("keypoints", "label", "class_names"), "AR.data is one archive of keypoints, label and class_names")
    xy, label = arrays["keypoints"], arrays["label"]
    whole = label.ndim == 1 and label.dtype.kind in "iu"
    if not whole or xy.dtype != np.float32 or xy.shape != (len(label), _FRAMES, 25, 2):
        held = f"keypoints {xy.dtype} {xy.shape} and labels {label.dtype} {label.shape}"
        msg = f"{str(path)!r} holds {held}; it must be float32 (N, 92, 25, 2) and whole numbers (N,)."
        raise DataError(msg)
    if tuple(arrays["class_names"].tolist()) != _CLASSES:
        msg = f"{str(path)!r} has the classes {', '.join(map(str, arrays['class_names'].tolist()))}; they are {', '.join(_CLASSES)}."
        raise DataError(msg)
    wrong = np.flatnonzero((label < 0) | (label >= len(_CLASSES)) | ~np.isfinite(xy).all(axis=(1, 2, 3)))
    if wrong.size:
        place = wrong[0]
        fault = "a coordinate that is not finite" if 0 <= label[place] < len(_CLASSES) else f"class {label[place]}"
        msg = f"{str(path)!r}, clip {place} has {fault}; classes are 0 to {len(_CLASSES) - 1}, coordinates finite."
        raise DataError(msg)
    counts = np.bincount(label, minlength=len(_CLASSES))
    if not 0 < counts.min() <= counts.max() <= _PEOPLE:
        msg = f"{str(path)!r} has {', '.join(map(str, counts))} clips of its classes; each has 1 to {_PEOPLE}, one of a person."
        raise DataError(msg)
    return np.concatenate([xy, np.ones_like(xy[..., :1])], axis=-1), label
