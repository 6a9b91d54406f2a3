"""Clips as recorded: how they are joined, chosen, told apart, checked and stored."""

from pathlib import Path

import attrs
import numpy as np
import pytest

from mgbench import Clips, DataError, load_skeleton, make_clips
from mgbench.clips import open_clips, save_clips


LENGTHS = (4, 1, 7, 3)


def some_clips() -> Clips:
    """Return four clips of Kinect-25 whose values all differ."""
    generator = np.random.default_rng(0)
    arrays = [generator.normal(size=(t, 1, 25, 3)) for t in LENGTHS]
    return make_clips(arrays, [2, 0, 1, 2], [11, 11, 12, 13], ["a", "b", "c", "d"])


def changed(clips: Clips, frame: int, value: float) -> Clips:
    """Return the clips with one coordinate of one frame replaced."""
    x = clips.x.copy()
    x[frame, 0, 5, 1] = value
    return attrs.evolve(clips, x=x)


def test_offsets_mark_the_ends_of_clips() -> None:
    """Clips lie one after another, and offsets are the running sum of their lengths."""
    clips = some_clips()

    assert clips.offsets.tolist() == [0, 4, 5, 12, 15]
    assert clips.frames.tolist() == list(LENGTHS)
    assert len(clips) == 4
    assert clips.x.shape == (15, 1, 25, 3)
    assert clips.x.dtype == np.float32


def test_a_clip_is_given_back_as_it_was_recorded() -> None:
    """Indexing gives each recorded array, rounded to float32 once."""
    clips, generator = some_clips(), np.random.default_rng(0)

    for i, t in enumerate(LENGTHS):
        assert np.array_equal(clips[i], generator.normal(size=(t, 1, 25, 3)).astype(np.float32))


@pytest.mark.parametrize(
    ("index", "names"),
    [
        ([2, 0], ("c", "a")),
        ([1, 1], ("b", "b")),
        ([-1], ("d",)),
        ([False, True, True, False], ("b", "c")),
        (np.array([3]), ("d",)),
    ],
    ids=["order", "repeats", "from the end", "mask", "array"],
)
def test_select_gives_these_clips_in_this_order(index: list[int], names: tuple[str, ...]) -> None:
    """A selection carries values, lengths, labels, subjects and names of the chosen clips, in the order asked for."""
    clips = some_clips()
    chosen = clips.select(index)
    numbers = [clips.clip.index(name) for name in names]

    assert chosen.clip == names
    assert chosen.label.tolist() == clips.label[numbers].tolist()
    assert chosen.subject.tolist() == clips.subject[numbers].tolist()
    assert all(np.array_equal(chosen[i], clips[number]) for i, number in enumerate(numbers))


def test_selecting_nothing_is_refused() -> None:
    """A split needs at least one clip."""
    with pytest.raises(DataError, match=r"^No clip was found; a split needs at least one\.$"):
        some_clips().select(np.array([], dtype=int))


def test_clips_of_different_layouts_are_refused() -> None:
    """Clips whose persons, joints or channels differ are not joined, and the odd one is named."""
    arrays = [np.zeros((3, 1, 25, 3)), np.zeros((3, 2, 25, 3))]

    with pytest.raises(DataError) as caught:
        make_clips(arrays, [0, 0], [1, 1], ["one", "two"])

    assert str(caught.value) == "Clip 'two' has persons, joints and channels (2, 25, 3); the first has (1, 25, 3)."


@pytest.mark.parametrize(("label", "subject"), [([0], [1, 1]), ([0, 0], [1])], ids=["label", "subject"])
def test_each_clip_needs_a_label_and_a_subject(label: list[int], subject: list[int]) -> None:
    """Labels and subjects are as many as clips."""
    with pytest.raises((DataError, ValueError)):
        make_clips([np.zeros((3, 1, 25, 3)), np.zeros((2, 1, 25, 3))], label, subject, ["one", "two"])


def test_equal_clips_have_equal_digests() -> None:
    """The digest depends on content, not on where it lies in memory."""
    clips = some_clips()
    spread = np.zeros((15, 1, 25, 6), dtype=np.float32)[..., ::2]
    spread[...] = clips.x

    assert some_clips().digest == clips.digest
    assert attrs.evolve(clips, x=spread).digest == clips.digest


@pytest.mark.parametrize(
    "change",
    [
        {"label": np.array([2, 0, 1, 1])},
        {"subject": np.array([11, 11, 12, 14])},
        {"offsets": np.array([0, 4, 6, 12, 15])},
        {"clip": ("a", "b", "c", "e")},
    ],
    ids=["label", "subject", "offsets", "name"],
)
def test_the_digest_tells_every_change(change: dict[str, object]) -> None:
    """Another label, subject, boundary or name gives another digest."""
    assert attrs.evolve(some_clips(), **change).digest != some_clips().digest


def test_the_digest_tells_a_changed_coordinate() -> None:
    """One coordinate that differs in its last bit gives another digest."""
    clips = some_clips()
    last_bit = float(np.nextafter(clips.x[9, 0, 5, 1], np.float32(9)))

    assert changed(clips, 9, last_bit).digest != clips.digest


def test_the_digest_tells_the_order() -> None:
    """The same clips in another order are other data."""
    assert some_clips().select([1, 0, 2, 3]).digest != some_clips().digest


def test_sound_clips_pass_the_check() -> None:
    """Checking gives the clips back."""
    clips = some_clips()

    assert clips.check(load_skeleton("kinect25"), 3, "made train") is clips


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("frame", "clip", "place"), [(0, "a", 0), (3, "a", 3), (4, "b", 0), (11, "c", 6)])
def test_a_coordinate_that_is_no_number_is_placed(value: float, frame: int, clip: str, place: int) -> None:
    """NaN and infinity are refused with the clip's name and the frame within the clip."""
    with pytest.raises(DataError) as caught:
        changed(some_clips(), frame, value).check(load_skeleton("kinect25"), 3, "made train")

    assert str(caught.value) == f"made train, clip {clip!r}, frame {place} has a coordinate that is not finite."


@pytest.mark.parametrize("number", [-1, 3, 99])
def test_a_label_out_of_range_is_named(number: int) -> None:
    """A label that is no class number is refused with the clip's name and the allowed range."""
    clips = attrs.evolve(some_clips(), label=np.array([0, 2, number, 1]))

    with pytest.raises(DataError) as caught:
        clips.check(load_skeleton("kinect25"), 3, "made test")

    assert str(caught.value) == f"made test, clip 'c' has class number {number}; allowed are 0 to 2."


def test_an_empty_clip_is_named() -> None:
    """A clip without frames is refused by name."""
    arrays = [np.ones((3, 1, 25, 3)), np.ones((0, 1, 25, 3))]
    clips = make_clips(arrays, [0, 0], [1, 1], ["full", "void"])

    with pytest.raises(DataError) as caught:
        clips.check(load_skeleton("kinect25"), 3, "made val")

    assert str(caught.value) == "made val, clip 'void' is empty; a clip needs at least one frame."


def test_the_wrong_layout_is_named() -> None:
    """Clips of another skeleton's shape are refused with both shapes."""
    with pytest.raises(DataError) as caught:
        some_clips().check(load_skeleton("openpose18"), 3, "made train")

    assert "made train has 25 joints x 3 channels; " in str(caught.value)
    assert str(caught.value).endswith("'openpose18' has 18 x 3.")


def test_stored_clips_are_mapped_and_equal(tmp_path: Path) -> None:
    """What was saved is opened unread, equal in everything, and closed to writing."""
    clips = some_clips()
    save_clips(clips, tmp_path / "train")
    opened = open_clips(tmp_path / "train")

    assert opened.digest == clips.digest
    assert opened.clip == clips.clip
    assert isinstance(opened.x, np.memmap)
    assert not opened.x.flags.writeable
    assert all(np.array_equal(opened[i], clips[i]) for i in range(4))


def test_stored_names_may_be_in_any_script(tmp_path: Path) -> None:
    """Names of clips keep every letter."""
    clips = attrs.evolve(some_clips(), clip=("ä", "手", 'quote"', "tab\t"))
    save_clips(clips, tmp_path)

    assert open_clips(tmp_path).clip == clips.clip
