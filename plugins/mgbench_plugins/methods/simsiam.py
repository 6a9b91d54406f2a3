"""SimSiam on skeletons: predict the projection of another view, behind a stop of the gradient [Chen and He, CVPR 2021].

Views are those of `barlow_twins`, so that the methods without negatives differ by loss and recipe alone.
"""

import attrs
from torch import Generator, Tensor, nn

from mgbench import Backbone, Batch, Method, Objective, Recipe
from mgbench.components import Pipeline
from mgbench_plugins.methods.barlow_twins import AUGMENT
from mgbench_plugins.methods.byol import distance
from mgbench_plugins.methods.contrast import perceptron


@attrs.frozen
class SimSiam(Method):
    """Predict the projection of another view, whose gradient is stopped.

    Args:
        projection: D of projections and predictions; the predictor's hidden layer has a quarter of it.
    """

    name = "simsiam"
    citation = """@inproceedings{chen2021simsiam,
  title={Exploring Simple Siamese Representation Learning},
  author={Chen, Xinlei and He, Kaiming},
  booktitle={CVPR},
  year={2021}
}"""
    tiny = "projection=16"

    projection: int = attrs.field(default=2048, validator=attrs.validators.ge(4))
    augment: Pipeline = attrs.field(default=AUGMENT, kw_only=True)
    views: tuple[Pipeline, ...] = attrs.field(default=((), ()), kw_only=True, validator=attrs.validators.min_len(2))
    recipe: Recipe = attrs.field(
        default=Recipe(optimizer="sgd", lr=0.025, weight_decay=1e-4, nesterov=False, epochs=150, batch_size=128), kw_only=True
    )

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective of the first two views."""
        return _Objective(backbone, self.projection)


class _Objective(Objective):
    def __init__(self, backbone: Backbone, width: int) -> None:
        super().__init__()
        self.backbone = backbone
        layers: list[nn.Module] = []
        for inner in (backbone.width, width):
            layers += [nn.Linear(inner, width, bias=False), nn.BatchNorm1d(width), nn.ReLU()]
        self.projector = nn.Sequential(*layers, nn.Linear(width, width, bias=False), nn.BatchNorm1d(width, affine=False))
        self.predictor = perceptron(width, width // 4, width, norm=True)

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        first, second = (self.projector(self.backbone(*view)) for view in batch.views[:2])
        return {"loss": (distance(self.predictor(first), second) + distance(self.predictor(second), first)) / 2}
