"""How many floating point operations a forward pass takes, counted from shapes alone."""

import copy

import torch
from torch.utils.flop_counter import FlopCounterMode

from mgbench.model import Backbone


def forward_flops(backbone: Backbone, shape: tuple[int, ...]) -> int:
    """Return the operations of a backbone for one clip of shape `(M, C, T, V)`; a multiplication and an addition are two.

    Products and convolutions count, in the form that their operator has where it is not written for one device; norms, activations and
    sums do not. Nothing is computed, so the number is the same on every machine.

    Raises what the network raises where its shapes depend on the clips' values.
    """
    twin = copy.deepcopy(backbone).to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        twin(torch.empty(1, *shape, device="meta"))
    return int(counter.get_total_flops())
