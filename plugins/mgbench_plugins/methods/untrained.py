"""The floor that every method must beat: the encoder as it is initialised, or with its batch statistics calibrated."""

from typing import ClassVar

import attrs
import torch
from torch import Generator, Tensor, nn

from mgbench import Backbone, Batch, Method, Objective, Recipe


@attrs.frozen
class Untrained(Method):
    """Leave the encoder's weights as they are drawn.

    Args:
        calibrate: replace the batch-norm statistics, zero and one at first, by those of the training clips.
    """

    name = "untrained"
    learns: ClassVar[bool] = False

    calibrate: bool = False
    recipe: Recipe = attrs.field(default=Recipe(epochs=1, batch_size=32, schedule="constant"), kw_only=True)

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make an objective without parameters to learn."""
        return _Objective(backbone, calibrate=self.calibrate)


class _Objective(Objective):
    def __init__(self, backbone: Backbone, *, calibrate: bool) -> None:
        super().__init__()
        self.backbone, self.calibrate = backbone.requires_grad_(requires_grad=False), calibrate
        self.norms = [module for module in backbone.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]  # noqa: SLF001 - its only common type
        for norm in self.norms if calibrate else []:
            norm.momentum = None  # the mean over all batches, each weighing the same

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        if self.calibrate:
            self.backbone.eval()  # no dropout, whose noise would enter the statistics
            for norm in self.norms:
                norm.train()
            for view in batch.views:
                self.backbone(*view)
        return {"loss": torch.zeros((), device=batch.index.device)}
