"""Bidirectional GRU over whole frames, read to its two final states: the encoder of P&C [Su et al., CVPR 2020].

Three layers of 1,024 each way, 44,537,856 parameters for one person of Kinect-25. Two layers of 300 with
`feature=mean,weights=orthogonal` are the encoder of MS2L [Lin et al., ACM MM 2020], 2,437,200 for two persons.
"""

from typing import ClassVar, Literal

import attrs
from torch import nn

from mgbench import Encoder, Network, Skeleton
from mgbench_plugins import works
from mgbench_plugins.encoders.recurrent import Recurrent


@attrs.frozen
class BiGRU(Encoder):
    """GRUs over frames, forwards and backwards, as in P&C and MS2L.

    Args:
        hidden: the width of a state in one direction; D is twice that.
        layers: pairs of GRUs, each over the outputs of the pair before.
        feature: `final` joins the last state of either direction, as in P&C; `mean` is over the frames of a clip, as in MS2L.
        weights: how they are drawn: all by `xavier` as in P&C, or `orthogonal` from state to state with biases of zero as in MS2L.
    """

    name = "bigru"
    citation = f"{works.PREDICT_CLUSTER}\n\n{works.MS2L}"
    tiny = "hidden=8,layers=2"
    gives: ClassVar[frozenset[str]] = frozenset({"sequence"})

    hidden: int = attrs.field(default=1024, validator=attrs.validators.ge(1))
    layers: int = attrs.field(default=3, validator=attrs.validators.ge(1))
    feature: Literal["final", "mean"] = "final"
    weights: Literal["xavier", "orthogonal"] = "xavier"

    def build(self, skeleton: Skeleton, channels: int, persons: int) -> Network:
        """Make the network; the persons of a frame are one input."""
        inputs = persons * channels * len(skeleton.joints)
        recurrent = nn.GRU(inputs, self.hidden, self.layers, batch_first=True, bidirectional=True)
        for name, parameter in recurrent.named_parameters():
            if name.startswith("weight_hh") and self.weights == "orthogonal":
                nn.init.orthogonal_(parameter)
            elif name.startswith("weight"):
                nn.init.xavier_uniform_(parameter)
            elif self.weights == "orthogonal":
                nn.init.zeros_(parameter)
        return Recurrent(recurrent, final=self.feature == "final")
