"""Motion-aware masks of tokens against their definition, token by token."""

import math

import pytest
import torch
from mgbench_plugins.augmentations.motion_token_mask import MotionTokenMasking
from mgbench_plugins.encoders.skeleton_transformer import SkeletonTransformer
from torch import Generator, Tensor

from mgbench import SpecError, View, load_skeleton
from mgbench.tokens import tokens_of


KINECT = load_skeleton("kinect25")


def clips(count: int = 3, persons: int = 1, frames: int = 22) -> Tensor:
    """Return clips that move."""
    return torch.randn(count, persons, 3, frames, 25, generator=Generator().manual_seed(0)).cumsum(dim=3)


def kept(mask: MotionTokenMasking, x: Tensor, seed: int = 0) -> list[list[int]]:
    """Return the kept tokens of each clip, each once."""
    cells = mask.apply(View(x), KINECT, Generator().manual_seed(seed)).tokens
    assert cells is not None
    return [sorted(set(row)) for row in tokens_of(cells, mask.length or 1, 25).tolist()]


def motions(clip: Tensor, length: int) -> list[float]:
    """Return how much each token of one clip `(M, C, T, V)` moves."""
    frames = [*clip.unbind(dim=2)]
    frames += frames[-1:] * (-len(frames) % length)
    found = []
    for time in range(0, len(frames), length):
        now, before = max(time, length), max(time, length) - length
        for joint in range(25):
            steps = [(frames[now + i] - frames[before + i])[..., joint].abs().mean().item() for i in range(length)]
            found.append(sum(steps) / length)
    return found


@pytest.mark.parametrize("persons", [1, 2])
@pytest.mark.parametrize("length", [1, 4])
def test_the_smallest_perturbed_motions_are_kept(length: int, persons: int) -> None:
    """The kept tokens are those of smallest log softmax plus Gumbel noise, the softmax of motions over tau times the largest."""
    x, mask = clips(persons=persons).double(), MotionTokenMasking(ratio=0.7, tau=0.75, length=length)
    total = -(-22 // length) * 25
    draws = torch.rand(3, total, generator=Generator().manual_seed(0)).tolist()
    for clip, noise, found in zip(x, draws, kept(mask, x), strict=True):
        motion = motions(clip, length)
        weights = [math.exp(one / (max(motion) * 0.75)) for one in motion]
        keys = [math.log(weight / sum(weights)) - math.log(-math.log(u)) for weight, u in zip(weights, noise, strict=True)]
        expected = sorted(sorted(range(total), key=keys.__getitem__)[: total - round(0.7 * total)])
        assert found == expected


@pytest.mark.parametrize(("frames", "length", "count"), [(120, 4, 75), (50, 5, 25), (50, 4, 33), (3, 4, 3), (20, 1, 50)])
def test_a_tenth_is_kept(frames: int, length: int, count: int) -> None:
    """Of 750 tokens 75 stay, in every clip, also where the last token is not full."""
    view = MotionTokenMasking(length=length).apply(View(clips(frames=frames)), KINECT, Generator())

    assert view.tokens is not None
    assert view.tokens.shape == (3, count * length)
    assert [len(one) for one in kept(MotionTokenMasking(length=length), clips(frames=frames))] == [count] * 3


def test_moving_tokens_are_hidden_more_often() -> None:
    """Of a body of which five joints move, these are kept clearly less often, the less the smaller tau; still ones all alike."""
    x = torch.zeros(400, 1, 3, 8, 25)
    x[..., :5] = clips(400, frames=8)[..., :5]
    share = {}
    for tau in (0.2, 0.8, 1e6):
        rows = kept(MotionTokenMasking(ratio=0.5, tau=tau, length=4), x)
        share[tau] = sum(token % 25 < 5 for row in rows for token in row) / sum(map(len, rows))

    assert share[0.2] < share[0.8] - 0.05 < share[1e6] - 0.1
    assert share[1e6] == pytest.approx(0.2, abs=0.02)


def test_a_clip_without_motion_is_masked_evenly() -> None:
    """Still clips, and clips of one token in time, have masks like any other."""
    for x in (torch.zeros(200, 1, 3, 8, 25), clips(200, frames=4)):
        rows = kept(MotionTokenMasking(ratio=0.5, length=4), x)
        counts = torch.tensor([token for row in rows for token in row]).bincount(minlength=25 * x.shape[3] // 4) / 200
        assert (counts - 0.5).abs().max() < 0.15


def test_the_length_of_tokens_is_the_encoders() -> None:
    """A mask that names no length takes the encoder's; one that does keeps its own."""
    encoder = SkeletonTransformer(patch=5, frames=50)

    assert MotionTokenMasking().suited(encoder) == MotionTokenMasking(length=5)
    assert MotionTokenMasking(length=10).suited(encoder) == MotionTokenMasking(length=10)


@pytest.mark.parametrize("view", [View(clips(), joints=torch.arange(9)), View(clips(), tokens=torch.arange(9))])
def test_a_masked_view_is_not_masked_again(view: View) -> None:
    """Masks of tokens do not combine with other masks."""
    with pytest.raises(SpecError, match="motion_token_mask masks tokens of a view that is masked already"):
        MotionTokenMasking().apply(view, KINECT, Generator())


def test_scores_are_no_motion() -> None:
    """On `x y score` data the score does not count."""
    x, skeleton = torch.randn(3, 1, 3, 20, 18, generator=Generator().manual_seed(0)), load_skeleton("openpose18")
    other = x.clone()
    other[:, :, 2] *= 100
    views = [MotionTokenMasking(length=4).apply(View(one), skeleton, Generator().manual_seed(1)).tokens for one in (x, other)]

    assert torch.equal(*views)  # type: ignore[arg-type] # views that have tokens
