"""mixup against its equation."""

import numpy as np
import pytest
from bodies import body
from mgbench_plugins.augmentations.mixup import Mixup

from mgbench import load_skeleton, make_clips


KINECT = load_skeleton("kinect25")


def test_a_mixed_clip_is_the_weighted_mean() -> None:
    """X = mu x_i + (1 - mu) x_j, and the label weighs the same (MGRL eq. 7); what either lacks is the first's."""
    rng = np.random.default_rng(0)
    arrays = [body(rng, 12) for _ in range(10)]
    for array in arrays:
        array[:, 0, 7] = 0
    clips = make_clips(arrays, np.arange(10) % 2, np.arange(10), [str(i) for i in range(10)])
    grown = Mixup(prior="none", ratio=2).apply(clips, KINECT, ("a", "b"), 0)
    assert grown.made is not None
    for place, ((one, other), share) in enumerate(zip(grown.made.donors, grown.made.share, strict=True)):
        wanted = share * arrays[one].astype(np.float64) + (1 - share) * arrays[other]
        np.testing.assert_allclose(grown[10 + place], wanted, atol=1e-5)
        assert not grown[10 + place][:, 0, 7].any()


@pytest.mark.parametrize(("alpha", "spread"), [(0.05, 0.4), (1.0, 0.27), (50.0, 0.1)])
def test_alpha_decides_how_even_the_weights_are(alpha: float, spread: float) -> None:
    """Small alphas leave one clip nearly alone, large ones take halves; the mean weight is one half."""
    rng = np.random.default_rng(1)
    first, second = body(rng, 5), body(rng, 5)
    shares = np.array([Mixup(alpha=alpha).combine(first, second, KINECT, rng)[1] for _ in range(400)])
    assert shares.mean() == pytest.approx(0.5, abs=0.08)
    assert (shares.std() >= spread) == (alpha <= 1)
