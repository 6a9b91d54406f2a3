"""Skeleton-merge: whose joints a new clip has, where they stand, and how many of each class there are."""

from collections import Counter

import numpy as np
import pytest
from bodies import body
from hypothesis import given, settings
from hypothesis import strategies as st
from mgbench_plugins.augmentations.merge import Merge, MergeThreshold2, SkeletonMix, body_size, meeting_joint, nearest_frames, second_part
from mgbench_plugins.augmentations.pairing import quotas

from mgbench import Clips, DataError, SpecError, load_skeleton, make_clips
from mgbench.skeleton import Skeleton


KINECT = load_skeleton("kinect25")
LEGS, ROOT = list(KINECT.part("lower")), KINECT.root
UPPER = list(KINECT.part("upper"))
CLASSES = ("Moving legs", "Crossing legs", "Folding arms", "Arms akimbo")


def recorded(counts: tuple[int, ...] = (12, 6, 4, 2), layout: str = "kinect25") -> Clips:
    """Return clips of so many of each class, of people who stand in different places; classes 0 and 1 are near each other."""
    rng = np.random.default_rng(3)
    arrays, labels = [], []
    for label, count in enumerate(counts):
        for _ in range(count):
            clip = body(rng, int(rng.integers(9, 30)), layout)
            hand = load_skeleton(layout).joint("wrist_left")
            clip[:, :, hand, 1] += (0.0, 0.05, 2.0, 4.0)[label]
            arrays.append(clip + rng.normal(scale=2, size=(1, 1, 1, 3)).astype(np.float32))
            labels.append(label)
    return make_clips(arrays, labels, np.arange(len(labels)) % 5, [f"clip{i}" for i in range(len(labels))])


def bones(x: np.ndarray, skeleton: Skeleton, joints: list[int]) -> np.ndarray:
    """Return the lengths of the bones between these joints, `(T, M, bones)`."""
    inside = [(a, b) for a, b in skeleton.bones if a in joints and b in joints]
    return np.stack([np.linalg.norm(x[:, :, a].astype(np.float64) - x[:, :, b], axis=-1) for a, b in inside], axis=-1)


def test_the_upper_body_is_the_first_donors_to_the_bit() -> None:
    """Whatever is aligned or scaled, the first donor's joints keep their bits and its length."""
    first, second = recorded()[0], recorded()[5]
    for augmentation in (Merge(), SkeletonMix(), Merge(align="first"), Merge(normalise="size")):
        merged, _ = augmentation.combine(first, second, KINECT, np.random.default_rng(0))
        assert merged.shape == first.shape
        np.testing.assert_array_equal(merged[:, :, UPPER], first[:, :, UPPER])


def test_unaligned_legs_are_the_second_donors_to_the_bit() -> None:
    """Without alignment the legs lie where they were recorded."""
    first, second = recorded()[0], recorded()[5]
    merged, _ = SkeletonMix().combine(first, second, KINECT, np.random.default_rng(0))
    np.testing.assert_array_equal(merged[:, :, LEGS], second[nearest_frames(len(first), len(second))][:, :, LEGS])


def test_aligned_roots_coincide_in_every_frame() -> None:
    """Relative to the root, the legs stand as the second donor's do, so its root lies on the first's."""
    first, second = recorded()[0], recorded()[5]
    merged, _ = Merge().combine(first, second, KINECT, np.random.default_rng(0))
    other = second[nearest_frames(len(first), len(second))].astype(np.float64)
    root = merged[:, :, LEGS] - (other[:, :, LEGS] - other[:, :, [ROOT]])
    np.testing.assert_allclose(root, np.broadcast_to(first[:, :, [ROOT]], root.shape), atol=2e-6)


def test_by_the_first_frame_alone_the_second_keeps_its_drift() -> None:
    """With `align=first` roots coincide in the first frame, and the legs walk as they were recorded."""
    first, second = recorded()[0], recorded()[5].copy()
    second[..., 0] += np.linspace(0, 1, len(second), dtype=np.float32)[:, None, None]
    merged, _ = Merge(align="first").combine(first, second, KINECT, np.random.default_rng(0))
    other = second[nearest_frames(len(first), len(second))]
    np.testing.assert_allclose(merged[:, :, LEGS] - merged[:1, :, LEGS], other[:, :, LEGS] - other[:1, :, LEGS], atol=2e-6)
    centre = merged[0, 0, LEGS] - other[0, 0, LEGS]
    np.testing.assert_allclose(centre, np.broadcast_to(first[0, 0, ROOT] - other[0, 0, ROOT], centre.shape), atol=2e-6)


@pytest.mark.parametrize("align", ["none", "first", "frame"])
def test_bones_inside_each_part_keep_their_lengths(align: str) -> None:
    """Moving a part bends and stretches nothing in it."""
    first, second = recorded()[0], recorded()[5]
    merged, _ = Merge(align=align).combine(first, second, KINECT, np.random.default_rng(0))  # type: ignore[arg-type] # fields of any kind
    np.testing.assert_array_equal(bones(merged, KINECT, UPPER), bones(first, KINECT, UPPER))
    given_by = second[nearest_frames(len(first), len(second))]
    np.testing.assert_allclose(bones(merged, KINECT, LEGS), bones(given_by, KINECT, LEGS), atol=1e-5)


def test_a_scaled_part_has_the_first_bodys_size() -> None:
    """With `normalise=size` a body twice as large gives the same legs as the body itself."""
    first, second = recorded()[0], recorded()[5]
    scaled = Merge(normalise="size")
    one, _ = scaled.combine(first, second, KINECT, np.random.default_rng(0))
    other, _ = scaled.combine(first, 2 * second, KINECT, np.random.default_rng(0))
    np.testing.assert_allclose(one, other, atol=1e-5)
    assert body_size(2 * second, KINECT) == pytest.approx(2 * body_size(second, KINECT))


@given(st.integers(0, 2**31), st.sampled_from(["none", "frame", "first"]))
@settings(max_examples=20, deadline=None)
def test_normalising_the_set_changes_no_merge(seed: int, align: str) -> None:
    """An affine map of each axis commutes with merging, which is why the paper's normalisation is no parameter of it."""
    rng = np.random.default_rng(seed)
    first, second = body(rng, 12), body(rng, 20)
    scale, shift = rng.uniform(0.2, 5, size=3).astype(np.float32), rng.normal(size=3).astype(np.float32)
    augmentation = Merge(align=align)  # type: ignore[arg-type] # one of the literals
    after, _ = augmentation.combine(first, second, KINECT, rng)
    before, _ = augmentation.combine(first * scale + shift, second * scale + shift, KINECT, rng)
    np.testing.assert_allclose(before, after * scale + shift, rtol=1e-4, atol=1e-4)


def test_flipped_hands_change_places_and_nothing_else_does() -> None:
    """Left and right arms and hands of the first donor swap; head, trunk and legs stay."""
    first, second = recorded()[0], recorded()[5]
    plain, _ = SkeletonMix().combine(first, second, KINECT, np.random.default_rng(0))
    flipped, _ = SkeletonMix(flip_hands=True).combine(first, second, KINECT, np.random.default_rng(0))
    limbs = {*KINECT.part("arms"), *KINECT.part("hands")}
    for joint, other in enumerate(KINECT.flip):
        np.testing.assert_array_equal(flipped[:, :, joint], plain[:, :, other if joint in limbs else joint])


def test_what_was_not_seen_stays_unseen() -> None:
    """A joint that the second clip lost stays zero, a lost root is taken from the nearest frame, and absent people change nothing."""
    first, second = np.repeat(recorded()[0], 2, axis=1), np.repeat(recorded()[5], 2, axis=1).copy()
    second[:, 0, LEGS[1]] = 0
    second[3:, 0, ROOT] = 0
    second[:, 1] = 0
    merged, _ = Merge().combine(first, second, KINECT, np.random.default_rng(0))
    assert not merged[:, 0, LEGS[1]].any()
    np.testing.assert_array_equal(merged[:, 1], first[:, 1])
    assert np.abs(merged[:, 0, LEGS[0]] - first[:, 0, ROOT]).max() < 10, "a lost root threw the legs away"


@pytest.mark.parametrize(("layout", "part", "meets"), [
    ("kinect25", "legs", "spine_base"), ("body25", "legs", "mid_hip"), ("kinect22", "legs", "waist"), ("kinect20", "legs", "spine_base"),
    ("imigue22", "arms", "neck"), ("kinect25", "arms", "spine_shoulder"), ("kinect25", "side", "spine_shoulder"),
])  # fmt: skip
def test_the_parts_of_every_skeleton(layout: str, part: str, meets: str) -> None:
    """Parts are the skeleton's, and meet where its tree is cut; without legs the default is arms."""
    skeleton = load_skeleton(layout)
    assert skeleton.joints[meeting_joint(skeleton, part)] == meets  # type: ignore[arg-type] # one of the literals
    names = {skeleton.joints[joint] for joint in second_part(skeleton, part)}  # type: ignore[arg-type] # one of the literals
    if part == "side":
        assert all(name.endswith("_right") for name in names)
    assert second_part(skeleton, "auto") == second_part(skeleton, "legs" if skeleton.parts["legs"] else "arms")


def test_a_skeleton_without_the_part_is_refused() -> None:
    """Legs of a skeleton that has none are refused, with what it has."""
    with pytest.raises(SpecError, match=r"'legs'.*'imigue22'.*it has arms, side"):
        second_part(load_skeleton("imigue22"), "legs")


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5, 1.0, 2.5])
def test_so_many_new_clips_are_made_as_were_asked(ratio: float) -> None:
    """round(ratio N) clips, of hard classes alone, in the proportions of the recorded ones."""
    clips = recorded()
    grown = Merge(ratio=ratio, classes=("Moving legs", "Crossing legs")).apply(clips, KINECT, CLASSES, 0)
    new = round(ratio * len(clips))
    assert len(grown) == len(clips) + new
    if not new:
        assert grown is clips
        return
    assert grown.made is not None
    firsts = Counter(clips.label[grown.made.donors[:, 0]].tolist())
    assert [firsts[0], firsts[1]] == quotas([12, 6], new)
    assert all({a, b} == {0, 1} for a, b in clips.label[grown.made.donors])


def test_every_clip_has_its_turn() -> None:
    """One new clip for each recorded one, of any two: each is a first donor once, and classes keep their shares to the clip."""
    clips = recorded()
    grown = SkeletonMix().apply(clips, KINECT, CLASSES, 0)
    assert grown.made is not None
    assert sorted(grown.made.donors[:, 0]) == list(range(len(clips)))
    assert (grown.made.donors[:, 0] != grown.made.donors[:, 1]).all()
    assert grown.made.notes == ({"augmentation": "skeletonmix"},)


def test_labels_are_mixed_by_joints_or_by_halves() -> None:
    """Y = s y_i + (1 - s) y_j with s the share of the first donor's joints, or one half (eq. 8)."""
    clips = recorded()
    for share, expected in (("joints", len(UPPER) / 25), ("half", 0.5)):
        grown = Merge(share=share, classes=CLASSES[:2], ratio=0.5).apply(clips, KINECT, CLASSES, 0)  # type: ignore[arg-type] # one of the literals
        assert grown.made is not None
        for row, (one, other) in zip(grown.class_shares(4)[len(clips) :], grown.made.donors, strict=True):
            wanted = np.zeros(4)
            wanted[clips.label[one]] += expected
            wanted[clips.label[other]] += 1 - expected
            np.testing.assert_allclose(row, wanted, atol=1e-7)


def test_a_second_augmentation_uses_recorded_clips_alone() -> None:
    """In a pipeline ratios count recorded clips, donors are recorded, and provenance of both is kept."""
    clips = recorded()
    grown = SkeletonMix(ratio=0.5).apply(Merge(ratio=0.5).apply(clips, KINECT, CLASSES, 0), KINECT, CLASSES, 1)
    assert grown.made is not None
    assert len(grown) == 2 * len(clips)
    assert grown.made.donors.max() < len(clips)
    assert len(grown.made.notes) == 2
    assert len(set(grown.clip)) == len(grown.clip)


def test_nobody_gets_legs_without_a_body() -> None:
    """Where the first donor is not seen, or it is not known where the legs belong, its own part stays; then its label does too."""
    first, second = np.repeat(recorded()[0], 2, axis=1).copy(), np.repeat(recorded()[5], 2, axis=1)
    first[:, 1] = 0
    first[2] = 0
    merged, share = Merge().combine(first, second, KINECT, np.random.default_rng(0))
    assert not merged[:, 1].any()
    assert not merged[2].any()
    assert share == pytest.approx(len(UPPER) / 25)
    for lost in (first, second):
        nowhere = [first.copy(), second.copy()]
        nowhere[lost is second][:, :, ROOT] = 0
        merged, share = Merge().combine(*nowhere, KINECT, np.random.default_rng(0))
        np.testing.assert_array_equal(merged, nowhere[0])
        assert share == 1


def test_no_clip_is_merged_with_itself() -> None:
    """Even of very few clips, donors are two."""
    for count in (2, 3):
        few = recorded().select(np.arange(count))
        grown = SkeletonMix(ratio=7).apply(few, KINECT, CLASSES, 0)
        assert grown.made is not None
        assert (grown.made.donors[:, 0] != grown.made.donors[:, 1]).all()


def test_the_prior_is_kept_with_a_digest_that_follows_the_data() -> None:
    """Notes hold the hard pairs by name and the distances; other data, another digest."""
    clips = recorded()
    (note,) = Merge().apply(clips, KINECT, CLASSES, 0).made.notes  # type: ignore[union-attr] # merged clips have notes
    assert note["hard"] == [["Moving legs", "Crossing legs"]]
    assert note["prior"]["clips"] == [12, 6, 4, 2]
    (other,) = Merge().apply(clips.select(np.arange(1, len(clips))), KINECT, CLASSES, 0).made.notes  # type: ignore[union-attr] # merged clips have notes
    assert other["prior"]["digest"] != note["prior"]["digest"]


def test_clusters_read_no_label() -> None:
    """The label-free prior makes the same set whatever the labels are."""
    clips = recorded()
    blind = make_clips([clips[i] for i in range(len(clips))], np.zeros(len(clips)), clips.subject, clips.clip)
    augmentation = Merge(prior="clusters", clusters=4)
    np.testing.assert_array_equal(augmentation.apply(clips, KINECT, CLASSES, 0).x, augmentation.apply(blind, KINECT, CLASSES, 0).x)
    assert not augmentation.guided
    assert Merge().guided
    assert not Merge(ratio=0).guided


def test_classes_that_cannot_be_merged_are_told() -> None:
    """Unknown names, names without clips, one name alone, and names beside another prior are refused in one sentence."""
    with pytest.raises(SpecError, match=r"'Waving'.*'Moving legs'"):
        Merge(classes=("Moving legs", "Waving")).apply(recorded(), KINECT, CLASSES, 0)
    with pytest.raises(DataError, match="'Arms akimbo', of which there is no clip"):
        Merge(classes=("Moving legs", "Arms akimbo")).apply(recorded((5, 5, 5, 0)), KINECT, CLASSES, 0)
    with pytest.raises(DataError, match="at least two classes"):
        Merge().apply(recorded((5, 0, 0, 0)), KINECT, CLASSES, 0)
    for wrong in ({"classes": ("one",)}, {"classes": ("one", "two"), "prior": "clusters"}):
        with pytest.raises(SpecError, match=r"merge\[classes\] got"):
            Merge(**wrong)  # type: ignore[arg-type] # the wrong value is the point


def test_the_papers_presets() -> None:
    """Threshold 2 is a fifth of new clips of the two classes that the paper names."""
    grown = MergeThreshold2().apply(recorded(), KINECT, CLASSES, 0)
    assert len(grown) == 24 + round(0.2 * 24)
    assert grown.clip[-1].startswith(f"merge_threshold2:{len(grown) - 1}(")


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=20), st.integers(0, 5000))
def test_quotas_sum_up_and_stray_by_less_than_one(weights: list[int], count: int) -> None:
    """Largest remainders: the sum is exact, and no share is a whole clip off."""
    found = quotas(weights, count)
    assert sum(found) == count
    assert all(abs(got - weight / sum(weights) * count) < 1 for got, weight in zip(found, weights, strict=True))


@given(st.integers(1, 300), st.integers(1, 300))
def test_nearest_frames_cover_both_ends(frames: int, others: int) -> None:
    """Frames are stretched in order; a clip of the same length is taken frame by frame."""
    found = nearest_frames(frames, others)
    assert len(found) == frames and found.min() >= 0 and found.max() < others  # noqa: PT018
    assert (np.diff(found) >= 0).all()
    if frames == others:
        assert found.tolist() == list(range(frames))
