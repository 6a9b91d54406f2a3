"""Rotation: which angles it draws and in what order it turns, read off from unit vectors."""

import attrs
import numpy as np
import pytest
import torch
from chances import assert_alike, assert_uniform
from mgbench_plugins.augmentations.rotate import Rotate
from scipy.spatial.transform import Rotation
from torch import Generator, Tensor

from mgbench import View, load_skeleton


def unit(count: int = 1, axes: int = 3, joints: int = 25) -> Tensor:
    """Return clips whose first joints are the unit vectors."""
    x = torch.zeros(count, 1, axes, 2, joints)
    x[..., :axes] = torch.eye(axes)[:, None]
    return x


def matrices(rotate: Rotate, draws: int) -> Tensor:
    """Return the matrices `(draws, 3, 3)` of so many clips, for row vectors."""
    each = attrs.evolve(rotate, draw="clip")
    view = each.apply(View(unit(draws)), load_skeleton("kinect25"), Generator().manual_seed(0))
    return view.x[:, 0, :, 0, :3].transpose(1, 2)


def angles(matrix: Tensor) -> np.ndarray:
    """Return the angles about x, then y, then z in degrees `(draws, 3)`, right-handed positive."""
    return Rotation.from_matrix(matrix.transpose(1, 2).double().numpy()).as_euler("xyz", degrees=True)


def test_it_is_a_rotation() -> None:
    """Lengths and handedness are kept."""
    drawn = matrices(Rotate(), 100)

    torch.testing.assert_close(drawn @ drawn.transpose(1, 2), torch.eye(3).expand(100, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(drawn), torch.ones(100))


def test_one_axis_is_the_main_one() -> None:
    """About an axis drawn evenly the angle is uniform up to 30 degrees, about the other two up to 1."""
    drawn = np.abs(angles(matrices(Rotate(), 1500)))
    main = drawn.argmax(axis=1)[drawn.max(axis=1) > 1.001]
    large = drawn.max(axis=1)
    rest = np.sort(drawn, axis=1)[:, :2]

    assert large.max() <= 30.001
    assert large.mean() == pytest.approx(15, abs=1)
    assert rest.max() <= 1.001
    assert np.bincount(main) / len(main) == pytest.approx(1 / 3, abs=0.04)


def test_angles_have_one_sense() -> None:
    """No axis is ever turned about both ways, as in the public code."""
    signs = np.sign(angles(matrices(Rotate(), 200)))

    assert (signs == signs[0]).all()


def test_angles_have_the_public_codes_sense() -> None:
    """PSTL's code turns a row vector by the transpose of [[1, 0, 0], [0, c, s], [0, -s, c]]: negative angles."""
    assert (angles(matrices(Rotate(), 50)) < 1e-6).all()


@pytest.mark.parametrize(("degrees", "others"), [(90.0, 0.0), (5.0, 5.0), (0.0, 0.0)])
def test_fields_bound_the_angles(degrees: float, others: float) -> None:
    """The largest angles are the component's fields."""
    drawn = np.sort(np.abs(angles(matrices(Rotate(degrees=degrees, others=others), 200))), axis=1)

    assert drawn[:, 2].max() <= max(degrees, others) + 1e-3
    assert drawn[:, 1].max() <= others + 1e-3
    assert drawn[:, 2].max() >= 0.9 * degrees


def test_about_one_axis_alone_as_ascal() -> None:
    """With `others=0` exactly one axis is turned about, each as often, by up to 30 degrees."""
    drawn = np.abs(angles(matrices(Rotate(others=0.0), 2000).double()))
    turned = torch.from_numpy(drawn > 1e-3)

    assert (turned.sum(dim=1) <= 1).all()
    assert_alike(turned[turned.any(dim=1)].int().argmax(dim=1), 3)
    assert_uniform(torch.from_numpy(drawn.max(axis=1)), 0, 30.001)


def test_either_way_about_every_axis_as_ctrgcn() -> None:
    """With `signed` and as much of the others all three angles are uniform within 17.19 degrees, 0.3 rad, and independent."""
    drawn = torch.from_numpy(angles(matrices(Rotate(degrees=17.19, others=17.19, signed=True), 2000)))

    for axis in range(3):
        assert_uniform(torch.deg2rad(drawn[:, axis]), -0.30003, 0.30003)
    assert (torch.corrcoef(drawn.T) - torch.eye(3)).abs().max() < 0.1


def test_drawn_per_batch_clips_turn_alike() -> None:
    """By default one rotation serves the batch, and the next batch gets its own."""
    generator = Generator().manual_seed(0)
    first, second = (Rotate().apply(View(unit(2)), load_skeleton("kinect25"), generator).x for _ in range(2))

    assert torch.equal(first[0], first[1])
    assert not torch.equal(first, second)


def test_drawn_per_clip_each_clip_has_a_rotation_of_its_own() -> None:
    """With `draw=clip` clips turn differently, each clip whole by one rotation."""
    y = Rotate(draw="clip").apply(View(unit(6)), load_skeleton("kinect25"), Generator().manual_seed(0)).x

    assert torch.equal(y, y[:, :, :, :1].expand_as(y))
    assert len({tuple(image.flatten().tolist()) for image in y[:, 0, :, 0, :3]}) == 6


@pytest.mark.parametrize("signed", [False, True])
def test_2d_data_turns_in_its_plane(signed: bool) -> None:
    """On 2-D data x and y turn by up to 30 degrees, one way or with `signed` either, and the score stays."""
    x = torch.rand(40, 1, 3, 4, 18, generator=Generator().manual_seed(1))
    y = Rotate(draw="clip", signed=signed).apply(View(x), load_skeleton("openpose18"), Generator().manual_seed(0)).x
    before, after = (torch.view_as_complex(z[:, :, :2].movedim(2, -1).contiguous()) for z in (x, y))
    turn = torch.rad2deg((after / before).angle()).flatten(1)

    assert torch.equal(y[:, :, 2], x[:, :, 2])
    torch.testing.assert_close(after.abs(), before.abs())
    torch.testing.assert_close(turn, turn[:, :1].expand_as(turn), atol=1e-3, rtol=0)
    assert 20 < turn.abs().max() <= 30
    assert len(turn.sign().unique()) == 1 + signed
