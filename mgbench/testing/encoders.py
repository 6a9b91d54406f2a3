"""Rules for encoders."""

import torch

from mgbench.components import Encoder
from mgbench.registry import Registry
from mgbench.testing.kit import LAYOUTS, Rule, backbone, clips, generator, hold, same


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


def every_parameter_learns(encoder: Encoder, _loaded: Registry) -> None:
    """A gradient reaches every parameter."""
    network = backbone(encoder).train()
    network(clips()).square().sum().backward()
    idle = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    hold(not idle, f"no gradient reaches {', '.join(idle)}")


RULES: list[Rule] = [gives_maps_of_its_width, keeps_clips_apart, ignores_dropped_joints, depends_on_kept_joints, every_parameter_learns]
