"""LSTM over whole frames, averaged over time: the encoder of AS-CAL [Rao et al., Information Sciences 2021].

One layer of 256, forward in time only. It has 417,792 parameters for two persons of Kinect-25 and 340,992 for one.
"""

from typing import ClassVar, Literal

import attrs
from torch import nn

from mgbench import Encoder, Network, Skeleton
from mgbench_plugins import works
from mgbench_plugins.encoders.recurrent import Recurrent


@attrs.frozen
class LSTM(Encoder):
    """One LSTM over frames, as in AS-CAL; the feature is the mean of its outputs.

    Args:
        hidden: the width of a state in one direction.
        layers: LSTMs, each over the outputs of the one before.
        feature: `mean` over the frames of a clip, as in AS-CAL, or the `final` state.
        bidirectional: whether frames are read backwards as well, so that D is twice the width.
    """

    name = "lstm"
    citation = works.ASCAL
    tiny = "hidden=8"
    gives: ClassVar[frozenset[str]] = frozenset({"sequence"})

    hidden: int = attrs.field(default=256, validator=attrs.validators.ge(1))
    layers: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    feature: Literal["mean", "final"] = "mean"
    bidirectional: bool = False

    def build(self, skeleton: Skeleton, channels: int, persons: int) -> Network:
        """Make the network; the persons of a frame are one input."""
        inputs = persons * channels * len(skeleton.joints)
        recurrent = nn.LSTM(inputs, self.hidden, self.layers, batch_first=True, bidirectional=self.bidirectional)
        return Recurrent(recurrent, final=self.feature == "final")
