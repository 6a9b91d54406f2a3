"""The floor below all floors: the class that is most frequent in training."""

from typing import ClassVar, Literal

import attrs
import torch

from mgbench import Evaluation, Evaluator, Probe


@attrs.frozen
class Majority(Evaluator):
    """Always answer the most frequent training class; further classes by their frequency."""

    name = "majority"
    reads: ClassVar[Literal["clips", "features", "backbone"]] = "clips"

    def evaluate(self, probe: Probe) -> Evaluation:
        """Score every test clip with the training shares."""
        shares = torch.bincount(probe.train.label, minlength=probe.classes).float() / len(probe.train.label)
        return Evaluation(shares.expand(len(probe.test.label), -1).clone())
