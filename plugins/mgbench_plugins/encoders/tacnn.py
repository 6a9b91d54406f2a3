"""Ta-CNN: plain convolutions that take joints for channels, over positions and motion [Xu et al., AAAI 2022].

The default has 500,964 parameters for Kinect-25, 531,744 with a classifier of 60 classes.
"""

import attrs
import torch
from torch import Tensor, nn
from torch.nn import functional

from mgbench import Encoder, Network, Skeleton


@attrs.frozen
class TaCNN(Encoder):
    """Ta-CNN: convolutions over time and channels that mix all joints.

    Args:
        width: channels after a mapping, of which a sixteenth is left of the axis that joints give way to; D is half its square.
        dropout: of either stream's map, and once more where the two are joined.
    """

    name = "tacnn"
    citation = """@inproceedings{xu2022tacnn,
  title={Topology-Aware Convolutional Neural Network for Efficient Skeleton-Based Action Recognition},
  author={Xu, Kailin and Ye, Fanfan and Zhong, Qiaoyong and Xie, Di},
  booktitle={AAAI},
  year={2022}
}"""
    tiny = "width=16"

    width: int = attrs.field(default=32)
    dropout: float = attrs.field(default=0.5, validator=[attrs.validators.ge(0), attrs.validators.lt(1)])

    @width.validator
    def _halves_four_times(self, _attribute: object, value: int) -> None:
        if value < 16 or value % 16:  # noqa: PLR2004 - four poolings
            msg = f"width got {value}; it takes a multiple of 16, which four poolings halve."
            raise ValueError(msg)

    def build(self, skeleton: Skeleton, channels: int, persons: int) -> Network:
        """Make the network; persons are folded into the batch, so it holds nothing a person."""
        return _TaCNN(self, channels, len(skeleton.joints))


class _TaCNN(Network):
    def __init__(self, spec: TaCNN, channels: int, joints: int) -> None:
        super().__init__()
        w = spec.width
        self.width, self.dropout = 8 * w * (w // 16), spec.dropout
        self.positions, self.motion = (_Stream(channels, joints, w, spec.dropout) for _ in range(2))
        self.joined = nn.Conv2d(4 * w, 4 * w, 3, padding=1)
        self.last = nn.Conv2d(4 * w, 8 * w, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor, joints: Tensor | None = None) -> Tensor:
        """Return `(N, M, D, ceil(T / 16), 1)`."""
        y = x.flatten(0, 1)  # (N M, C, T, V)
        moved = functional.pad(y.diff(dim=2), (0, 0, 1, 0))  # none in the first frame
        y = torch.cat([self.positions(y), self.motion(moved)], dim=1)
        y = functional.dropout(functional.relu(_halved(self.joined(y))), self.dropout, self.training)
        y = functional.relu(_halved(self.last(y)))  # (N M, 8 W, T', W / 16)
        features: Tensor = y.transpose(2, 3).flatten(1, 2).unflatten(0, x.shape[:2])
        return features[..., None]

    def pool(self, features: Tensor) -> Tensor:
        """Return `(N, D)`: the mean over time, then the largest over persons."""
        return features.mean(dim=(3, 4)).amax(dim=1)


class _Stream(nn.Module):
    """One of two equal halves; `(N, C, T, V) -> (N, 2 W, ceil(T / 4), W / 4)`."""

    def __init__(self, channels: int, joints: int, width: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.points = nn.Conv2d(channels, 2 * width, 1, bias=False)
        self.norm = nn.BatchNorm2d(2 * width)
        self.channels = _Augment(2 * width, width, (3, 1), 10)
        self.joints = _Augment(joints, width, (3, 3), 6)
        self.local = nn.Conv2d(width, 2 * width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.channels(functional.relu(self.norm(self.points(x))))
        y = _halved(self.joints(y.transpose(1, 3)))  # joints are channels now, and channels an axis: (N, V, T, W)
        return functional.dropout(_halved(self.local(y)), self.dropout, self.training)


class _Augment(nn.Module):
    """Cross-channel feature augmentation: map, attend, group, map; `(N, C, T, S) -> (N, C', T, S)`."""

    def __init__(self, inner: int, outer: int, kernel: tuple[int, int], groups: int) -> None:
        super().__init__()
        mapped = outer // groups * groups
        self.enter = nn.Conv2d(inner, mapped, 1, bias=False)
        self.squeeze = nn.Conv2d(mapped, mapped, 1, bias=False)
        self.excite = nn.Conv2d(mapped, mapped, 1, bias=False)
        self.wide = nn.Conv2d(mapped, mapped, kernel, padding=(kernel[0] // 2, kernel[1] // 2), groups=groups, bias=False)
        self.point = nn.Conv2d(mapped, mapped, 1, groups=groups // 2, bias=False)
        self.leave = nn.Conv2d(mapped, outer, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.enter(x))
        y = y * self.excite(functional.relu(self.squeeze(y.mean(dim=(2, 3), keepdim=True)))).sigmoid()
        return functional.relu(self.leave(functional.relu(self.wide(y)) + functional.relu(self.point(y))))


def _halved(x: Tensor) -> Tensor:
    """Return `(N, C, T, S)` with every other frame and place, the larger of two; a single frame stays."""
    return functional.max_pool2d(x, 2, ceil_mode=True)
