"""Heads, momentum copies, queues and InfoNCE, against formulas written out."""

import math

import pytest
import torch
from mgbench_plugins.encoders.stgcn import STGCN
from mgbench_plugins.methods.contrast import Embedding, MomentumCopy, Queue, full, info_nce, nearest, similarities
from torch import Generator, Tensor, nn
from torch.nn import functional

from mgbench import Backbone, load_skeleton


def unit(rows: int, width: int, seed: int) -> Tensor:
    """Return random unit vectors in float64."""
    x = torch.randn(rows, width, generator=Generator().manual_seed(seed), dtype=torch.float64)
    return functional.normalize(x, dim=1)


def test_info_nce_is_its_definition() -> None:
    """Minus the log of the own key's share among the exponentials of all similarities, mean over clips."""
    query, key, queue = unit(4, 6, 0), unit(4, 6, 1), unit(9, 6, 2)
    expected = 0.0
    for q, k in zip(query, key, strict=True):
        own = math.exp(float(q @ k) / 0.2)
        expected -= math.log(own / (own + sum(math.exp(float(q @ n) / 0.2) for n in queue))) / len(query)

    assert float(info_nce(similarities(query, key, queue), 0.2)) == pytest.approx(expected, rel=1e-12)


def test_similarities_are_in_full_precision_under_autocast() -> None:
    """A temperature of 0.07 multiplies their errors by 14: in half precision two digits would be left."""
    query, key, queue = (rows.float() for rows in (unit(4, 64, 0), unit(4, 64, 1), unit(9, 64, 2)))
    expected = similarities(query, key, queue)
    with torch.autocast("cpu", torch.bfloat16):
        found = similarities(query, key, queue)

    assert torch.equal(found, expected)


def test_embeddings_leave_half_precision() -> None:
    """They are normalised as float32, to a length of one, whatever the network computes in; float64 stays."""
    backbone = Backbone(STGCN(width=4, features=16), load_skeleton("kinect25"), 1)
    embedding = Embedding(backbone, 8, normalize=True)
    with torch.autocast("cpu", torch.bfloat16):
        z = embedding.project(torch.randn(5, 16, generator=Generator().manual_seed(0)))

    assert z.dtype == torch.float32
    torch.testing.assert_close(z.norm(dim=1), torch.ones(5), rtol=0, atol=1e-6)
    assert full(torch.zeros(1, dtype=torch.float64)).dtype == torch.float64


def test_further_positives_share_the_mean() -> None:
    """With k more positives, the log shares of all k + 1 are averaged."""
    similarity = similarities(unit(2, 6, 0), unit(2, 6, 1), unit(4, 6, 2))
    also = torch.tensor([[0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    share = (similarity / 0.5).softmax(dim=1).log()
    expected = -(share[0, [0, 2, 4]].mean() + share[1, 0]) / 2

    torch.testing.assert_close(info_nce(similarity, 0.5, also), expected)


def test_random_embeddings_give_the_log_of_all_keys() -> None:
    """At initialisation a key cannot be told from the queue: the loss is ln(K + 1), here at the temperature 1 of wide vectors."""
    loss = info_nce(similarities(unit(512, 4096, 0), unit(512, 4096, 1), unit(2000, 4096, 2)), 1.0)

    assert float(loss) == pytest.approx(math.log(2001), abs=2e-3)


def test_the_nearest_entry_is_found_in_the_queue_alone() -> None:
    """The own key, in front, never counts."""
    found = nearest(torch.tensor([[9.0, 1.0, 3.0, 2.0], [9.0, 5.0, 3.0, 2.0]]))

    assert found.tolist() == [[0, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize("size", [3, 5, 8, 13])
def test_a_queue_holds_the_latest_keys(size: int) -> None:
    """Whether its size is a multiple of the batch, or below it, or not: the last K keys are there, each once."""
    queue = Queue(size, 2)
    pushed = torch.arange(30.0)[:, None].expand(30, 2)
    for batch in pushed.split(4):
        queue.push(batch)

    assert sorted(queue.keys[:, 0].tolist()) == [float(n) for n in range(30 - size, 30)]


def test_a_queue_starts_with_unit_vectors() -> None:
    """Before anything was pushed, every negative has length one."""
    torch.testing.assert_close(Queue(7, 5).keys.norm(dim=1), torch.ones(7))


def test_a_copy_follows_by_the_share_that_does_not_stay() -> None:
    """Every weight becomes m times its own plus 1 - m times the online one; the online one stays, and nothing asks for a gradient."""
    torch.manual_seed(0)
    online = nn.Linear(3, 2)
    momentum = MomentumCopy(online)
    before = momentum.module.weight.clone()  # type: ignore[union-attr] # the copy of a linear layer
    with torch.no_grad():
        online.weight += 1
    momentum.follow(online, 0.9)

    torch.testing.assert_close(momentum.module.weight, before + 0.1)  # type: ignore[arg-type] # the copy of a linear layer
    torch.testing.assert_close(online.weight.detach(), before + 1)
    assert not any(weight.requires_grad for weight in momentum.parameters())
