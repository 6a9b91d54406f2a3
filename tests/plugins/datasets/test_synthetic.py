"""Synthetic: reproducible, SMG's long tail, bodies that keep their bones, and a shape that tells methods apart."""

import attrs
import numpy as np
import numpy.typing as npt
import pytest
import torch
from mgbench_plugins.datasets import synthetic
from mgbench_plugins.datasets.synthetic import GESTURES, SUBJECTS, Synthetic, class_counts
from mgbench_plugins.encoders.stgcn import STGCN
from mgbench_plugins.evaluators.linear import Linear
from mgbench_plugins.evaluators.majority import Majority
from mgbench_plugins.evaluators.raw import Raw
from mgbench_plugins.methods.untrained import Untrained

from mgbench import Backbone, Batch, Clips, Evaluator, Probe, View
from mgbench.components import Split
from mgbench.model import Part
from mgbench.preprocess import densify
from mgbench.preprocessings import preprocessing
from mgbench.scoring import top_k
from mgbench.train import derive_seed


SPLITS: tuple[Split, ...] = ("train", "val", "test")


@pytest.fixture(scope="module")
def clean() -> Clips:
    """Give a few clips of every class without the sensor's error."""
    return Synthetic(clips=102, noise=0.0).load("train", None)


def of_class(clips: Clips, name: str) -> list[npt.NDArray[np.float32]]:
    """Return the clips `(T, V, C)` of one class."""
    label = Synthetic().classes.index(name)
    return [clips[i][:, 0] for i in np.flatnonzero(clips.label == label)]


def at(clip: npt.NDArray[np.float32], joint: str) -> npt.NDArray[np.float32]:
    """Return one joint's path `(T, C)`."""
    return clip[:, Synthetic().skeleton.joint(joint)]


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_keeps_the_contract(split: Split) -> None:
    """Every split passes the checks of the core, with every class in it."""
    dataset = Synthetic(clips=34)
    clips = dataset.load(split, None).check(dataset.skeleton, len(dataset.classes), split)
    assert set(clips.label.tolist()) == set(range(17))
    assert len(set(clips.clip)) == len(clips)


def test_equal_values_give_equal_data() -> None:
    """Equal fields give the same digest, and any other seed or noise gives another."""
    digest = Synthetic(clips=34).load("val", None).digest
    assert Synthetic(clips=34).load("val", None).digest == digest
    assert Synthetic(clips=34, seed=1).load("val", None).digest != digest
    assert Synthetic(clips=34, noise=0.02).load("val", None).digest != digest


def test_the_data_of_a_version_stay(request: pytest.FixtureRequest) -> None:
    """The data are what they were when records were made; whoever changes them raises the version."""
    pinned = {1: "af83abe1e38224189756558294a2d334"}
    assert Synthetic(clips=34).load("val", None).digest == pinned[Synthetic.version]


def test_a_clip_depends_on_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A larger set holds the clips of a smaller one, and a changed class leaves the others as they were."""

    def held(clips: int) -> dict[str, bytes]:
        made = Synthetic(clips=clips).load("val", None)
        return {name: made[i].tobytes() for i, name in enumerate(made.clip)}

    small, large = held(34), held(240)
    assert small.items() <= large.items()
    changed = list(GESTURES)
    changed[4] = attrs.evolve(GESTURES[4], rate=5.0)
    monkeypatch.setattr(synthetic, "GESTURES", tuple(changed))
    differing = {name for name, x in held(34).items() if small[name] != x}
    assert differing == {name for name in small if "-05-" in name}


@pytest.mark.parametrize(("clips", "expected"), [(480, (480, 80, 300)), (2000, (2000, 333, 1250)), (34, (34, 17, 21))])
def test_counts_follow_the_long_tail(clips: int, expected: tuple[int, int, int]) -> None:
    """Splits have the stated sizes and SMG's shares, with one to three clips of the rarest class."""
    shares = np.array([gesture.share for gesture in GESTURES]) / 3089
    assert shares.sum() == 1
    for split, total in zip(SPLITS, expected, strict=True):
        counts = np.array(class_counts(split, clips))
        assert counts.sum() == total
        assert counts.min() >= max(1, min(3, total // 34))
        assert (np.argsort(counts, kind="stable")[-2:] == np.argsort(shares)[-2:]).all() or total == 17
        assert np.abs(counts / total - shares).max() < (0.05 if total >= 300 else 0.36)


def test_lengths_vary_like_smg() -> None:
    """Clips have 8 to 150 frames, half of them fewer than about 44."""
    frames = Synthetic(clips=300).load("train", None).frames
    assert 8 <= frames.min() < 20
    assert 120 < frames.max() <= 150
    assert 38 < np.median(frames) < 50


def test_subjects_are_disjoint() -> None:
    """Nobody is in two splits, and everybody whom a split names may occur in it."""
    seen = {split: set(Synthetic(clips=200).load(split, None).subject.tolist()) for split in SPLITS}
    assert all(seen[split] <= set(SUBJECTS[split]) for split in SPLITS)
    assert not seen["train"] & seen["test"]
    assert not seen["val"] & (seen["train"] | seen["test"])
    assert len(seen["test"]) > 10


def test_bones_keep_their_length(clean: Clips) -> None:
    """Without the sensor's error, every bone of a clip has one length, and of a person the same in each clip."""
    child, parent = map(list, zip(*Synthetic().skeleton.bones, strict=True))
    lengths: dict[int, npt.NDArray[np.float32]] = {}
    for i in range(len(clean)):
        bones = np.linalg.norm(clean[i][:, 0, child] - clean[i][:, 0, parent], axis=-1)
        reference = lengths.setdefault(int(clean.subject[i]), bones[0])
        np.testing.assert_allclose(bones, np.broadcast_to(reference, bones.shape), atol=5e-4)
    assert len({round(float(bones.sum()), 2) for bones in lengths.values()}) > 10


def test_people_stand_before_the_sensor(clean: Clips) -> None:
    """People stand upright, 1.5 to 4 metres away, and face the sensor: their knees are nearer than their pelvis."""
    x = clean.x[:, 0]
    assert 1 < x[..., 2].min() < x[..., 2].max() < 5
    joints = [x[:, Synthetic().skeleton.joint(name), 1] for name in ("head", "spine_base", "ankle_left")]
    assert (joints[0] > joints[1]).all()
    assert (joints[1] > joints[2]).all()


def test_hands_reach_where_a_gesture_takes_them(clean: Clips) -> None:
    """A hand that rubs the eyes comes near the head, and hands on the hips near the hips."""
    for name, hand, goal, near in (
        ("Rubbing eyes and forehead", "hand", "head", 0.2),
        ("Arms akimbo", "hand", "hip", 0.25),
    ):
        for clip in of_class(clean, name):
            ways = [
                np.linalg.norm(at(clip, f"{hand}_{side}") - at(clip, goal if goal == "head" else f"{goal}_{side}"), axis=1)
                for side in ("left", "right")
            ]
            assert min(way.min() for way in ways) < near


def test_moving_legs_move(clean: Clips) -> None:
    """Feet travel farther in moving legs than in any class that stands, by their medians."""

    def travel(name: str) -> float:
        return float(np.median([np.ptp(at(c, "ankle_left") - at(c, "spine_base"), axis=0).max() for c in of_class(clean, name)]))

    moving = travel("Moving legs")
    assert all(moving > 2 * travel(gesture.name) for gesture in GESTURES if gesture.legs == "stand")


def test_shuffled_labels_are_the_same_labels() -> None:
    """The control keeps coordinates, subjects and the number of clips a class, and changes who is what."""
    plain, control = (Synthetic(clips=102, shuffled=shuffled).load("test", None) for shuffled in (False, True))
    np.testing.assert_array_equal(plain.x, control.x)
    np.testing.assert_array_equal(np.sort(plain.label), np.sort(control.label))
    assert (plain.label != control.label).mean() > 0.5
    assert plain.clip == control.clip


@pytest.mark.parametrize("values", [{"clips": 33}, {"noise": -0.1}, {"seed": -1}])
def test_impossible_values_are_refused(values: dict[str, float]) -> None:
    """Too few clips for the classes, negative noise and negative seeds are refused."""
    with pytest.raises(ValueError, match=next(iter(values))):
        Synthetic(**values)


def accuracy(dataset: Synthetic, evaluator: Evaluator) -> float:
    """Return test top-1 of an evaluator of clips, as a run computes it."""
    sides = [
        Part(densify(clips, dataset.skeleton, preprocessing("frame50")), torch.from_numpy(clips.label))
        for clips in (dataset.load("train", None), dataset.load("test", None))
    ]
    return top_k(evaluator.evaluate(Probe(*sides, len(dataset.classes), 0)).scores.numpy(), sides[1].label.numpy(), 1)


def random_features(dataset: Synthetic, *, calibrate: bool) -> float:
    """Return test top-1 of a linear probe on an untrained encoder, as a run computes it."""
    sides = []
    torch.manual_seed(derive_seed(0, "init"))
    backbone = Backbone(STGCN(), dataset.skeleton, dataset.persons)
    for split in ("train", "test"):
        clips = dataset.load(split, None)
        x = densify(clips, dataset.skeleton, preprocessing("frame50"))
        if calibrate and split == "train":
            objective = Untrained(calibrate=True).build(backbone, len(dataset.classes))
            objective(Batch((View(x),), None, torch.arange(len(x)), torch.from_numpy(clips.frames)), torch.Generator())
        with torch.no_grad():
            sides.append(Part(torch.cat([backbone.eval()(part) for part in x.split(128)]), torch.from_numpy(clips.label)))
    return top_k(Linear().evaluate(Probe(*sides, len(dataset.classes), 0)).scores.numpy(), sides[1].label.numpy(), 1)


@pytest.mark.slow
def test_floors_are_eight_points_apart() -> None:
    """Majority, the better untrained encoder and raw coordinates lie at least 8 points apart, in this order."""
    dataset = Synthetic()
    untrained = max(random_features(dataset, calibrate=calibrate) for calibrate in (False, True))
    assert accuracy(dataset, Majority()) + 0.08 < untrained
    assert untrained + 0.08 < accuracy(dataset, Raw())


@pytest.mark.slow
def test_shuffled_labels_cannot_be_learned() -> None:
    """With permuted labels raw coordinates score no better than the majority class."""
    control = Synthetic(shuffled=True)
    assert accuracy(control, Raw()) < accuracy(control, Majority()) + 0.03
