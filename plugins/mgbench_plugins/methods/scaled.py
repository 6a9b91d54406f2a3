"""What methods share that weigh coordinates against something of fixed size: every clip on one scale, in the probe as in training."""

import torch
from torch import Tensor, nn

from mgbench import Backbone, View
from mgbench.sequences import clips_before_the_end


def to_unit(x: Tensor, length: Tensor | None = None) -> Tensor:
    """Return clips `(N, M, C, T, V)` whose valid frames span -1 to 1 on each axis; an axis on which nothing differs becomes zero."""
    low, high = x, x
    if length is not None:
        valid = clips_before_the_end(x, length)
        low, high = torch.where(valid, x, torch.inf), torch.where(valid, x, -torch.inf)
    low, high = low.amin(dim=(1, 3, 4), keepdim=True), high.amax(dim=(1, 3, 4), keepdim=True)
    return (x - (low + high) / 2) / ((high - low) / 2).clamp(min=torch.finfo(x.dtype).tiny)


def scaled(view: View) -> View:
    """Return a view whose clips span -1 to 1."""
    return view._replace(x=to_unit(view.x, view.length))


class Scaled(nn.Module):
    """A backbone that reads clips on this scale, `(N, M, C, T, V) -> (N, D)`."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor, joints: Tensor | None = None, tokens: Tensor | None = None, length: Tensor | None = None) -> Tensor:
        """Return pooled features."""
        features: Tensor = self.backbone(*scaled(View(x, joints, tokens, length)))
        return features
