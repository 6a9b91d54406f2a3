"""Random move against its formula, clip by clip and frame by frame, its draws read off from unit vectors."""

import math

import pytest
import torch
from chances import assert_alike
from mgbench_plugins.augmentations.random_move import RandomMove
from torch import Generator, Tensor

from mgbench import SpecError, View, load_skeleton
from mgbench.registry import registry


def clips(count: int, joints: int, frames: int = 9) -> Tensor:
    """Return random clips whose joints 0, 1 and 2 lie at (0, 0), (1, 0) and (0, 1) in x and y."""
    x = torch.randn(count, 2, 3, frames, joints, dtype=torch.float64, generator=Generator().manual_seed(0))
    x[:, :, :2, :, :3] = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])[:, None]
    return x


def moved(move: RandomMove, x: Tensor, skeleton: str = "kinect25") -> Tensor:
    """Apply the component."""
    return move.apply(View(x), load_skeleton(skeleton), Generator().manual_seed(1)).x


def read_off(y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return angle in degrees, factor, and shifts of x and y, each `(N, T)`."""
    origin, unit = y[:, 0, :2, :, 0], y[:, 0, :2, :, 1]
    across = unit - origin
    return torch.rad2deg(torch.atan2(across[:, 1], across[:, 0])), across.norm(dim=1), origin[:, 0], origin[:, 1]


@pytest.mark.parametrize(("skeleton", "joints", "frames"), [("openpose18", 18, 9), ("kinect25", 25, 9), ("openpose18", 18, 1)])
def test_every_joint_is_moved_as_the_formula_says(skeleton: str, joints: int, frames: int) -> None:
    """In each frame x' = s (x cos a - y sin a) + u and y' = s (x sin a + y cos a) + v; z' = s z, and a score stays."""
    x = clips(6, joints, frames)
    y = moved(RandomMove(), x, skeleton)
    angle, factor, right, up = read_off(y)

    for n in range(6):
        for t in range(frames):
            a, s = math.radians(angle[n, t].item()), factor[n, t].item()
            turn = s * torch.tensor([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]], dtype=torch.float64)
            shift = torch.tensor([right[n, t], up[n, t]], dtype=torch.float64)
            for m in range(2):
                torch.testing.assert_close(y[n, m, :2, t], turn @ x[n, m, :2, t] + shift[:, None], atol=1e-6, rtol=0)
                deep = x[n, m, 2, t] * (s if skeleton == "kinect25" else 1)
                torch.testing.assert_close(y[n, m, 2, t], deep, atol=1e-6, rtol=0)


def test_between_its_ends_a_move_is_linear() -> None:
    """Angle, factor and shifts go in equal steps from the first frame to the last, as numpy's linspace."""
    for path in read_off(moved(RandomMove(), clips(50, 25))):
        expected = path[:, :1] + (path[:, -1:] - path[:, :1]) * torch.arange(9) / 8
        torch.testing.assert_close(path, expected, atol=1e-5, rtol=0)


def test_both_ends_are_drawn_evenly_and_apart() -> None:
    """Each pair of candidates is as frequent as any other, at 5 angles, 3 factors, 5 shifts of x and 5 of y."""
    x = clips(3000, 25, 2)[:, :1]
    paths, spaces = read_off(moved(RandomMove(), x)), ((5.0, -10.0, 5), (0.1, 0.9, 3), (0.1, -0.2, 5), (0.1, -0.2, 5))
    for path, (step, lowest, count) in zip(paths, spaces, strict=True):
        place = (path - lowest) / step
        torch.testing.assert_close(place, place.round(), atol=1e-3, rtol=0)
        assert_alike((place[:, 0] * count + place[:, 1]).round().long(), count**2)
    start = torch.stack([(path[:, 0] - lowest) / step for path, (step, lowest, _) in zip(paths, spaces, strict=True)])
    assert (torch.corrcoef(start) - torch.eye(4)).abs().max() < 0.1


def test_bodies_keep_their_shape() -> None:
    """On 3-D data all distances between joints of a frame change by one factor."""
    x = clips(4, 25)
    y = moved(RandomMove(), x)
    before, after = (torch.cdist(z[:, 0].permute(0, 2, 3, 1), z[:, 0].permute(0, 2, 3, 1)) for z in (x, y))

    torch.testing.assert_close(after, before * read_off(y)[1][:, :, None, None], atol=1e-5, rtol=0)


def test_nobody_is_moved_in() -> None:
    """Someone who is not in a frame stays out of it."""
    x = clips(3, 25)
    x[0, 1] = 0
    x[1, 1, :, 4:] = 0
    y = moved(RandomMove(shifts=(0.2,)), x)

    assert not y[0, 1].any()
    assert not y[1, 1, :, 4:].any()
    assert (y[:, 0, :2, :, 0] != 0).all()


def test_drawn_per_batch_clips_move_alike() -> None:
    """With `draw=batch` one move serves the batch, by default each clip has its own."""
    x = clips(1, 25).expand(20, -1, -1, -1, -1)

    assert len(moved(RandomMove(draw="batch"), x).unique(dim=0)) == 1
    assert len(moved(RandomMove(), x).unique(dim=0)) == 20


def test_one_candidate_is_no_chance() -> None:
    """With one of each the whole clip moves at once: by a right angle, twice as large, to the right and up."""
    y = moved(RandomMove(degrees=(90.0,), scales=(2.0,), shifts=(0.5,)), clips(2, 25))

    torch.testing.assert_close(y[0, 0, :2, 4, 1], torch.tensor([0.5, 2.5], dtype=torch.float64), atol=1e-6, rtol=0)


def test_no_candidate_is_refused() -> None:
    """There must be something to draw from."""
    with pytest.raises(SpecError, match=r"^random_move: Length of 'scales' must be >= 1: 0$"):
        registry().parse("augmentation", "random_move[scales=()]")
