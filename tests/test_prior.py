"""Distance maps between classes and clusters, each against a plain computation."""

import itertools
import json

import numpy as np
import pytest
from bodies import body

from mgbench import Clips, DataError, load_skeleton, make_clips
from mgbench.preprocess import densify
from mgbench.preprocessings import preprocessing
from mgbench.prior import Distance, Floats, Prior, class_prior, cluster_prior


KINECT = load_skeleton("kinect25")
CLASSES = ("near", "nearer", "far", "none", "farther")
REACH = (0.0, 0.3, 3.0, 0.0, 5.0)


def recorded(axes: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Clips:
    """Return seven clips of each class but the fourth, which raise a hand so far."""
    rng = np.random.default_rng(0)
    arrays, labels = [], []
    for label in (0, 1, 2, 4):
        for _ in range(7):
            clip = body(rng, 15)
            clip[:, :, KINECT.joint("hand_left"), 1] += REACH[label]
            arrays.append(clip * np.array(axes, dtype=np.float32))
            labels.append(label)
    return make_clips(arrays, labels, np.arange(len(labels)) % 4, [str(i) for i in range(len(labels))])


def standardised(clips: Clips) -> Floats:
    """Return clips as frame50 has them, every axis with mean 0 and deviation 1, `(N, 3, T, V)`."""
    x = densify(clips, KINECT, preprocessing("frame50")).double().numpy()[:, 0]
    x[:, :, :, KINECT.centre] = 0  # it is the origin, and counts as unseen
    there = x.any(axis=1)
    for axis in range(3):
        values = x[:, axis][there]
        x[:, axis] = np.where(there, (x[:, axis] - values.mean()) / values.std(), 0)
    return x


def plain(clips: Clips, distance: Distance, a: int, b: int) -> float:
    """Return one distance by loops."""
    x = standardised(clips)
    flat = x.reshape(len(x), -1)
    ours, theirs = np.flatnonzero(clips.label == a), np.flatnonzero(clips.label == b)
    if distance == "mean":
        return float(np.linalg.norm(flat[ours].mean(axis=0) - flat[theirs].mean(axis=0)))
    if distance == "samples":
        return float(np.mean([np.linalg.norm(flat[i] - flat[j]) for i in ours for j in theirs]))
    if distance == "dtw":
        return float(np.mean([warp(x[i], x[j]) for i in ours for j in theirs]))
    wrong = {}
    for mine, other, key in ((ours, theirs, b), (theirs, ours, a)):
        found = 0
        for i in mine:
            others = [j for j in range(len(flat)) if clips.subject[j] != clips.subject[i]]
            found += clips.label[min(others, key=lambda j, i=i: float(np.linalg.norm(flat[i] - flat[j])))] == key
        wrong[key] = found / len(mine)
        assert len(other)
    return 1 - sum(wrong.values()) / 2


def warp(one: Floats, other: Floats) -> float:
    """Return the cost of the best alignment of two `(3, T, V)`, by the textbook recursion."""
    frames = one.shape[1]
    best = np.full((frames + 1, frames + 1), np.inf)
    best[0, 0] = 0
    for i, j in itertools.product(range(frames), range(frames)):
        cost = np.linalg.norm(one[:, i] - other[:, j])
        best[i + 1, j + 1] = cost + min(best[i, j + 1], best[i + 1, j], best[i, j])
    return float(best[-1, -1])


@pytest.mark.parametrize("distance", ["mean", "samples", "dtw", "confusion"])
def test_distances_are_what_their_names_say(distance: Distance) -> None:
    """Each equals loops over clips; the map is symmetric with a zero diagonal; a class without clips has no distance."""
    clips = recorded()
    found = class_prior(clips, KINECT, CLASSES, distance)
    for a, b in ((0, 1), (1, 4), (2, 0)):
        assert found.distance[a, b] == pytest.approx(plain(clips, distance, a, b), rel=1e-5)
    np.testing.assert_array_equal(found.distance, found.distance.T)
    assert np.isnan(found.distance[3]).all()
    assert (np.diag(found.distance)[[0, 1, 2, 4]] == 0).all()


@pytest.mark.parametrize("distance", ["mean", "samples", "dtw"])
def test_units_of_the_axes_do_not_matter(distance: Distance) -> None:
    """Normalisation takes metres and millimetres alike, but for the small length in the formula that turns people upright."""
    metres, mixed = recorded(), recorded((1000.0, 1000.0, 1000.0))
    one, other = (class_prior(clips, KINECT, CLASSES, distance).distance for clips in (metres, mixed))
    np.testing.assert_allclose(one, other, rtol=5e-3)


def test_pairs_are_by_increasing_distance() -> None:
    """The nearest pair is first, classes without clips are in none, and a share of pairs is hard, at least one."""
    found = class_prior(recorded(), KINECT, CLASSES, "mean")
    distances = [found.distance[pair] for pair in found.pairs]
    assert distances == sorted(distances)
    assert found.pairs[0] == (0, 1)
    assert len(found.pairs) == 6
    assert [len(found.hard(share)) for share in (0, 1 / 6, 0.17, 0.5, 1)] == [1, 1, 2, 3, 6]


def test_one_class_has_no_pair() -> None:
    """A prior of one class is refused when it is asked for pairs."""
    clips = recorded().select(np.arange(7))
    with pytest.raises(DataError, match="at least two classes or clusters; got one"):
        class_prior(clips, KINECT, CLASSES, "mean").hard(0.1)


def test_clusters_are_of_the_clips_alone() -> None:
    """Clusters depend on clips and seed; more clusters than clips are as many as clips."""
    clips = recorded()
    one, other = (cluster_prior(clips, KINECT, 4, "mean", seed=5) for _ in range(2))
    np.testing.assert_array_equal(one.group, other.group)
    assert len(one.groups) == 4
    assert one.counts.sum() == len(clips)
    far = {int(group) for group in one.group[clips.label == 4]}
    assert not far & {int(group) for group in one.group[clips.label == 0]}, "people who hold a hand five metres up are no cluster"
    assert len(cluster_prior(clips.select(np.arange(3)), KINECT, 10, "mean").groups) == 3


def test_the_digest_follows_all_of_it() -> None:
    """JSON says what there is, and the digest changes with any of it."""
    prior = Prior(("a", "b"), np.array([0, 1, 1]), np.array([[0.0, 2.0], [2.0, 0.0]]), "data")
    told = prior.to_json()
    assert {**json.loads(json.dumps(told)), "digest": ""} == {
        "groups": ["a", "b"], "clips": [1, 2], "distance": [[0.0, 2.0], [2.0, 0.0]], "data": "data", "digest": "",
    }  # fmt: skip
    others = [
        Prior(("a", "c"), prior.group, prior.distance, "data"),
        Prior(prior.groups, np.array([0, 0, 1]), prior.distance, "data"),
        Prior(prior.groups, prior.group, prior.distance + 1, "data"),
        Prior(prior.groups, prior.group, prior.distance, "other"),
    ]
    assert len({told["digest"], *(one.to_json()["digest"] for one in others)}) == 5
