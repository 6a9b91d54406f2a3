"""Part swap: who exchanges what with whom."""

import torch
from chances import assert_alike
from mgbench_plugins.augmentations.part_swap import PartSwap
from torch import Generator, Tensor

from mgbench import View, load_skeleton


def clips(count: int, joints: int = 25) -> Tensor:
    """Return clips of two persons whose every number is that of the clip, from 1 on."""
    return torch.arange(1.0, count + 1)[:, None, None, None, None].expand(-1, 2, 3, 4, joints)


def swapped(x: Tensor, seed: int = 0, skeleton: str = "kinect25") -> Tensor:
    """Apply the component."""
    return PartSwap().apply(View(x), load_skeleton(skeleton), Generator().manual_seed(seed)).x


def exchanges(count: int, seed: int = 0, skeleton: str = "kinect25") -> tuple[Tensor, list[tuple[int, ...]]]:
    """Return from which clip each got something, itself for none, and which joints; persons, axes and frames are told to agree."""
    y = swapped(clips(count, len(load_skeleton(skeleton).joints)), seed, skeleton)
    owner = y[:, 0, 0, 0].long() - 1
    assert torch.equal(y, y[:, :1, :1, :1].expand_as(y))
    partner, parts = torch.arange(count), []
    for i, row in enumerate(owner):
        foreign = (row != i).nonzero().squeeze(1)
        parts.append(tuple(foreign.tolist()))
        if len(foreign):
            (partner[i],) = row[foreign].unique()
    return partner, parts


def test_pairs_exchange_one_part() -> None:
    """In an even batch everybody has exactly one partner, and both have the same whole part of each other."""
    skeleton = load_skeleton("kinect25")
    partner, parts = exchanges(40)

    assert torch.equal(partner[partner], torch.arange(40))
    assert (partner != torch.arange(40)).all()
    assert all(parts[i] == parts[j] for i, j in enumerate(partner.tolist()))
    assert {frozenset(part) for part in parts} == {frozenset(part) for part in skeleton.body_parts}


def test_one_of_an_odd_batch_stays_whole() -> None:
    """Of seven clips six have partners; a clip alone stays as it is."""
    partner, parts = exchanges(7)

    assert (partner == torch.arange(7)).sum() == 1
    assert sum(not part for part in parts) == 1
    assert exchanges(1)[1] == [()]


def test_parts_and_partners_are_drawn_evenly() -> None:
    """Each of five parts goes as often, and everybody else is as often the first clip's partner."""
    names = {frozenset(part): i for i, part in enumerate(load_skeleton("kinect25").body_parts)}
    _, parts = exchanges(4000)
    pairs = [exchanges(6, seed)[0][0] for seed in range(400)]

    assert_alike(torch.tensor([names[frozenset(part)] for part in parts]), 5)
    assert_alike(torch.stack(pairs) - 1, 5)


def test_a_body_without_legs_has_three_parts() -> None:
    """On iMiGUE's skeleton trunk with head, or either arm with its hand, goes over, the score with it."""
    _, parts = exchanges(60, skeleton="imigue22")

    assert {frozenset(part) for part in parts} == {frozenset(part) for part in load_skeleton("imigue22").body_parts}
    assert len(set(parts)) == 3


def test_nobody_gets_a_part_of_one_who_is_not_there() -> None:
    """A person takes and gives in frames that the partner is in too; someone absent stays so."""
    x = clips(2).clone()
    x[0, 1] = 0
    x[1, 0, :, 2:] = 0
    y = swapped(x)
    changed = (y != x).any(dim=4).any(dim=2)

    assert torch.equal(changed, torch.tensor([[[1, 1, 0, 0], [0, 0, 0, 0]]] * 2).bool())


def test_kept_joints_stay() -> None:
    """A mask drawn before is carried on."""
    joints = torch.arange(9)
    view = PartSwap().apply(View(clips(2), joints), load_skeleton("kinect25"), Generator().manual_seed(0))

    assert view.joints is joints
