"""2s-AGCN: the graph is the bones, what is learnt for all clips, and what each clip's joints have in common [Shi et al., CVPR 2019].

One stream of the two; `--stream joint,bone` trains both. Masked joints are removed from all three graphs, the clip's own among them, and
from the statistics of all norms.
"""

from typing import ClassVar

import attrs
import torch
from torch import Tensor, nn

from mgbench import Encoder, Network, Skeleton
from mgbench.graph import directed_partition, load_graph
from mgbench.kernels.graph_conv import between, masked_graph_conv
from mgbench_plugins.encoders.layers import PersonNorm, TemporalConv, draw_fan_out
from mgbench_plugins.encoders.units import TenUnits


@attrs.frozen
class AGCN(Encoder):
    """2s-AGCN's adaptive graphs, one stream.

    Args:
        width: channels of the first stage; the others have two and four times as many, and D is the last.
    """

    name = "agcn"
    citation = """@inproceedings{shi2019agcn,
  title={Two-Stream Adaptive Graph Convolutional Networks for Skeleton-Based Action Recognition},
  author={Shi, Lei and Zhang, Yifan and Cheng, Jian and Lu, Hanqing},
  booktitle={CVPR},
  year={2019}
}"""
    tiny = "width=4"
    gives: ClassVar[frozenset[str]] = frozenset({"joint_map", "drop_joints"})

    width: int = attrs.field(default=64, validator=attrs.validators.ge(4))

    def build(self, skeleton: Skeleton, channels: int, persons: int) -> Network:
        """Make the network; its first norm holds numbers of each person."""
        norm, graph = PersonNorm(len(skeleton.joints), channels, persons), directed_partition(load_graph("bones", skeleton))
        return TenUnits(norm, channels, self.width, lambda inner, outer: _Adaptive(inner, outer, graph), _nine_frames)


def _nine_frames(width: int, stride: int) -> TemporalConv:
    """Make a convolution over nine frames."""
    unit = TemporalConv(width, width, 9, stride)
    draw_fan_out(unit.conv)
    return unit


class _Adaptive(nn.Module):
    """Sums over neighbours by three graphs: bones, learnt, and likenesses of the clip's joints."""

    def __init__(self, inner: int, outer: int, adjacency: Tensor) -> None:
        super().__init__()
        self.register_buffer("adjacency", adjacency.clone(), persistent=False)
        self.adjacency: Tensor
        self.learnt = nn.Parameter(torch.full_like(adjacency, 1e-6))
        self.embed = nn.Linear(inner, 6 * (outer // 4))  # of sources and of targets, for each of the three
        self.mix = nn.Linear(inner, 3 * outer)
        draw_fan_out(self.embed, parts=6)
        nn.init.normal_(self.mix.weight, std=(2 / (3 * inner * outer)) ** 0.5)
        nn.init.zeros_(self.mix.bias)

    def forward(self, x: Tensor, joints: Tensor | None) -> Tensor:
        """Return `(N, T, V', C')` of the kept joints."""
        graph = between(self.adjacency + self.learnt, joints) + self.likeness(x)
        y = masked_graph_conv(x, graph, self.mix.weight.unflatten(0, (3, -1)))
        return y + self.mix.bias.view(3, -1).sum(dim=0).to(y.dtype)

    def likeness(self, x: Tensor) -> Tensor:
        """Return for each target a distribution over sources, by their embeddings in all frames, `(N, 3, V', V')`."""
        embedded: Tensor = self.embed(x).unflatten(3, (2, 3, -1))
        sources, targets = embedded.permute(3, 0, 4, 2, 1, 5).flatten(4)  # (N, 3, V', T E)
        alike: Tensor = sources @ targets.mT / sources.shape[-1]
        return alike.softmax(dim=-2)
