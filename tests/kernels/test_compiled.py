"""Every kernel that a run launches, compiled for machines that are not there: within their limits, and as the committed table says."""

from functools import cache
from pathlib import Path

import pytest
import torch
import triton
from triton import language as tl

from mgbench.kernels.triton.compiled import SHARED, Compiled, compiling
from mgbench.kernels.triton.launch import Machine, launch
from mgbench.kernels.triton.table import compiled, lines, version


TABLE = Path(__file__).parents[2] / "docs" / "kernels-compiled.md"
MACHINES = tuple(SHARED)


@cache
def rows(machine: Machine) -> list[Compiled]:
    """Compile all for a machine, once."""
    return compiled(machine)


@pytest.mark.parametrize("machine", MACHINES)
def test_nothing_spills_and_products_are_of_tensor_cores(machine: Machine) -> None:
    """No stack, no spilled register, shared memory that is there, tensor cores wherever matrices are multiplied, seconds to compile."""
    found = rows(machine)

    assert any(row.multiplies for row in found)
    assert [f"{row.kernel} {row.constants}: {row.faults}" for row in found if row.faults] == []


def test_the_committed_table_is_what_is_compiled() -> None:
    """The same kernels in the same configurations; by the same version of Triton also the same figures."""
    table = TABLE.read_text().splitlines()
    made = list(lines(row for machine in MACHINES for row in rows(machine)))
    kept = [line for line in table if line.startswith("|")]

    assert [line.split("|")[1:4] for line in kept] == [line.split("|")[1:4] for line in made]
    if table[0].endswith(f" Triton {version()} compiles them"):
        assert kept == made


@triton.jit
def _crowded_kernel(x, y, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, N803 - a kernel
    place = tl.arange(0, BLOCK)[:, None] * BLOCK + tl.arange(0, BLOCK)[None, :]
    z = tl.load(x + place)
    tl.store(y + place, tl.dot(z, z, input_precision="ieee"))


def test_what_breaks_a_limit_is_told() -> None:
    """A product of large matrices in plain float32 has no tensor cores on NVIDIA's machines, and more numbers than registers."""
    x = torch.empty(128, 128, device="meta")
    with compiling("sm_90") as found:
        launch(_crowded_kernel, (1,), x, x, BLOCK=128, num_warps=4)
    (row,) = found

    assert "no tensor cores" in row.faults
    assert any("bytes of stack" in fault for fault in row.faults)
