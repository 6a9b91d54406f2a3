"""The graph convolution against its definition, sums written out, and against the public code's order of them."""

from itertools import product
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from mgbench.kernels.graph_conv import _backward, _forward, graph_conv_reference, masked_graph_conv


class Case(NamedTuple):
    """Clips, frames, joints, channels before and after, subsets of neighbours."""

    clips: int
    frames: int
    joints: int
    inner: int
    outer: int
    subsets: int = 3


#: Widths that grow, stay and shrink, around the width from which frames are multiplied one by one; every skeleton of the field.
CASES = [
    Case(2, 3, 25, 3, 16), Case(2, 7, 17, 16, 16), Case(1, 1, 22, 16, 17), Case(3, 2, 18, 15, 20), Case(2, 2, 20, 20, 15),
    Case(1, 13, 25, 33, 17), Case(2, 1, 17, 7, 3), Case(2, 3, 5, 1, 1, 1), Case(1, 2, 25, 384, 16, 2), Case(1, 2, 25, 16, 384, 2),
]  # fmt: skip


def draw(case: Case, *, per_clip: bool = False, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return clips, adjacency, weights and bias."""
    generator = torch.Generator().manual_seed(hash(case) % 2**31)
    graph = (case.subsets, case.joints, case.joints)
    shapes = [
        (case.clips, case.frames, case.joints, case.inner),
        (case.clips, *graph) if per_clip else graph,
        (case.subsets, case.outer, case.inner),
        (case.subsets, case.outer),
    ]
    x, graph_, weight, bias = (torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes)
    return x, graph_, weight, bias


def by_definition(x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Sum over subsets and neighbours, subset by subset."""
    total = x.new_zeros(())
    for k in range(len(weight)):
        mixed = x @ weight[k].T + (0 if bias is None else bias[k])
        a = graph[k] if graph.dim() == 3 else graph[:, None, k]
        total = total + a.mT @ mixed
    return total


@pytest.mark.parametrize("per_clip", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_and_gradients_are_those_of_the_definition(case: Case, per_clip: bool) -> None:
    """Value and every gradient agree in float64, for one graph and for one a clip."""
    ours, theirs = ([z.requires_grad_() for z in draw(case, per_clip=per_clip)] for _ in range(2))
    y, expected = masked_graph_conv(*ours), by_definition(*theirs)
    towards = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    torch.testing.assert_close(y, expected)
    for z, w in zip(torch.autograd.grad(y, ours, towards), torch.autograd.grad(expected, theirs, towards), strict=True):
        torch.testing.assert_close(z, w)


@pytest.mark.parametrize("per_clip", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_shipped_reference_is_the_definition(case: Case, per_clip: bool) -> None:
    """What other kernels are compared with is itself right, on channels first as the public code has them."""
    x, *others = draw(case, per_clip=per_clip)
    y = graph_conv_reference(x.permute(0, 3, 1, 2).contiguous(), *others)

    assert y.is_contiguous()
    torch.testing.assert_close(y.permute(0, 2, 3, 1), by_definition(x, *others))


SUBSETS = [wanted for wanted in product([False, True], repeat=4) if any(wanted)]


@pytest.mark.parametrize("wanted", SUBSETS, ids=str)
@pytest.mark.parametrize("per_clip", [False, True])
@pytest.mark.parametrize("case", [Case(2, 2, 4, 3, 5), Case(2, 2, 4, 5, 3)], ids=str)
def test_any_choice_of_gradients_is_right(case: Case, per_clip: bool, wanted: tuple[bool, ...]) -> None:
    """Frozen clips, graphs, weights and biases leave the gradients of the others as they are."""
    ours, theirs = ([z.requires_grad_(wants) for z, wants in zip(draw(case, per_clip=per_clip), wanted, strict=True)] for _ in range(2))
    masked_graph_conv(*ours).square().sum().backward()
    by_definition(*theirs).square().sum().backward()

    for z, w in zip(ours, theirs, strict=True):
        assert (z.grad is None) == (w.grad is None)
        if z.grad is not None:
            torch.testing.assert_close(z.grad, w.grad)


@pytest.mark.parametrize("case", [Case(2, 2, 4, 3, 5), Case(2, 2, 4, 5, 3)], ids=str)
def test_what_nobody_wants_is_not_computed(case: Case) -> None:
    """Without a wish a gradient is empty, and of clips that want none no product as large as they are is made."""
    inputs = draw(case)
    y, between, _ = _forward(*inputs)
    for wanted in product([False, True], repeat=4):
        found = _backward(y, *inputs, between, list(wanted))

        assert [gradient.numel() > 0 for gradient in found] == list(wanted)
        torch.library.opcheck(_backward, (y, *inputs, between, list(wanted)), test_utils=("test_schema", "test_faketensor"))


@pytest.mark.parametrize("per_clip", [False, True])
@pytest.mark.parametrize("case", [Case(2, 2, 4, 3, 5), Case(2, 2, 4, 5, 3), Case(2, 2, 3, 17, 18, 2)], ids=str)
def test_gradients_pass_gradcheck(case: Case, per_clip: bool) -> None:
    """Every gradient is the derivative, with a bias and without."""
    inputs = tuple(z.requires_grad_() for z in draw(case, per_clip=per_clip))

    assert torch.autograd.gradcheck(masked_graph_conv, inputs)
    assert torch.autograd.gradcheck(masked_graph_conv, inputs[:3])


@pytest.mark.parametrize("per_clip", [False, True])
@pytest.mark.parametrize("case", [Case(2, 2, 4, 3, 5), Case(2, 2, 4, 5, 3), Case(2, 2, 3, 17, 18, 2)], ids=str)
def test_the_operator_is_registered_in_full(case: Case, per_clip: bool) -> None:
    """Schema, fake tensors, autograd and tracing agree."""
    inputs = tuple(z.requires_grad_() for z in draw(case, per_clip=per_clip, dtype=torch.float32))

    torch.library.opcheck(_forward, inputs)
    torch.library.opcheck(_forward, (*inputs[:3], None))


def test_it_compiles_whole() -> None:
    """`torch.compile` sees no break, and gives the same gradients."""
    ours, theirs = ([z.requires_grad_() for z in draw(Case(2, 3, 5, 3, 4), dtype=torch.float32)] for _ in range(2))
    torch.compile(lambda *z: masked_graph_conv(*z).square().sum(), fullgraph=True, backend="aot_eager")(*ours).backward()
    masked_graph_conv(*theirs).square().sum().backward()

    for z, w in zip(ours, theirs, strict=True):
        assert z.grad is not None
        assert w.grad is not None
        torch.testing.assert_close(z.grad, w.grad)


@pytest.mark.parametrize("case", [Case(2, 3, 5, 3, 4), Case(2, 3, 5, 4, 3), Case(2, 3, 5, 17, 20)], ids=str)
def test_layout_does_not_matter(case: Case) -> None:
    """Clips that came channels first, and a gradient of stride 0, give what contiguous ones give."""
    plain = [z.requires_grad_() for z in draw(case)]
    odd = [plain[0].detach().permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1).requires_grad_(), *plain[1:]]
    y, other = masked_graph_conv(*plain), masked_graph_conv(*odd)
    expected = torch.autograd.grad(y, plain, torch.ones_like(y).contiguous())

    assert not odd[0].is_contiguous()
    torch.testing.assert_close(y, other)
    for z, w in zip(torch.autograd.grad(other.sum(), odd), expected, strict=True):
        torch.testing.assert_close(z, w)


def test_importance_multiplies_the_graph() -> None:
    """Edge weights are folded into the adjacency, and learn."""
    x, graph, weight, bias = draw(Case(2, 3, 5, 3, 4))
    importance = torch.rand(3, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    y = masked_graph_conv(x, graph, weight, bias, importance=importance)

    torch.testing.assert_close(y, by_definition(x, graph * importance, weight, bias))
    assert torch.autograd.grad(y.sum(), importance)[0].abs().min() > 0


@pytest.mark.parametrize("per_clip", [False, True])
def test_kept_joints_are_a_smaller_graph(per_clip: bool) -> None:
    """Rows and columns of joints that are not kept are left out; kept joints may differ from clip to clip, and come in any order."""
    x, graph, weight, bias = draw(Case(2, 3, 6, 3, 4))
    joints = torch.tensor([[4, 0, 2], [1, 5, 3]])
    kept = joints if per_clip else joints[0]
    given = torch.stack([clip[:, rows] for clip, rows in zip(x, joints if per_clip else [joints[0]] * 2, strict=True)])
    y = masked_graph_conv(given, graph, weight, bias, joints=kept)

    for clip in range(2):
        rows = joints[clip] if per_clip else joints[0]
        alone = by_definition(x[[clip]][:, :, rows], graph[:, rows][:, :, rows], weight, bias)
        torch.testing.assert_close(y[[clip]], alone)


@pytest.mark.parametrize("frames", [False, True])
def test_a_mask_weighs_what_goes_in_and_out(frames: bool) -> None:
    """A joint of weight zero gives nothing, takes nothing, and has no gradient; one of weight one is as without a mask."""
    x, graph, weight, bias = draw(Case(2, 3, 5, 3, 4))
    mask = torch.ones(2, 3, 5, dtype=torch.float64)
    mask[:, :, 2] = 0
    x.requires_grad_()
    y = masked_graph_conv(x, graph, weight, bias, mask=mask if frames else mask[:, 0])
    without = graph.clone()
    without[:, 2] = 0
    expected = by_definition(x, without, weight, None) + by_definition(torch.zeros_like(x), graph, weight, bias)
    rest = [0, 1, 3, 4]

    torch.testing.assert_close(y[:, :, rest], expected[:, :, rest])
    assert y[:, :, 2].eq(0).all()
    assert torch.autograd.grad(y.sum(), x)[0][:, :, 2].eq(0).all()


@pytest.mark.parametrize("wrong", ["joints", "channels", "subsets", "bias", "clips"])
def test_shapes_that_do_not_fit_are_told(wrong: str) -> None:
    """Every shape is named, in one sentence."""
    x, graph, weight, bias = draw(Case(2, 3, 5, 3, 4), per_clip=True)
    given = {
        "joints": (x[:, :, :4], graph, weight, bias),
        "channels": (x[..., :2], graph, weight, bias),
        "subsets": (x, graph[:, :2], weight, bias),
        "bias": (x, graph, weight, bias[:2]),
        "clips": (x[:1], graph, weight, bias),
    }[wrong]
    with pytest.raises(ValueError, match=rf"do not fit: \({given[0].shape[0]}, 3, "):
        masked_graph_conv(*given)


@pytest.mark.parametrize("shape", [(5, 5), (1, 5, 5), (2, 3, 5, 5), (3, 1, 5), (3, 4, 4)])
def test_edge_weights_of_another_shape_are_told(shape: tuple[int, ...]) -> None:
    """They are those of the adjacency, and are not stretched."""
    with pytest.raises(ValueError, match=r"^Edge weights are \(K, V, V\) as the adjacency is; got "):
        masked_graph_conv(*draw(Case(2, 3, 5, 3, 4)), importance=torch.ones(shape))


@pytest.mark.parametrize(
    "joints",
    [*(torch.zeros(shape, dtype=torch.long) for shape in ((4,), (3, 5), (1, 2, 5))), torch.zeros(5), torch.ones(5, dtype=torch.bool)],
    ids=lambda joints: f"{joints.dtype} {tuple(joints.shape)}",
)
def test_joints_that_name_no_joints_are_told(joints: Tensor) -> None:
    """There are as many as the clips have, one list or one a clip, of whole numbers."""
    with pytest.raises(ValueError, match=r"^Kept joints are whole numbers, \(V',\) or \(N, V'\) of clips \(2, 3, 5, 3\); got "):
        masked_graph_conv(*draw(Case(2, 3, 5, 3, 4)), joints=joints)


@pytest.mark.parametrize("per_clip", [False, True])
def test_joints_are_not_chosen_from_a_graph_a_clip(per_clip: bool) -> None:
    """An adjacency of clips has no axis that a list of joints could mean by mistake."""
    joints = torch.arange(5)
    with pytest.raises(ValueError, match=r"^Joints are chosen from an adjacency \(K, V, V\); got \(2, 3, 5, 5\)"):
        masked_graph_conv(*draw(Case(2, 3, 5, 3, 4), per_clip=True), joints=joints.expand(2, -1) if per_clip else joints)


@pytest.mark.parametrize("shape", [(7, 5), (2, 6), (5,), (2, 3, 6), (1, 5)])
def test_a_mask_of_another_shape_is_told(shape: tuple[int, ...]) -> None:
    """A mask is one of the clips' own, and is not stretched."""
    x, graph, weight, bias = draw(Case(2, 3, 5, 3, 4))
    with pytest.raises(ValueError, match=r"^A mask is "):
        masked_graph_conv(x, graph, weight, bias, mask=torch.ones(shape))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_computes_in_its_dtype(dtype: torch.dtype) -> None:
    """Under autocast the output has autocast's type and is close to float32; gradients come back in the type of what they belong to."""
    inputs = [z.requires_grad_() for z in draw(Case(2, 3, 17, 16, 32), dtype=torch.float32)]
    with torch.autocast("cpu", dtype):
        y = masked_graph_conv(*inputs)
        compiled = torch.compile(masked_graph_conv, fullgraph=True, backend="aot_eager")(*inputs)
    y.float().sum().backward()
    expected = masked_graph_conv(*inputs)

    assert y.dtype == compiled.dtype == dtype
    assert all(z.grad is not None and z.grad.dtype == torch.float32 for z in inputs)
    assert ((y.float() - expected).norm() / expected.norm()).item() < 0.01


def test_autocast_leaves_float64() -> None:
    """Numbers in float64 stay what they are, as with torch's own operators."""
    inputs = draw(Case(2, 3, 5, 3, 4))
    with torch.autocast("cpu", torch.bfloat16):
        y = masked_graph_conv(*inputs)

    assert torch.equal(y, masked_graph_conv(*inputs))
