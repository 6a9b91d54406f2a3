"""iMiGUE: micro-gestures of tennis players at press conferences, seen by OpenPose [Liu et al., CVPR 2021]."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias

import attrs
import polars

from mgbench import Clips, DataError, Dataset, Skeleton, load_skeleton, make_clips
from mgbench.components import Split
from mgbench.errors import nearest
from mgbench_plugins import works
from mgbench_plugins.datasets.imigue_packed import packed_clips
from mgbench_plugins.datasets.tables import Array, lines_of, read_integers, read_matrix, read_text


_CLASSES: Final = (
    "Turtle neck", "Bulging face, deep breath", "Touching hat", "Touching or scratching head", "Touching or scratching forehead",
    "Covering face", "Rubbing eyes", "Touching or scratching facial parts", "Touching ears", "Biting nails", "Touching jaw",
    "Touching or scratching neck", "Playing or adjusting hair", "Buckle button, pulling shirt collar, adjusting tie",
    "Touching or covering suprasternal notch", "Scratching back", "Folding arms", "Dustoffing clothes", "Putting arms behind body",
    "Moving torso", "Sitting straightly", "Scratching or touching arms", "Rubbing or holding hands", "Crossing fingers",
    "Minaret gesture", "Playing or manipulating objects", "Hold back arms", "Head up", "Pressing lips", "Arms akimbo",
    "Shaking shoulders", "Illustrative body language",
)  # fmt: skip
#: Clips of MiGA's splits, a class in the owners' label files; of test only the total is known.
_PUBLISHED: Final[dict[Split, int | tuple[int, ...]]] = {
    "train": (
        10, 393, 38, 199, 80, 23, 57, 824, 80, 3, 284, 137, 97, 41, 26, 24, 304, 82, 1, 887, 157, 360, 656, 690, 11, 280, 84, 60,
        1155, 6, 2079, 3765,
    ),
    "val": (0, 25, 1, 8, 0, 0, 7, 34, 7, 0, 18, 17, 0, 0, 2, 3, 18, 1, 1, 55, 13, 13, 1, 10, 0, 7, 3, 0, 82, 0, 193, 258),
    "test": 4562,
}  # fmt: skip
#: The label that files give to the last class.
_ILLUSTRATIVE: Final = 99
#: Videos of MiGA's validation and test; every other one trains.
_VAL_VIDEOS: Final = frozenset({1, 2, 3, 4, 6, 7, 8, 9, 10, 11})
_TEST_VIDEOS: Final = frozenset({
    54, 67, 69, 70, 71, 72, 74, 77, 79, 85, 98, 105, 106, 109, 110, 111, 112, 114, 116, 118, 125, 126, 133, 135, 138, 144, 148,
    154, 156, 161, 163, 166, 167, 168, 169, 196, 198, 200, 201, 205, 208, 212, 213, 220, 235, 237, 238, 241, 242, 243, 244, 262,
    274, 280, 292, 303, 318, 320, 322, 327, 329, 346, 349, 355, 368, 371, 375, 378, 380, 385, 396, 406, 410, 411, 413, 414, 415,
    416, 417, 421, 423, 424, 425, 428, 429, 431, *range(436, 454),
})  # fmt: skip
#: Videos without usable skeletons.
_UNUSABLE: Final = frozenset({218, 319, 347, 348})
#: The paper's subjects. It has no validation; the last five of its training subjects are ours.
_TRAIN_SUBJECTS: Final = frozenset({
    2, 4, 5, 6, 9, 10, 12, 13, 14, 15, 17, 18, 20, 21, 22, 23, 25, 28, 29, 30, 31, 35, 36, 38, 39, 41, 42, 43, 44, 46, 47, 48,
})  # fmt: skip
_VAL_SUBJECTS: Final = frozenset({52, 53, 59, 61, 62})
_SUBJECTS: Final = range(1, 73)
#: Points of the files: BODY_25, then ten of the hands.
_POINTS: Final = {"body25": (*range(25),), "imigue22": (*range(8), *range(15, 19), *range(25, 35))}
#: Endings of files, and the points that they hold.
_FILES: Final = {"_light_hand.csv": 35, "_light.csv": 25}

#: Coordinates `(T, 1, V, 3)`, class, subject, name.
_Clip: TypeAlias = tuple[Array, int, int, str]


@attrs.frozen
class Imigue(Dataset):
    """iMiGUE: 31 micro-gestures and illustrative ones of 72 people, OpenPose, long-tailed.

    Args:
        protocol: `miga` splits videos as the MiGA challenge does, `paper` people as the paper does, which the full release names.
        joints: `body25` for the body, `imigue22` for the upper body and ten points of the hands, as the owners' baseline.
        layout: `csv` for the recordings, `packed` for the owners' tensors: 22 joints, clips of 90 frames at most, no test videos.
    """

    name = "imigue"
    citation = works.IMIGUE
    folders = ("imigue", "iMiGUE")
    how = """iMiGUE is granted by the University of Oulu to researchers who sign its agreement (github.com/linuxsino/iMiGUE), and must
not be passed on. Expected, here or up to three folders deeper, as in imigue_data_phase1/datasets:
  imigue/imigue_skeleton_train/0012/0012_light_hand.csv   a frame a line: number, 35 points x (x, y, confidence)
  imigue/imigue_skeleton_train/0012/0012_label.csv        a clip a line: label 1-31 or 99, first frame, last frame
  ... imigue_skeleton_validate, imigue_skeleton_test
for imigue[protocol=paper] also imigue/Label/labels_20200831.csv of the full release;
or, for imigue[layout=packed,joints=imigue22], imigue/imigue_processed/{train,valid}_data.npy and _label.pkl"""

    protocol: Literal["miga", "paper"] = "miga"
    joints: Literal["body25", "imigue22"] = "body25"
    layout: Literal["csv", "packed"] = "csv"

    def __attrs_post_init__(self) -> None:
        """Refuse what the owners' tensors do not hold."""
        if self.layout == "packed" and (self.joints, self.protocol) != ("imigue22", "miga"):
            msg = "layout=packed holds 22 joints and MiGA's videos; use imigue[layout=packed,joints=imigue22]."
            raise ValueError(msg)

    @property
    def skeleton(self) -> Skeleton:
        """BODY_25, or the owners' 22 joints."""
        return load_skeleton(self.joints)

    @property
    def classes(self) -> tuple[str, ...]:
        """The 32 classes; the last is none of the micro-gestures."""
        return _CLASSES

    @property
    def published(self) -> Mapping[Split, int | tuple[int, ...]]:
        """MiGA's label files."""
        return _PUBLISHED if (self.protocol, self.layout) == ("miga", "csv") else {}

    def at(self, folder: Path) -> "Imigue":
        """Return this, or where no video of the training split lies there but some of validation do, what is fitted on these."""
        homes = self._held(folder) if self.layout == "csv" else Counter()
        return _WithoutTrain(self.protocol, self.joints) if homes["val"] and not homes["train"] else self

    def load(self, split: Split, folder: Path) -> Clips:
        """Read the split's videos, as many as there are."""
        if self.layout == "packed":
            clips = list(packed_clips(split, folder / "imigue_processed", split_of_video, len(_CLASSES)))
        else:
            clips = list(self._recorded(split, folder))
        if not clips:
            packed = (folder / "imigue_processed").is_dir() and self.layout == "csv"
            other = "; it holds packed tensors, which imigue[layout=packed,joints=imigue22] reads" if packed else ""
            homes = self._held(folder)
            held = ", ".join(f"{homes[home]} of {home}" for home in self.splits if homes[home]) or "none"
            msg = f"{str(folder)!r} has no clip of the {split} split of {self}; its videos with a recording: {held}{other}."
            raise DataError(msg)
        return make_clips(*map(list, zip(*clips, strict=True)))

    def _held(self, folder: Path) -> Counter[Split]:
        """Return how many videos of each split lie there."""
        home = self._homes(folder)[1]
        return Counter(home(video) for video in _find_videos(folder, [*_FILES]))

    def _homes(self, folder: Path) -> tuple[Callable[[int], int], Callable[[int], Split]]:
        """Return the subject of a video, and its split."""
        return _people(folder) if self.protocol == "paper" else (lambda video: video, split_of_video)

    def _recorded(self, split: Split, folder: Path) -> Iterator[_Clip]:
        videos = _find_videos(folder, [*_FILES] if self.joints == "body25" else ["_light_hand.csv"])
        subject, home = self._homes(folder)
        for video, path in sorted(videos.items()):
            if home(video) == split:
                x, first = read_skeleton_csv(path, _POINTS[self.joints])
                labels = path.with_name(f"{video:04}_label.csv")
                for index, (label, start, stop) in enumerate(_read_labels(labels, len(x), first)):
                    yield x[start:stop, None], label, subject(video), f"{video:04}_{index}"


class _WithoutTrain(Imigue):
    """Recordings without a training video: those of validation are fitted on, which every row and board says."""

    splits: tuple[Split, ...] = ("val", "test")


def split_of_video(video: int) -> Split:
    """Return where MiGA has a video."""
    return "val" if video in _VAL_VIDEOS else "test" if video in _TEST_VIDEOS else "train"


def _find_videos(folder: Path, endings: list[str]) -> dict[int, Path]:
    """Return the recordings by video; one that lies in several folders is read once."""
    found: dict[int, Path] = {}
    for ending in endings:
        for depth in range(1, 6):
            for path in sorted(folder.glob("*/" * depth + f"[0-9][0-9][0-9][0-9]{ending}")):
                if path.parent.name == path.name[:4] and int(path.name[:4]) not in _UNUSABLE:
                    found.setdefault(int(path.name[:4]), path)
    return found


def read_skeleton_csv(path: Path, points: tuple[int, ...]) -> tuple[Array, int]:
    """Return the points of a recording, `(T, V, 3)`, and the number that labels give to its first frame.

    The owners count lines from 0, so that the first frame is 1 where a header stands before it. A header's first cell is empty, or
    its others count from 0.
    """
    held = next(count for ending, count in _FILES.items() if path.name.endswith(ending))
    text = read_text(path, "a video has _light_hand.csv and _label.csv")
    first = [cell.strip() for cell in lines_of(text)[0].split(",")]
    header = not first[0] or first[1:] == [str(number) for number in range(3 * held)]
    used = [1 + 3 * point + axis for point in points for axis in range(3)]
    x = read_matrix(path, text, 1 + 3 * held, used, f"a number and {held} points x 3", skip=int(header))
    return x.reshape(len(x), len(points), 3), int(header)


def _read_labels(path: Path, frames: int, first: int) -> Iterator[tuple[int, int, int]]:
    """Yield class 0-31 and the range of frames of each clip, counted from 0."""
    text = read_text(path, "a video has _light_hand.csv and _label.csv")
    for number, (label, start, end) in enumerate(read_integers(path, text, 3, "class, first frame, last frame"), start=1):
        where = f"{str(path)!r}, line {number}"
        if not 1 <= label < len(_CLASSES) and label != _ILLUSTRATIVE:
            msg = f"{where} has class {label}; allowed are 1 to {len(_CLASSES) - 1} and {_ILLUSTRATIVE}."
        elif start > end or end < first:
            msg = f"{where} is an empty clip: it goes from frame {start} to frame {end}, and the first frame is {first}."
        elif start < 0 or end >= first + frames:
            msg = f"{where} takes frames {start} to {end}; the recording has {first} to {first + frames - 1}."
        else:
            yield min(label, len(_CLASSES)) - 1, max(start - first, 0), end - first + 1
            continue
        raise DataError(msg)


def _people(folder: Path) -> tuple[Callable[[int], int], Callable[[int], Split]]:
    """Return the subject of a video, and its split in the paper, from the full release's table of labels."""
    path = next((path for path in (folder / "Label" / "labels_20200831.csv", folder / "labels_20200831.csv") if path.is_file()), None)
    if path is None:
        msg = (
            f"imigue[protocol=paper] splits people, and {str(folder)!r} lacks Label/labels_20200831.csv, the table of the full release "
            "that names them; ask its owners for it, or use protocol=miga."
        )
        raise DataError(msg)
    subjects = _read_subjects(path)

    def subject(video: int) -> int:
        if video not in subjects:
            msg = f"{str(path)!r} has no line of video {video}, whose recording is there; each video needs a subject."
            raise DataError(msg)
        return subjects[video]

    def home(video: int) -> Split:
        person = subject(video)
        return "train" if person in _TRAIN_SUBJECTS else "val" if person in _VAL_SUBJECTS else "test"

    return subject, home


def _read_subjects(path: Path) -> dict[int, int]:
    try:
        table = polars.read_csv(path, infer_schema=False, truncate_ragged_lines=True)
    except (OSError, polars.exceptions.PolarsError) as error:
        msg = f"{str(path)!r} cannot be read ({error}); it must be comma-separated text with a header."
        raise DataError(msg) from error
    for name in ("video_id", "subject_id"):
        if name not in table.columns:
            msg = f"{str(path)!r} has no column {name!r}; {nearest(name, table.columns)}"
            raise DataError(msg)
    columns = (table[name].str.strip_chars().cast(polars.Int64, strict=False) for name in ("video_id", "subject_id"))
    subjects: dict[int, int] = {}
    for line, (video, subject) in enumerate(zip(*columns, strict=True), start=2):
        if video is None or subject not in _SUBJECTS:
            msg = f"{str(path)!r}, line {line} lacks a video, or a subject from 1 to {_SUBJECTS[-1]}; each clip has both."
            raise DataError(msg)
        if subjects.setdefault(video, subject) != subject:
            msg = f"{str(path)!r}, line {line} gives video {video} to another subject than an earlier line; a video has one."
            raise DataError(msg)
    return subjects
