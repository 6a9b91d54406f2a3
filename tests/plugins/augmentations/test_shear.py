"""Shear: what matrix it multiplies by, read off from unit vectors."""

import pytest
import torch
from mgbench_plugins.augmentations.shear import Shear
from torch import Generator, Tensor

from mgbench import View, load_skeleton


def unit(count: int, axes: int, joints: int) -> Tensor:
    """Return clips of two persons and two frames whose first joints are the unit vectors."""
    x = torch.zeros(count, 2, axes, 2, joints)
    x[..., :axes] = torch.eye(axes)[:, None]
    return x


def matrices(shear: Shear, draws: int, seed: int = 0) -> Tensor:
    """Return the matrices `(draws, 3, 3)` of so many clips, whose rows are the images of the unit vectors."""
    view = shear.apply(View(unit(draws, 3, 25)), load_skeleton("kinect25"), Generator().manual_seed(seed))
    return view.x[:, 0, :, 0, :3].transpose(1, 2)


@pytest.mark.parametrize("amplitude", [1.0, 0.5, 0.0])
def test_the_matrix_has_a_unit_diagonal_and_uniform_rest(amplitude: float) -> None:
    """Off the diagonal six independent entries are uniform in (-amplitude, amplitude)."""
    drawn = matrices(Shear(amplitude=amplitude, draw="clip"), 2000)
    rest = drawn[:, ~torch.eye(3, dtype=torch.bool)]

    torch.testing.assert_close(drawn.diagonal(dim1=1, dim2=2), torch.ones(2000, 3))
    assert rest.abs().max() <= amplitude
    torch.testing.assert_close(rest.mean(dim=0), torch.zeros(6), atol=0.06 * amplitude, rtol=0)
    torch.testing.assert_close(rest.var(dim=0), torch.full((6,), amplitude**2 / 3), atol=0.04, rtol=0)
    assert not amplitude or (torch.corrcoef(rest.T) - torch.eye(6)).abs().max() < 0.1


def test_every_point_is_multiplied_by_the_one_matrix() -> None:
    """All persons, frames and joints of the batch are sheared alike, as row vector times matrix."""
    skeleton = load_skeleton("kinect25")
    x = torch.randn(3, 2, 3, 5, 25, generator=Generator().manual_seed(1))
    matrix = matrices(Shear(), 1, seed=7)[0]
    y = Shear().apply(View(x), skeleton, Generator().manual_seed(7)).x

    torch.testing.assert_close(y.permute(0, 1, 3, 4, 2), x.permute(0, 1, 3, 4, 2) @ matrix)


def test_drawn_per_clip_each_clip_has_a_matrix_of_its_own() -> None:
    """With `draw=clip` clips are sheared by different matrices, each clip whole by one."""
    y = Shear(draw="clip").apply(View(unit(6, 3, 25)), load_skeleton("kinect25"), Generator().manual_seed(0)).x
    images = y[:, 0, :, 0, :3]

    assert torch.equal(y, y[:, :1, :, :1].expand_as(y))
    assert len({tuple(image.flatten().tolist()) for image in images}) == 6


def test_drawn_per_batch_every_draw_is_another() -> None:
    """One matrix serves a batch, and the next batch gets its own."""
    skeleton, generator = load_skeleton("kinect25"), Generator().manual_seed(0)
    first, second = (Shear().apply(View(unit(2, 3, 25)), skeleton, generator).x for _ in range(2))

    assert torch.equal(first[0], first[1])
    assert not torch.equal(first, second)


def test_a_score_is_no_coordinate() -> None:
    """On 2-D data x and y are sheared among themselves, and the score stays."""
    x, skeleton = torch.rand(3, 1, 3, 4, 18, generator=Generator().manual_seed(1)), load_skeleton("openpose18")
    y = Shear().apply(View(x), skeleton, Generator().manual_seed(0)).x
    image = Shear().apply(View(unit(1, 3, 18)), skeleton, Generator().manual_seed(0)).x[0, 0, :2, 0, :3].T

    assert torch.equal(y[:, :, 2], x[:, :, 2])
    torch.testing.assert_close(y[:, :, :2].permute(0, 1, 3, 4, 2), x.permute(0, 1, 3, 4, 2) @ image)
    assert not image[2].any()


def test_a_missing_person_stays_zero() -> None:
    """The origin is where it was."""
    y = Shear().apply(View(torch.zeros(2, 2, 3, 4, 25)), load_skeleton("kinect25"), Generator().manual_seed(0)).x

    assert not y.any()
