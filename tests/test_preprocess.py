"""Preprocessing against references in numpy that follow the public code of the field step by step, in float64."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from mgbench import Clips, load_skeleton, make_clips
from mgbench.errors import SpecError
from mgbench.preprocess import densify, derive_stream, resize, turn_upright, valid_length
from mgbench.preprocessings import PREPROCESSINGS, preprocessing


Floats = npt.NDArray[np.float64]
LENGTHS = (1, 2, 30, 50, 77)


def recorded(lengths: tuple[int, ...] = LENGTHS, persons: int = 1, skeleton: str = "kinect25") -> Clips:
    """Return random clips that look a little like bodies: shoulders 0.4 apart along x, nearer on the right."""
    layout, generator = load_skeleton(skeleton), np.random.default_rng(0)
    arrays = [generator.normal(size=(t, persons, len(layout.joints), 3)) * 0.1 + (0.3, 0.2, 2.5) for t in lengths]
    for x in arrays:
        x[:, :, layout.joint("shoulder_left"), 0] -= 0.2
        x[:, :, layout.joint("shoulder_right"), 0] += 0.2
    return make_clips(arrays, np.zeros(len(lengths)), np.zeros(len(lengths)), [str(t) for t in lengths])


def interpolated(x: Floats, frames: int) -> Floats:
    """Resample in time at half-pixel centres, the ends held."""
    at = np.clip((np.arange(frames) + 0.5) * len(x) / frames - 0.5, 0, len(x) - 1)
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, len(x) - 1)
    share = (at - before).reshape(-1, *[1] * (x.ndim - 1))
    return x[before] * (1 - share) + x[after] * share


def turned(x: Floats, left: int, right: int) -> Floats:
    """Turn each frame of each person `(T, M, V, 3)` about y by the shoulders' angle, as complex numbers x + iz."""
    line = x[:, :, right] - x[:, :, left]
    flat = line[..., 0] + 1j * line[..., 2]
    angle = np.arccos(np.clip(line[..., 0] / (np.abs(flat) + 1e-4), -1, 1))
    sense = np.where(line[..., 2].sum(axis=0) >= 0, -1.0, 1.0)
    plane = (x[..., 0] + 1j * x[..., 2]) * np.exp(1j * sense * angle)[..., None]
    return np.stack([plane.real, x[..., 1], plane.imag], axis=-1)


def channels_first(x: Floats) -> Floats:
    """Turn `(T, M, V, C)` into `(M, C, T, V)`."""
    return x.transpose(1, 3, 0, 2)


@pytest.mark.parametrize("length", LENGTHS)
def test_resize_is_linear_at_half_pixel_centres(length: int) -> None:
    """Shorter and longer clips are resampled as `cv2.INTER_LINEAR` does, ends held."""
    x = np.random.default_rng(length).normal(size=(length, 1, 3, 2))

    np.testing.assert_allclose(resize(torch.from_numpy(x), 50).numpy(), interpolated(x, 50), atol=1e-12)


def test_resize_to_the_same_length_changes_nothing() -> None:
    """A clip of T frames stays as it is."""
    x = torch.randn(50, 1, 4, 3, generator=torch.Generator().manual_seed(0))

    torch.testing.assert_close(resize(x, 50), x)


def test_resize_by_hand() -> None:
    """Two frames become four at positions -1/4, 1/4, 3/4 and 5/4, the outer ones held."""
    assert resize(torch.tensor([[0.0], [1.0]]), 4).squeeze(1).tolist() == [0.0, 0.25, 0.75, 1.0]


def test_frame50_follows_the_public_code() -> None:
    """`frame50` centres every frame on the centre joint, resizes to 50, then turns every frame upright."""
    clips, skeleton = recorded(), load_skeleton("kinect25")
    dense = densify(clips, skeleton, preprocessing("frame50"))

    assert dense.shape == (len(LENGTHS), 1, 3, 50, 25)
    assert dense.dtype == torch.float32
    for i in range(len(LENGTHS)):
        x = clips[i].astype(np.float64)
        expected = turned(interpolated(x - x[:, :, [20]], 50), left=4, right=8)
        np.testing.assert_allclose(dense[i].numpy(), channels_first(expected), atol=2e-5)


def test_raw50_only_resizes() -> None:
    """`raw50` keeps place and pose."""
    clips = recorded()
    dense = densify(clips, load_skeleton("kinect25"), preprocessing("raw50"))

    for i in range(len(LENGTHS)):
        expected = channels_first(interpolated(clips[i].astype(np.float64), 50))
        np.testing.assert_allclose(dense[i].numpy(), expected, atol=1e-5)


def test_first_frame_keeps_the_motion_of_the_whole_body() -> None:
    """`first_frame` subtracts one point from the whole clip, the spine joint of its first frame, and resizes to 64."""
    clips = recorded()
    dense = densify(clips, load_skeleton("kinect25"), preprocessing("first_frame"))

    assert dense.shape[3] == 64
    for i in range(len(LENGTHS)):
        x = clips[i].astype(np.float64)
        np.testing.assert_allclose(dense[i].numpy(), channels_first(interpolated(x - x[0, 0, 1], 64)), atol=1e-5)


@pytest.mark.parametrize("persons", [1, 2])
def test_frame50_puts_the_centre_joint_at_the_origin(persons: int) -> None:
    """After `frame50` the centre joint of every person is zero in every frame."""
    dense = densify(recorded(persons=persons), load_skeleton("kinect25"), preprocessing("frame50"))

    assert not dense[..., 20].any()


@pytest.mark.parametrize("nearer", [-1, 1])
@pytest.mark.parametrize("skeleton", ["kinect25", "kinect22"])
def test_upright_shoulders_lie_along_x(skeleton: str, nearer: int) -> None:
    """Where one shoulder is always the nearer, the shoulder line has no depth and points along +x in every frame."""
    layout = load_skeleton(skeleton)
    left, right = layout.joint("shoulder_left"), layout.joint("shoulder_right")
    x = torch.randn(40, 2, len(layout.joints), 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x[:, :, right, 2] = x[:, :, left, 2] + nearer * x[:, :, right, 2].abs()
    turn = turn_upright(x, layout)
    line, before = turn[:, :, right] - turn[:, :, left], x[:, :, right] - x[:, :, left]

    # the public code divides by the length + 1e-4, which leaves an angle of sqrt(2e-4 / length) at most
    assert (line[..., 2].abs() <= 1.01 * (2e-4 * line.norm(dim=-1)).sqrt()).all()
    assert (line[..., 0] > 0).all()
    torch.testing.assert_close(line[..., 1], before[..., 1])
    torch.testing.assert_close(turn.norm(dim=-1), x.norm(dim=-1))


def test_upright_turns_each_person_by_its_own_shoulders() -> None:
    """Two persons are turned as each would be alone."""
    clips, skeleton = recorded(persons=2), load_skeleton("kinect25")
    x = torch.from_numpy(clips[3].copy())
    alone = [turn_upright(x[:, [person]], skeleton) for person in range(2)]

    torch.testing.assert_close(turn_upright(x, skeleton), torch.cat(alone, dim=1))


def test_valid_length_counts_the_frames_that_show_joint_0() -> None:
    """L counts the frames in which joint 0 of person 0 is not zero, wherever they are; all if it never shows."""
    clip = np.ones((9, 2, 25, 3), dtype=np.float32)
    clip[[2, 7, 8], 0, 0] = 0
    hidden = clip.copy()
    hidden[:, 0, 0] = 0

    assert valid_length(clip) == 6
    assert valid_length(hidden) == 9


@pytest.mark.parametrize("name", sorted(PREPROCESSINGS))
def test_padding_at_the_end_changes_nothing(name: str) -> None:
    """Zero frames behind a clip are cut before it is resized."""
    clips, skeleton = recorded((30,)), load_skeleton("kinect25")
    padded = make_clips([np.concatenate([clips[0], np.zeros((270, 1, 25, 3))])], [0], [0], ["padded"])
    choice = preprocessing(name)

    assert torch.equal(densify(padded, skeleton, choice), densify(clips, skeleton, choice))


@pytest.mark.parametrize("name", sorted(PREPROCESSINGS))
def test_a_missing_person_stays_zero(name: str) -> None:
    """A person who is in no frame is zero after every preprocessing, and the other is as if alone."""
    clips, skeleton, choice = recorded((30,)), load_skeleton("kinect25"), preprocessing(name)
    two = make_clips([np.concatenate([clips[0], np.zeros_like(clips[0])], axis=1)], [0], [0], ["two"])
    dense = densify(two, skeleton, choice)

    assert not dense[:, 1].any()
    assert torch.equal(dense[:, :1], densify(clips, skeleton, choice))


@pytest.mark.parametrize("name", sorted(PREPROCESSINGS))
def test_the_score_axis_is_only_resized(name: str) -> None:
    """On 2-D data the score is neither centred nor turned."""
    clips, choice = recorded(skeleton="openpose18"), preprocessing(name)
    dense = densify(clips, load_skeleton("openpose18"), choice)

    for i in range(len(LENGTHS)):
        expected = interpolated(clips[i].astype(np.float64)[..., 2], choice.frames)
        np.testing.assert_allclose(dense[i, :, 2].numpy(), expected.transpose(1, 0, 2), atol=1e-5)


def test_frame50_centres_2d_data_in_the_plane() -> None:
    """On 2-D data `frame50` subtracts the neck's x and y and turns nothing."""
    clips = recorded(skeleton="openpose18")
    dense = densify(clips, load_skeleton("openpose18"), preprocessing("frame50"))

    for i in range(len(LENGTHS)):
        x = clips[i].astype(np.float64)[..., :2]
        expected = channels_first(interpolated(x - x[:, :, [1]], 50))
        np.testing.assert_allclose(dense[i, :, :2].numpy(), expected, atol=1e-5)


def test_a_missing_joint_stays_zero_under_centring() -> None:
    """A joint that was not seen, x = y = score = 0, is not moved with the body."""
    layout, x = load_skeleton("openpose18"), recorded((50,), skeleton="openpose18")[0].copy()
    x[:, :, 7] = 0
    dense = densify(make_clips([x], [0], [0], ["hidden"]), layout, preprocessing("frame50"))

    assert not dense[..., 7].any()


def test_bones_are_joint_minus_parent() -> None:
    """The bone stream holds each joint less its parent, and zero at the joint without parent."""
    x = densify(recorded(), load_skeleton("kinect25"), preprocessing("raw50"))
    derived = densify(recorded(), load_skeleton("kinect25"), preprocessing("raw50"), "bone")

    for child, parent in load_skeleton("kinect25").bones:
        assert torch.equal(derived[..., child], x[..., child] - x[..., parent])
    assert not derived[..., 20].any()


def test_motion_is_the_step_to_the_next_frame() -> None:
    """The motion stream holds next frame less this one, and zero in the last."""
    x = densify(recorded(), load_skeleton("kinect25"), preprocessing("raw50"))
    derived = densify(recorded(), load_skeleton("kinect25"), preprocessing("raw50"), "motion")

    for t in range(49):
        assert torch.equal(derived[:, :, :, t], x[:, :, :, t + 1] - x[:, :, :, t])
    assert not derived[:, :, :, 49].any()


def test_the_joint_stream_is_the_clips_themselves() -> None:
    """The joint stream derives nothing."""
    x = torch.randn(2, 1, 3, 5, 25, generator=torch.Generator().manual_seed(0))

    assert torch.equal(derive_stream(x, load_skeleton("kinect25"), "joint"), x)


@pytest.mark.parametrize("stream", ["bone", "motion"])
def test_streams_of_2d_data_keep_each_joints_score(stream: str) -> None:
    """A derived stream carries the score of the joint, not a difference of scores."""
    x = torch.rand(2, 1, 3, 5, 18, generator=torch.Generator().manual_seed(0))
    derived = derive_stream(x, load_skeleton("openpose18"), stream)  # type: ignore[arg-type] # one of the literals

    assert torch.equal(derived[:, :, 2], x[:, :, 2])
    assert not torch.equal(derived[:, :, :2], x[:, :, :2])


def test_densify_leaves_the_recording_alone() -> None:
    """Memory-mapped clips are read, never written."""
    clips = recorded()
    clips.x.flags.writeable = False
    before = clips.digest
    densify(clips, load_skeleton("kinect25"), preprocessing("frame50"), "motion")

    assert clips.digest == before


def test_an_unknown_preprocessing_brings_the_nearest_name() -> None:
    """An unknown name is refused with a suggestion."""
    with pytest.raises(SpecError) as caught:
        preprocessing("frame5")

    assert str(caught.value) == "There is no preprocessing 'frame5'; did you mean 'frame50'?"
