"""Predict the speed of a clip from its features: a whole plugin for mgbench."""

import attrs
from torch import Generator, Tensor, nn

from mgbench import Backbone, Batch, Method, Objective, hookimpl


@attrs.frozen
class Velocity(Method):
    """Predict the mean joint speed of a clip from its features.

    Args:
        power: of the error.
    """

    name = "velocity"

    power: float = attrs.field(default=2.0, validator=attrs.validators.gt(0))

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective; it has no use for the number of classes."""
        return _Objective(self, backbone)


class _Objective(Objective):
    def __init__(self, method: Velocity, backbone: Backbone) -> None:
        super().__init__()
        self.backbone, self.power = backbone, method.power
        self.head = nn.Linear(backbone.width, 1)

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        (view,) = batch.views  # x: (N, M, C, T, V)
        speed = view.x.diff(dim=3).norm(dim=2).mean(dim=(1, 2, 3))
        predicted = self.head(self.backbone(*view)).squeeze(1)
        return {"loss": (predicted - speed).abs().pow(self.power).mean()}


@hookimpl
def mgbench_methods() -> list[type[Method]]:
    """Offer the method to mgbench."""
    return [Velocity]
