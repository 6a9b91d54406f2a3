"""LSTM over whole frames, averaged over time: the encoder of AS-CAL [Rao et al., Information Sciences 2021].

One layer of 256, forward in time only. It has 417,792 parameters for two persons of Kinect-25 and 340,992 for one.
"""

from typing import ClassVar, Literal

import attrs
from torch import Tensor, nn

from mgbench import Encoder, Network, Skeleton
from mgbench.sequences import (
    as_map,
    frame_vectors,
    last_before_the_end,
    mean_before_the_end,
    repeat_behind_the_end,
)
from mgbench_plugins import works


@attrs.frozen
class LSTM(Encoder):
    """One LSTM over frames, as in AS-CAL; the feature is the mean of its outputs.

    Args:
        hidden: D, the width of the state.
        layers: LSTMs, each over the outputs of the one before.
        feature: `mean` over the frames of a clip, as in AS-CAL, or the `final` state.
    """

    name = "lstm"
    citation = works.ASCAL
    tiny = "hidden=8"
    gives: ClassVar[frozenset[str]] = frozenset({"sequence"})

    hidden: int = attrs.field(default=256, validator=attrs.validators.ge(1))
    layers: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    feature: Literal["mean", "final"] = "mean"

    def build(self, skeleton: Skeleton, channels: int, persons: int) -> Network:
        """Make the network; the persons of a frame are one input."""
        return _LSTM(self, persons * channels * len(skeleton.joints))


class _LSTM(Network):
    def __init__(self, spec: LSTM, inputs: int) -> None:
        super().__init__()
        self.width, self.final = spec.hidden, spec.feature == "final"
        self.recurrent = nn.LSTM(inputs, spec.hidden, spec.layers, batch_first=True)

    def forward(self, x: Tensor, joints: Tensor | None = None, length: Tensor | None = None) -> Tensor:
        """Return `(N, M, D, T, 1)`, the same for every person."""
        y: Tensor = self.recurrent(frame_vectors(x))[0]
        if length is not None:  # what lies behind the end comes too late to change what lies before it
            feature = (last_before_the_end if self.final else mean_before_the_end)(y, length)
            y = repeat_behind_the_end(y, length, feature)
        return as_map(y, x.shape[1])

    def pool(self, features: Tensor) -> Tensor:
        """Return `(N, D)`: the mean over time, or the last state."""
        outputs = features[:, 0, :, :, 0]
        return outputs[..., -1] if self.final else outputs.mean(dim=2)
