"""EDGCN: MS-G3D with one scale, one window and plain convolutions over time [Shah et al., ICPR 2022].

The paper gives no layer list; this is the one that meets its every sentence and its 1.9 M parameters (1,898,021 with 17 classes). With
one scale the only adjacency is the identity, so the bones are not used at all and joints meet through the residual masks alone;
`scales=(2,2)` adds neighbours. A-EDGCN is `edgcn[lift=moment]`.
"""

from typing import ClassVar

import attrs

from mgbench import Encoder, Network, Skeleton
from mgbench.graph import load_graph
from mgbench_plugins import works
from mgbench_plugins.encoders.layers import PersonNorm, TemporalConv
from mgbench_plugins.encoders.msg3d import MultiScaleNetwork, odd


@attrs.frozen
class EDGCN(Encoder):
    """EDGCN, a light MS-G3D for micro-gestures.

    Args:
        scales: how many distances, the joint itself counted, in one frame and in a window; with (1,1) no bone is used.
        windows: frames of each window.
        width: channels of the first stage; the others have two and four times as many, and D is the last.
    """

    name = "edgcn"
    citation = f"{works.EDGCN}\n\n{works.MSG3D}"
    tiny = "width=4"
    gives: ClassVar[frozenset[str]] = frozenset({"joint_map", "drop_joints"})

    scales: tuple[int, int] = attrs.field(default=(1, 1), validator=attrs.validators.deep_iterable(attrs.validators.ge(1)))
    windows: tuple[int, ...] = attrs.field(default=(3,), validator=odd)
    width: int = attrs.field(default=96, validator=attrs.validators.ge(1))

    def build(self, skeleton: Skeleton, channels: int, persons: int) -> Network:
        """Make the network; its first norm holds numbers of each person."""
        norm, graph = PersonNorm(len(skeleton.joints), channels, persons), load_graph("bones", skeleton)
        return MultiScaleNetwork(norm, graph, (channels, self.width), self.scales, self.windows, _plain)


def _plain(inner: int, outer: int, stride: int) -> TemporalConv:
    """Make a convolution over three frames, in place of the branches."""
    return TemporalConv(inner, outer, 3, stride)
