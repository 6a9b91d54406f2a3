"""VICReg on skeletons: variance, invariance and covariance of two views' embeddings [Bardes et al., ICLR 2022].

Views and recipe are those of `barlow_twins`, so that the methods without negatives differ by their losses alone. The public code
optimises by LARS at batch 2048; small sets have no such batches.
"""

import attrs
import torch
from torch import Generator, Tensor

from mgbench import Backbone, Batch, Method, Objective, Recipe
from mgbench.components import Pipeline
from mgbench_plugins.methods.barlow_twins import AUGMENT, RECIPE, Projector
from mgbench_plugins.methods.contrast import full


@attrs.frozen
class VICReg(Method):
    """Pull two views together, keep the spread of every feature, and make features uncorrelated.

    Args:
        projector: D of the three layers of the expander.
        invariance: weight of the squared distance between the views.
        variance: weight of the hinge on every feature's standard deviation.
        covariance: weight of the squared covariances.
    """

    name = "vicreg"
    citation = """@inproceedings{bardes2022vicreg,
  title={VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised Learning},
  author={Bardes, Adrien and Ponce, Jean and LeCun, Yann},
  booktitle={ICLR},
  year={2022}
}"""
    tiny = "projector=32"

    projector: int = attrs.field(default=8192, validator=attrs.validators.ge(1))
    invariance: float = attrs.field(default=25.0, validator=attrs.validators.ge(0))
    variance: float = attrs.field(default=25.0, validator=attrs.validators.ge(0))
    covariance: float = attrs.field(default=1.0, validator=attrs.validators.ge(0))
    augment: Pipeline = attrs.field(default=AUGMENT, kw_only=True)
    views: tuple[Pipeline, ...] = attrs.field(default=((), ()), kw_only=True, validator=attrs.validators.min_len(2))
    recipe: Recipe = attrs.field(default=RECIPE, kw_only=True)

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective of the first two views."""
        return _Objective(self, backbone)


def spread(z: Tensor) -> Tensor:
    """Return the mean hinge `max(0, 1 - sqrt(var + 1e-4))` over the features of `(N, D)`."""
    return torch.relu(1 - (z.var(dim=0) + 1e-4).sqrt()).mean()


def redundancy(z: Tensor) -> Tensor:
    """Return the sum of squared covariances between different features of `(N, D)`, over D.

    The squares of a D x D matrix `Z^T Z` sum to those of the N x N matrix `Z Z^T`, so the smaller of the two is made.
    """
    clips, width = z.shape
    z = z - z.mean(dim=0)
    with torch.autocast(z.device.type, enabled=False):
        products = z.T @ z if width <= clips else z @ z.T
    every = products.square().sum()
    return (every - z.square().sum(dim=0).square().sum()) / (clips - 1) ** 2 / width


class _Objective(Objective):
    def __init__(self, method: VICReg, backbone: Backbone) -> None:
        super().__init__()
        self.backbone, self.projector = backbone, Projector(backbone.width, method.projector)
        self.weights = (method.invariance, method.variance, method.covariance)

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        a, b = (full(z) for z in self.projector([self.backbone(*view) for view in batch.views[:2]]))
        invariance, variance, covariance = self.weights
        loss = invariance * (a - b).square().mean() + variance * (spread(a) + spread(b)) / 2 + covariance * (redundancy(a) + redundancy(b))
        return {"loss": loss}
