"""SkeletonCLR: what is contrasted with what, and what moves after a step."""

import torch
from mgbench_plugins.methods.skeletonclr import SkeletonCLR
from torch.nn import functional
from training import built, drawn, loss_of, move


METHOD = SkeletonCLR(queue=10, projection=8)


def test_queries_meet_their_keys_and_the_queue() -> None:
    """The loss is the cross-entropy of telling the second view's momentum embedding from the queue, by the first view's embedding."""
    objective, batch = built(METHOD), drawn(METHOD)
    move(objective.key)
    query = functional.normalize(objective.query.head(objective.backbone(*batch.views[0])), dim=1)
    key = functional.normalize(objective.key.module.head(objective.key.module.backbone(*batch.views[1])), dim=1)
    logits = torch.cat([(query * key).sum(dim=1, keepdim=True), query @ objective.queue.keys.T], dim=1) / 0.07
    expected = functional.cross_entropy(logits, torch.zeros(6, dtype=torch.long))

    torch.testing.assert_close(loss_of(objective, batch), expected)


def test_keys_join_the_queue_after_the_step() -> None:
    """The loss leaves the queue as it is; the step puts the batch's keys there and moves the copy."""
    objective, batch = built(METHOD), drawn(METHOD)
    before = objective.queue.keys.clone()
    loss_of(objective, batch)
    between = objective.queue.keys.clone()
    with torch.no_grad():
        objective.query.head[0].bias += 1
    objective.step(0.5)
    copied, online = objective.key.module.head[0].bias, objective.query.head[0].bias

    assert torch.equal(between, before)
    assert torch.equal(objective.queue.keys[:6], objective.fresh)
    assert torch.equal(objective.queue.keys[6:], before[6:])
    torch.testing.assert_close(online - copied, torch.full_like(online, 0.999))


def test_the_query_encoder_is_evaluated() -> None:
    """What is saved and probed is the backbone alone."""
    objective = built(METHOD)

    assert objective.embedder() is objective.backbone
