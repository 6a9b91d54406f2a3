"""Merged clips: what is drawn is what a run makes, upright and at one scale."""

from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
import pytest
from bodies import body
from mgbench_plugins.augmentations.merge import Merge, SkeletonMix
from mgbench_plugins.augmentations.mixup import Mixup

from mgbench import Clips, DataError, SetAugmentation, Skeleton, load_skeleton, make_clips
from mgbench.data import open_fold, pack
from mgbench.figures.merged import Row, merge_figure, merge_rows
from mgbench.located import locate
from mgbench.picture import choose_poses, limits
from mgbench.registry import registry


KINECT = load_skeleton("kinect25")
CLASSES = ("wave", "nod")


def recorded() -> Clips:
    """Return twelve clips of people who stand in different places."""
    rng = np.random.default_rng(3)
    arrays = [body(rng, 12 + i) + rng.normal(scale=2, size=(1, 1, 1, 3)).astype(np.float32) for i in range(12)]
    return make_clips(arrays, np.arange(12) % 2, np.arange(12) % 3, [f"secret{i}" for i in range(12)])


def drawn(rows: list[Row]) -> list[list[np.ndarray]]:
    """Return the bones `(B, 2, 2)` of each pose of each row of a figure, in units of the data."""
    figure = merge_figure(rows, KINECT, "")
    return [[np.array(lines.get_segments()) for lines in axes.collections] for axes in figure.axes]


def test_what_is_drawn_is_what_is_made() -> None:
    """The last row is the clip of that number that apply makes, the first two its donors, with their classes."""
    clips, augmentation = recorded(), Merge(ratio=0.5)
    made = augmentation.apply(clips, KINECT, CLASSES, 7)
    rows = merge_rows(clips, augmentation, KINECT, CLASSES, 7, 4)
    one, other = made.made.donors[4]  # type: ignore[union-attr] # merged clips have donors

    for row, number in zip((rows[0], rows[1], rows[3]), (one, other, 16), strict=True):
        np.testing.assert_array_equal(row.clip, made[number])
    assert [row.title for row in rows] == [
        f"first donor: {CLASSES[clips.label[one]]}",
        f"second donor: {CLASSES[clips.label[other]]}",
        "merged as it lies: align=none",
        "merged, centralised: align=frame",
    ]


def test_the_same_clip_is_shown_as_it_lies() -> None:
    """The third row is the same clip under the same spec without alignment: the same body, legs where they were recorded."""
    clips, augmentation = recorded(), Merge(ratio=0.5)
    rows = merge_rows(clips, augmentation, KINECT, CLASSES, 7, 4)
    plain = attrs.evolve(augmentation, align="none").apply(clips, KINECT, CLASSES, 7)
    upper, legs = list(KINECT.part("upper")), list(KINECT.part("lower"))

    np.testing.assert_array_equal(rows[2].clip, plain[16])
    np.testing.assert_array_equal(rows[2].clip[:, :, upper], rows[3].clip[:, :, upper])
    assert (rows[2].clip[:, :, legs] != rows[3].clip[:, :, legs]).any()


@pytest.mark.parametrize(("augmentation", "last"), [(SkeletonMix(), "merged as it lies: align=none"), (Mixup(), "the new clip")])
def test_what_is_not_aligned_is_drawn_once(augmentation: SetAugmentation, last: str) -> None:
    """Of an augmentation that aligns nothing there are three rows."""
    rows = merge_rows(recorded(), augmentation, KINECT, CLASSES, 0)

    assert [row.title.partition(":")[0] for row in rows[:2]] == ["first donor", "second donor"]
    assert [row.title for row in rows[2:]] == [last]


def test_a_run_makes_that_clip(tmp_path: Path) -> None:
    """What cells are fitted on is joined here as they join it, so that the same seed makes the same clips."""
    located = locate("synthetic:clips=34", registry(), tmp_path, tmp_path)
    ours = {select: located.read_fit(select=select).digest for select in (False, True)}
    packed = pack(located.here, located.part, tmp_path, tmp_path / "data")

    assert ours == {select: open_fold(located.here, packed, select=select).fit.digest for select in (False, True)}


def test_poses_are_those_of_the_clips() -> None:
    """Every row draws its own clip's bones at equal times from first to last."""
    rows = merge_rows(recorded(), Merge(ratio=0.5), KINECT, CLASSES, 7)
    for row, poses in zip(rows, drawn(rows), strict=True):
        frames, chosen = choose_poses(row.clip, KINECT, 6)
        assert (frames[0], frames[-1], len(frames)) == (0, len(row.clip) - 1, 6)
        step = (poses[1] - poses[0])[0, 0] - (chosen[1] - chosen[0])[0, KINECT.bones[0][0]]
        for place, (pose, expected) in enumerate(zip(poses, chosen, strict=True)):
            np.testing.assert_allclose(pose - place * step, expected[0][np.array(KINECT.bones)], atol=1e-9)


def test_all_rows_share_one_scale() -> None:
    """An inch is as long in each row, across and upwards, so a torn body is seen as torn; no pose leaves its row."""
    rows = merge_rows(recorded(), Merge(ratio=0.5), KINECT, CLASSES, 7)
    figure = merge_figure(rows, KINECT, "")
    scales = []
    for axes, row in zip(figure.axes, rows, strict=True):
        inches = axes.get_window_extent().bounds[2:] / np.float64(figure.dpi)
        scales += [inches[0] / np.ptp(axes.get_xlim()), inches[1] / np.ptp(axes.get_ylim())]
        low, high = limits(choose_poses(row.clip, KINECT, 6)[1])
        assert axes.get_ylim() == pytest.approx((low[1], high[1]))
        assert axes.get_xlim()[0] <= low[0]

    np.testing.assert_allclose(scales, scales[0])


def test_nobody_is_named() -> None:
    """No text of the figure holds a clip's or a person's name."""
    figure = merge_figure(merge_rows(recorded(), Merge(ratio=0.5), KINECT, CLASSES, 7), KINECT, "a title")
    texts = [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]

    assert "a title" in texts
    assert not any("secret" in text for text in texts)


@attrs.frozen
class _Silent(SetAugmentation):
    """Repeat the first clip and say nothing of it."""

    name = "silent"

    def apply(self, clips: Clips, skeleton: Skeleton, classes: tuple[str, ...], seed: int) -> Clips:
        """Return the clips and the first once more."""
        arrays = [clips[i] for i in (*range(len(clips)), 0)]
        return make_clips(arrays, [*clips.label, -1], [*clips.subject, 0], [*clips.clip, "again"])


@attrs.frozen
class _Drawn(SetAugmentation):
    """Merge other donors where nothing is aligned."""

    name = "drawn"

    align: str = "frame"

    def apply(self, clips: Clips, skeleton: Skeleton, classes: tuple[str, ...], seed: int) -> Clips:
        """Return the clips and what merge makes of them."""
        return Merge(ratio=0.5).apply(clips, skeleton, classes, seed + (self.align == "none"))


def test_fields_of_that_name_are_not_trusted() -> None:
    """Where `align` is any text, nobody knows that `none` means to leave a clip as it lies."""
    assert len(merge_rows(recorded(), _Drawn(), KINECT, CLASSES, 7)) == 3


BAD: dict[str, tuple[Callable[[], SetAugmentation], int, str]] = {
    "nothing": (lambda: Merge(ratio=0), 0, r"^merge\[ratio=0\] makes no new clip of 12 recorded ones; a larger ratio makes some\.$"),
    "silent": (_Silent, 0, r"^silent does not tell of which clips it makes new ones"),
    "number": (lambda: Merge(ratio=0.5), 6, r"^--number got 6, but merge\[ratio=0\.5\] makes 6 new clips, which are numbered 0 to 5\.$"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_drawn_is_told(name: str) -> None:
    """No clip, no donors, or no clip of that number: one sentence."""
    make, number, sentence = BAD[name]
    with pytest.raises(DataError, match=sentence):
        merge_rows(recorded(), make(), KINECT, CLASSES, 0, number)


def test_clips_of_one_frame_and_of_nobody() -> None:
    """A short clip has one pose, and nobody none; the others keep their scale."""
    clip = recorded()[0]
    rows = [Row("one", clip[:1]), Row("nobody", np.zeros_like(clip)), Row("whole", clip)]

    assert [[len(bones) for bones in poses] for poses in drawn(rows)] == [[24], [0] * 6, [24] * 6]
