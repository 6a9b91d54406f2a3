"""Pictures: sides are not mixed, bodies stand upright and apart, and what is drawn is what is there."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mgbench import Skeleton, load_skeleton, picture
from mgbench.picture import COLOURS, bone_sides, draw_animation, draw_strip, project, save_pictures
from mgbench.registry import Registry, installed_plugins
from mgbench.skeleton import skeleton_names
from mgbench.store import StoreError


EVERY = pytest.mark.parametrize("skeleton", [load_skeleton(name) for name in skeleton_names()], ids=lambda skeleton: skeleton.name)


def facing(skeleton: Skeleton, frames: int = 6, persons: int = 1) -> np.ndarray:
    """Return people who face the sensor `(T, M, V, C)`: each left joint on the sensor's right, heads above hips."""
    image = skeleton.axes[-1] == "score"
    sides = np.zeros(len(skeleton.joints))
    for left, right in skeleton.mirror:
        sides[left], sides[right] = 1, -1
    height = np.zeros(len(skeleton.joints))
    for part, level in {"head": 3, "trunk": 2, "arms": 2, "hands": 1.5, "legs": 1}.items():
        height[list(skeleton.parts[part])] = level
    # A depth camera's x grows to its own left, where a person who faces it has the right side; an image's x grows to the right.
    place = np.stack([sides + 50, -height + 50, np.full(len(sides), 0.9)] if image else [-sides, height, np.full(len(sides), 2.5)], axis=-1)
    drift = 0.01 * np.arange(frames)[:, None, None, None]
    return np.repeat(place[None, None] + drift * [1, 0, 0], persons, axis=1).astype(np.float32)


def colours_of(data: bytes) -> set[str]:
    """Return which sides' colours a picture shows below its legend."""
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))[60:].astype(np.int64) @ [65536, 256, 1]
    return {side for side, colour in COLOURS.items() if (pixels == int(colour[1:], 16)).any()}


@EVERY
def test_left_is_on_the_right_of_who_faces_the_sensor(skeleton: Skeleton) -> None:
    """Of each pair the left joint is drawn to the right of the right one, and heads above legs."""
    x, y = np.moveaxis(project(facing(skeleton), skeleton)[:, 0], -1, 0)
    left, right = np.array(skeleton.mirror).T

    assert (x[:, left] > x[:, right]).all()
    assert y[:, list(skeleton.parts["head"])].min() > y[:, list(skeleton.parts["legs"] or skeleton.parts["hands"])].max()


@EVERY
def test_bones_have_the_side_of_their_joints(skeleton: Skeleton) -> None:
    """A bone with a left joint is left, one with a right joint right, and no bone joins the two."""
    lefts, rights = ({pair[i] for pair in skeleton.mirror} for i in (0, 1))
    for bone, side in zip(skeleton.bones, bone_sides(skeleton), strict=True):
        assert side == ("left" if set(bone) & lefts else "right" if set(bone) & rights else "trunk")
        assert not (set(bone) & lefts and set(bone) & rights)


@pytest.mark.parametrize("side", ["left", "right"])
def test_limbs_are_drawn_in_their_colour_and_place(side: str) -> None:
    """With one side's joints lost, only the other's colour is drawn, on its half of the picture."""
    skeleton = load_skeleton("kinect25")
    clip = facing(skeleton)
    trunk = [joint for joint in range(25) if skeleton.flip[joint] == joint]
    clip[:, :, [pair[side == "left"] for pair in skeleton.mirror]] = 0
    alone = clip.copy()
    alone[:, :, trunk[1:]] = 0
    points = project(clip, skeleton)
    seen = points[:, :, [pair[side == "right"] for pair in skeleton.mirror], 0]

    assert colours_of(draw_strip(clip, skeleton, "")) == {side, "trunk"}
    assert colours_of(draw_strip(alone, skeleton, "")) == {side}
    assert (np.sign(seen - np.nanmedian(points[:, :, trunk, 0])) == (1 if side == "left" else -1)).all()


def test_people_are_set_side_by_side() -> None:
    """Two people at one place do not overlap; one who is never there takes no room, and keeps the other where he is."""
    skeleton = load_skeleton("kinect25")
    clip = facing(skeleton, persons=2)
    both = project(clip, skeleton)
    clip[:, 1] = 0

    assert both[:, 0, :, 0].max() < both[:, 1, :, 0].min()
    assert both[:, 0, :, 1] == pytest.approx(both[:, 1, :, 1])
    assert project(clip, skeleton).shape == (6, 1, 25, 2)


def test_lost_joints_are_not_drawn() -> None:
    """A joint of zeros, or of values that are not finite, lies nowhere; the others lie where they did."""
    skeleton = load_skeleton("kinect25")
    clip = facing(skeleton)
    before = project(clip, skeleton)
    clip[2, 0, 3], clip[3, 0, 4, 1], clip[3, 0, 5, 2] = 0, np.nan, np.inf
    after = project(clip, skeleton)
    lost = np.isnan(after).any(axis=-1)

    assert list(zip(*np.nonzero(lost), strict=True)) == [(2, 0, 3), (3, 0, 4), (3, 0, 5)]
    assert after[~lost] == pytest.approx(before[~lost])


@EVERY
def test_strips_hold_something(skeleton: Skeleton) -> None:
    """A strip has a size and both sides, whatever the layout."""
    strip = Image.open(io.BytesIO(draw_strip(facing(skeleton), skeleton, "a title")))

    assert strip.format == "PNG"
    assert min(strip.size) > 100
    assert colours_of(draw_strip(facing(skeleton), skeleton, "")) >= {"left", "right"}


@pytest.mark.parametrize(("frames", "drawn"), [(1, 1), (5, 5), (9, 9), (35, 9)])
def test_animations_hold_every_frame_up_to_a_bound(frames: int, drawn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip of any length moves; of a long one frames at equal distance are shown."""
    monkeypatch.setattr(picture, "_FRAMES", 9)
    skeleton = load_skeleton("kinect25")
    moving = Image.open(io.BytesIO(draw_animation(facing(skeleton, frames), skeleton, "a title")))

    assert moving.format == "GIF"
    assert getattr(moving, "n_frames", 1) == drawn


def test_clip_of_nobody_is_drawn_empty() -> None:
    """Zeros alone, of which there are clips, give an empty picture and no warning."""
    skeleton = load_skeleton("kinect25")
    clip = np.zeros((5, 1, 25, 3), np.float32)

    assert colours_of(draw_strip(clip, skeleton, "nobody")) == set()
    assert draw_animation(clip, skeleton, "nobody")[:3] == b"GIF"


def test_a_jump_shrinks_nothing() -> None:
    """One joint far away for a frame does not make everybody small."""
    skeleton = load_skeleton("kinect25")
    clip = facing(skeleton, 20)
    before = Image.open(io.BytesIO(draw_animation(clip, skeleton, ""))).size
    clip[10, 0, 7, 0] = 500

    assert Image.open(io.BytesIO(draw_animation(clip, skeleton, ""))).size == pytest.approx(before, rel=0.1)


def test_pictures_that_cannot_be_written(tmp_path: Path) -> None:
    """The folder that is in the way is told, and the option."""
    skeleton = load_skeleton("kinect25")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"Cannot write .*file/a\.png'; give another folder by --out\."):
        save_pictures(facing(skeleton), skeleton, "", tmp_path / "file", "a")


@pytest.mark.data
@pytest.mark.parametrize("name", ["wmft", "smg"])
def test_recorded_people_face_the_sensor(data_folder: Path, name: str) -> None:
    """In recordings the left shoulder is drawn to the right of the right one, and the head above the hips, in nearly all frames."""
    dataset = Registry(installed_plugins()).parse("dataset", name)
    root = data_folder if name == "wmft" else data_folder / "format_fixtures"
    clips = dataset.load("test", next(root / folder for folder in dataset.folders if (root / folder).is_dir()))
    skeleton = dataset.skeleton
    points = project(clips.x, skeleton)[:, 0]
    left, right, head, hip = (points[:, skeleton.joint(joint)] for joint in ("shoulder_left", "shoulder_right", "head", "spine_base"))

    assert (left[:, 0] > right[:, 0]).mean() > 0.99
    assert (head[:, 1] > hip[:, 1]).mean() > 0.99
