"""Networks whose weights are all drawn, clips for them, and how many weights they have, for tests that hold encoders against plain ones."""

from typing import Any

import torch
from torch import Tensor

from mgbench import Backbone, Encoder, load_skeleton


#: Every layout that encoders must take: skeleton and persons.
LAYOUTS = [(skeleton, persons) for skeleton in ("kinect25", "kinect22", "openpose18", "body25", "imigue22") for persons in (1, 2)]


def built(encoder: Encoder, skeleton: str = "kinect25", persons: int = 1) -> Any:
    """Return a network in float64 whose weights and statistics are all drawn, none one or zero by accident."""
    layout, generator = load_skeleton(skeleton), torch.Generator().manual_seed(0)
    network = encoder.build(layout, len(layout.axes), persons).double()
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if not value.is_floating_point():
                continue
            noise = torch.rand(value.shape, generator=generator, dtype=torch.float64)
            if name.endswith("running_var") or (name.endswith("weight") and value.dim() == 1):  # of norms
                value.copy_(noise + 0.5)
            else:
                value.copy_((noise - 0.5) * (1 if value.dim() == 1 else 4 / value[0].numel() ** 0.5))
    return network


def clips(count: int = 3, persons: int = 1, frames: int = 17, skeleton: str = "kinect25") -> Tensor:
    """Return random clips `(N, M, C, T, V)` in float64."""
    layout = load_skeleton(skeleton)
    shape = (count, persons, len(layout.axes), frames, len(layout.joints))
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def parameters(encoder: Encoder, skeleton: str = "kinect25", persons: int = 1) -> int:
    """Count the weights of a backbone, without memory for them."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in Backbone(encoder, load_skeleton(skeleton), persons).parameters())
