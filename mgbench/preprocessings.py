"""The named ways to make clips dense, as data; `preprocess` does what they say.

`frame50` is what AimCLR, CrosSCLR and PSTL do before training, `first_frame` what CTR-GCN and MAMP do, `raw50` only resizes.
"""

from typing import Final, Literal, get_args

import attrs

from mgbench.components import Stream
from mgbench.errors import SpecError, nearest


STREAMS: Final[tuple[Stream, ...]] = get_args(Stream)


@attrs.frozen
class Preprocessing:
    """One way to make clips dense.

    Args:
        name: the word for `--preprocess`.
        frames: T after bilinear resizing in time, half-pixel centres.
        centre: subtract each person's centre joint frame by frame, or from everyone the first person's first spine joint, or nothing.
        upright: turn each frame about the vertical so that the shoulders lie along +x.
    """

    name: str
    frames: int
    centre: Literal["none", "frame", "first"]
    upright: bool


PREPROCESSINGS = {
    choice.name: choice
    for choice in (
        Preprocessing("frame50", 50, "frame", upright=True),
        Preprocessing("raw50", 50, "none", upright=False),
        Preprocessing("first_frame", 64, "first", upright=False),
    )
}


def preprocessing(name: str) -> Preprocessing:
    """Return the preprocessing of that name, or raise `SpecError` with the nearest one."""
    if name not in PREPROCESSINGS:
        msg = f"There is no preprocessing {name!r}; {nearest(name, PREPROCESSINGS)}"
        raise SpecError(msg)
    return PREPROCESSINGS[name]
