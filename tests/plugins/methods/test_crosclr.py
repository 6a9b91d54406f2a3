"""CrosSCLR: three contrasts apart, then with each other's neighbours; whose momentum encoders follow."""

import pytest
import torch
from mgbench_plugins.methods.contrast import info_nce, similarities
from mgbench_plugins.methods.crosclr import CrosSCLR, crossed
from torch import Generator, Tensor
from training import SKELETON, built, drawn, loss_of, phases

from mgbench.preprocess import derive_stream


METHOD = CrosSCLR(queue=10, projection=8)


def found(objective: object, batch: object) -> list[Tensor]:
    """Return each stream's similarities, by encoders and queues of that stream."""
    similarity = []
    for contrast, stream in zip(objective.contrasts, ("joint", "bone", "motion"), strict=True):  # type: ignore[attr-defined] # an objective
        query, key = (view._replace(x=derive_stream(view.x, SKELETON, stream)) for view in batch.views)  # type: ignore[attr-defined, arg-type] # a batch
        similarity.append(similarities(contrast.query(query), contrast.key(key), contrast.queue.keys))
    return similarity


def test_streams_learn_apart_at_first() -> None:
    """The loss is the sum of InfoNCE over joints, bones and motion."""
    objective, batch = built(METHOD), drawn(METHOD)
    loss = loss_of(objective, batch)
    expected = sum(info_nce(similarity, 0.07) for similarity in found(built(METHOD), batch))

    torch.testing.assert_close(loss, expected)


def test_a_stream_has_weights_of_its_own() -> None:
    """Bones and motion do not start from the joints' weights."""
    joint, bone, motion = (max(contrast.backbone.parameters(), key=torch.numel) for contrast in built(METHOD).contrasts)

    assert joint.shape == bone.shape == motion.shape
    assert not any(torch.equal(a, b) for a, b in ((joint, bone), (bone, motion), (joint, motion)))


def test_a_neighbour_counts_beside_the_key() -> None:
    """Positives are the key, the entry nearest in the other stream, and its product of similarities; written out for one clip."""
    own = torch.tensor([[0.5, 0.1, 0.2]], dtype=torch.float64)
    other = torch.tensor([[0.9, 0.3, -0.4]], dtype=torch.float64)  # the first is nearest here, the second there
    every = torch.tensor([0.5, 0.1, 0.2, 0.03, -0.08], dtype=torch.float64) / 0.07
    share = every.softmax(dim=0).log()

    torch.testing.assert_close(crossed(own, other, 0.07), -(share[0] + share[1] + share[3]) / 3)


def test_streams_learn_from_each_other_in_the_second_half() -> None:
    """Averaged over the other two streams, summed over the three."""
    objective, batch = built(CrosSCLR(queue=10, projection=8, cross=0.0)), drawn(METHOD)
    loss = loss_of(objective, batch)
    joint, bone, motion = found(built(METHOD), batch)
    pairs = ((joint, bone), (joint, motion), (bone, joint), (bone, motion), (motion, joint), (motion, bone))
    expected = sum(crossed(own, other, 0.07) for own, other in pairs) / 2

    torch.testing.assert_close(loss, expected)


def test_the_second_half_begins_when_its_share_of_training_is_done() -> None:
    """Half of training by default, as 150 of 300 epochs."""
    assert phases(METHOD, "crossing") == [False, True, True]


@pytest.mark.parametrize(("motion_only", "moved"), [(False, [True, True, True]), (True, [False, False, True])])
def test_momentum_encoders_follow_in_both_halves(motion_only: bool, moved: list[bool]) -> None:
    """All three in ours; motion's alone where the public code is asked for."""
    objective = built(CrosSCLR(queue=10, projection=8, motion_only=motion_only))
    batch = drawn(METHOD)
    loss_of(objective, batch)
    objective.step(0.6)
    before = [next(contrast.key.parameters()).clone() for contrast in objective.contrasts]
    with torch.no_grad():
        for weight in objective.parameters():
            weight.add_(weight.requires_grad)
    objective.step(0.7)

    assert [not torch.equal(next(c.key.parameters()), b) for c, b in zip(objective.contrasts, before, strict=True)] == moved


@pytest.mark.parametrize(("embedding", "width"), [("joint", 16), ("bone", 16), ("all", 48)])
def test_the_evaluated_stream_is_a_choice(embedding: str, width: int) -> None:
    """One stream's features, or three side by side; bones are derived of the joints that are given."""
    objective = built(CrosSCLR(queue=10, projection=8, embedding=embedding)).eval()  # type: ignore[arg-type] # parametrised text
    x = torch.randn(2, 1, 3, 20, 25, generator=Generator().manual_seed(0), dtype=torch.float64)
    features = objective.embedder()(x)
    bones = objective.contrasts[1].backbone(derive_stream(x, SKELETON, "bone"))

    assert features.shape == (2, width)
    if embedding != "joint":
        torch.testing.assert_close(features if embedding == "bone" else features[:, 16:32], bones)
