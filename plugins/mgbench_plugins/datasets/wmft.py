"""WMFT: modified Wolf Motor Function Test, seated upper-limb tasks before a Kinect v2 [Barachant et al., JBHI 2016]."""

from pathlib import Path
from typing import Literal

import attrs
import numpy as np
import numpy.typing as npt

from mgbench import Clips, DataError, Dataset, Skeleton, load_skeleton, make_clips
from mgbench.components import Split


_TASKS = (
    "Forearm to table", "Forearm to Box", "Extend Elbow 1", "Extend Elbow 2", "Hand to the Table", "Hand to the Box",
    "Reach and Retrieve", "Lift a can", "Lift a Pencil", "Lift a Paper Clip", "Stack Checkers", "Flip Cards", "Turn Key",
    "Fold Towel", "Lift Baskets",
)  # fmt: skip
_SUBJECTS: dict[Split, range] = {"train": range(1, 13), "val": range(13, 17), "test": range(17, 25)}


@attrs.frozen
class Wmft(Dataset):
    """WMFT: 15 upper-limb tasks by 24 people, Kinect-25, balanced; a long tail on request.

    Subjects 1-16 train, of whom 13-16 are the validation split; 17-24 test.

    Args:
        condition: which recordings: healthy and mild together, or one of the three.
        tail: exponent of the training shares: class k of 15, in a seeded order, keeps (k + 1)^-tail of its clips; 0 keeps all.
            The test split stays balanced.
        tail_minimum: clips that every class keeps in each subsampled split.
        tail_seed: of the order of classes and the choice of clips.
    """

    name = "wmft"
    citation = """@article{barachant2016wmft,
  title={Using data from the Microsoft Kinect 2 to quantify upper limb behavior: a feasibility study},
  author={Barachant, Alexandre and others},
  journal={IEEE Journal of Biomedical and Health Informatics},
  year={2016}
}"""
    folders = ("wmft_kinect25", "wmft")
    how = """WMFT is published under BSD-3 with the code of its paper (github.com/alexandrebarachant/WMFT_JBHI). Expected:
  wmft_kinect25/data/S01_healthy_task01.bin ... S24_mild_task15.bin   float32 (frames, 25, 3), metres"""
    public = True

    condition: Literal["both", "healthy", "mild", "moderate"] = "both"
    tail: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))
    tail_minimum: int = attrs.field(default=3, validator=attrs.validators.ge(1))
    tail_seed: int = 0

    @property
    def skeleton(self) -> Skeleton:
        """Kinect-25."""
        return load_skeleton("kinect25")

    @property
    def classes(self) -> tuple[str, ...]:
        """The 15 tasks."""
        return _TASKS

    def load(self, split: Split, folder: Path) -> Clips:
        """Read the recordings of the split's subjects; every task of every subject and condition must be there."""
        conditions = ("healthy", "mild") if self.condition == "both" else (self.condition,)
        keys = [(s, c, task) for s in _SUBJECTS[split] for c in conditions for task in range(1, len(_TASKS) + 1)]
        paths = [folder / "data" / f"S{s:02}_{c}_task{task:02}.bin" for s, c, task in keys]
        subject, label = np.array([key[0] for key in keys]), np.array([key[2] - 1 for key in keys])
        clips = make_clips([_read(path) for path in paths], label, subject, [path.stem for path in paths])
        return clips.select(self._kept(label, split)) if self.tail and split != "test" else clips

    def _kept(self, label: npt.NDArray[np.int64], split: Split) -> npt.NDArray[np.int64]:
        """Return the clips that a long tail leaves, in their old order."""
        order = np.random.default_rng(self.tail_seed).permutation(len(_TASKS))
        generator = np.random.default_rng([self.tail_seed, _SUBJECTS[split].start])
        kept = []
        for place, task in enumerate(order):
            clips = generator.permutation(np.flatnonzero(label == task))
            count = round(len(clips) * (place + 1) ** -self.tail)
            kept.append(clips[: max(count, self.tail_minimum)])
        return np.sort(np.concatenate(kept))


def _read(path: Path) -> npt.NDArray[np.float32]:
    """Read one recording as `(T, 1, 25, 3)`."""
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        msg = f"The recording {str(path)!r} is missing; WMFT has every task of every subject in each condition."
        raise DataError(msg) from error
    if size == 0 or size % (25 * 3 * 4):
        msg = f"{str(path)!r} has {size} bytes; a recording is a positive multiple of 300, 25 joints x 3 float32 a frame."
        raise DataError(msg)
    x = np.fromfile(path, dtype="<f4").reshape(-1, 1, 25, 3)
    if not np.isfinite(x).all():
        frame = int(np.flatnonzero(~np.isfinite(x).all(axis=(1, 2, 3)))[0])
        msg = f"{str(path)!r}, frame {frame} has a coordinate that is not finite."
        raise DataError(msg)
    return x
