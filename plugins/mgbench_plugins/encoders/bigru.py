"""Bidirectional GRU over whole frames, read to its two final states: the encoder of P&C [Su et al., CVPR 2020].

Three layers of 1,024 each way, 44,537,856 parameters for one person of Kinect-25. Two layers of 300 with
`feature=mean,weights=orthogonal` are the encoder of MS2L [Lin et al., ACM MM 2020], 2,437,200 for two persons.
"""

from typing import ClassVar, Literal

import attrs
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mgbench import Encoder, Network, Skeleton
from mgbench_plugins.encoders.sequences import (
    as_map,
    frame_vectors,
    last_before_the_end,
    mean_before_the_end,
    repeat_behind_the_end,
)


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
    citation = """@inproceedings{su2020predict,
  title={PREDICT \\& CLUSTER: Unsupervised Skeleton Based Action Recognition},
  author={Su, Kun and Liu, Xiulong and Shlizerman, Eli},
  booktitle={CVPR},
  year={2020}
}

@inproceedings{lin2020ms2l,
  title={{MS2L}: Multi-Task Self-Supervised Learning for Skeleton Based Action Recognition},
  author={Lin, Lilang and Song, Sijie and Yang, Wenhan and Liu, Jiaying},
  booktitle={ACM Multimedia},
  year={2020}
}"""
    tiny = "hidden=8,layers=2"
    gives: ClassVar[frozenset[str]] = frozenset({"sequence"})

    hidden: int = attrs.field(default=1024, validator=attrs.validators.ge(1))
    layers: int = attrs.field(default=3, validator=attrs.validators.ge(1))
    feature: Literal["final", "mean"] = "final"
    weights: Literal["xavier", "orthogonal"] = "xavier"

    def build(self, skeleton: Skeleton, channels: int, persons: int) -> Network:
        """Make the network; the persons of a frame are one input."""
        return _BiGRU(self, persons * channels * len(skeleton.joints))


class _BiGRU(Network):
    def __init__(self, spec: BiGRU, inputs: int) -> None:
        super().__init__()
        self.width, self.hidden, self.final = 2 * spec.hidden, spec.hidden, spec.feature == "final"
        self.recurrent = nn.GRU(inputs, spec.hidden, spec.layers, batch_first=True, bidirectional=True)
        for name, parameter in self.recurrent.named_parameters():
            if name.startswith("weight_hh") and spec.weights == "orthogonal":
                nn.init.orthogonal_(parameter)
            elif name.startswith("weight"):
                nn.init.xavier_uniform_(parameter)
            elif spec.weights == "orthogonal":
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor, joints: Tensor | None = None, length: Tensor | None = None) -> Tensor:
        """Return `(N, M, D, T, 1)`, forwards before backwards, the same for every person."""
        frames = frame_vectors(x)
        if length is None:
            return as_map(self.recurrent(frames)[0], x.shape[1])
        # packed, each clip is read backwards from its own end
        packed = pack_padded_sequence(frames, length.cpu(), batch_first=True, enforce_sorted=False)
        y, _ = pad_packed_sequence(self.recurrent(packed)[0], batch_first=True, total_length=x.shape[3])
        there, back = y[..., : self.hidden], y[..., self.hidden :]
        final = torch.cat([last_before_the_end(there, length), back[:, 0]], dim=1)
        y = repeat_behind_the_end(y, length, final if self.final else mean_before_the_end(y, length))
        return as_map(y, x.shape[1])

    def pool(self, features: Tensor) -> Tensor:
        """Return `(N, D)`: the last step forwards and the first backwards, which either direction reaches last, or the mean over time."""
        outputs = features[:, 0, :, :, 0]
        if not self.final:
            return outputs.mean(dim=2)
        return torch.cat([outputs[:, : self.hidden, -1], outputs[:, self.hidden :, 0]], dim=1)
