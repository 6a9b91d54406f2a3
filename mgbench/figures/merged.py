"""A clip that a set augmentation makes, below the two that it is made of, all at one scale [MGRL, Figures 3, 5 and 6]."""

import typing
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np
import numpy.typing as npt

from mgbench import spec
from mgbench.clips import Clips
from mgbench.components import SetAugmentation
from mgbench.errors import DataError
from mgbench.figures.canvas import add_axes, make_figure
from mgbench.picture import choose_poses, draw_row, draw_title, limits
from mgbench.skeleton import Skeleton


if TYPE_CHECKING:
    from matplotlib.figure import Figure


#: Poses of a row.
_POSES: Final = 6
#: Most inches that all rows are high and wide together, inches for the title and for that of each row, and the least width.
_HEIGHT, _WIDTH, _TOP, _HEAD, _LEAST = 9.0, 12.0, 0.45, 0.36, 6.0
#: Inches between a row and the next one's title.
_GAP: Final = 0.12
#: What `align` does to a merged clip, in the paper's words.
_ALIGNED: Final = {"none": "merged as it lies", "frame": "merged, centralised", "first": "merged, centralised in the first frame"}


@attrs.frozen(eq=False)
class Row:
    """A clip `(T, M, V, C)` and what it is."""

    title: str
    clip: npt.NDArray[np.float32]


def merge_rows(
    clips: Clips, augmentation: SetAugmentation, skeleton: Skeleton, classes: tuple[str, ...], seed: int, number: int = 0
) -> list[Row]:
    """Return both donors of a new clip, it as it lies where the augmentation can align it, and as the augmentation makes it.

    Raises `DataError` where there is no such clip, or nobody tells its donors.
    """
    grown = augmentation.apply(clips, skeleton, classes, seed)
    one, other = _donors(grown, len(clips), augmentation, number)
    place = len(clips) + number
    rows = [Row(f"{which} donor: {_class_of(grown, i, classes)}", grown[i]) for which, i in (("first", one), ("second", other))]
    align = getattr(augmentation, "align", None)
    if align != "none" and "none" in typing.get_args(spec.types_of(type(augmentation)).get("align")):
        plain = attrs.evolve(augmentation, align="none").apply(clips, skeleton, classes, seed)  # type: ignore[call-arg]  # a field of its own, as was asked above
        if _donors(plain, len(clips), augmentation, number) == (one, other):
            rows.append(Row(f"{_ALIGNED['none']}: align=none", plain[place]))
    words = f"{_ALIGNED.get(align, 'merged')}: align={align}" if isinstance(align, str) else "the new clip"
    return [*rows, Row(words, grown[place])]


def _donors(grown: Clips, recorded: int, augmentation: SetAugmentation, number: int) -> tuple[int, int]:
    """Return the numbers of the clips of which this new one was made."""
    count = len(grown) - recorded
    if not count:
        msg = f"{augmentation} makes no new clip of {recorded} recorded ones; a larger ratio makes some."
        raise DataError(msg)
    if grown.made is None or len(grown.made.donors) < count:
        msg = f"{augmentation} does not tell of which clips it makes new ones, so nothing can be drawn; its Clips.made would tell."
        raise DataError(msg)
    if number >= count:
        msg = f"--number got {number}, but {augmentation} makes {count} new clips, which are numbered 0 to {count - 1}."
        raise DataError(msg)
    one, other = grown.made.donors[number - count]
    return int(one), int(other)


def _class_of(clips: Clips, number: int, classes: tuple[str, ...]) -> str:
    label = int(clips.label[number])
    return classes[label] if label >= 0 else "a new clip"


def merge_figure(rows: list[Row], skeleton: Skeleton, title: str) -> "Figure":
    """Draw poses at equal times, a clip a row; a metre, or a pixel, is as long in every row."""
    chosen = [choose_poses(row.clip, skeleton, _POSES) for row in rows]
    corners = [limits(poses) for _, poses in chosen]
    width = max(float(np.abs([low[0], high[0]]).max()) * 2 for low, high in corners)
    heights = [float(high[1] - low[1]) for low, high in corners]
    columns = max(len(frames) for frames, _ in chosen)
    scale = min(_HEIGHT / sum(heights), _WIDTH / (columns * width))
    across = columns * width * scale
    figure = make_figure(max(across, _LEAST), sum(heights) * scale + _TOP + _HEAD * len(rows))
    draw_title(figure, title)
    top = float(figure.get_figheight()) - _TOP
    for row, (frames, poses), (low, _), height in zip(rows, chosen, corners, heights, strict=True):
        figure.text(0.08 / figure.get_figwidth(), (top - _GAP) / figure.get_figheight(), row.title, va="top", fontsize=10, parse_math=False)
        top -= _HEAD + height * scale
        axes = add_axes(figure, 0, top, across, height * scale)
        axes.set(xlim=(-width / 2, (columns - 0.5) * width), ylim=(low[1], low[1] + height))
        axes.axis("off")
        draw_row(axes, frames, poses, width, skeleton)
    return figure
