"""One thing that an audit found."""

from typing import Final, Literal, TypeAlias

import attrs
import numpy as np

from mgbench.clips import Ints
from mgbench.components import Split


Level: TypeAlias = Literal["error", "warning", "note"]

LEVELS: Final[tuple[Level, ...]] = ("error", "warning", "note")


@attrs.frozen
class Finding:
    """One thing that was found.

    Args:
        level: `error` where results would be wrong, `warning` where somebody should look, `note` for what a reader needs to know.
        rule: a word for what was looked at.
        splits: where.
        text: a sentence.
        clips: the clips concerned, as far as single clips are, as `split/name`.
    """

    level: Level
    rule: str
    splits: tuple[Split, ...]
    text: str
    clips: tuple[str, ...] = ()


def count_classes(label: Ints, classes: int) -> Ints:
    """Return clips a class `(classes,)`; labels that are no class are left out."""
    counts: Ints = np.bincount(label[(label >= 0) & (label < classes)], minlength=classes)
    return counts
