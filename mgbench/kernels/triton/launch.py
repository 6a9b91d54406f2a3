"""Launching kernels: on a GPU, in Triton's interpreter, or only compiled for a machine that is not there.

One host function serves all three, so that what is compiled without a GPU is what a GPU runs, in the tiles that it runs it in.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final, Literal, TypeAlias

import torch
import triton
from triton import language as tl


#: Machines that tiles are chosen for.
Machine: TypeAlias = Literal["sm_80", "sm_90", "gfx942"]
#: How exactly float32 is multiplied: `highest` in several products of fewer bits, which together lose nothing that matters; `high` in one.
Precision: TypeAlias = Literal["highest", "high"]

#: Whether kernels run in the interpreter, which Triton takes from TRITON_INTERPRET when it is imported.
INTERPRETED: Final = bool(triton.knobs.runtime.interpret)
#: What is done with a kernel in place of launching it.
instead: ContextVar[Callable[..., None] | None] = ContextVar("instead", default=None)

#: What `tl.dot` is told. The plain float32 product ("ieee") has no tensor cores on NVIDIA's machines and spills there.
_PRODUCTS: Final[dict[tuple[Machine, Precision], str]] = {
    ("sm_80", "highest"): "bf16x3",
    ("sm_90", "highest"): "bf16x3",
    ("gfx942", "highest"): "ieee",
    ("sm_80", "high"): "tf32",
    ("sm_90", "high"): "tf32",
    ("gfx942", "high"): "ieee",
}


def launch(kernel: Any, grid: tuple[int, ...], *arguments: object, **options: object) -> None:  # noqa: ANN401 - Triton gives kernels no type
    """Run a kernel over a grid of programs, or do what is done instead."""
    options["enable_fp_fusion"] = True  # a product and a sum in one rounding; what Triton does untold depends on its version
    (instead.get() or _run)(kernel, grid, *arguments, **options)


def _run(kernel: Any, grid: tuple[int, ...], *arguments: object, **options: object) -> None:  # noqa: ANN401 - as above
    kernel[grid](*arguments, **options)


def machine() -> Machine:
    """Return the machine that tiles are chosen for: the nearest to the one that is there, or that is compiled for."""
    if INTERPRETED:
        return "sm_90"
    target = triton.runtime.driver.active.get_current_target()
    if target.backend == "hip":
        return "gfx942"
    return "sm_90" if target.arch >= 90 else "sm_80"


def unhurried() -> dict[str, int]:
    """Return what tells NVIDIA's assembler to use all registers; of itself it spills a few where one more program would fit then."""
    return {} if machine() == "gfx942" else {"maxnreg": 255}


def products(precision: Precision) -> str:
    """Return what `tl.dot` is told; the interpreter knows no other product than the plain one."""
    return "ieee" if INTERPRETED else _PRODUCTS[machine(), precision]


def wanted_precision() -> Precision:
    """Return how exactly float32 is multiplied, as torch is told for its own products."""
    return "highest" if torch.get_float32_matmul_precision() == "highest" else "high"


def power(number: int) -> int:
    """Return the least power of two that is no less, and at least 16, below which tensor cores do not multiply."""
    return max(16, int(triton.next_power_of_2(number)))


@triton.jit
def summed(partials, size, count, place, inside, BLOCK: tl.constexpr):
    """Return the sum over `count` rows of `size` numbers at some places, always in the same order."""
    total = tl.zeros([BLOCK], tl.float32)
    here = partials + place
    for _ in range(count):
        total += tl.load(here, mask=inside, other=0.0)
        here += size
    return total
