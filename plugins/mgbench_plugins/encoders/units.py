"""Ten units of a graph convolution and one over time, the frame of 2s-AGCN and CTR-GCN; channels lie last, `(N, T, V, C)`."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from mgbench import Network
from mgbench_plugins.encoders.layers import PersonNorm, TemporalConv, draw_fan_out, normed


#: Makes the graph convolution of a unit, called with `(N, T, V', C)` and the kept joints, from channels in and out.
Spatial = Callable[[int, int], nn.Module]

#: Makes a unit's convolution over time from its channels and stride.
Temporal = Callable[[int, int], nn.Module]


class TenUnits(Network):
    """Four units of the width, three of twice and three of four times as many channels; time is halved in units five and eight."""

    def __init__(self, norm: PersonNorm, channels: int, width: int, spatial: Spatial, temporal: Temporal) -> None:
        super().__init__()
        self.width = 4 * width
        self.normalise = norm
        widths = [channels, *[width] * 4, *[2 * width] * 3, *[4 * width] * 3]
        self.units = nn.ModuleList(
            _Unit(spatial, temporal, widths[i], widths[i + 1], 2 if i in {4, 7} else 1, residual=i > 0) for i in range(10)
        )

    def forward(self, x: Tensor, joints: Tensor | None = None) -> Tensor:
        """Return `(N, M, D, ceil(T / 4), V')`."""
        clips, persons = x.shape[:2]
        y, joints = self.normalise(x, joints)
        for unit in self.units:
            y = unit(y, joints)
        features: Tensor = y.permute(0, 3, 1, 2).unflatten(0, (clips, persons))
        return features


class _Unit(nn.Module):
    """A graph convolution with a residual, one over time, and a residual around both; `(N, T, V', C) -> (N, ceil(T / stride), V', C')`."""

    def __init__(self, spatial: Spatial, temporal: Temporal, inner: int, outer: int, stride: int, *, residual: bool) -> None:
        super().__init__()
        self.spatial = spatial(inner, outer)
        self.norm = nn.BatchNorm2d(outer)
        nn.init.constant_(self.norm.weight, 1e-6)  # as the public code has it: a unit starts as its residuals
        self.down = _projection(inner, outer, 1)
        self.temporal = temporal(outer, stride)
        self.shortcut = _projection(inner, outer, stride) if residual else None

    def forward(self, x: Tensor, joints: Tensor | None) -> Tensor:
        y = normed(self.spatial(x, joints), self.norm) + self.down(x)
        y = self.temporal(functional.relu(y, inplace=True))
        if self.shortcut is not None:
            y = y + self.shortcut(x)
        return functional.relu(y, inplace=True).contiguous()


def _projection(inner: int, outer: int, stride: int) -> nn.Module:
    """Make what brings a residual to its channels and frames."""
    if inner == outer and stride == 1:
        return nn.Identity()
    projection = TemporalConv(inner, outer, 1, stride)
    draw_fan_out(projection.conv)
    return projection
