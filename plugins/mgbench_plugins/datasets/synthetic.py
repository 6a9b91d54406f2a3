"""`synthetic`: seventeen gestures after SMG's, made by forward kinematics on the Kinect-25 skeleton, so that everything runs without data.

Names and the long tail are SMG's (Chen et al., IJCV 2023); every movement is invented, and no number of a recording is in it.
It is shaped so that methods can be told apart: what a posture shows is mixed with what only a movement shows. Hands rest
where other gestures hold them, legs stand as others cross them, and phase, side, onset, tempo and reach are drawn for
each clip. So a linear model of coordinates beats random features, and a trained encoder beats both.
"""

from pathlib import Path
from typing import Final, Literal, TypeAlias

import attrs
import numpy as np

from mgbench.clips import Clips, make_clips
from mgbench.components import Dataset, Split
from mgbench.skeleton import Skeleton, load_skeleton
from mgbench_plugins.datasets.limbs import Array, Clock, bend, place_arm, stack, turned, unit


Vector: TypeAlias = tuple[float, float, float]

FPS: Final = 28.0
#: Frames of a clip: log-normal like SMG's.
MEDIAN, SPREAD, SHORTEST, LONGEST = 44.0, 0.68, 8, 150
#: The share of clips in which legs stand crossed throughout, and how far a hand misses its place, in metres.
CROSSED, AIM = 0.1, 0.02
#: Where a hand that does not act may rest, and how people's habits are spread over those places.
IDLE_PLACES: Final = ("sides", "hips", "belly", "back", "folded", "face", "thigh")
IDLE: Final = (2.0, 2.5, 1.5, 0.8, 1.2, 0.3, 0.3)
#: How far feet swing, in metres; shares of clips in which both do, the right side acts, and idle hands rest alike.
SWING, BOTH, RIGHT, SAME = 0.15, 0.5, 0.6, 0.6
#: The sensor: spread of a clip's error, share of lost joints, and how much worse a lost joint is.
UNEVEN, LOST, JUMP = 0.5, 0.02, 8.0
#: Spread of posture: legs against trunk, the sensor's tilt, a foot, the pelvis, the head, and the trunk.
TWIST, TILT, FOOT, SHIFT, HEAD, LEAN = 0.3, 0.25, 0.12, 0.06, 0.25, 0.07
_SIDES: Final = {"left": -1.0, "right": 1.0}
#: Numbers of the people in each split.
SUBJECTS: Final[dict[Split, range]] = {"train": range(1, 31), "val": range(31, 36), "test": range(36, 51)}


@attrs.frozen
class _Place:
    """Where a hand goes: metres from a joint to the person's own side, up and forward; `elbow` is where the elbow points."""

    joint: str
    offset: Vector
    elbow: Vector = (0.5, -1.0, -0.5)


_PLACES: Final = {
    "sides": _Place("shoulder", (0.08, -0.56, 0.02)),
    "hips": _Place("hip", (0.08, 0.10, 0.02), (1.0, 0.0, -0.5)),
    "belly": _Place("spine_mid", (0.02, -0.10, 0.20), (0.7, -0.6, -0.4)),
    "back": _Place("spine_base", (0.02, 0.08, -0.16), (0.8, 0.0, -0.8)),
    "folded": _Place("spine_mid", (-0.14, 0.08, 0.18), (0.8, -0.6, 0.2)),
    "eyes": _Place("head", (0.03, 0.02, 0.11)),
    "face": _Place("head", (0.05, -0.06, 0.10)),
    "hair": _Place("head", (0.07, 0.11, 0.0), (0.9, -0.4, 0.0)),
    "neck": _Place("neck", (0.07, 0.02, 0.0)),
    "notch": _Place("spine_shoulder", (0.01, -0.02, 0.09)),
    "collar": _Place("spine_shoulder", (0.06, 0.03, 0.09)),
    "thigh": _Place("hip", (0.05, -0.16, 0.10)),
    "chest": _Place("spine_mid", (0.02, 0.02, 0.25), (0.7, -0.6, -0.4)),
    "air": _Place("spine_shoulder", (0.22, -0.18, 0.28)),
}


@attrs.frozen
class _Gesture:
    """One class.

    Args:
        share: SMG's clips of subjects 1 to 35.
        hands: how many hands act.
        place: where they go.
        stroke: half the way that a hand rubs, in metres to the side, up and forward.
        rate: strokes a second.
        legs: what the legs do.
        shrug: how far the shoulders rise, in radians.
    """

    name: str
    share: int
    hands: Literal["none", "one", "both"] = "none"
    place: str = "sides"
    stroke: Vector = (0.0, 0.0, 0.0)
    rate: float = 2.0
    legs: Literal["stand", "swing", "cross"] = "stand"
    shrug: float = 0.0


GESTURES: Final = (
    _Gesture("Turtling neck and shoulder", 43, shrug=0.4),
    _Gesture("Rubbing eyes and forehead", 48, "one", "eyes", (0.04, 0.01, 0.0)),
    _Gesture("Folding arms", 182, "both", "folded"),
    _Gesture("Touching or covering suprasternal notch", 9, "one", "notch"),
    _Gesture("Moving legs", 1104, legs="swing", rate=1.5),
    _Gesture("Touching or scratching neck", 23, "one", "neck", (0.0, 0.03, 0.01), 3.0),
    _Gesture("Folding arms behind body", 123, "both", "back"),
    _Gesture("Rubbing hands and crossing fingers", 255, "both", "belly", (0.01, 0.05, 0.03)),
    _Gesture("Arms akimbo", 880, "both", "hips"),
    _Gesture("Crossing legs", 16, legs="cross"),
    _Gesture("Scratching some part of body", 16, "one", "thigh", (0.01, 0.06, 0.0), 3.0),
    _Gesture("Scratching or touching facial parts other than eyes", 190, "one", "face", (0.01, 0.02, 0.0)),
    _Gesture("Playing or adjusting hair", 60, "one", "hair", (0.03, 0.02, 0.04), 1.5),
    _Gesture("Holding arms", 64, "both", "belly"),
    _Gesture("Pulling shirt collar", 11, "one", "collar", (0.0, 0.02, 0.05), 1.0),
    _Gesture("Playing with jewelry, manipulating other objects", 21, "both", "chest", (0.03, 0.01, 0.02), 3.0),
    _Gesture("Illustrative hand gestures", 44, "both", "air", (0.12, 0.14, 0.10), 1.0),
)


@attrs.frozen(eq=False)
class _Person:
    """What is someone's own: lengths of bones, tempo, reach, stance, habits, and where the sensor stands."""

    size: dict[str, float]
    tempo: float
    reach: float
    lean: Array
    stance: float
    idle: Array
    yaw: float
    tilt: float
    place: Array


#: Bone lengths in metres.
_SIZE: Final = {
    "trunk": 0.30, "chest": 0.22, "neck": 0.08, "head": 0.14, "shoulder": 0.18, "upper_arm": 0.28, "forearm": 0.25, "hand": 0.08,
    "finger": 0.08, "hip": 0.09, "thigh": 0.40, "shank": 0.40, "foot": 0.13,
}  # fmt: skip


def _draw_person(rng: np.random.Generator) -> _Person:
    tall = rng.uniform(0.86, 1.14)
    return _Person(
        size={bone: length * tall * rng.uniform(0.9, 1.1) for bone, length in _SIZE.items()},
        tempo=np.exp(rng.normal(0, 0.25)),
        reach=np.exp(rng.normal(0, 0.2)),
        lean=rng.normal(0, LEAN, 2),
        stance=rng.uniform(0.08, 0.2),
        idle=rng.dirichlet(np.array(IDLE)),
        yaw=rng.uniform(-0.7, 0.7),
        tilt=rng.normal(0, TILT),
        place=np.array([rng.uniform(-0.5, 0.5), rng.uniform(-0.2, 0.2), rng.uniform(2.0, 3.5)]),
    )


@attrs.frozen
class Synthetic(Dataset):
    """Seventeen gestures like SMG's, made by forward kinematics; the default set, and the only one that needs no files.

    Args:
        clips: clips of the train split; val has a sixth and test five eighths of so many.
        noise: standard deviation of the sensor's error in metres.
        shuffled: labels permuted within each split, as a control that no method may pass.
        seed: of everything that is drawn.
    """

    name = "synthetic"
    tiny = "clips=34"

    clips: int = attrs.field(default=480, validator=attrs.validators.ge(34))
    noise: float = attrs.field(default=0.01, validator=attrs.validators.ge(0))
    shuffled: bool = False
    seed: int = attrs.field(default=0, validator=attrs.validators.ge(0))

    @property
    def skeleton(self) -> Skeleton:
        """Kinect v2's 25 joints."""
        return load_skeleton("kinect25")

    @property
    def classes(self) -> tuple[str, ...]:
        """SMG's names, in its order."""
        return tuple(gesture.name for gesture in GESTURES)

    def _rng(self, *key: str | int) -> np.random.Generator:
        """Return the generator of one purpose: equal keys, equal draws, whatever else is drawn."""
        words = [int.from_bytes(str(part).encode(), "little") for part in key]
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, *words])))

    def load(self, split: Split, folder: Path) -> Clips:
        """Make a split; a clip depends on seed, split, class and its number in the class alone."""
        people = {number: _draw_person(self._rng("person", number)) for number in SUBJECTS[split]}
        made = []
        for label, count in enumerate(class_counts(split, self.clips)):
            for number in range(count):
                rng = self._rng(split, label, number)
                subject = int(rng.choice(SUBJECTS[split]))
                joints = _perform(GESTURES[label], people[subject], rng)
                body = np.stack([joints[joint] for joint in self.skeleton.joints], axis=1)
                made.append((subject, label, number, _sense(body, people[subject], self.noise, rng)[:, None]))
        made.sort(key=lambda one: one[:3])  # as recorded: person after person
        labels = np.array([label for _, label, _, _ in made])
        if self.shuffled:
            labels = self._rng(split).permutation(labels)
        names = [f"{split}-{subject:02}-{label + 1:02}-{number:04}" for subject, label, number, _ in made]
        return make_clips([x for *_, x in made], labels, [subject for subject, *_ in made], names)


def class_counts(split: Split, clips: int) -> list[int]:
    """Return clips a class: one to three of each, the rest by SMG's shares, what is left over to the largest."""
    total = {"train": clips, "val": max(clips // 6, len(GESTURES)), "test": max(clips * 5 // 8, len(GESTURES))}[split]
    least = max(1, min(3, total // 34))
    shares = np.array([gesture.share for gesture in GESTURES])
    counts = least + (total - least * len(shares)) * shares // shares.sum()
    counts[shares.argmax()] += total - counts.sum()
    return [int(count) for count in counts]


def _perform(gesture: _Gesture, person: _Person, rng: np.random.Generator) -> dict[str, Array]:
    """Return the joints `(T, 3)` of one clip in the body's frame: right, up, forward, in metres from the pelvis."""
    frames = int(np.clip(np.exp(rng.normal(np.log(MEDIAN), SPREAD)), SHORTEST, LONGEST))
    clock = Clock(rng, np.arange(frames) / FPS, person.tempo)
    first = "right" if rng.random() < RIGHT else "left"
    hold, wave = clock.hold(), clock.wave(gesture.rate) * person.reach
    x = _legs(gesture, person, clock, first, hold, wave)
    _trunk(x, gesture, person, clock, hold)
    idle = rng.choice(IDLE_PLACES, size=2, p=person.idle)
    if rng.random() < SAME:
        idle[1] = idle[0]
    for (side, sign), place in zip(_SIDES.items(), idle, strict=True):
        acts = gesture.hands == "both" or (gesture.hands == "one" and side == first)
        rest = _PLACES["sides" if acts else str(place)]
        goal = _PLACES[gesture.place] if acts else rest
        path = _point(x, rest, side, rng)
        if acts:
            stroke = np.outer(wave if side == first else -wave, gesture.stroke)
            path = path + hold[:, None] * (_point(x, goal, side, rng) + stroke - path)
            path[:, 2] += 0.3 * hold * (1 - hold)  # around the trunk
        place_arm(x, side, path, np.array(goal.elbow) * (sign, 1, 1) + rng.normal(0, 0.15, 3), person.size)
    return x


def _legs(gesture: _Gesture, person: _Person, clock: Clock, first: str, hold: Array, wave: Array) -> dict[str, Array]:
    """Place pelvis, hips and legs, turned against the trunk; feet swing, cross, or stand, sometimes crossed already."""
    rng, size = clock.rng, person.size
    sway = 0.015 * clock.wave(0.25)
    x = {"spine_base": stack(sway + rng.normal(0, SHIFT), np.zeros(len(hold)), rng.normal(0, SHIFT))}
    crossed = hold if gesture.legs == "cross" else np.full(len(hold), float(rng.random() < CROSSED))
    swing = SWING * wave if gesture.legs == "swing" else np.zeros(len(hold))
    both = rng.random() < BOTH
    twist = rng.normal(0, TWIST)
    for side, sign in _SIDES.items():
        x[f"hip_{side}"] = x["spine_base"] + size["hip"] * turned(unit(np.array([sign, -0.2, 0.0])), twist)
        own = swing if side == first else -both * swing
        across = crossed if side == first else 0.0
        ahead = rng.normal(0, FOOT) + 0.12 * across + own
        floor = np.maximum(0.3 * own, 0) - 0.98 * (size["thigh"] + size["shank"])
        ankle = turned(stack(sign * person.stance * (1 - 1.6 * across), floor, ahead), twist)
        knee = turned(np.array([0.15 * sign, 0.0, 1.0]), twist)
        x[f"knee_{side}"], x[f"ankle_{side}"] = bend(x[f"hip_{side}"], ankle, size["thigh"], size["shank"], knee)
        x[f"foot_{side}"] = x[f"ankle_{side}"] + size["foot"] * turned(unit(np.array([0.25 * sign, -0.4, 0.9])), twist)
    return x


def _trunk(x: dict[str, Array], gesture: _Gesture, person: _Person, clock: Clock, hold: Array) -> None:
    """Place spine, neck, head and shoulders; the trunk sways a little."""
    rng, size = clock.rng, person.size
    roll = person.lean[0] + rng.normal(0, 0.04) + 0.03 * clock.wave(0.25)
    pitch = person.lean[1] + rng.normal(0, 0.04) + 0.03 * clock.wave(0.25)
    nod = pitch + rng.normal(0.1, HEAD) + gesture.shrug * hold
    spine = unit(stack(np.sin(roll), np.cos(roll), np.sin(pitch)))
    x["spine_mid"] = x["spine_base"] + size["trunk"] * spine
    x["spine_shoulder"] = x["spine_mid"] + size["chest"] * spine
    x["neck"] = x["spine_shoulder"] + size["neck"] * unit(stack(np.sin(roll), np.cos(nod), np.sin(nod)))
    x["head"] = x["neck"] + size["head"] * unit(stack(np.sin(roll) + rng.normal(0, HEAD), np.cos(nod), np.sin(nod)))
    rise = rng.normal(-0.1, 0.05) + gesture.shrug * hold * person.reach
    turn = rng.normal(0, 0.1)
    for side, sign in _SIDES.items():
        x[f"shoulder_{side}"] = x["spine_shoulder"] + size["shoulder"] * unit(stack(sign, rise + sign * roll, sign * turn))


def _point(x: dict[str, Array], place: _Place, side: str, rng: np.random.Generator) -> Array:
    """Return where a hand goes, `(T, 3)`, with this clip's own error."""
    joint = f"{place.joint}_{side}" if f"{place.joint}_{side}" in x else place.joint
    return x[joint] + np.array(place.offset) * (_SIDES[side], 1, 1) + rng.normal(0, AIM, 3)


def _sense(body: Array, person: _Person, noise: float, rng: np.random.Generator) -> Array:
    """Return joints `(T, V, 3)` as the sensor sees them: x to the right, y up, z away from it, in metres."""
    x = turned(body, person.yaw + rng.normal(0, 0.15))
    cos, sin = np.cos(person.tilt), np.sin(person.tilt)
    x = np.stack([x[..., 0], cos * x[..., 1] + sin * x[..., 2], sin * x[..., 1] - cos * x[..., 2]], axis=-1)
    level = noise * np.exp(rng.normal(0, UNEVEN))
    lost = rng.random(x.shape[:2]) < LOST  # joints that tracking loses for a frame
    x += person.place + rng.normal(0, 0.05, 3)
    x += level * rng.standard_normal(x.shape) * np.where(lost, JUMP, 1.0)[..., None]
    # A tenth of a millimetre: below the noise, and above what the last bits of sines differ between machines.
    return np.round(x, 4)
