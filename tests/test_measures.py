"""What is measured of single clips: fingerprints that copies keep, spans that lose nothing, and what is missing."""

import numpy as np
import pytest
from bodies import body
from hypothesis import given
from hypothesis import strategies as st

from mgbench import load_skeleton, make_clips
from mgbench.audit.measures import _spans, measure


@given(
    st.integers(12, 60),
    st.integers(12, 60),
    st.floats(0.01, 100),
    st.lists(st.floats(-5, 5), min_size=3, max_size=3),
    st.integers(0, 2**16),
)
def test_fingerprint_survives_rate_place_and_scale(frames: int, others: int, scale: float, place: list[float], seed: int) -> None:
    """A copy at another rate, of another size, somewhere else, is nearer than any other clip, by far."""
    rng = np.random.default_rng(seed)
    first, second = body(rng, frames), body(rng, frames)
    time = np.linspace(0, frames - 1, others)
    flat = np.stack([np.interp(time, np.arange(frames), column) for column in first.reshape(frames, -1).T], axis=1)
    copy = flat.reshape(others, 1, 25, 3) * scale + place
    prints = measure(make_clips([first, copy, second], [0, 0, 0], [0, 0, 0], ["a", "b", "c"]), load_skeleton("kinect25")).fingerprint

    assert np.linalg.norm(prints[0, 0] - prints[1, 0]) < 0.01
    assert np.linalg.norm(prints[0, 0] - prints[2, 0]) > 0.05


@given(st.integers(1, 40), st.integers(0, 2**16))
def test_spans_lose_nothing(frames: int, seed: int) -> None:
    """The spans of a clip of any length are its sum, and those of a constant are equal."""
    values = np.random.default_rng(seed).normal(size=(frames, 2))

    assert _spans(values).sum(axis=0) == pytest.approx(values.sum(axis=0))
    assert _spans(np.ones((frames, 1))) == pytest.approx(frames / 8)


def test_measures_of_a_clip() -> None:
    """Lost joints are counted of people who are there only, and a missing frame is no jump."""
    x = np.ones((6, 2, 25, 3), np.float32) * np.arange(1, 26)[:, None]
    x[:, 1] = 0
    x[2, 0] = 0
    x[4, 0, 5] = 0
    one = measure(make_clips([x], [0], [0], ["a"]), load_skeleton("kinect25"))

    assert (one.empty[0], one.missing[0], one.expected[0], one.jumps[0]) == (1, 1, 5 * 25, 0)
