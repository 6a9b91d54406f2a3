"""Semi-supervised evaluation: a share of the labels, the same in every class [PSTL, Zhou et al. 2023; AimCLR, Guo et al. 2022]."""

from typing import ClassVar, Literal

import attrs
import torch
from torch import Generator, Tensor

from mgbench import Evaluation, Evaluator, Probe
from mgbench.model import Part, outputs
from mgbench_plugins.evaluators.finetune import Finetune


@attrs.frozen
class Semi(Evaluator):
    """Fit another evaluator on few of the training clips.

    Each class keeps the share of its clips, rounded, and at least one: the public code rounds rare classes away. Which clips is drawn
    from the seed, so that several seeds draw several subsets.

    Args:
        share: of each class's training clips that is labelled, 0.01 or 0.1 in the papers.
        evaluator: what is fitted on them; `linear` leaves the embedder frozen.
    """

    name = "semi"
    tiny = "share=0.5,evaluator=finetune[epochs=2,batch_size=8]"
    reads: ClassVar[Literal["clips", "features", "backbone"]] = "backbone"

    share: float = attrs.field(default=0.1, validator=[attrs.validators.gt(0), attrs.validators.le(1)])
    evaluator: Evaluator = attrs.field(default=Finetune())

    def __attrs_post_init__(self) -> None:
        """Refuse an evaluator that tells no classes."""
        if self.evaluator.target != "class":
            msg = f"evaluator got {self.evaluator}, which tells people apart and has no use for labels; give one that tells classes."
            raise ValueError(msg)

    def evaluate(self, probe: Probe) -> Evaluation:
        """Score the test clips by what the evaluator learns of the few."""
        assert probe.embedder is not None  # noqa: S101 - it reads the backbone
        kept = labelled(probe.train.label.cpu(), self.share, Generator().manual_seed(probe.seed)).to(probe.train.x.device)
        train = Part(probe.train.x[kept], probe.train.label[kept], probe.train.subject[kept])
        test = probe.test
        if self.evaluator.reads == "features":
            train, test = (attrs.evolve(part, x=outputs(probe.embedder, part.x)) for part in (train, test))
        embedder = probe.embedder if self.evaluator.reads == "backbone" else None
        return self.evaluator.evaluate(attrs.evolve(probe, train=train, test=test, embedder=embedder))


def labelled(label: Tensor, share: float, generator: Generator) -> Tensor:
    """Return the numbers of the clips whose labels are kept, in order: of each class that occurs `max(1, round(share n))`, drawn."""
    order = torch.randperm(len(label), generator=generator)
    classes = [order[label[order] == number] for number in label.unique()]
    return torch.cat([own[: max(1, round(share * len(own)))] for own in classes]).sort().values
