"""Every kernel that a run launches, compiled for machines that are not there: within their limits, and as the committed table says."""

from functools import cache
from pathlib import Path

import gpu
import gpu_cases
import pytest
import torch
import triton
from mgbench_plugins.encoders.agc_lstm import AGCLSTM
from mgbench_plugins.encoders.agcn import AGCN
from mgbench_plugins.encoders.edgcn import EDGCN
from mgbench_plugins.encoders.msg3d import MSG3D
from mgbench_plugins.encoders.stgcn import STGCN
from torch import Tensor
from triton import language as tl

from mgbench import Encoder
from mgbench.kernels import graph_conv as operator
from mgbench.kernels.triton import graph_conv
from mgbench.kernels.triton.compiled import SHARED, Compiled, compiling
from mgbench.kernels.triton.launch import launch
from mgbench.kernels.triton.table import KINDS, Mix, compiled, lines, page, version
from mgbench.skeleton import load_skeleton


TABLE = Path(__file__).parents[2] / "docs" / "kernels-compiled.md"


@cache
def rows() -> list[Compiled]:
    """Compile all for every machine, once."""
    return compiled(tuple(SHARED))


@pytest.mark.slow
def test_nothing_spills_and_products_are_of_tensor_cores() -> None:
    """No stack, no spilled register, shared memory that is there, tensor cores wherever matrices are multiplied, seconds to compile."""
    assert {row.machine for row in rows() if row.multiplies} == set(SHARED)
    assert [f"{row.kernel} for {row.machine} {row.constants}: {row.faults}" for row in rows() if row.faults] == []


@pytest.mark.slow
def test_the_committed_table_names_what_is_compiled() -> None:
    """By any version of Triton, the same kernels for the same machines in the same configurations."""
    kept = [line.split("|")[1:4] for line in TABLE.read_text().splitlines() if line.startswith("|")]

    assert kept == [line.split("|")[1:4] for line in lines(rows())]


@pytest.mark.slow
def test_the_committed_table_is_what_is_compiled() -> None:
    """By the version that wrote it, every figure."""
    table = TABLE.read_text()
    if table.splitlines()[0] != page(()).splitlines()[0]:
        pytest.skip(f"Registers depend on Triton's version: this is {version()}, and the table begins with {table.splitlines()[0]!r}.")

    assert table == page(rows())


def test_no_two_kernels_have_one_name() -> None:
    """What is told of a kernel is all that it was specialised for, so that each has a row of its own."""
    x, rest = torch.empty(300, 16, device="meta"), torch.empty(2, device="meta")
    with compiling("sm_90") as found:
        for columns in (16, 17, 1):
            launch(_added_kernel, (1,), x, rest, columns, BLOCK=16, num_warps=4)

    assert [row.constants for row in found] == [f"float32 {words}BLOCK=16 num_warps=4" for words in ("columns%16 ", "", "columns=1 ")]


@pytest.mark.parametrize("encoder", [STGCN(), STGCN(width=64), AGCN(), EDGCN(), MSG3D(), AGCLSTM()], ids=str)
@pytest.mark.parametrize("name", ["kinect25", "imigue22"])
def test_encoders_compute_what_is_listed(encoder: Encoder, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every graph convolution of an encoder that a kernel serves is one of the listed, or one of those that it stands for."""
    met: list[Mix] = []

    def forward(x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor | None, measured: bool) -> tuple[Tensor, Tensor, Tensor]:
        if graph_conv.serves(x, weight):
            met.append(Mix(weight.shape[0], weight.shape[2], weight.shape[1], x.shape[2], bias is not None))
        found: tuple[Tensor, Tensor, Tensor] = real(x, graph, weight, bias, measured)
        return found

    real = operator._forward
    monkeypatch.setattr(operator, "_forward", forward)
    skeleton = load_skeleton(name)
    with torch.no_grad():
        encoder.build(skeleton, 3, 1)(torch.randn(1, 1, 3, 16, len(skeleton.joints)))

    assert met or encoder == AGCLSTM()  # all of whose layers the library computes
    assert [mix for mix in met if not _standing(mix) & set(KINDS[0].mixes)] == []


@pytest.mark.parametrize("kind", gpu.KINDS)
def test_what_a_gpu_is_asked_is_listed(kind: str) -> None:
    """Every kernel that the program for a GPU runs is compiled here: graph convolutions, batches of the loss, widths of norms."""
    dtype, precision, _ = gpu.KINDS[kind]
    (listed,) = (one for one in KINDS if (one.dtype, one.precision) == (dtype, precision))

    assert {Mix(3, inner, outer) for _, _, _, inner, outer in gpu_cases.GRAPHS} <= set(listed.mixes)
    assert {(clips, 2) for clips, _ in gpu_cases.LOSSES} <= set(listed.losses)
    assert {min(width, 128) for *_, width in gpu_cases.NORMS} <= set(listed.norms or KINDS[0].norms)  # which multiply nothing


def _standing(mix: Mix) -> set[Mix]:
    """Return what may stand for a graph convolution: the same with 25 joints, and with a bias."""
    return {mix._replace(joints=25), mix._replace(joints=25, biased=True)}


@triton.jit
def _added_kernel(x, y, columns, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, N803 - a kernel
    place = tl.arange(0, BLOCK)
    tl.store(y, tl.sum(tl.load(x + place * columns), 0))


@triton.jit
def _crowded_kernel(x, y, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, N803 - a kernel
    place = tl.arange(0, BLOCK)[:, None] * BLOCK + tl.arange(0, BLOCK)[None, :]
    z = tl.load(x + place)
    tl.store(y + place, tl.dot(z, z, input_precision="ieee"))


def test_what_breaks_a_limit_is_told() -> None:
    """A product of large matrices in plain float32 has no tensor cores on NVIDIA's machines, and more numbers than registers."""
    x = torch.empty(64, 64, device="meta")
    with compiling("sm_90") as found:
        launch(_crowded_kernel, (1,), x, x, BLOCK=64, num_warps=1)
    (row,) = found

    assert "no tensor cores" in row.faults
    assert any("bytes of stack" in fault for fault in row.faults)
    assert any("spills" in fault for fault in row.faults)
