"""Who is recorded in which clip, as far as anybody tells."""

import re
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np

from mgbench import DataError
from mgbench.components import Split
from mgbench_plugins.datasets.layouts.held import PARTS, Held, Ints
from mgbench_plugins.datasets.layouts.tables import read_table


#: NTU's names tell the person: setup, camera, performer.
_NTU: Final = re.compile(r"S\d{3}C\d{3}P(\d{3})")


def subjects_of(folder: Path, held: Held, *, shared: bool) -> dict[Split, Ints]:
    """Return who is recorded, as the layout tells, or `subjects.csv`, or names in NTU's form.

    Where nobody tells, all clips of a split count as one person's: then no interval claims anything, instead of too much.
    """
    names = _all_names(held)
    path = folder / "subjects.csv"
    if held.subjects or path.is_file():
        told = held.subjects or {name: row["subject"] for name, row in read_table(path, ("clip", "subject")).items()}
        missing = next((name for name in names if name not in told), None)
        if missing is not None:
            msg = f"{str(path)!r} has no line for the clip {missing!r}; each clip has one, or there is no such file."
            raise DataError(msg)
        number = _numbers(told.values())
        people = {name: number[told[name]] for name in names}
    elif all(_NTU.match(name) for name in names):
        people = {name: int(found[1]) for name in names if (found := _NTU.match(name))}
    else:
        return {split: np.full(len(side.names), PARTS.index(split)) for split, side in held.sides.items()}
    subjects = {split: np.array([people[name] for name in side.names], dtype=np.int64) for split, side in held.sides.items()}
    for first, second in combinations(subjects, 2):
        both = len(np.intersect1d(subjects[first], subjects[second]))
        if both and not shared:
            msg = (
                f"People of {str(folder)!r} who are in both {first} and {second}: {both}; split the clips by people, "
                "or accept it with shared_subjects=true, which every record then says."
            )
            raise DataError(msg)
    return subjects


def _all_names(held: Held) -> list[str]:
    """Return the names of all clips, each of which is in one split, once."""
    split_of: dict[str, Split] = {}
    for split, side in held.sides.items():
        for name in side.names:
            if name in split_of:
                twice = f"twice in {split}" if split_of[name] == split else f"in {split_of[name]} and in {split}"
                msg = f"{str(side.path)!r} has the clip {name!r} {twice}; each name is one clip."
                raise DataError(msg)
            split_of[name] = split
    return list(split_of)


def _numbers(texts: Iterable[str]) -> dict[str, int]:
    """Return a number for each person: the one that is written, where all are, or else the place in the order of names."""
    people = sorted(set(texts))
    written = all(re.fullmatch(r"\d{1,18}", text, re.ASCII) for text in people)
    return {text: int(text) if written else place for place, text in enumerate(people)}
