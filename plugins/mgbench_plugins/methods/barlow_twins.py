"""Barlow Twins on skeletons: two augmented views whose features correlate one to one [Zbontar et al., ICML 2021].

PSTL calls the two-view skeleton version SkeletonBT. Projector, lambda and augmentations are PSTL's, so that the three methods of
this family differ by their views alone.
"""

from typing import Final

import attrs
import torch
from torch import Generator, Tensor, nn

from mgbench import Backbone, Batch, Method, Objective, Recipe
from mgbench.components import Pipeline
from mgbench.kernels.cross_correlation import cross_correlation_loss
from mgbench_plugins.augmentations.crop import Crop
from mgbench_plugins.augmentations.flip import Flip
from mgbench_plugins.augmentations.rotate import Rotate
from mgbench_plugins.augmentations.shear import Shear


#: What PSTL's family has in common: how views are drawn, and how networks are trained.
AUGMENT: Final[Pipeline] = (Crop(), Shear(), Rotate(), Flip())
RECIPE: Final = Recipe(lr=5e-3, weight_decay=1e-5, warmup=10, epochs=150, batch_size=128)


@attrs.frozen
class BarlowTwins(Method):
    """Make the cross-correlation of two views' projections the identity matrix.

    Args:
        projector: D of the three projector layers.
        lambd: weight of the redundancy term.
    """

    name = "barlow_twins"
    citation = """@inproceedings{zbontar2021barlow,
  title={Barlow Twins: Self-Supervised Learning via Redundancy Reduction},
  author={Zbontar, Jure and Jing, Li and Misra, Ishan and LeCun, Yann and Deny, St{\\'e}phane},
  booktitle={ICML},
  year={2021}
}"""
    tiny = "projector=32"

    projector: int = attrs.field(default=6144, validator=attrs.validators.ge(1))
    lambd: float = attrs.field(default=2e-4, validator=attrs.validators.ge(0))
    augment: Pipeline = attrs.field(default=AUGMENT, kw_only=True)
    views: tuple[Pipeline, ...] = attrs.field(default=((), ()), kw_only=True)
    recipe: Recipe = attrs.field(default=RECIPE, kw_only=True)

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective."""
        return TwinsObjective(backbone, Projector(backbone.width, self.projector), self.lambd)


class Projector(nn.Module):
    """Three linear layers without bias, batch norm and ReLU between them, `(N, D) -> (N, D')`."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(size, outer, bias=False) for size in (inner, outer, outer)])
        self.norms = nn.ModuleList([nn.BatchNorm1d(outer), nn.BatchNorm1d(outer)])

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Project several views: one product a layer for all, batch statistics of each view alone."""
        y = torch.cat(features)
        sizes = [len(view) for view in features]
        for layer, norm in zip(self.layers[:-1], self.norms, strict=True):
            y = torch.cat([torch.relu(norm(view)) for view in layer(y).split(sizes)])
        return list(self.layers[-1](y).split(sizes))


class TwinsObjective(Objective):
    """The sum of the cross-correlation losses between the first view and each further one."""

    def __init__(self, backbone: Backbone, projector: Projector, lambd: float) -> None:
        super().__init__()
        self.backbone, self.projector, self.lambd = backbone, projector, lambd

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return the loss; each view passes the backbone by itself, with its own batch statistics."""
        anchor, *views = self.projector([self.backbone(*view) for view in batch.views])
        return {"loss": cross_correlation_loss(anchor, *views, lambd=self.lambd)}
