"""Adjacencies against their definition, and the first batch norm of the graph networks against torch's."""

from collections import deque

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from mgbench import Skeleton, load_skeleton
from mgbench.errors import SpecError
from mgbench.graph import GraphName, JointNorm, directed_partition, hop_distances, load_graph, spatial_partition
from mgbench.skeleton import skeleton_names


def breadth_first(skeleton: Skeleton, start: int) -> list[float]:
    """Return bones from a joint to every other."""
    distance = [float("inf")] * len(skeleton.joints)
    distance[start] = 0
    queue = deque([start])
    while queue:
        here = queue.popleft()
        for bone in skeleton.bones:
            for there in bone:
                if here in bone and distance[there] == float("inf"):
                    distance[there] = distance[here] + 1
                    queue.append(there)
    return distance


def normalised(skeleton: Skeleton) -> npt.NDArray[np.float64]:
    """Return A + I with columns that sum to one."""
    adjacency = np.eye(len(skeleton.joints))
    for child, parent in skeleton.bones:
        adjacency[child, parent] = adjacency[parent, child] = 1
    return adjacency / adjacency.sum(axis=0)


@pytest.mark.parametrize("name", skeleton_names())
def test_hop_distances_are_shortest_paths(name: str) -> None:
    """The distance of two joints is the number of bones between them."""
    skeleton = load_skeleton(name)
    expected = [breadth_first(skeleton, joint) for joint in range(len(skeleton.joints))]

    assert hop_distances(load_graph("bones", skeleton)).tolist() == expected


def test_hop_distances_beyond_the_limit_are_infinite() -> None:
    """With limit 1 only a joint and its neighbours have a distance."""
    skeleton = load_skeleton("kinect25")
    full = hop_distances(load_graph("bones", skeleton))

    assert np.array_equal(hop_distances(load_graph("bones", skeleton), limit=1), np.where(full <= 1, full, np.inf))


@pytest.mark.parametrize(("true", "expected"), [(False, [25, 40, 8]), (True, [25, 24, 24])])
def test_partition_of_kinect25_has_the_published_entries(true: bool, expected: list[int]) -> None:
    """The public code's hop limit puts 40 of 48 bones into the second subset, full distances 24 into each."""
    subsets = spatial_partition(load_graph("bones", load_skeleton("kinect25")), true=true)

    assert [int((subset != 0).sum()) for subset in subsets] == expected


@pytest.mark.parametrize(
    ("name", "skeleton", "expected", "alone"),
    [
        ("smg_baseline", "kinect25", [25, 29, 13], [8, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20, 21, 22, 23]),
        ("imigue22_baseline", "imigue22", [22, 35, 7], [0]),
    ],
)
def test_faulty_graphs_are_those_of_the_baselines(name: GraphName, skeleton: str, expected: list[int], alone: list[int]) -> None:
    """The owners' own code gives as many entries a subset, and leaves these joints without an edge."""
    subsets = spatial_partition(load_graph(name, load_skeleton(skeleton)))

    assert [int((subset != 0).sum()) for subset in subsets] == expected
    assert (subsets[1:].sum(dim=(0, 1)) == 0).nonzero().flatten().tolist() == alone


def test_a_graph_of_other_joints_is_refused() -> None:
    """A baseline's graph is of one skeleton's joints."""
    with pytest.raises(SpecError, match=r"^The graph 'smg_baseline' is one of kinect25; the clips have the skeleton 'body25'"):
        load_graph("smg_baseline", load_skeleton("body25"))


@pytest.mark.parametrize("true", [False, True])
@pytest.mark.parametrize("name", skeleton_names())
def test_subsets_sum_to_the_normalised_adjacency(name: str, true: bool) -> None:
    """The partition only divides the column-normalised adjacency, entry by entry."""
    skeleton = load_skeleton(name)
    subsets = spatial_partition(load_graph("bones", skeleton), true=true)

    np.testing.assert_allclose(subsets.sum(dim=0).numpy(), normalised(skeleton), rtol=1e-6)
    assert int((subsets != 0).sum(dim=0).max()) == 1


@pytest.mark.parametrize("name", skeleton_names())
def test_true_partition_follows_the_distance_to_the_centre(name: str) -> None:
    """A bone's entry from its farther joint is in the second subset, from its nearer in the third."""
    skeleton = load_skeleton(name)
    subsets, distance = spatial_partition(load_graph("bones", skeleton), true=True), breadth_first(skeleton, skeleton.centre)

    for bone in skeleton.bones:
        near, far = sorted(bone, key=distance.__getitem__)
        assert subsets[1, far, near] > 0
        assert subsets[2, near, far] > 0


def test_public_partition_counts_all_but_the_neighbours_of_the_centre_as_level() -> None:
    """The public code's third subset holds the entries from the centre, and from its neighbours outwards."""
    skeleton = load_skeleton("kinect25")
    distance = breadth_first(skeleton, skeleton.centre)
    entries = {(int(j), int(i)) for j, i in spatial_partition(load_graph("bones", skeleton))[2].nonzero()}
    both_ways = [*skeleton.bones, *((parent, child) for child, parent in skeleton.bones)]
    expected = {(j, i) for j, i in both_ways if distance[j] < distance[i] and distance[j] <= 1}

    assert entries == expected


def batch(clips: int = 6, seed: int = 0) -> Tensor:
    """Return `(N, V, C, T)` of five joints and two channels whose statistics differ by joint."""
    generator = torch.Generator().manual_seed(seed)
    scale = torch.arange(1, 6, dtype=torch.float64)[:, None, None]
    return torch.randn(clips, 5, 2, 7, generator=generator, dtype=torch.float64) * scale + scale


def joint_norm() -> JointNorm:
    """Return a layer whose affine part is drawn."""
    layer, generator = JointNorm(5, 2).double(), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.rand(parameter.shape, generator=generator, dtype=torch.float64) + 0.5)
    return layer


def test_joint_norm_is_batch_norm_of_each_joints_channels() -> None:
    """Without masks the layer is torch's batch norm over `V * C` features, in values and running statistics."""
    x, layer, plain = batch(), joint_norm(), nn.BatchNorm1d(10).double()
    plain.load_state_dict(layer.norm.state_dict())
    expected = plain(x.reshape(6, 10, 7)).reshape(x.shape)

    torch.testing.assert_close(layer(x, None), expected)
    torch.testing.assert_close(layer.norm.running_mean, plain.running_mean)
    torch.testing.assert_close(layer.norm.running_var, plain.running_var)


def test_joint_norm_with_every_joint_kept_per_clip_is_the_unmasked_one() -> None:
    """A mask a clip that hides nothing changes neither values, gradients nor running statistics."""
    every = torch.arange(5).expand(6, -1)
    masked, plain = joint_norm(), joint_norm()
    x, y = batch().requires_grad_(), batch().requires_grad_()
    weight = torch.randn(x.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (masked(x, every) * weight).sum().backward()
    (plain(y, None) * weight).sum().backward()

    torch.testing.assert_close(masked(x, every), plain(y, None))
    torch.testing.assert_close(x.grad, y.grad)
    torch.testing.assert_close(masked.norm.weight.grad, plain.norm.weight.grad)
    torch.testing.assert_close(masked.norm.running_mean, plain.norm.running_mean)
    torch.testing.assert_close(masked.norm.running_var, plain.norm.running_var)


def test_joint_norm_takes_a_joints_statistics_from_the_clips_that_keep_it() -> None:
    """With a mask a clip, kept joints are normalised by mean and variance over the clips that keep them."""
    x, layer = batch(), joint_norm()
    joints = torch.tensor([[0, 1, 2], [1, 2, 3], [2, 3, 4], [0, 3, 4], [0, 1, 4], [0, 2, 4]])
    result = layer(x, joints)

    for joint in range(5):
        clips = [clip for clip in range(6) if joint in joints[clip].tolist()]
        kept = x[clips, joint]  # (n, C, T)
        mean, variance = kept.mean(dim=(0, 2)), kept.var(dim=(0, 2), unbiased=False)
        columns = slice(2 * joint, 2 * joint + 2)
        normal = (kept - mean[:, None]) / (variance + 1e-5).sqrt()[:, None]
        expected = normal * layer.norm.weight[columns, None] + layer.norm.bias[columns, None]
        torch.testing.assert_close(result[clips, joint], expected)
        torch.testing.assert_close(layer.norm.running_mean[columns], 0.1 * mean)
        torch.testing.assert_close(layer.norm.running_var[columns], 0.9 + 0.1 * kept.var(dim=(0, 2)))


def test_joint_norm_forgets_nothing_about_a_joint_that_no_clip_keeps() -> None:
    """A joint that every clip of the batch masks leaves its running statistics as they were."""
    layer = joint_norm()
    layer(batch(), torch.tensor([0, 1, 2, 3]).expand(6, -1))

    assert layer.norm.running_mean is not None
    assert layer.norm.running_var is not None
    assert layer.norm.running_mean[8:].tolist() == [0.0, 0.0]
    assert layer.norm.running_var[8:].tolist() == [1.0, 1.0]


def test_joint_norm_follows_all_joints_under_a_mask_that_all_clips_share() -> None:
    """A mask of the batch changes neither values nor running statistics, of masked joints neither: PSTL normalises before it masks."""
    x, masked, plain = batch(), joint_norm(), joint_norm()

    assert torch.equal(masked(x, torch.tensor([0, 1, 2, 3])), plain(x, None))
    for name, value in plain.norm.named_buffers():
        assert torch.equal(masked.norm.get_buffer(name), value)


def test_joint_norm_in_evaluation_needs_no_batch() -> None:
    """In evaluation the running statistics are used, whatever is masked."""
    x, layer = batch(), joint_norm().eval()
    expected = layer(x, None)

    torch.testing.assert_close(layer(x, torch.tensor([0, 2, 3]).expand(6, -1)), expected)
    torch.testing.assert_close(layer(x[:1], None), expected[:1])


@pytest.mark.parametrize("name", skeleton_names())
def test_directed_graphs_lead_towards_the_centre_and_away_from_it(name: str) -> None:
    """Every joint but the centre has one neighbour towards it; away from it a joint's neighbours share a column that sums to one."""
    skeleton = load_skeleton(name)
    distance = breadth_first(skeleton, skeleton.centre)
    own, towards, away = directed_partition(load_graph("bones", skeleton))

    assert torch.equal(own, torch.eye(len(skeleton.joints)))
    assert sorted(towards.nonzero().tolist()) == sorted(
        [one, two] if distance[one] < distance[two] else [two, one] for one, two in skeleton.bones
    )
    assert torch.equal(towards.sum(dim=0), torch.tensor([float(joint != skeleton.centre) for joint in range(len(skeleton.joints))]))
    assert torch.equal(away > 0, towards.T > 0)
    torch.testing.assert_close(away.sum(dim=0), (towards.sum(dim=1) > 0).float())


def test_kinect25_leads_towards_its_centre_as_published() -> None:
    """The bones of the skeleton are the pairs of child and parent that 2s-AGCN and CTR-GCN list."""
    skeleton = load_skeleton("kinect25")
    towards = directed_partition(load_graph("bones", skeleton))[1]

    assert {(child, parent) for parent, child in towards.nonzero().tolist()} == set(skeleton.bones)
