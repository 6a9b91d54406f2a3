"""Pictures of clips: a strip of poses, and a moving one; matplotlib is imported when one is drawn, and no display is needed.

Clips are drawn as the sensor saw them: who faces it has the left side on the right of the picture. A depth camera's x grows to the
camera's own left and its y upwards, so x is turned; an image's y grows downwards, so y is.
"""

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from mgbench.skeleton import Skeleton
from mgbench.store import StoreError, write_bytes


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure


Side: TypeAlias = Literal["left", "right", "trunk"]
Points: TypeAlias = npt.NDArray[np.float64]

#: Colours that people who confuse red and green can tell apart.
COLOURS: Final[dict[Side, str]] = {"left": "#0072b2", "right": "#d55e00", "trunk": "#444444"}
#: Poses of a strip; most frames of an animation, and frames a second.
POSES, _FRAMES, _FPS = 8, 150, 25
#: Inches that the larger side of an animation, a strip's height, and at most its width have; dots an inch.
_SIDE, _HEIGHT, _WIDTH, _DPI = 4.0, 3.0, 20.0, 100
#: Room around a person as a share of its extent, and a share of points that may lie outside, so that a jump shrinks nothing else.
_ROOM, _OUTSIDE = 0.12, 0.005


def bone_sides(skeleton: Skeleton) -> tuple[Side, ...]:
    """Return whose each bone is: of the left limbs, of the right limbs, or of the trunk."""
    lefts, rights = ({pair[side] for pair in skeleton.mirror} for side in (0, 1))
    return tuple("left" if lefts & set(bone) else "right" if rights & set(bone) else "trunk" for bone in skeleton.bones)


def project(clip: npt.NDArray[np.float32], skeleton: Skeleton) -> Points:
    """Return where joints lie in the picture, rightwards and upwards, `(T, M, V, 2)`; not a number where a joint was not seen.

    Of the people of the clip `(T, M, V, C)` those are kept who are ever there; several are set side by side.
    """
    flat = clip[..., : skeleton.spatial_axes].astype(np.float64)
    seen = np.logical_or.reduce(flat != 0, axis=-1) & np.logical_and.reduce(np.isfinite(flat), axis=-1)
    turn = (1.0, -1.0) if skeleton.axes[-1] == "score" else (-1.0, 1.0)
    there = np.flatnonzero(np.logical_or.reduce(seen, axis=(0, 2)))
    points: Points = np.where(seen[..., None], flat[..., :2] * turn, np.nan)[:, there]
    if len(there) > 1:
        corners = [limits(points[:, person]) for person in range(len(there))]
        width = max(high[0] - low[0] for low, high in corners)
        for person, (low, high) in enumerate(corners):
            points[:, person, :, 0] += person * width - (low[0] + high[0]) / 2
    return points


def limits(points: Points) -> tuple[Points, Points]:
    """Return the lower left and the upper right corner of what nearly all points `(..., 2)` need, with some room."""
    known = points[~np.isnan(points[..., 0])]
    if not len(known):
        return np.full(2, -1.0), np.full(2, 1.0)
    low, high = np.quantile(known, [_OUTSIDE, 1 - _OUTSIDE], axis=0)
    room = _ROOM * (float((high - low).max()) or 1.0)
    return low - room, high + room


def save_pictures(clip: npt.NDArray[np.float32], skeleton: Skeleton, title: str, folder: Path, name: str) -> list[Path]:
    """Write a strip and an animation of a clip, whole or not at all, and return their paths."""
    paths = [folder / f"{name}.png", folder / f"{name}.gif"]
    for path, draw in zip(paths, (draw_strip, draw_animation), strict=True):
        try:
            write_bytes(path, draw(clip, skeleton, title))
        except StoreError as error:
            msg = f"Cannot write {str(path)!r}; give another folder by --out."
            raise StoreError(msg) from error
    return paths


def draw_strip(clip: npt.NDArray[np.float32], skeleton: Skeleton, title: str) -> bytes:
    """Return a PNG of poses at equal times, from the first frame to the last, each with the number of its frame."""
    frames, poses = choose_poses(clip, skeleton)
    low, high = limits(poses)
    width = high[0] - low[0]
    right = np.array([low[0] + width * len(frames), high[1]])
    figure, axes = _axes(low, right, _HEIGHT / (high[1] - low[1]), title)
    draw_row(axes, frames, poses, width, skeleton)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()


def choose_poses(clip: npt.NDArray[np.float32], skeleton: Skeleton, most: int = POSES) -> tuple[npt.NDArray[np.int64], Points]:
    """Return so many frames at equal times, first and last among them, and the poses there, each in the middle, wherever people walk."""
    points = project(clip, skeleton)
    frames = np.unique(np.linspace(0, len(points) - 1, most).round().astype(np.int64))
    poses = points[frames]
    for pose in poses:
        low, high = limits(pose)
        pose[..., 0] -= (low[0] + high[0]) / 2
    return frames, poses


def draw_row(axes: "Axes", frames: npt.NDArray[np.int64], poses: Points, width: float, skeleton: Skeleton) -> None:
    """Draw poses at this distance from each other, the first in the middle of the plane, with the numbers of their frames below."""
    low = limits(poses)[0][1]
    for place, (frame, pose) in enumerate(zip(frames, poses, strict=True)):
        draw_pose(axes, pose + np.array([place * width, 0.0]), skeleton)
        axes.text(place * width, low, str(frame), ha="center", va="bottom", fontsize=8, color="#666666")


def draw_animation(clip: npt.NDArray[np.float32], skeleton: Skeleton, title: str) -> bytes:
    """Return a GIF of the clip at 25 frames a second; of a long one frames at equal distance, at its own pace."""
    from matplotlib.animation import PillowWriter

    points = project(clip, skeleton)
    every = -(-len(points) // _FRAMES)
    low, high = limits(points)
    figure, axes = _axes(low, high, _SIDE / float((high - low).max()), title)
    writer = PillowWriter(fps=max(1, round(_FPS / every)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.gif"
        with writer.saving(figure, str(path), _DPI):
            for pose in points[::every]:
                drawn = draw_pose(axes, pose, skeleton)
                writer.grab_frame()
                drawn.remove()
        return path.read_bytes()


def _axes(low: Points, high: Points, scale: float, title: str) -> "tuple[Figure, Axes]":
    """Return a figure without a display, and axes of equal aspect that show this part of the plane at so many inches a unit."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width, height = np.minimum((high - low) * scale, _WIDTH)
    top = 0.45
    figure = Figure(figsize=(max(width, 2.5), height + top), facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, height / (height + top)))
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    axes.axis("off")
    draw_title(figure, title)
    return figure, axes


def draw_title(figure: "Figure", title: str) -> None:
    """Write a title into the upper left corner, and below it which colour is which side."""
    width, height = figure.get_size_inches()
    figure.text(0.08 / width, 1 - 0.04 / height, title, ha="left", va="top", fontsize=9, parse_math=False)
    for place, (side, colour) in enumerate(COLOURS.items()):
        figure.text((0.08 + 0.45 * place) / width, 1 - 0.22 / height, side, va="top", fontsize=8, color=colour)


def draw_pose(axes: "Axes", pose: Points, skeleton: Skeleton) -> "LineCollection":
    """Draw the bones of all persons of one frame `(M, V, 2)`."""
    from matplotlib.collections import LineCollection

    bones = pose[:, np.array(skeleton.bones)].reshape(-1, 2, 2)
    whole = ~np.isnan(bones).any(axis=(1, 2))
    colours = [COLOURS[side] for side in bone_sides(skeleton)] * len(pose)
    lines = LineCollection(list(bones[whole]), colors=[colours[i] for i in np.flatnonzero(whole)], linewidths=1.8, capstyle="round")
    axes.add_collection(lines, autolim=False)
    return lines
