"""AS-CAL, and A-EDGCN's training, which is AS-CAL's with other numbers."""

import torch
from mgbench_plugins.methods.a_edgcn import AEDGCN, AEDGCNLiteral
from mgbench_plugins.methods.ascal import ASCAL
from torch.nn import functional
from training import built, drawn, loss_of, move

from mgbench import Recipe


def test_ascal_contrasts_features_as_they_are() -> None:
    """No head, no normalising: plain products divided by 0.06."""
    method = ASCAL(queue=10)
    objective, batch = built(method), drawn(method)
    move(objective.key)
    query, key = objective.backbone(*batch.views[0]), objective.key.module.backbone(*batch.views[1])
    logits = torch.cat([(query * key).sum(dim=1, keepdim=True), query @ objective.queue.keys.T], dim=1) / 0.06

    torch.testing.assert_close(loss_of(objective, batch), functional.cross_entropy(logits, torch.zeros(6, dtype=torch.long)))


def test_a_edgcn_contrasts_features_of_length_one() -> None:
    """What the default adds to AS-CAL, and the literal preset leaves out."""
    lengths = {}
    for method in (AEDGCN(queue=10), AEDGCNLiteral(queue=10)):
        objective = built(method)
        lengths[method.name] = objective.query(drawn(method).views[0]).norm(dim=1)

    torch.testing.assert_close(lengths["a_edgcn"], torch.ones(6, dtype=torch.float64))
    assert (lengths["a_edgcn_literal"] - 1).abs().min() > 0.01


def test_defaults_are_what_papers_and_code_print() -> None:
    """Queues, temperature, views and recipes."""
    ascal, sane, literal = ASCAL(), AEDGCN(), AEDGCNLiteral()
    recipe = Recipe(
        optimizer="sgd", lr=0.01, schedule="step", milestones=(0.5,), weight_decay=1e-4, nesterov=False, epochs=60, batch_size=32
    )

    assert (ascal.queue, sane.queue, literal.queue) == (16384, 500, 500)
    assert {method.temperature for method in (ascal, sane, literal)} == {0.06}
    assert (ascal.recipe, sane.recipe) == (recipe, recipe)
    assert literal.recipe.lr == 1e-5
    assert [step.name for step in sane.augment] == ["reverse", "shear"]
