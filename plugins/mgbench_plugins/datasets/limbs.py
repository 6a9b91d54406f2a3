"""Clocks, vectors and limbs: what `synthetic` moves bodies with."""

from typing import TypeAlias

import attrs
import numpy as np
import numpy.typing as npt


Array: TypeAlias = npt.NDArray[np.float64]


@attrs.frozen(eq=False)
class Clock:
    """Draws curves over the frames of one clip, `(T,)`."""

    rng: np.random.Generator
    seconds: Array
    tempo: float

    def wave(self, rate: float) -> Array:
        """An oscillation from -1 to 1; its phase is random, its rate nearly the given one."""
        rate *= self.tempo * np.exp(self.rng.normal(0, 0.2))
        drift = self.rng.normal(0, 0.3) * np.sin(0.7 * self.seconds + self.rng.uniform(0, 2 * np.pi))
        curve: Array = np.sin(2 * np.pi * rate * self.seconds + drift + self.rng.uniform(0, 2 * np.pi))
        return curve

    def hold(self) -> Array:
        """From 0 to 1 at a random moment, often before the clip, and sometimes back before its end."""
        length = self.seconds[-1]
        begin, end = self.rng.uniform(-0.6, 0.35) * length, self.rng.uniform(0.75, 1.5) * length
        rise = self.rng.uniform(0.2, 0.5) / self.tempo
        ramp = np.clip(np.minimum(self.seconds - begin, end - self.seconds) / rise, 0, 1)
        smooth: Array = ramp * ramp * (3 - 2 * ramp)
        return smooth


def place_arm(x: dict[str, Array], side: str, target: Array, elbow: Array, size: dict[str, float]) -> None:
    """Bend an arm so that the hand is at the target, or as near as it reaches, and add wrist, thumb and finger tip."""
    lower = size["forearm"] + size["hand"]
    x[f"elbow_{side}"], hand = bend(x[f"shoulder_{side}"], target, size["upper_arm"], lower, elbow)
    ahead = (hand - x[f"elbow_{side}"]) / lower
    across = np.cross(ahead, (0.0, 0.6, 0.8))
    x[f"wrist_{side}"], x[f"hand_{side}"] = hand - size["hand"] * ahead, hand
    x[f"hand_tip_{side}"] = hand + size["finger"] * ahead
    x[f"thumb_{side}"] = hand + 0.4 * size["finger"] * (ahead + unit(across))


def bend(start: Array, target: Array, upper: float, lower: float, pole: Array) -> tuple[Array, Array]:
    """Return middle and end of two bones that reach from start towards target and bend towards the pole."""
    line = target - start
    far = np.linalg.norm(line, axis=-1, keepdims=True)
    line, far = line / far, np.clip(far, abs(upper - lower) + 0.01, 0.999 * (upper + lower))
    along = (upper**2 - lower**2 + far**2) / (2 * far)
    out = unit(pole - (line * pole).sum(axis=-1, keepdims=True) * line)
    return start + along * line + np.sqrt(upper**2 - along**2) * out, start + far * line


def stack(right: npt.ArrayLike, up: npt.ArrayLike, forward: npt.ArrayLike) -> Array:
    """Return three curves as vectors `(T, 3)`."""
    return np.stack(np.broadcast_arrays(right, up, forward), axis=-1).astype(np.float64)


def unit(vector: Array) -> Array:
    """Return vectors `(..., 3)` of length one."""
    length: Array = np.linalg.norm(vector, axis=-1, keepdims=True)
    return vector / length


def turned(vector: Array, angle: float) -> Array:
    """Turn vectors `(..., 3)` about the vertical."""
    right, up, forward = np.moveaxis(vector, -1, 0)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos * right + sin * forward, up, cos * forward - sin * right], axis=-1)
