"""U-S-VAE Z, a reconstruction: a variational auto-encoder of poses with one latent vector a frame [Liu et al., CVPR 2021].

The iMiGUE paper names it as an unsupervised encoder-decoder whose latent sequence, Z, is classified; neither sizes nor losses are at hand,
and there is no public code. What is chosen here is told on this method's page.
"""

from typing import ClassVar

import attrs
import torch
from torch import Generator, Tensor, nn

from mgbench import Backbone, Batch, Method, Objective, Recipe, View
from mgbench.sequences import before_the_end, frame_features, frame_vectors, mean_before_the_end
from mgbench_plugins import works
from mgbench_plugins.methods.contrast import full
from mgbench_plugins.methods.scaled import scaled


@attrs.frozen
class USVAE(Method):
    """Encode every frame as a normal distribution that decodes to it; the feature is the mean of the means over time.

    Args:
        latent: D of the feature.
        hidden: width of the decoder's LSTM in one direction.
        beta: weight of the divergence from the standard normal distribution.
        rise: share of training over which that weight rises from zero.
    """

    name = "us_vae"
    citation = works.IMIGUE
    tiny = "latent=4,hidden=8"
    requires: ClassVar[frozenset[str]] = frozenset({"sequence"})

    latent: int = attrs.field(default=64, validator=attrs.validators.ge(1))
    hidden: int = attrs.field(default=256, validator=attrs.validators.ge(1))
    beta: float = attrs.field(default=1e-2, validator=attrs.validators.ge(0))
    rise: float = attrs.field(default=0.5, validator=[attrs.validators.gt(0), attrs.validators.le(1)])
    recipe: Recipe = attrs.field(default=Recipe(lr=1e-3, epochs=100, batch_size=128), kw_only=True)

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective."""
        return _Objective(self, backbone)


class _Latent(nn.Module):
    """A backbone and the distributions that it gives frames of scaled clips; called, it returns the mean of their means, `(N, latent)`."""

    def __init__(self, backbone: Backbone, latent: int) -> None:
        super().__init__()
        self.backbone, self.head = backbone, nn.Linear(backbone.width, 2 * latent)

    def distributions(self, view: View) -> tuple[Tensor, Tensor]:
        """Return means and log variances `(N, T, latent)` of a scaled view."""
        mean, log_variance = full(self.head(frame_features(self.backbone.map(*view)))).chunk(2, dim=2)
        return mean, log_variance

    def forward(self, x: Tensor, joints: Tensor | None = None, tokens: Tensor | None = None, length: Tensor | None = None) -> Tensor:
        mean, _ = self.distributions(scaled(View(x, joints, tokens, length)))
        return mean.mean(dim=1) if length is None else mean_before_the_end(mean, length)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of normal distributions `(N, T, latent)` from the standard one, summed, `(N, T, 1)`."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=2, keepdim=True)


class _Objective(Objective):
    beta: Tensor

    def __init__(self, method: USVAE, backbone: Backbone) -> None:
        super().__init__()
        self.method, self.backbone = method, backbone
        self.encoder = _Latent(backbone, method.latent)
        self.decoder = nn.LSTM(method.latent, method.hidden, batch_first=True, bidirectional=True)
        self.leave = nn.Linear(2 * method.hidden, backbone.coordinates)
        self.register_buffer("beta", torch.zeros(()))

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        error, divergent = torch.stack([self._terms(view, generator) for view in batch.views]).mean(dim=0)
        return {"loss": error + self.beta * divergent, "error": error, "divergence": divergent}

    def _terms(self, view: View, generator: Generator) -> Tensor:
        """Return the squared error and the divergence of a frame, each summed over its values, in the mean over valid frames."""
        view = scaled(view)
        mean, log_variance = self.encoder.distributions(view)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
        said = self.leave(self.decoder(mean + (0.5 * log_variance).exp() * noise)[0])
        error = (said - frame_vectors(view.x)).square().sum(dim=2, keepdim=True)
        terms = torch.cat([error, divergence(mean, log_variance)], dim=2)
        if view.length is None:
            return terms.mean(dim=(0, 1))
        valid = before_the_end(terms, view.length)
        return torch.where(valid, terms, 0).sum(dim=(0, 1)) / valid.sum()

    def step(self, progress: float) -> None:
        self.beta.fill_(self.method.beta * min(1.0, progress / self.method.rise))

    def embedder(self) -> nn.Module:
        return self.encoder
