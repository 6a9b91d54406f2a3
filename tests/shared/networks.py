"""Networks whose weights are all drawn, clips for them, and how many weights they have, for tests that hold encoders against plain ones."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mgbench import Backbone, Encoder, load_skeleton


#: Every layout that encoders must take: skeleton and persons.
LAYOUTS = [(skeleton, persons) for skeleton in ("kinect25", "kinect22", "openpose18", "body25", "imigue22") for persons in (1, 2)]

#: Kept joints of Kinect-25: all, the same for a batch, and others for each of three clips.
BATCH = torch.tensor([0, 2, 3, 5, 8, 12, 13, 19, 20, 24])
EACH = torch.tensor([[*range(17)], [*range(8, 25)], [*range(4), *range(6, 14), *range(16, 21)]])
MASKS = {"all": None, "batch": BATCH, "each": EACH}


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


def agree(
    network: Any,
    plain: Callable[[Any, Tensor, Tensor | None], Tensor],
    joints: Tensor | None,
    persons: int,
    frames: int,
    atol: float | None = 1e-8,
) -> None:
    """Hold map and gradients of a network in float64 against a plain form with its weights.

    Without `atol`, gradients may differ by 1e-13 of the largest one.
    """
    ours, theirs = (clips(persons=persons, frames=frames).requires_grad_() for _ in range(2))
    features, expected = network(ours, joints), plain(network, theirs, joints)
    weights = list(network.parameters())
    direction = torch.randn(expected.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    torch.testing.assert_close(features, expected)
    found = torch.autograd.grad(features, [ours, *weights], direction)
    right = torch.autograd.grad(expected, [theirs, *weights], direction)
    rounding = 1e-13 * max(b.abs().max().item() for b in right) if atol is None else atol
    for a, b in zip(found, right, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=rounding)


def ignore_dropped(network: Any) -> None:
    """Hold the map to the kept joints of Kinect-25: what was recorded for others does not matter."""
    x = clips()
    other = x.clone()
    other[..., [joint for joint in range(25) if joint not in BATCH.tolist()]] = 99

    assert network(x, BATCH).shape[4] == len(BATCH)
    torch.testing.assert_close(network(other, BATCH), network(x, BATCH))
