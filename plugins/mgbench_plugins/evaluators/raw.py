"""The floor that a representation has to beat: logistic regression on the coordinates themselves."""

from typing import ClassVar, Literal

import attrs
import torch

from mgbench import Evaluation, Evaluator, Probe
from mgbench.model import standardise
from mgbench_plugins.evaluators.fitting import logistic_regression


@attrs.frozen
class Raw(Evaluator):
    """Standardise preprocessed coordinates, keep their principal components, and fit a softmax layer.

    Args:
        components: principal components kept.
        weight_decay: L2 on the weights.
    """

    name = "raw"
    reads: ClassVar[Literal["clips", "features", "backbone"]] = "clips"

    components: int = attrs.field(default=150, validator=attrs.validators.ge(1))
    weight_decay: float = attrs.field(default=0.05, validator=attrs.validators.ge(0))

    def evaluate(self, probe: Probe) -> Evaluation:
        """Score the test clips by the layer's logits."""
        train, test = standardise(probe.train.x.flatten(1), probe.test.x.flatten(1))
        _, _, axes = torch.linalg.svd(train, full_matrices=False)
        axes = axes[: self.components].T
        weight, bias = logistic_regression(train @ axes, probe.train.label, probe.classes, self.weight_decay)
        return Evaluation((test @ axes @ weight.T + bias).float())
