"""SkeletonMAE: what it predicts, and that it differs from MAMP by mask and target alone."""

import torch
from learning import drifting, losses
from mgbench_plugins.augmentations.frame_joint_mask import FrameJointMasking
from mgbench_plugins.encoders.skeleton_transformer import SkeletonTransformer
from mgbench_plugins.methods.mamp import MAMP
from mgbench_plugins.methods.skeleton_mae import SkeletonMAE
from torch import Generator
from training import built, loss_of

from mgbench import Batch, View
from mgbench.tokens import cells_of


SIZES = {"features": 32, "blocks": 1, "heads": 2, "frames": 20}


def test_loss_is_the_mean_squared_distance_of_hidden_coordinates() -> None:
    """A decoder that says 0.5 of everything errs by that from each coordinate of each hidden frame and joint, and from no other."""
    objective = built(SkeletonMAE(**SIZES), encoder=SkeletonTransformer(**SIZES))  # type: ignore[arg-type] # whole numbers, all of them
    with torch.no_grad():
        objective.decoder.leave.weight.zero_()
        objective.decoder.leave.bias.fill_(0.5)
    x = torch.randn(2, 1, 3, 8, 25, generator=Generator().manual_seed(1), dtype=torch.float64)
    kept = torch.tensor([[0, 7, 30], [1, 2, 49]])
    errors = []
    for clip, own in zip(x, kept.tolist(), strict=True):
        hidden = [token for token in range(50) if token not in own]
        errors += [(clip[0, :, token // 25 * 4 + i, token % 25] - 0.5).square().mean() for token in hidden for i in range(4)]
    batch = Batch((View(x, tokens=cells_of(kept, 4, frames=8, joints=25)),), None, torch.arange(2), torch.arange(2))

    torch.testing.assert_close(loss_of(objective, batch), torch.stack(errors).mean())


def test_the_loss_falls() -> None:
    """It falls to half of what saying nothing costs, the mean square of the clips; without learning it stays."""
    method, encoder = SkeletonMAE(augment=(), **SIZES), SkeletonTransformer(**SIZES)  # type: ignore[arg-type] # as above
    found, idle = (losses(method, encoder, steps=80, learns=learns) for learns in (True, False))

    assert found[-5:].mean() < 0.5 * drifting().square().mean()
    assert idle[-5:].mean() > 0.95 * idle[:5].mean() > drifting().square().mean()


def test_it_differs_from_mamp_by_mask_and_target() -> None:
    """Half of the times go, and half of the joints at the others; all else is MAMP's."""
    ours, theirs = SkeletonMAE(), MAMP()

    assert ours.views == ((FrameJointMasking(frames=0.5, joints=0.5),),)
    assert all(getattr(ours, name) == getattr(theirs, name) for name in ("features", "blocks", "heads", "frames", "augment", "recipe"))
    assert ours.needs == {"drop_tokens"}
