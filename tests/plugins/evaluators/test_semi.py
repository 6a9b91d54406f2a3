"""Few labels: how many of each class, drawn from the seed alone, and what the evaluator below is handed."""

from typing import ClassVar, Literal

import attrs
import pytest
import torch
from mgbench_plugins.evaluators.finetune import Finetune
from mgbench_plugins.evaluators.linear import Linear
from mgbench_plugins.evaluators.majority import Majority
from mgbench_plugins.evaluators.semi import Semi, labelled
from torch import Generator, nn

from mgbench import Evaluation, Evaluator, Probe, Recipe, SpecError
from mgbench.fingerprint import evaluator_fingerprint
from mgbench.model import Part
from mgbench.part import describe
from mgbench.registry import registry


CLASSES = 3
QUICK = Finetune(recipe=Recipe(lr=0.02, epochs=3, batch_size=8))


@attrs.frozen
class Spy(Evaluator):
    """Keep what it is handed."""

    name = "spy"
    reads: ClassVar[Literal["clips", "features", "backbone"]] = "backbone"
    handed: ClassVar[list[Probe]] = []

    def evaluate(self, probe: Probe) -> Evaluation:
        """Score nothing."""
        self.handed.append(probe)
        return Evaluation(torch.zeros(len(probe.test.x), probe.classes))


def probe(seed: int = 3) -> Probe:
    """Return clips of a common, a less common and a rare class, and a random encoder."""
    generator = Generator().manual_seed(1)
    torch.manual_seed(0)
    label = torch.tensor([0] * 40 + [1] * 16 + [2] * 4)[torch.randperm(60, generator=generator)]
    means = torch.randn(CLASSES, 1, 3, 4, 5, generator=generator)

    def part(label: torch.Tensor) -> Part:
        return Part(means[label] + torch.randn(len(label), 1, 3, 4, 5, generator=generator), label)

    return Probe(part(label), part(torch.arange(30) % CLASSES), CLASSES, seed, nn.Sequential(nn.Flatten(), nn.Linear(60, 8)).eval())


@pytest.mark.parametrize(("share", "counts"), [(0.1, [4, 2, 1]), (0.01, [1, 1, 1]), (0.5, [20, 8, 2]), (1.0, [40, 16, 4])])
def test_every_class_keeps_its_share_and_at_least_one(share: float, counts: list[int]) -> None:
    """Of a class with n clips max(1, round(share n)) are kept, each once."""
    label = probe().train.label
    kept = labelled(label, share, Generator().manual_seed(0))

    assert label[kept].bincount().tolist() == counts
    assert len(kept.unique()) == len(kept)
    assert kept.tolist() == sorted(kept.tolist())


def test_a_class_that_never_occurs_keeps_none() -> None:
    """Classes are those of the labels, whatever the data set's list holds."""
    assert labelled(torch.tensor([4, 4, 1]), 0.1, Generator().manual_seed(0)).tolist() in [[0, 2], [1, 2]]


def test_every_clip_may_be_drawn() -> None:
    """Over many seeds every clip is kept about equally often."""
    label = probe().train.label
    drawn = torch.stack([torch.bincount(labelled(label, 0.25, Generator().manual_seed(i)), minlength=60) for i in range(400)])
    share = drawn.double().mean(dim=0)

    assert ((share - 0.25).abs() < 0.1).all()


def test_the_seed_decides_which_clips() -> None:
    """One seed draws one subset, whatever torch's default generator holds, and another seed another."""
    Spy.handed.clear()
    for torchs, seed in ((0, 3), (1, 3), (0, 4)):
        torch.manual_seed(torchs)
        given = probe(seed)
        torch.manual_seed(torchs)
        Semi(evaluator=Spy()).evaluate(given)
    first, again, other = (handed.train.x for handed in Spy.handed)

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_clips_and_labels_stay_together_and_the_test_side_whole() -> None:
    """The evaluator is handed labelled clips alone, each with its own label, every test clip, and the same seed."""
    Spy.handed.clear()
    given = probe()
    Semi(evaluator=Spy()).evaluate(given)
    (handed,) = Spy.handed
    places = [next(i for i, x in enumerate(given.train.x) if torch.equal(x, clip)) for clip in handed.train.x]

    assert handed.train.label.tolist() == given.train.label[places].tolist()
    assert torch.equal(handed.test.x, given.test.x)
    assert (handed.classes, handed.seed, handed.embedder) == (CLASSES, 3, given.embedder)


def test_with_all_labels_it_is_the_evaluator_itself() -> None:
    """At share 1 fine-tuning and the frozen probe give what they give without this evaluator."""
    given = probe()
    assert given.embedder is not None
    with torch.no_grad():
        train, test = (attrs.evolve(part, x=given.embedder(part.x)) for part in (given.train, given.test))
    frozen = Linear().evaluate(attrs.evolve(given, train=train, test=test, embedder=None)).scores

    assert torch.equal(Semi(share=1.0, evaluator=QUICK).evaluate(given).scores, QUICK.evaluate(given).scores)
    torch.testing.assert_close(Semi(share=1.0, evaluator=Linear()).evaluate(given).scores, frozen)
    assert torch.equal(Semi(share=1.0, evaluator=Majority()).evaluate(given).scores, Majority().evaluate(given).scores)


@pytest.mark.parametrize("share", ["0", "1.5", "-0.1"])
def test_impossible_shares_are_refused(share: str) -> None:
    """A share lies above 0 and up to 1."""
    with pytest.raises(SpecError, match="share"):
        registry().parse("evaluator", f"semi[share={share}]")


def test_a_change_of_the_evaluator_below_is_noticed() -> None:
    """What a row depends on covers the code of both evaluators."""
    sources = {evaluator_fingerprint(describe(one, registry()))["evaluator_source"] for one in (Semi(), Semi(evaluator=Linear()))}
    below = evaluator_fingerprint(describe(Linear(), registry()))["evaluator_source"]

    assert len(sources) == 2
    assert any(below in source for source in sources)
