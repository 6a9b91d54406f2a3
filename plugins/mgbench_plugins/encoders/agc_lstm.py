"""AGC-LSTM, a reconstruction: LSTMs over joints whose gates are graph convolutions, with attention to joints [Si et al., CVPR 2019].

Written from what is told of the paper, without its authors' code or count of weights to hold it against (ours are 23,410,947); what is
open is chosen here and named on this encoder's page.
"""

from typing import ClassVar

import attrs
import torch
from torch import Tensor, nn
from torch.nn import functional

from mgbench import Encoder, Network, Skeleton
from mgbench.graph import keep, load_graph, spatial_partition
from mgbench.kernels.graph_conv import between, masked_graph_conv


@attrs.frozen
class AGCLSTM(Encoder):
    """AGC-LSTM, reconstructed from its paper: three graph LSTMs with attention to joints.

    Args:
        hidden: the width of a joint's state, a multiple of two; D is twice that.
        dropout: of what each graph LSTM reads.
    """

    name = "agc_lstm"
    citation = """@inproceedings{si2019agclstm,
  title={An Attention Enhanced Graph Convolutional LSTM Network for Skeleton-Based Action Recognition},
  author={Si, Chenyang and Chen, Wentao and Wang, Wei and Wang, Liang and Tan, Tieniu},
  booktitle={CVPR},
  year={2019}
}"""
    tiny = "hidden=8"
    gives: ClassVar[frozenset[str]] = frozenset({"joint_map", "drop_joints"})

    hidden: int = attrs.field(default=512)
    dropout: float = attrs.field(default=0.5, validator=[attrs.validators.ge(0), attrs.validators.lt(1)])

    @hidden.validator
    def _is_shared_by_two(self, _attribute: object, value: int) -> None:
        if value < 1 or value % 2:
            msg = f"hidden got {value}; it takes a multiple of two, which position and motion share."
            raise ValueError(msg)

    def build(self, skeleton: Skeleton, channels: int, persons: int) -> Network:
        """Make the network; persons are folded into the batch, so it holds nothing a person."""
        return _AGCLSTM(self, spatial_partition(load_graph("bones", skeleton), true=True), channels)


class _AGCLSTM(Network):
    def __init__(self, spec: AGCLSTM, adjacency: Tensor, channels: int) -> None:
        super().__init__()
        half = spec.hidden // 2
        self.width, self.dropout = 2 * spec.hidden, spec.dropout
        self.register_buffer("adjacency", adjacency, persistent=False)
        self.adjacency: Tensor
        self.position = nn.Linear(channels, half)
        self.motion = nn.Linear(half, half)
        self.shared = nn.LSTM(spec.hidden, spec.hidden, batch_first=True)
        self.layers = nn.ModuleList(_GraphLSTM(spec.hidden) for _ in range(3))

    def forward(self, x: Tensor, joints: Tensor | None = None) -> Tensor:
        """Return `(N, M, D, ceil(T / 4), V')`: every joint's state, then the same weighed by the attention it is paid."""
        clips, persons, _, _, places = x.shape
        y = x.permute(0, 1, 3, 4, 2).flatten(0, 1)  # (N M, T, V, C)
        if joints is not None:
            joints = joints.expand(clips, -1).repeat_interleave(persons, dim=0)
            y, places = keep(y, joints), joints.shape[1]
        graph = between(self.adjacency, joints)
        y = self.position(y)
        moved = functional.pad(y.diff(dim=1), (0, 0, 0, 0, 1, 0))  # none in the first frame
        y = torch.cat([y, self.motion(moved)], dim=3).transpose(1, 2).flatten(0, 1)
        y = self.shared(y)[0].unflatten(0, (-1, places)).transpose(1, 2)  # (N M, T, V', hidden)
        attention = y.new_zeros(1)
        for number, layer in enumerate(self.layers):
            y = _halved(y * (1 + attention)) if number else y
            y, attention = layer(functional.dropout(y, self.dropout, self.training), graph)
        features: Tensor = torch.cat([y, attention * y], dim=3).permute(0, 3, 1, 2).unflatten(0, (clips, persons))
        return features

    def pool(self, features: Tensor) -> Tensor:
        """Return `(N, D)`: at the last step the sum over joints, then the mean over persons."""
        return features[:, :, :, -1].sum(dim=3).mean(dim=1)


class _GraphLSTM(nn.Module):
    """An LSTM in which a joint's gates read its neighbours' inputs and states; gives states and the attention to each joint."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.enter = nn.Linear(hidden, 3 * 4 * hidden, bias=False)
        self.recur = nn.Linear(hidden, 3 * 4 * hidden, bias=False)
        self.bias = nn.Parameter(torch.zeros(4 * hidden))
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.joint = nn.Linear(hidden, hidden)
        self.whole = nn.Linear(hidden, hidden, bias=False)
        self.score = nn.Linear(hidden, 1)

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch gives it no type; unrolled, the frames would compile for minutes
    def forward(self, x: Tensor, graph: Tensor) -> tuple[Tensor, Tensor]:
        """Return `(N, T, V', hidden)` and `(N, T, V', 1)` of `(N, T, V', hidden)`."""
        entering = masked_graph_conv(x, graph, self.enter.weight.unflatten(0, (3, -1))) + self.bias
        weight, states = self.recur.weight.unflatten(0, (3, -1)), []
        state = memory = torch.zeros_like(x[:, :1])
        for frame in entering.split(1, dim=1):
            admit, forget, show, new = (frame + masked_graph_conv(state, graph, weight)).chunk(4, dim=3)
            memory = forget.sigmoid() * memory + admit.sigmoid() * new.tanh()
            state = show.sigmoid() * memory.tanh()
            states.append(state)
        y = torch.cat(states, dim=1)
        query = functional.relu(self.query(y).sum(dim=2, keepdim=True))
        return y, self.score((self.joint(y) + self.whole(query)).tanh()).sigmoid()


def _halved(x: Tensor) -> Tensor:
    """Return the means of every two frames of `(N, T, V, C)`; a last frame without another stands for itself."""
    pairs = x.shape[1] // 2
    means: Tensor = x[:, : 2 * pairs].unflatten(1, (pairs, 2)).mean(dim=2)
    return torch.cat([means, x[:, 2 * pairs :]], dim=1)
