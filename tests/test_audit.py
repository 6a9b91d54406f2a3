"""Audits: what is wrong is found where it was planted, and nothing is found in what is sound."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bodies import Made, Rows, body, sound

from mgbench import Clips, DataError, load_skeleton
from mgbench.audit.finding import Finding
from mgbench.audit.report import audit
from mgbench.components import Split


ANKLES, FEET = ([load_skeleton("kinect25").joint(f"{joint}_{side}") for side in ("left", "right")] for joint in ("ankle", "foot"))


def look(rows: Rows, **options: Any) -> list[Finding]:
    """Return what is found in these rows."""
    made = Made(rows, **options)
    return audit(made, lambda split: made.load(split, Path())).findings


def faults(findings: list[Finding]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return what is more than a note."""
    return [(one.level, one.rule, one.splits) for one in findings if one.level != "note"]


@pytest.mark.parametrize("layout", ["kinect25", "kinect22", "openpose18"])
def test_nothing_is_found_in_sound_data(layout: str) -> None:
    """Only notes: class shares, and what such data cannot tell; in three dimensions and in two."""
    findings = look(sound(layout), layout=layout)

    assert faults(findings) == []
    assert [one.rule for one in findings] == ["prior"] * 3 + ["untold"] * 3


def _replace(split: Split, index: int, **changes: Any) -> Callable[[Rows], None]:
    return lambda rows: rows[split][index].update(changes)


def _edit(split: Split, index: int, where: Any, value: float) -> Callable[[Rows], None]:
    def edit(rows: Rows) -> None:
        rows[split][index]["x"][where] = value

    return edit


def _copy(source: Split, target: Split, change: Callable[[np.ndarray], np.ndarray] = lambda x: x, **changes: Any) -> Callable[[Rows], None]:
    def copy(rows: Rows) -> None:
        row = rows[source][1]
        rows[target][4].update({"x": change(row["x"]).astype(np.float32), "label": row["label"], **changes})

    return copy


def _shrinking(joints: slice) -> Callable[[Rows], None]:
    """Let joints go most of the way to the body's middle in the course of every clip of `val`."""

    def shrink(rows: Rows) -> None:
        for row in rows["val"]:
            moved = row["x"][:, :, joints]
            share = np.linspace(0, 0.8, len(moved))[:, None, None, None]
            moved += share * (row["x"].mean(axis=(0, 2), keepdims=True) - moved)

    return shrink


def _resampled(x: np.ndarray) -> np.ndarray:
    """Return a clip at two thirds of the rate, somewhere else, larger, and rounded."""
    time = np.linspace(0, len(x) - 1, 2 * len(x) // 3 + 4)
    low = np.minimum(time.astype(int), len(x) - 2)
    share = (time - low)[:, None, None, None]
    return np.round(1.2 * (x[low] * (1 - share) + x[low + 1] * share) + 0.7, 3)


def _drop(split: Split, label: int) -> Callable[[Rows], None]:
    def drop(rows: Rows) -> None:
        rows[split] = [row for row in rows[split] if row["label"] != label]

    return drop


def _mirror(rows: Rows) -> None:
    for row in rows["train"]:
        row["x"] = row["x"] * np.array([-1, 1, 1], np.float32)


def _swap(rows: Rows) -> None:
    for row in rows["train"]:
        row["x"] = row["x"][:, :, list(load_skeleton("kinect25").flip)]


def _disorder(rows: Rows) -> None:
    for row in rows["val"]:
        row["x"] = row["x"][:, :, np.random.default_rng(0).permutation(25)]


def _relabel(rows: Rows) -> None:
    for row in rows["test"]:
        row["label"] = 2


def _hide(rows: Rows) -> None:
    for row in rows["val"]:
        row["x"][:, :, 7] = 0


def _merge(rows: Rows) -> None:
    for row in rows["val"]:
        row["x"][:, :, 3] = row["x"][:, :, 2]


PLANTED: dict[str, tuple[Callable[[Rows], None], list[tuple[str, str, tuple[str, ...]]], int]] = {
    "name": (_replace("val", 3, name="secret-val-4-0"), [("error", "name", ("val",))], 2),
    "label": (_replace("val", 3, label=3), [("error", "label", ("val",))], 1),
    "negative label": (_replace("val", 3, label=-1), [("error", "label", ("val",))], 1),
    "empty": (_replace("train", 3, x=np.zeros((0, 1, 25, 3), np.float32)), [("error", "empty", ("train",))], 1),
    "nan": (_edit("train", 3, (2, 0, 4, 1), np.nan), [("error", "not-finite", ("train",))], 1),
    "infinite": (_edit("train", 3, (2, 0, 4, 1), -np.inf), [("error", "not-finite", ("train",))], 1),
    "short": (_replace("test", 3, x=body(np.random.default_rng(5), 3)), [("warning", "short", ("test",))], 1),
    "zero clip": (_edit("test", 3, ..., 0), [("warning", "zero-clip", ("test",))], 1),
    "zero frames": (_edit("test", 3, slice(2, 5), 0), [("warning", "zero-frame", ("test",))], 1),
    "zero joint": (_hide, [("warning", "zero-joint", ("val",))], 0),
    "many lost joints": (
        lambda rows: [row["x"].__setitem__((slice(None, None, 3), 0, slice(0, 10)), 0) for row in rows["val"]],
        [("warning", "lost-joint", ("val",))],
        12,
    ),
    "jump": (_edit("test", 3, (5, 0, 20, 0), 30), [("warning", "jump", ("test",))], 1),
    "no length": (_merge, [("warning", "no-length", ("val",))], 0),
    "loose bones": (_shrinking(slice(21, 25)), [("warning", "bone", ("val",))], 0),
    "loose bodies": (_shrinking(slice(None)), [("warning", "bone", ("val",)), ("warning", "body", ("val",))], 12),
    "mirrored": (_mirror, [("warning", "side", ("train",))], 24),
    "swapped": (_swap, [("warning", "side", ("train",))], 24),
    "other order": (_disorder, [("warning", "order", ("val",))], 0),
    "leak": (_replace("test", 3, subject=1), [("error", "leak", ("train", "test"))], 7),
    "equal across": (_copy("train", "test"), [("error", "equal", ("train", "test"))], 2),
    "equal within": (_copy("val", "val"), [("warning", "equal", ("val",))], 2),
    "near across": (_copy("train", "val", _resampled), [("error", "near", ("train", "val"))], 2),
    "near within": (_copy("test", "test", _resampled), [("warning", "near", ("test",))], 2),
    "missing class": (_drop("val", 1), [("warning", "class", ("val",))], 0),
    "prior shift": (
        _relabel,
        [("warning", "class", ("test",)), ("warning", "prior", ("train", "test")), ("warning", "prior", ("train", "val", "test"))],
        0,
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_fault_is_found(name: str) -> None:
    """Each fault is found, in its split, with its clips, and nothing else is."""
    plant, expected, clips = PLANTED[name]
    rows = sound()
    plant(rows)
    found = [one for one in look(rows) if one.level != "note"]

    assert [one for one in faults(found) if one[1] != "prior" or "prior" in str(expected)] == expected
    assert len(found[-1 if name == "loose bodies" else 0].clips) == clips
    assert "secret" not in "".join(one.text for one in found)


def test_everything_is_found_at_once() -> None:
    """Several faults, one of them that a split cannot be read, are told together, errors first."""
    rows = sound()
    for name in ("nan", "zero frames", "equal across", "leak"):
        PLANTED[name][0](rows)
    rows["val"] = []
    found = look(rows)

    assert [one.rule for one in found if one.level == "error"] == ["not-finite", "unreadable", "leak", "equal"]
    assert [one.rule for one in found if one.level == "warning"] == ["zero-frame"]
    assert [one.level for one in found] == sorted((one.level for one in found), key=["error", "warning", "note"].index)


def test_nothing_that_can_be_read_is_told_too() -> None:
    """Where no split can be read, that is what is found."""
    found = look({"train": [], "val": [], "test": []})

    assert [(one.rule, one.splits) for one in found if one.level == "error"] == [
        ("unreadable", (split,)) for split in ("train", "val", "test")
    ]


def test_sides_of_bodies_without_a_front_are_not_told() -> None:
    """Where feet point anywhere, a bare majority that points backwards says nothing of sides."""
    rows = sound()
    for number, row in enumerate(rows["train"]):
        ahead = row["x"][:, :, FEET] - row["x"][:, :, ANKLES]
        away = 0.3 * ahead[..., [1, 0, 2]] * (1, -1, 0)  # nearly at a right angle, and a little backwards in two of three
        row["x"][:, :, FEET] = row["x"][:, :, ANKLES] + away + (-0.1 if number % 3 else 0.1) * ahead

    assert not [one for one in look(rows) if one.rule == "side"]


def test_other_layout_and_other_persons() -> None:
    """Clips of another skeleton are not looked at, and a second person whom the data set does not speak of is told."""
    rows = sound("kinect20")
    rows["test"] = [{**row, "x": np.repeat(row["x"], 2, axis=1)} for row in sound()["test"]]
    found = [(one.rule, one.text) for one in look(rows) if one.level == "error"]

    assert found[0] == ("unreadable", "It has 20 joints x 3 channels; the skeleton 'kinect25' has 25 x 3.")
    assert found[2] == ("persons", "Persons in a frame: 2; the data set says 1.")


def test_error_of_a_split_leaves_the_others() -> None:
    """What a split's reading says is told as it is."""
    rows = sound()
    made = Made(rows)

    def read(split: Split) -> Clips:
        if split == "train":
            raise DataError("'a.csv', line 3 is wrong.")
        return made.load(split, Path())

    result = audit(made, read)

    assert [(one.rule, one.text) for one in result.findings if one.level == "error"] == [("unreadable", "'a.csv', line 3 is wrong.")]
    assert list(result.measured) == ["val", "test"]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"val": 12}, None),
        ({"val": (4, 4, 4)}, None),
        ({"val": 13}, "Clips: 12; published are 13."),
        ({"val": (4, 3, 5)}, "Clips: 12; published are 12, and the counts of 2 of 3 classes differ."),
    ],
)
def test_published_counts(stated: dict[Split, int | tuple[int, ...]], expected: str | None) -> None:
    """Totals or counts a class are held against what is there."""
    found = [one.text for one in look(sound(), stated=stated) if one.rule == "published"]

    assert found == ([] if expected is None else [expected])


def test_class_that_is_published_as_absent_is_a_note() -> None:
    """A class that the owners do not have in a split either is no fault."""
    rows = sound()
    _drop("val", 1)(rows)
    found = [(one.level, one.text) for one in look(rows, stated={"val": (4, 0, 4)}) if one.rule in {"class", "published"}]

    assert found == [("note", "Classes without a clip, as published: 1 of 3: 'nod'.")]


def test_unknown_subjects_leak_nothing() -> None:
    """Clips whose subject is not known are told, and are no leak."""
    rows = sound()
    for split in ("train", "test"):
        rows[split][0]["subject"] = -1  # type: ignore[index] # rows hold values of any kind

    assert [one.rule for one in look(rows) if "subject" in one.rule or one.rule == "leak"] == ["subject", "subject"]


def test_relabelled_copies_are_counted() -> None:
    """A copy that carries another class is told."""
    rows = sound()
    _copy("val", "val", label=(rows["val"][1]["label"] + 1) % 3)(rows)

    assert "1, 1 of them with another class." in next(one.text for one in look(rows) if one.rule == "equal")


def test_majority_scores_are_those_of_the_splits() -> None:
    """The most frequent class of what is fitted is scored on what is scored, which has its own."""
    rows = sound()
    for row in rows["train"][:8]:
        row["label"] = 0
    for row in rows["test"]:
        row["label"] = max(row["label"], 1)
    text = next(one.text for one in look(rows) if one.rule == "prior" and one.splits == ("train", "test"))

    assert "'wave', the most frequent class of train, scores 0.0% on test; test's own most frequent, 'nod', has 66.7%." in text


def test_order_of_clips_changes_nothing() -> None:
    """The same clips in another order give the same sentences."""
    rows = sound()
    for name in ("nan", "jump", "equal within"):
        PLANTED[name][0](rows)
    before = [one.text for one in look(rows)]
    rows["val"] = rows["val"][::-1]

    assert [one.text for one in look(rows)] == before
