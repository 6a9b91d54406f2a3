"""LongT GAN, a reconstruction: a clip repaired from its feature, and an adversary who tells repaired ones [Zheng et al., AAAI 2018].

There is no public code, and only the idea is the paper's; what is chosen is told on this method's page. One optimiser descends one loss,
in which the gradient changes its sign between adversary and decoder, so that each side gets the gradient of its own aim.
"""

from typing import ClassVar

import attrs
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from mgbench import Backbone, Batch, Method, Objective, Recipe, View
from mgbench.sequences import before_the_end, frame_vectors, last_before_the_end
from mgbench_plugins.augmentations.views import valid_frames
from mgbench_plugins.methods.contrast import full
from mgbench_plugins.methods.scaled import Scaled, scaled


@attrs.frozen
class LongTGAN(Method):
    """Repair clips of which frames are lost, so well that an adversary cannot tell them from recorded ones.

    Args:
        lost: how likely each frame is hidden from the decoder.
        adversary: weight of deceiving the adversary beside the squared error of a frame; 0 for none.
        hidden: width of the adversary.
    """

    name = "longt_gan"
    citation = """@inproceedings{zheng2018longtgan,
  title={Unsupervised Representation Learning with Long-Term Dynamics for Skeleton Based Action Recognition},
  author={Zheng, Nenggan and Wen, Jun and Liu, Risheng and Long, Liangqu and Dai, Jianhua and Gong, Zhefeng},
  booktitle={AAAI},
  year={2018}
}"""
    tiny = "hidden=8"
    requires: ClassVar[frozenset[str]] = frozenset({"sequence"})

    lost: float = attrs.field(default=0.5, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    adversary: float = attrs.field(default=0.1, validator=attrs.validators.ge(0))
    hidden: int = attrs.field(default=800, validator=attrs.validators.ge(1))
    recipe: Recipe = attrs.field(default=Recipe(lr=1e-3, clip=25.0, epochs=100, batch_size=128), kw_only=True)

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective."""
        return _Objective(self, backbone)


class Adversary(nn.Module):
    """A GRU that reads frames `(N, T, values)` and says how likely they were recorded, as a logit `(N,)`."""

    def __init__(self, values: int, hidden: int) -> None:
        super().__init__()
        self.read, self.judge = nn.GRU(values, hidden, batch_first=True), nn.Linear(hidden, 1)

    def forward(self, frames: Tensor, length: Tensor) -> Tensor:
        """Return the logits, of the frames before the end."""
        logits: Tensor = self.judge(last_before_the_end(self.read(frames)[0], length))
        return full(logits.squeeze(1))


def opposed(x: Tensor, weight: float) -> Tensor:
    """Return x, whose gradient flows back times `-weight`."""
    return (1 + weight) * x.detach() - weight * x


class _Objective(Objective):
    def __init__(self, method: LongTGAN, backbone: Backbone) -> None:
        super().__init__()
        self.method, self.backbone, self.encoder = method, backbone, Scaled(backbone)
        self.decoder = nn.GRU(backbone.coordinates, backbone.width, batch_first=True)
        self.leave = nn.Linear(backbone.width, backbone.coordinates)
        self.adversary = Adversary(backbone.coordinates, method.hidden)

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        error, doubt = torch.stack([self._terms(view, generator) for view in batch.views]).mean(dim=0)
        return {"loss": error + doubt, "error": error, "doubt": doubt}

    def _terms(self, view: View, generator: Generator) -> Tensor:
        """Return the squared error of a frame, and the adversary's cross-entropy, which it lowers and the decoder raises."""
        frames, length = frame_vectors(scaled(view).x), valid_frames(view)
        here = torch.rand(*frames.shape[:2], 1, generator=generator, device=frames.device) >= self.method.lost
        repaired = self.leave(self.decoder(frames * here, self.encoder(*view)[None])[0])
        valid = before_the_end(frames, length)
        error = torch.where(valid, repaired - frames, 0).square().sum() / valid.sum()
        recorded, made = self.adversary(frames, length), self.adversary(opposed(repaired, self.method.adversary), length)
        return torch.stack([error, functional.softplus(-recorded).mean() + functional.softplus(made).mean()])

    def embedder(self) -> nn.Module:
        return self.encoder
