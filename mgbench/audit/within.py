"""What can be wrong with one split: names, labels, counts, values, what is missing, and movements that no body makes."""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import attrs
import numpy as np

from mgbench.audit.finding import Finding, Level, count_classes
from mgbench.audit.measures import FEWEST, Flags, Measures
from mgbench.clips import Ints
from mgbench.components import Dataset, Split
from mgbench.skeleton import Skeleton
from mgbench.words import counted


#: Shares that a reader should be warned of: of joints that are lost, and by which a bone's length varies within a clip.
LOST, SPREAD = 0.1, 0.25
#: Feet of recorded people point within 60 degrees of where their chest does in nearly all clips, and backwards as far where sides are
#: swapped; of bodies that have no front, as made-up ones, every fourth is beyond.
_BACKWARDS: Final = -0.5
#: A pair of bones is unequal where one is so many times as long as the other in the median clip, and a skeleton is wrong where such a
#: share of its pairs is: of recorded people one pair of ten is at most, of joints in a wrong order mostly half of them are.
_UNEQUAL, _PAIRS = 1.5, 0.25
#: So many classes or bones are named; the rest is counted.
_MOST: Final = 6


@attrs.frozen(eq=False)
class Looked:
    """A split that is looked at."""

    dataset: Dataset
    split: Split
    measured: Measures

    def found(self, level: Level, rule: str, text: str, clips: Flags | None = None) -> Finding:
        """Return a finding of this split and of some of its clips."""
        names = self.measured.clip if clips is not None else ()
        chosen = () if clips is None else np.flatnonzero(clips)
        return Finding(level, rule, (self.split,), text, tuple(f"{self.split}/{names[i]}" for i in chosen))

    def of_clips(self, level: Level, rule: str, clips: Flags, text: str, also: str = "") -> Iterator[Finding]:
        """Yield a finding of clips where there are any, with their number."""
        if clips.any():
            yield self.found(level, rule, f"{text}: {int(clips.sum()):,} of {counted(len(clips), 'clip')}{also}.", clips)


def _listed(words: list[str]) -> str:
    return ", ".join(words[:_MOST]) + (f", and {len(words) - _MOST} more" if len(words) > _MOST else "")


Rule: TypeAlias = Callable[[Looked], Iterator[Finding]]


def _identity(at: Looked) -> Iterator[Finding]:
    """Names, persons and subjects."""
    one = at.measured
    if one.persons != at.dataset.persons:
        yield at.found("error", "persons", f"Persons in a frame: {one.persons}; the data set says {at.dataset.persons}.")
    _, inverse, times = np.unique(one.clip, return_inverse=True, return_counts=True)
    yield from at.of_clips("error", "name", times[inverse] > 1, "Names used twice", ", whose predictions cannot be told apart")
    yield from at.of_clips("note", "subject", one.subject < 0, "Subject unknown", ", whose leakage cannot be told")


def _labels(at: Looked) -> Iterator[Finding]:
    one, classes = at.measured, len(at.dataset.classes)
    yield from at.of_clips("error", "label", (one.label < 0) | (one.label >= classes), f"Class number outside 0 to {classes - 1}")


def _counts(at: Looked) -> Iterator[Finding]:
    """Classes that are missing, and counts that are not the published ones."""
    counts = count_classes(at.measured.label, len(at.dataset.classes))
    stated = at.dataset.published.get(at.split)
    each = np.array(stated) if isinstance(stated, tuple) else None
    absent, known = counts == 0, (each == 0 if each is not None else np.zeros(len(counts), dtype=np.bool_))
    levels: list[tuple[Level, Flags, str]] = [("warning", absent & ~known, ""), ("note", absent & known, ", as published")]
    for level, chosen, also in levels:
        if chosen.any():
            names = _listed([repr(at.dataset.classes[i]) for i in np.flatnonzero(chosen)])
            yield at.found(level, "class", f"Classes without a clip{also}: {int(chosen.sum())} of {len(counts)}: {names}.")
    if stated is None:
        return
    total = stated if isinstance(stated, int) else sum(stated)
    other = 0 if each is None else int((each != counts).sum())
    if other or total != counts.sum():
        also = f", and the counts of {other} of {counted(len(counts), 'class')} differ" if other else ""
        yield at.found("warning", "published", f"Clips: {counts.sum():,}; published are {total:,}{also}.")


def _values(at: Looked) -> Iterator[Finding]:
    """Values that are no numbers, and clips too short to move."""
    one = at.measured
    yield from at.of_clips("error", "empty", one.frames < 1, "No frame")
    infinite = counted(int(one.infinite.sum()), "value")
    yield from at.of_clips("error", "not-finite", one.infinite > 0, "Not finite (NaN or infinite)", f", {infinite}")
    yield from at.of_clips("warning", "short", (one.frames > 0) & (one.frames < FEWEST), f"Shorter than {FEWEST} frames")


def _missing(at: Looked) -> Iterator[Finding]:
    """Zeros, which stand for what was not seen: of whole clips, frames, and joints."""
    one = at.measured
    yield from at.of_clips("warning", "zero-clip", ~one.holds & (one.frames > 0), "Nothing but zeros")
    share = one.empty[one.holds].sum() / max(one.frames.sum(), 1)
    yield from at.of_clips("warning", "zero-frame", one.holds & (one.empty > 0), "Frames of zeros", f", {share:.1%} of all frames")
    never = np.flatnonzero(~np.logical_or.reduce(one.seen, axis=0))
    if one.holds.any() and never.size:
        names = ", ".join(at.dataset.skeleton.joints[i] for i in never)
        yield at.found("warning", "zero-joint", f"Zero in every frame: {counted(len(never), 'joint')}: {names}.")
    share = one.missing.sum() / max(one.expected.sum(), 1)
    level: Level = "warning" if share > LOST else "note"
    yield from at.of_clips(level, "lost-joint", one.missing > 0, "Joints lost", f", {share:.1%} of the joints of people who are there")


def _movement(at: Looked) -> Iterator[Finding]:
    """Jumps."""
    one = at.measured
    share = one.jumps.sum() / max(one.frames.sum(), 1)
    also = f"; in {share:.2%} of all frames a joint moves farther than the body's size"
    yield from at.of_clips("warning", "jump", one.jumps > 0, "Jumps", also)


def _bones(at: Looked) -> Iterator[Finding]:
    """Bones without length, and where there is depth, bones whose length varies."""
    one, skeleton = at.measured, at.dataset.skeleton
    names = [" to ".join(skeleton.joints[joint] for joint in bone) for bone in skeleton.bones]
    known = ~np.isnan(one.length)
    flat = [name for name, length, here in zip(names, one.length.T, known.T, strict=True) if here.any() and not length[here].any()]
    if flat:
        yield at.found("warning", "no-length", f"Bones without length: {len(flat)} of {len(names)}: {', '.join(flat)}.")
    if skeleton.axes[-1] == "score":
        return
    middle = [float(np.median(spread[~np.isnan(spread)])) if (~np.isnan(spread)).any() else 0.0 for spread in one.spread.T]
    loose = sorted(((spread, name) for spread, name in zip(middle, names, strict=True) if spread > SPREAD), reverse=True)
    if loose:
        told = _listed([f"{name} by {spread:.0%}" for spread, name in loose])
        yield at.found("warning", "bone", f"Bones that change their length in the median clip (standard deviation): {told}.")
    falling = np.array([bool(there.any()) and float(np.median(row[there])) > SPREAD for row in one.spread for there in [~np.isnan(row)]])
    yield from at.of_clips("warning", "body", falling, f"Bodies whose median bone changes its length by more than {SPREAD:.0%}")


def _sides(at: Looked) -> Iterator[Finding]:
    """Feet that clearly point backwards in most clips."""
    known = ~np.isnan(at.measured.feet)
    backwards = known & (np.nan_to_num(at.measured.feet) < _BACKWARDS)
    if backwards.sum() > known.sum() / 2:
        text = "Feet point backwards, as they do where left and right are swapped or an axis is mirrored"
        yield from at.of_clips("warning", "side", backwards, text)


def _order(at: Looked) -> Iterator[Finding]:
    """Left bones that are not as long as right ones."""
    skeleton, pairs = at.dataset.skeleton, _bone_pairs(at.dataset.skeleton)
    left, right = (np.where(bones > 0, bones, np.nan) for bones in np.moveaxis(at.measured.length[:, pairs], 2, 0))
    ratio = np.abs(np.log(left / right))
    known = ~np.isnan(ratio)
    seen = np.flatnonzero(known.any(axis=0))
    middle = np.exp([float(np.median(ratio[known[:, pair], pair])) for pair in seen])
    wrong = middle > _UNEQUAL
    if wrong.sum() > _PAIRS * len(seen):
        names = _listed([" to ".join(skeleton.joints[joint] for joint in skeleton.bones[pairs[pair, 0]]) for pair in seen[wrong]])
        text = f"Left bones that are not as long as right ones: {int(wrong.sum())} of {len(seen)}, {names}"
        yield at.found("warning", "order", f"{text}; so it is where joints come in another order than that of {skeleton.name!r}.")


def _bone_pairs(skeleton: Skeleton) -> Ints:
    """Return the numbers of each left bone and its right one `(P, 2)`."""
    number = {frozenset(bone): place for place, bone in enumerate(skeleton.bones)}
    lefts = {left for left, _ in skeleton.mirror}
    image = {place: number.get(frozenset(skeleton.flip[joint] for joint in bone), place) for bone, place in number.items()}
    pairs = [(place, image[place]) for bone, place in number.items() if image[place] != place and lefts & bone]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


RULES: Final[tuple[Rule, ...]] = (_identity, _labels, _counts, _values, _missing, _movement, _bones, _sides, _order)
