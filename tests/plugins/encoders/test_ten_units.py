"""2s-AGCN and CTR-GCN against straightforward ones with the same weights."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from mgbench_plugins.encoders.agcn import AGCN
from mgbench_plugins.encoders.ctrgcn import CTRGCN
from networks import LAYOUTS, MASKS, agree, built, clips, ignore_dropped
from plain_units import agcn, ctrgcn, tame
from torch import Tensor

from mgbench import Encoder


Plain = Callable[..., Tensor]

both = pytest.mark.parametrize(("encoder", "plain"), [(AGCN(width=4), agcn), (CTRGCN(width=8), ctrgcn)], ids=["agcn", "ctrgcn"])


def drawn(encoder: Encoder, skeleton: str = "kinect25", persons: int = 1) -> Any:
    """Return a small network whose weights are all drawn."""
    return tame(built(encoder, skeleton, persons))


@both
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("mask", sorted(MASKS))
@pytest.mark.parametrize("persons", [1, 2])
def test_map_and_gradients_are_those_of_the_plain_network(encoder: Encoder, plain: Plain, persons: int, mask: str, training: bool) -> None:
    """With joints dropped or not, for the batch or a clip, one person or two, values and gradients agree in float64."""
    agree(drawn(encoder, persons=persons).train(training), plain, MASKS[mask], persons, frames=9, atol=None)


@both
@pytest.mark.parametrize(("skeleton", "persons"), LAYOUTS)
def test_other_skeletons_go_through_the_same_network(encoder: Encoder, plain: Plain, skeleton: str, persons: int) -> None:
    """The graph is the skeleton's, whatever its joints."""
    network, x = drawn(encoder, skeleton, persons).eval(), clips(2, persons, 7, skeleton)

    torch.testing.assert_close(network(x), plain(network, x, None, skeleton))


@pytest.mark.parametrize("encoder", [AGCN(width=4), CTRGCN(width=8)], ids=["agcn", "ctrgcn"])
def test_dropped_joints_are_gone(encoder: Encoder) -> None:
    """What was recorded for dropped joints does not matter, not for the graphs of others either."""
    ignore_dropped(drawn(encoder).eval())
