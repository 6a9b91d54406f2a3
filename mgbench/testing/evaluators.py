"""Rules for evaluators."""

import attrs
import torch

from mgbench.components import Evaluator
from mgbench.model import Part, Probe
from mgbench.registry import Registry
from mgbench.testing.kit import Rule, backbone, clips, hold, tiny


def _probe(evaluator: Evaluator, loaded: Registry) -> Probe:
    encoder = tiny(loaded.entries("encoder")[0], loaded)
    embedder = backbone(encoder).eval()
    train, test = clips(24), clips(9)
    if evaluator.reads == "features":
        with torch.no_grad():
            train, test = embedder(train), embedder(test)
    copy = embedder if evaluator.reads == "backbone" else None
    train_side, test_side = (Part(x, torch.arange(len(x)) % 4, torch.arange(len(x)) // 3 % 3) for x in (train, test))
    return Probe(train_side, test_side, classes=4, seed=3, embedder=copy)


def scores_every_clip(evaluator: Evaluator, loaded: Registry) -> None:
    """Scores are finite `(N, classes)`, or of people `(N, people)`, and metrics lie in [0, 1]."""
    evaluation = evaluator.evaluate(_probe(evaluator, loaded))
    answers = 4 if evaluator.target == "class" else 3
    hold(evaluation.scores.shape == (9, answers) and bool(evaluation.scores.isfinite().all()), f"scores {tuple(evaluation.scores.shape)}")
    hold(all(0 <= value <= 1 for value in evaluation.extra.values()), f"a metric lies outside [0, 1]: {evaluation.extra}")


def same_seed_same_scores(evaluator: Evaluator, loaded: Registry) -> None:
    """Two evaluations from one seed agree to the bit, whatever torch's default generator holds."""
    first, second = _probe(evaluator, loaded), _probe(evaluator, loaded)
    torch.manual_seed(1)
    scores = evaluator.evaluate(first).scores
    torch.manual_seed(99)
    hold(torch.equal(scores, evaluator.evaluate(second).scores), "one seed gave two results")


def leaves_its_input_alone(evaluator: Evaluator, loaded: Registry) -> None:
    """Features, clips, labels and people stay as they were."""
    probe = _probe(evaluator, loaded)
    before = [part.clone() for side in (probe.train, probe.test) for part in (side.x, side.label, side.subject)]
    evaluator.evaluate(probe)
    after = [part for side in (probe.train, probe.test) for part in (side.x, side.label, side.subject)]
    hold(all(torch.equal(a, b) for a, b in zip(before, after, strict=True)), "the evaluator changed what it was given")


def fits_without_test_labels(evaluator: Evaluator, loaded: Registry) -> None:
    """Other test labels leave the scores as they are, and so do other people in the test clips, unless these are what is told."""
    probe = _probe(evaluator, loaded)
    people = probe.test.subject.flip(0) if evaluator.target == "class" else probe.test.subject
    other = attrs.evolve(_probe(evaluator, loaded), test=Part(probe.test.x, probe.test.label.flip(0), people))
    hold(torch.equal(evaluator.evaluate(probe).scores, evaluator.evaluate(other).scores), "the scores depend on the test labels")


RULES: list[Rule] = [scores_every_clip, same_seed_same_scores, leaves_its_input_alone, fits_without_test_labels]
