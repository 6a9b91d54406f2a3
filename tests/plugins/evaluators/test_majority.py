"""The majority floor: one answer for all, by training frequency."""

import torch
from mgbench_plugins.evaluators.majority import Majority

from mgbench import Probe
from mgbench.model import Part
from mgbench.scoring import top_k


def probe() -> Probe:
    """Return ten training clips of classes 2 (five), 0 (three) and 3 (two) of five, and test clips of every class."""
    train, test = torch.tensor([2, 2, 0, 3, 2, 0, 2, 3, 0, 2]), torch.arange(5)
    return Probe(Part(torch.zeros(10, 1, 3, 4, 25), train), Part(torch.ones(5, 1, 3, 4, 25), test), classes=5, seed=0)


def test_every_clip_gets_the_shares_of_training() -> None:
    """Scores are the training shares of the classes, the same for each clip, absent classes zero."""
    scores = Majority().evaluate(probe()).scores

    torch.testing.assert_close(scores, torch.tensor([0.3, 0.0, 0.5, 0.2, 0.0]).expand(5, -1))


def test_the_answer_is_the_most_frequent_class() -> None:
    """Accuracy is the test share of the training majority, and top-k that of the k most frequent."""
    scores, label = Majority().evaluate(probe()).scores.numpy(), probe().test.label.numpy()

    assert top_k(scores, label, 1) == 1 / 5
    assert top_k(scores, label, 3) == 3 / 5


def test_it_needs_clips_and_no_encoder() -> None:
    """It runs once a data set."""
    assert Majority().reads == "clips"
