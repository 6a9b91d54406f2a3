"""Small trainings on clips that can be learnt, for tests of methods."""

from pathlib import Path

import attrs
import torch
from torch import Tensor

from mgbench import Backbone, Encoder, Method, load_skeleton
from mgbench.arithmetic import Arithmetic
from mgbench.data import Dense
from mgbench.train import Training, pretrain


def drifting(count: int = 16, frames: int = 20, persons: int = 1, skeleton: str = "kinect25") -> Tensor:
    """Return clips `(N, M, C, T, V)` of one posture that drifts as a whole, in each clip another way."""
    layout, generator = load_skeleton(skeleton), torch.Generator().manual_seed(0)
    axes, joints = len(layout.axes), len(layout.joints)
    posture = torch.randn(persons, axes, 1, joints, generator=generator)
    way = torch.randn(count, 1, axes, 1, 1, generator=generator)
    return posture + way * torch.linspace(-2, 2, frames)[:, None]


_PLAIN = Arithmetic()


def losses(method: Method, encoder: Encoder, steps: int = 40, lr: float = 3e-3, *, learns: bool = True, how: Arithmetic = _PLAIN) -> Tensor:
    """Return the loss of each step of a training on sixteen drifting clips, or of the same steps without learning."""
    recipe = attrs.evolve(method.recipe, lr=lr if learns else 1e-12, lr_end=0.0, schedule="constant", warmup=0, batch_size=16, epochs=1)
    x, skeleton = drifting(), load_skeleton("kinect25")
    torch.manual_seed(0)
    method = attrs.evolve(method, recipe=recipe)
    objective = method.build(Backbone(encoder, skeleton, 1), 4)
    data = Dense(x, torch.arange(16) % 4, torch.full((16,), x.shape[3]))
    training = Training(0, how, steps, Path("no checkpoint"), 1e9, lambda _: None)
    return pretrain(objective, method, data, skeleton, training)[0]
