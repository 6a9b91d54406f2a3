"""BYOL on skeletons: predict a momentum encoder's projection of another view, without negatives [Grill et al., NeurIPS 2020].

Views and recipe are those of `barlow_twins`, so that the methods without negatives differ by their losses alone. The momentum rises from
`ema` to one along a cosine, as in the paper, which optimises by LARS at batch 4096; small sets have no such batches.
"""

import math

import attrs
from torch import Generator, Tensor, nn
from torch.nn import functional

from mgbench import Backbone, Batch, Method, Objective, Recipe, View
from mgbench.components import Pipeline
from mgbench_plugins.methods.barlow_twins import AUGMENT, RECIPE
from mgbench_plugins.methods.contrast import MomentumCopy, full, perceptron


@attrs.frozen
class BYOL(Method):
    """Predict what a slowly following copy of the encoder makes of another view.

    Args:
        projection: D of projections and predictions.
        hidden: width of the hidden layers of projector and predictor.
        ema: share of the copy's weights that stays at the first step; one at the last.
    """

    name = "byol"
    citation = """@inproceedings{grill2020byol,
  title={Bootstrap Your Own Latent: A New Approach to Self-Supervised Learning},
  author={Grill, Jean-Bastien and Strub, Florian and Altch{\\'e}, Florent and Tallec, Corentin and Richemond, Pierre H. and Buchatskaya,
    Elena and Doersch, Carl and Avila Pires, Bernardo and Guo, Zhaohan Daniel and Gheshlaghi Azar, Mohammad and Piot, Bilal and
    Kavukcuoglu, Koray and Munos, R{\\'e}mi and Valko, Michal},
  booktitle={NeurIPS},
  year={2020}
}"""
    tiny = "projection=8,hidden=16"

    projection: int = attrs.field(default=256, validator=attrs.validators.ge(1))
    hidden: int = attrs.field(default=4096, validator=attrs.validators.ge(1))
    ema: float = attrs.field(default=0.996, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    augment: Pipeline = attrs.field(default=AUGMENT, kw_only=True)
    views: tuple[Pipeline, ...] = attrs.field(default=((), ()), kw_only=True, validator=attrs.validators.min_len(2))
    recipe: Recipe = attrs.field(default=RECIPE, kw_only=True)

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective of the first two views."""
        return _Objective(self, backbone)


class _Online(nn.Module):
    """Backbone and projector."""

    def __init__(self, method: BYOL, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.projector = perceptron(backbone.width, method.hidden, method.projection, norm=True)

    def forward(self, view: View) -> Tensor:
        z: Tensor = self.projector(self.backbone(*view))
        return z


def distance(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean of one minus the cosine between rows; nothing flows back to the target."""
    return 1 - functional.cosine_similarity(full(prediction), full(target.detach()), dim=1).mean()


class _Objective(Objective):
    def __init__(self, method: BYOL, backbone: Backbone) -> None:
        super().__init__()
        self.backbone, self.ema = backbone, method.ema
        self.online = _Online(method, backbone)
        self.target = MomentumCopy(self.online)
        self.predictor = perceptron(method.projection, method.hidden, method.projection, norm=True)

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        first, second = batch.views[:2]
        a, b = (self.predictor(self.online(view)) for view in (first, second))
        return {"loss": distance(a, self.target(second)) + distance(b, self.target(first))}

    def step(self, progress: float) -> None:
        self.target.follow(self.online, 1 - (1 - self.ema) * (math.cos(math.pi * progress) + 1) / 2)
