"""Every kernel in every configuration that a run launches, compiled for machines that are not there, as a table."""

import importlib.metadata
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final, NamedTuple

import torch
from torch import Tensor

from mgbench.kernels import cross_correlation as loss
from mgbench.kernels.triton import batch_norm, cross_correlation, graph_conv
from mgbench.kernels.triton.compiled import Compiled, compiling
from mgbench.kernels.triton.launch import Machine, Precision


class Mix(NamedTuple):
    """A graph convolution: subsets of neighbours, channels before and after, joints, whether it has a bias."""

    subsets: int
    inner: int
    outer: int
    joints: int = 25
    biased: bool = True


class Kind(NamedTuple):
    """A type of what is stored, how exactly float32 is multiplied, and what is listed of it."""

    dtype: torch.dtype
    precision: Precision
    mixes: tuple[Mix, ...]
    losses: tuple[tuple[int, int], ...]
    norms: tuple[int, ...]


#: The blocks of ST-GCN, and those of them that stand for all; its blocks at width 64, which are those of 2s-AGCN but for a bias; all with
#: few joints; and EDGCN's and MS-G3D's, which have one subset of neighbours and thirteen.
_BLOCKS: Final = tuple(Mix(3, *pair) for pair in ((3, 16), (16, 16), (16, 32), (32, 32), (32, 64), (64, 64), (64, 256)))
_SOME: Final = (Mix(3, 3, 16), Mix(3, 32, 64), Mix(3, 64, 256))
_RARE: Final = (
    *(Mix(3, *pair) for pair in ((3, 64), (64, 128), (128, 128))),
    *(mix._replace(joints=14) for mix in _SOME),
    *(Mix(subsets, *pair, biased=False) for subsets in (1, 13) for pair in ((3, 96), (96, 96))),
)
#: Clips of a batch, of which the least power of two counts up to 128, and views of the loss.
_LARGE: Final = ((128, 2), (512, 2))
_LOSSES: Final = ((16, 2), (32, 2), (64, 2), (128, 1), (512, 1), *_LARGE)
#: Features that streams have; how many they are changes no kernel, but that 16 divides them does.
_FEATURES: Final = 6144
#: Channels of batch norms; more than 128 are worked on as 128 are.
_NORMS: Final = (16, 32, 64, 128)
#: What `--precision` leads to; and float16, which it does not, but which operators take.
KINDS: Final = (
    Kind(torch.float32, "highest", _BLOCKS + _RARE, _LOSSES, _NORMS),
    Kind(torch.bfloat16, "highest", _BLOCKS, _LARGE, _NORMS),
    Kind(torch.float32, "high", _BLOCKS, _LARGE, ()),
    Kind(torch.float16, "highest", (Mix(3, 32, 64),), _LARGE[:1], (128,)),
)
_INTRODUCTION: Final = """\
`mgbench kernels compile` writes this page; a test compiles everything anew and compares. The limits, which all keep: no stack, no spilled
registers, no more shared memory than the machine has, tensor cores wherever matrices are multiplied, less than five seconds each.

In float32 at its most exact, which is the default and needs most registers, graph convolutions are those of ST-GCN, also at width 64,
where 2s-AGCN has the same, of EDGCN and of MS-G3D, which have one subset of neighbours and thirteen; in bfloat16, and in float32 multiplied
once (`tf32`), those of ST-GCN at its default width, and one of them in float16, which no choice of a run leads to. A bias stands for
none, three channels for any fewer than 16, 25 joints for 17 to 32, 14 joints in three layers for fewer in all, and one graph for all clips
for a graph a clip, since they are the same kernels.

The loss has batches that fill each tile, one larger than any, one view and two, and in other types the largest tile, which stands for the
smaller; 6144 features stand for any number that 16 divides. Batch norm is that of ST-GCN's blocks, where 128 channels stand for more.
`columns%16` says that 16 divides a number; `BV` and the like are sizes of tiles.
"""
_HEADS: Final = ("kernel", "machine", "of", "registers", "stack", "spills", "shared memory", "tensor cores", "programs a processor")


def compiled(machines: Sequence[Machine]) -> list[Compiled]:
    """Compile all for some machines, in as many processes as there are processors; each kernel of each machine once."""
    tasks = [(machine, kind) for machine in machines for kind in range(len(KINDS))]
    free = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ProcessPoolExecutor(min(free, len(tasks)), mp_context=get_context("spawn")) as pool:
        found = [row for rows in pool.map(_compiled, *zip(*tasks, strict=True)) for row in rows]
    return list({(row.kernel, row.machine, row.constants): row for row in found}.values())


def _compiled(machine: Machine, kind: int) -> list[Compiled]:
    """Compile all for a machine in one kind of numbers."""
    dtype, precision, mixes, losses, norms = KINDS[kind]
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        with compiling(machine) as found:
            for clips, views in losses:
                _loss(dtype, clips, views)
            for mix in mixes:
                _mix(dtype, mix)
            for width in norms:
                _norm(dtype, width)
    finally:
        torch.set_float32_matmul_precision(before)
    return found


def _loss(dtype: torch.dtype, clips: int, views: int) -> None:
    """Launch the loss and its gradients."""
    streams = [_meta(clips, _FEATURES, dtype=dtype) for _ in range(1 + views)]
    eps, factor, centre = loss.settings("batch", clips)
    _, *kept = cross_correlation.forward(streams, 2e-4, eps, factor, centre)
    cross_correlation.backward(_meta(), streams, kept, 2e-4, factor)


def _mix(dtype: torch.dtype, mix: Mix) -> None:
    """Launch a graph convolution, with the moments that a batch norm needs and without, and all its gradients."""
    subsets, inner, outer, joints, biased = mix
    shapes = ((256, 50, joints, inner), (subsets, joints, joints), (subsets, outer, inner), (subsets, outer))
    x, graph, weight, bias = (_meta(*shape, dtype=dtype) for shape in shapes)
    y, _ = graph_conv.forward(x, graph, weight, bias if biased else None)
    if biased:
        graph_conv.forward(x, graph, weight, bias, measured=True)
    graph_conv.backward(y, x, graph, weight, bias if biased else None, [True, True, True, biased])


def _norm(dtype: torch.dtype, width: int) -> None:
    """Launch both fusions of batch norm, and their gradients."""
    seed = _meta(dtype=torch.int64)
    x, scale = _meta(256 * 50 * 25, width, dtype=dtype), _meta(width)
    for residual, p in ((None, 0.0), (x, 0.5)):
        y, found = batch_norm.forward(x, scale, scale, 1e-5, moments=None, residual=residual, p=p, seed=seed)
        batch_norm.backward(y, x, y, found, scale, adds=residual is not None, p=p, seed=seed)


def _meta(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def version() -> str:
    """Return the version of Triton, on which registers depend."""
    return importlib.metadata.version("triton")


def page(rows: Iterable[Compiled]) -> str:
    """Return the table as a page in Markdown."""
    return "\n".join([f"# Kernels as Triton {version()} compiles them\n", _INTRODUCTION, *lines(rows)]) + "\n"


def lines(rows: Iterable[Compiled]) -> Iterator[str]:
    """Yield the table in Markdown, a line each."""
    yield f"| {' | '.join(_HEADS)} |"
    yield "|---" * len(_HEADS) + "|"
    for row in rows:
        figures = (row.registers, row.stack, row.spills, row.shared, row.dots if row.multiplies else "", row.resident or "")
        yield f"| {' | '.join(map(str, (row.kernel.strip('_'), row.machine, row.constants, *figures)))} |"
