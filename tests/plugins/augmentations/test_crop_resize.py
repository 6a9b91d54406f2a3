"""Crop and resize against torch's interpolation of each clip's stretch alone."""

import pytest
import torch
from chances import assert_alike, assert_uniform
from mgbench_plugins.augmentations.crop_resize import CropResize, resample
from torch import Generator, Tensor
from torch.nn import functional

from mgbench import SpecError, View, load_skeleton
from mgbench.registry import registry


SKELETON = load_skeleton("kinect25")


def ramps(count: int, frames: int) -> Tensor:
    """Return clips whose every coordinate is the number of its frame."""
    return torch.arange(frames, dtype=torch.float64)[:, None].expand(count, 1, 3, frames, 25)


def cropped(crop: CropResize, view: View, seed: int = 0) -> View:
    """Apply the component."""
    return crop.apply(view, SKELETON, Generator().manual_seed(seed))


def stretches(crop: CropResize, count: int, frames: int, length: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return start and length of the stretches of so many clips, both `(N,)`, read off from ramps."""
    y = cropped(crop, View(ramps(count, frames), length=length)).x[:, 0, 0, :, 0]
    out = y.shape[1]
    start, end = y[:, 0], y[:, -1]  # the ends of a stretch of n frames, unless it is stretched by less than half a frame
    step = y[:, out // 2] - y[:, out // 2 - 1]
    long = (step * out).round()
    assert ((end - start) <= long - 1 + 1e-9).all()
    begin = y[:, out // 2] - (step * (out // 2 + 0.5) - 0.5)
    torch.testing.assert_close(begin, begin.round())
    return begin.round().long(), long.long()


@pytest.mark.parametrize("frames", [1, 7, 20, 33])
def test_a_stretch_is_resampled_as_torch_does(frames: int) -> None:
    """Every clip's stretch becomes what `interpolate` with `align_corners=False` makes of it, by itself."""
    x = torch.randn(200, 2, 3, 20, 5, dtype=torch.float64, generator=Generator().manual_seed(0))
    length = torch.randint(1, 21, (200,), generator=Generator().manual_seed(1))
    start = (torch.rand(200, generator=Generator().manual_seed(2)) * (21 - length)).long()
    y = resample(x, start, length, frames)

    for i, (first, long) in enumerate(zip(start.tolist(), length.tolist(), strict=True)):
        stretch = x[i, ..., first : first + long, :].permute(0, 1, 3, 2).reshape(1, -1, long)
        expected = functional.interpolate(stretch, size=frames, mode="linear", align_corners=False)
        torch.testing.assert_close(y[i], expected.reshape(2, 3, 5, frames).permute(0, 1, 3, 2))


def test_half_pixel_centres_by_hand() -> None:
    """Two frames 0 and 1 as four are 0, 1/4, 3/4, 1, and frames 0 to 3 as two are 1/2 and 5/2."""
    x = ramps(1, 4)

    assert resample(x, torch.tensor([0]), torch.tensor([2]), 4)[0, 0, 0, :, 0].tolist() == [0.0, 0.25, 0.75, 1.0]
    assert resample(x, torch.tensor([0]), torch.tensor([4]), 2)[0, 0, 0, :, 0].tolist() == [0.5, 2.5]


def test_stretches_are_drawn_evenly() -> None:
    """Of 20 frames floor(20 r) are taken, r uniform in (0.5, 1): 10 to 19, each as often, from any frame at which they fit."""
    start, length = stretches(CropResize(), 4000, 20)

    assert_alike(length - 10, 10)
    assert (start >= 0).all()
    assert (start + length <= 20).all()
    for long in range(10, 20):
        assert_alike(start[length == long], 21 - long)


def test_the_share_is_between_its_bounds() -> None:
    """The length of a long clip's stretch is uniform between the two shares of `ratio`."""
    _, length = stretches(CropResize(ratio=(0.2, 0.6)), 300, 1000)

    assert_uniform(length / 1000, 0.199, 0.6)


def test_no_fewer_than_the_floor() -> None:
    """Stretches below the floor are as long as it is, and a clip below it stays whole to the bit."""
    _, length = stretches(CropResize(floor=15), 500, 20)
    x = torch.randn(4, 1, 3, 50, 25, generator=Generator().manual_seed(0))

    assert sorted(length.unique().tolist()) == [15, 16, 17, 18, 19]
    assert torch.equal(cropped(CropResize(floor=64), View(x)).x, x)


def test_all_of_a_clip_is_the_clip() -> None:
    """With `ratio=(1.0,1.0)` nothing changes."""
    x = torch.randn(4, 1, 3, 50, 25, generator=Generator().manual_seed(0))

    assert torch.equal(cropped(CropResize(ratio=(1.0, 1.0)), View(x)).x, x)


def test_the_number_of_frames_may_be_given() -> None:
    """By default there are as many as before, otherwise `frames`."""
    x = torch.randn(4, 2, 3, 50, 25, generator=Generator().manual_seed(0))

    assert cropped(CropResize(), View(x)).x.shape == (4, 2, 3, 50, 25)
    assert cropped(CropResize(frames=120), View(x)).x.shape == (4, 2, 3, 120, 25)


def test_only_what_is_valid_is_taken() -> None:
    """Of a clip that ends early the stretch is of its frames, and fills all of the new ones."""
    length = torch.tensor([20, 8] * 200)
    start, long = stretches(CropResize(), 400, 20, length)

    assert (start + long <= length).all()
    assert long[1::2].unique().tolist() == [4, 5, 6, 7]
    assert cropped(CropResize(), View(ramps(400, 20), length=length)).length is None


def test_drawn_per_batch_clips_are_cut_alike() -> None:
    """With `draw=batch` one stretch serves the batch, by default each clip has its own."""
    for draw, different in (("batch", 1), ("clip", 40)):
        start, length = stretches(CropResize(draw=draw), 40, 200)  # type: ignore[arg-type] # one of the literals
        assert len(torch.stack([start, length]).unique(dim=1)[0]) == different


def test_kept_joints_stay_and_tokens_are_refused() -> None:
    """A mask of joints is carried on; one of cells in time would no longer fit."""
    joints = torch.arange(9)

    assert cropped(CropResize(), View(ramps(2, 20), joints)).joints is joints
    with pytest.raises(SpecError, match=r"^crop_resize moves the frames of a view .* already; give it before the mask\.$"):
        cropped(CropResize(), View(ramps(2, 20), tokens=torch.arange(9)))


@pytest.mark.parametrize("ratio", ["(0.0, 1.0)", "(0.5, 1.5)", "(0.9, 0.5)"])
def test_shares_that_are_none_are_refused(ratio: str) -> None:
    """A stretch is some of a clip, or all of it."""
    with pytest.raises(SpecError) as error:
        registry().parse("augmentation", f"crop_resize[ratio={ratio.replace(' ', '')}]")

    allowed = "it takes a smallest share above 0 and a largest up to 1, such as (0.5,1.0)."
    assert str(error.value) == f"crop_resize: ratio got {ratio}; {allowed}"
