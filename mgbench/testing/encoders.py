"""Rules for encoders."""

from typing import Final

import torch
from torch import Tensor

from mgbench.components import Encoder
from mgbench.registry import Registry
from mgbench.testing.kit import LAYOUTS, Rule, backbone, clips, generator, hold, same
from mgbench.tokens import cells_of


#: Valid frames of each of six clips of 20.
LENGTH: Final = torch.tensor([1, 20, 7, 13, 2, 19])


def gives_maps_of_its_width(encoder: Encoder, _loaded: Registry) -> None:
    """On every skeleton, with one person or two, the map is `(N, M, D, T', V')` and pools to a finite `(N, D)`."""
    for skeleton, persons in LAYOUTS:
        network, x = backbone(encoder, skeleton, persons).eval(), clips(3, persons, skeleton)
        features = network.map(x)
        hold(features.dim() == 5 and features.shape[:3] == (3, persons, network.width), f"{skeleton}: map {tuple(features.shape)}")
        pooled = network(x)
        hold(pooled.shape == (3, network.width) and bool(pooled.isfinite().all()), f"{skeleton}: features {tuple(pooled.shape)}")


def keeps_clips_apart(encoder: Encoder, _loaded: Registry) -> None:
    """In evaluation the features of a clip do not depend on the other clips of its batch."""
    network, x = backbone(encoder).eval(), clips()
    same(network(x)[:1], network(torch.cat([x[:1], x[1:] + 1]))[:1], "another clip changed a clip's features")
    same(network(x)[:1], network(x[:1]), "a clip's features depend on the size of its batch")


def ignores_dropped_joints(encoder: Encoder, _loaded: Registry) -> None:
    """Masked joints, dropped for the batch or per clip, change nothing, in training or evaluation."""
    if "drop_joints" not in encoder.gives:
        return
    each = torch.stack([torch.randperm(25, generator=generator(i))[:17].sort().values for i in range(6)])
    for training in (False, True):
        for joints in (each[0], each):
            network, x = backbone(encoder).train(training), clips()
            masked = torch.ones(6, 25, dtype=torch.bool).scatter_(1, joints.expand(6, -1), value=False)
            torch.manual_seed(0)
            clean = network(x, joints)
            network, changed = backbone(encoder).train(training), torch.where(masked[:, None, None, None], x * 7 + 3, x)
            torch.manual_seed(0)
            same(clean, network(changed, joints), f"a masked joint changed the features (training={training})")


def depends_on_kept_joints(encoder: Encoder, _loaded: Registry) -> None:
    """Kept joints per clip give what the same joints for the batch give, and other joints something else."""
    if "drop_joints" not in encoder.gives:
        return
    network, x = backbone(encoder).eval(), clips()
    first, other = torch.arange(17), torch.arange(8, 25)
    same(network(x, first), network(x, first.expand(6, -1)), "joints per clip differ from the same joints for the batch")
    hold(not torch.equal(network(x, first), network(x, other)), "the kept joints make no difference")


def ignores_dropped_tokens(encoder: Encoder, _loaded: Registry) -> None:
    """Masked tokens, dropped for the batch or per clip, change nothing, in training or evaluation."""
    if "drop_tokens" not in encoder.gives:
        return
    frames = 4 * encoder.token
    each = torch.stack([_cells(torch.randperm(100, generator=generator(i))[:35], encoder) for i in range(6)])
    for training in (False, True):
        for tokens in (each[0], each):
            network, x = backbone(encoder).train(training), clips(frames=frames)
            masked = torch.ones(6, frames * 25, dtype=torch.bool).scatter_(1, tokens.expand(6, -1), value=False).view(6, 1, 1, frames, 25)
            torch.manual_seed(0)
            clean = network(x, tokens=tokens)
            network, changed = backbone(encoder).train(training), torch.where(masked, x * 7 + 3, x)
            torch.manual_seed(0)
            same(clean, network(changed, tokens=tokens), f"a masked token changed the features (training={training})")


def depends_on_kept_tokens(encoder: Encoder, _loaded: Registry) -> None:
    """Kept tokens per clip give what the same tokens for the batch give, and other tokens something else."""
    if "drop_tokens" not in encoder.gives:
        return
    network, x = backbone(encoder).eval(), clips(frames=4 * encoder.token)
    first, other = _cells(torch.arange(35), encoder), _cells(torch.arange(40, 75), encoder)
    same(network(x, tokens=first), network(x, tokens=first.expand(6, -1)), "tokens per clip differ from the same tokens for the batch")
    hold(not torch.equal(network(x, tokens=first), network(x, tokens=other)), "the kept tokens make no difference")


def _cells(tokens: Tensor, encoder: Encoder) -> Tensor:
    """Return the cells of numbered tokens of four times of Kinect-25."""
    return cells_of(tokens, encoder.token, 4 * encoder.token, 25)


def ignores_frames_behind_the_end(encoder: Encoder, _loaded: Registry) -> None:
    """Frames behind the end of a clip change nothing, in training or evaluation."""
    if "sequence" not in encoder.gives:
        return
    behind = torch.arange(20) >= LENGTH[:, None]
    for training in (False, True):
        network, x = backbone(encoder).train(training), clips()
        torch.manual_seed(0)
        clean = network(x, length=LENGTH)
        network, changed = backbone(encoder).train(training), torch.where(behind[:, None, None, :, None], x * 7 + 3, x)
        torch.manual_seed(0)
        same(clean, network(changed, length=LENGTH), f"a frame behind the end of its clip changed the features (training={training})")


def ends_where_a_clip_ends(encoder: Encoder, _loaded: Registry) -> None:
    """In evaluation a clip that ends early has the features of its frames alone, and one that does not end early has its own."""
    if "sequence" not in encoder.gives:
        return
    network, x = backbone(encoder).eval(), clips()
    features = network(x, length=LENGTH)
    for i, frames in enumerate(LENGTH.tolist()):
        same(features[[i]], network(x[[i], :, :, :frames]), f"a clip of {frames} frames of 20 is not read as those frames alone")
    hold(not torch.equal(features, network(x)), "the lengths make no difference")


def every_parameter_learns(encoder: Encoder, _loaded: Registry) -> None:
    """A gradient reaches every parameter."""
    network = backbone(encoder).train()
    network(clips()).square().sum().backward()
    idle = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    hold(not idle, f"no gradient reaches {', '.join(idle)}")


RULES: list[Rule] = [
    gives_maps_of_its_width,
    keeps_clips_apart,
    ignores_dropped_joints,
    depends_on_kept_joints,
    ignores_dropped_tokens,
    depends_on_kept_tokens,
    ignores_frames_behind_the_end,
    ends_where_a_clip_ends,
    every_parameter_learns,
]
