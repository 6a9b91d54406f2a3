"""What can be wrong between splits: people and clips in two of them, and classes that are shared out differently."""

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Final, TypeAlias

import numpy as np

from mgbench.audit.duplicates import find_copies
from mgbench.audit.finding import Finding, count_classes
from mgbench.audit.measures import Measures
from mgbench.clips import Ints
from mgbench.components import Dataset, Split
from mgbench.words import counted


#: A difference of class shares to warn of, where it is more than chance gives in 95 of so many draws in 100.
SHIFT, _DRAWS = 0.1, 200

Measured: TypeAlias = Mapping[Split, Measures]
Rule: TypeAlias = Callable[[Dataset, Measured], Iterator[Finding]]


def _leaks(_dataset: Dataset, measured: Measured) -> Iterator[Finding]:
    """People whom two splits share."""
    for (first, a), (second, b) in combinations(measured.items(), 2):
        shared = np.intersect1d(a.subject[a.subject >= 0], b.subject[b.subject >= 0])
        if not shared.size:
            continue
        theirs = [(split, one, np.flatnonzero(np.isin(one.subject, shared))) for split, one in ((first, a), (second, b))]
        clips = tuple(f"{split}/{one.clip[i]}" for split, one, chosen in theirs for i in chosen)
        text = f"Subjects in both {first} and {second}: {len(shared):,}, with {counted(len(clips), 'clip')}; scores are not of strangers."
        yield Finding("error", "leak", (first, second), text, clips)


def _copies(_dataset: Dataset, measured: Measured) -> Iterator[Finding]:
    """Clips that are there twice."""
    for copies in find_copies(measured):
        within = copies.first == copies.second
        how = "equal, value for value, to" if copies.kind == "equal" else "near copies of"
        where = "another of the same split" if within else f"one of {copies.first}"
        also = f", {copies.relabelled:,} of them with another class" if copies.relabelled else ""
        text = f"Clips of {copies.second} that are {how} {where}: {copies.number:,}{also}."
        splits = (copies.first,) if within else (copies.first, copies.second)
        yield Finding("warning" if within else "error", copies.kind, splits, text, copies.clips)


def _priors(dataset: Dataset, measured: Measured) -> Iterator[Finding]:
    """Class shares of what is fitted and what is scored, and what the most frequent class alone scores."""
    counts = {split: count_classes(one.label, len(dataset.classes)) for split, one in measured.items()}
    pairs: list[tuple[tuple[Split, ...], Split]] = [(("train",), "val"), (("train",), "test"), (("train", "val"), "test")]
    for fitted, scored in pairs:
        if {*fitted, scored} <= counts.keys():
            fit: Ints = np.sum([counts[split] for split in fitted], axis=0)
            if fit.any() and counts[scored].any():
                yield _prior(dataset.classes, (*fitted, scored), fit, counts[scored])


def _prior(classes: tuple[str, ...], splits: tuple[Split, ...], fit: Ints, test: Ints) -> Finding:
    fitted, scored = "+".join(splits[:-1]), splits[-1]
    difference, chance = _difference(fit, test), _by_chance(fit, test)
    frequent, own, ties = int(fit.argmax()), int(test.argmax()), int((fit == fit.max()).sum())
    which = f"one of {ties} most frequent classes" if ties > 1 else "the most frequent class"
    text = (
        f"Class shares of {fitted} and {scored} differ by {difference:.0%} (total variation; chance gives up to {chance:.0%}). "
        f"Always answering {classes[frequent]!r}, {which} of {fitted}, scores {test[frequent] / test.sum():.1%} on {scored}; "
        f"{scored}'s own most frequent, {classes[own]!r}, has {test[own] / test.sum():.1%}."
    )
    return Finding("warning" if difference > max(chance, SHIFT) else "note", "prior", splits, text)


def _difference(first: Ints, second: Ints) -> float:
    return float(np.abs(first / first.sum() - second / second.sum()).sum() / 2)


def _by_chance(first: Ints, second: Ints) -> float:
    """Return the difference that 95 of 100 random splits of the same clips stay below."""
    whole = first + second
    draws = np.random.default_rng(0).multivariate_hypergeometric(whole, int(second.sum()), size=_DRAWS)
    return float(np.quantile([_difference(whole - draw, draw) for draw in draws], 0.95))


def _untold(dataset: Dataset, _measured: Measured) -> Iterator[Finding]:
    """What clips of this form cannot tell anybody."""
    texts = ["No frame rate and no place in a recording are kept: speeds are told a frame, and neighbours in time are not found."]
    if dataset.skeleton.axes[-1] == "score":
        texts.append("Coordinates are those of an image: bones shorten with the view, so their lengths are not judged.")
    else:
        texts.append("No tracking state is kept: a joint that was guessed looks like one that was seen; only zeros count as lost.")
    texts.append("Whether a label is wrong, or one clip has its sides swapped, only looking tells: mgbench data show.")
    yield from (Finding("note", "untold", (), text) for text in texts)


RULES: Final[tuple[Rule, ...]] = (_leaks, _copies, _priors, _untold)
