"""Made-up bodies and a data set of them in memory, in which nothing is wrong."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from mgbench import Clips, Dataset, Skeleton, load_skeleton, make_clips
from mgbench.components import Split


Rows = dict[Split, list[dict[str, Any]]]
CLASSES = ("wave", "nod", "shrug")


@attrs.frozen(eq=False)
class Made(Dataset):
    """Clips from memory."""

    name = "made"

    rows: Any = None
    layout: str = "kinect25"
    stated: Any = ()

    @property
    def skeleton(self) -> Skeleton:
        """Any layout."""
        return load_skeleton(self.layout)

    @property
    def classes(self) -> tuple[str, ...]:
        """Three."""
        return CLASSES

    @property
    def published(self) -> Mapping[Split, int | tuple[int, ...]]:
        """What a test states."""
        return dict(self.stated)

    def load(self, split: Split, folder: Path) -> Clips:
        """Join the rows of a split."""
        rows = self.rows[split]
        return make_clips([row["x"] for row in rows], *([row[key] for row in rows] for key in ("label", "subject", "name")))


def body(rng: np.random.Generator, frames: int, layout: str = "kinect25") -> np.ndarray:
    """Return a clip of one person `(T, 1, V, C)` in a posture of its own, who moves a little and smoothly; feet point where chests do."""
    skeleton = load_skeleton(layout)
    size = (len(skeleton.joints), 3)
    posture = np.random.default_rng(0).normal(size=size)
    for left, right in skeleton.mirror:
        posture[right] = posture[left] * (-1, 1, 1)
    posture += rng.normal(scale=0.15, size=size)
    if layout != "openpose18":
        at = {joint: posture[number] for number, joint in enumerate(skeleton.joints)}
        left = at["shoulder_left"] + at["hip_left"] - at["shoulder_right"] - at["hip_right"]
        ahead = np.cross(left, at["head"] - (at["hip_left"] + at["hip_right"]) / 2)
        for side in ("left", "right"):
            at[f"foot_{side}"][:] = at[f"ankle_{side}"] + ahead / np.linalg.norm(ahead)
    time = np.linspace(0, 1, frames)[:, None, None]
    reach = rng.normal(scale=0.02, size=(3, *size))
    waves = [reach[rate - 1] * np.sin(np.pi * rate * time + rng.uniform(0, 6)) for rate in (1, 2, 3)]
    return (3 + posture + sum(waves))[:, None].astype(np.float32)


def sound(layout: str = "kinect25") -> Rows:
    """Return three splits in which nothing is wrong."""
    rng = np.random.default_rng(1)
    people: dict[Split, range] = {"train": range(4), "val": range(4, 6), "test": range(6, 9)}
    return {
        split: [
            {
                "x": body(rng, int(rng.integers(12, 40)), layout),
                "label": i % 3,
                "subject": person,
                "name": f"secret-{split}-{person}-{i}",
            }
            for person in numbers
            for i in range(6)
        ]
        for split, numbers in people.items()
    }
