"""The ceiling: the encoder trained with all labels, then probed like any other."""

from typing import ClassVar

import attrs
from torch import Generator, Tensor, nn
from torch.nn import functional

from mgbench import Backbone, Batch, Method, Objective, Recipe
from mgbench.components import Pipeline
from mgbench_plugins.augmentations.crop import Crop
from mgbench_plugins.augmentations.rotate import Rotate


@attrs.frozen
class Supervised(Method):
    """Train encoder and a linear layer by cross-entropy.

    Args:
        smoothing: of the labels.
    """

    name = "supervised"
    uses_labels: ClassVar[bool] = True

    smoothing: float = attrs.field(default=0.0, validator=[attrs.validators.ge(0), attrs.validators.lt(1)])
    augment: Pipeline = attrs.field(default=(Crop(draw="clip"), Rotate(draw="clip")), kw_only=True)
    recipe: Recipe = attrs.field(default=Recipe(lr=5e-3, weight_decay=1e-4, warmup=5, epochs=100, batch_size=32), kw_only=True)

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective."""
        return _Objective(backbone, classes, self.smoothing)


class _Objective(Objective):
    def __init__(self, backbone: Backbone, classes: int, smoothing: float) -> None:
        super().__init__()
        self.backbone, self.smoothing = backbone, smoothing
        self.head = nn.Linear(backbone.width, classes)

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        assert batch.label is not None  # noqa: S101 - uses_labels
        losses = [
            functional.cross_entropy(self.head(self.backbone(*view)).float(), batch.label, label_smoothing=self.smoothing)
            for view in batch.views
        ]
        loss = losses[0]
        for further in losses[1:]:
            loss = loss + further
        return {"loss": loss / len(losses)}
