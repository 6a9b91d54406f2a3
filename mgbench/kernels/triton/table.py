"""Every kernel in every configuration that a run launches, compiled for machines that are not there, as a table."""

import importlib.metadata
from collections.abc import Iterable, Iterator
from typing import Final

import torch
from torch import Tensor

from mgbench.kernels import cross_correlation as loss
from mgbench.kernels.triton import batch_norm, cross_correlation, graph_conv
from mgbench.kernels.triton.compiled import Compiled, compiling
from mgbench.kernels.triton.launch import Machine, Precision


#: Types of what is stored, and how exactly float32 is multiplied: what `--precision` leads to.
_KINDS: Final[tuple[tuple[torch.dtype, Precision], ...]] = ((torch.float32, "highest"), (torch.float32, "high"), (torch.bfloat16, "high"))
#: Features that streams have; how many they are changes no kernel, but that 16 divides them does.
_FEATURES: Final = 6144
#: Channels into and out of the blocks of ST-GCN.
_WIDTHS: Final = ((3, 16), (16, 16), (16, 32), (32, 32), (32, 64), (64, 64), (64, 256))
_HEADS: Final = ("kernel", "machine", "of", "registers", "stack", "spills", "shared memory", "tensor cores", "programs a processor")


def compiled(machine: Machine) -> list[Compiled]:
    """Compile all for a machine."""
    before = torch.get_float32_matmul_precision()
    try:
        with compiling(machine) as found:
            for dtype, precision in _KINDS:
                torch.set_float32_matmul_precision(precision)
                _losses(dtype)
                _graphs(dtype)
                _norms(dtype)
    finally:
        torch.set_float32_matmul_precision(before)
    return found


def _losses(dtype: torch.dtype) -> None:
    """Launch the loss for batches that fill each size of tile, a batch that fills none, and one view as well as two."""
    for clips, views in ((16, 2), (32, 2), (64, 2), (128, 2), (128, 1), (512, 2), (512, 1)):
        streams = [_meta(clips, _FEATURES, dtype=dtype) for _ in range(1 + views)]
        eps, factor, centre = loss.settings("batch", clips)
        _, *kept = cross_correlation.forward(streams, 2e-4, eps, factor, centre)
        cross_correlation.backward(_meta(), streams, kept, 2e-4, factor)


def _graphs(dtype: torch.dtype) -> None:
    """Launch the graph convolutions of ST-GCN, all gradients with them: whole views and masked ones, and joints of each clip's own."""
    for joints, (inner, outer) in ((joints, pair) for joints in (25, 17) for pair in _WIDTHS):
        x, weight, bias = (_meta(*shape, dtype=dtype) for shape in ((256, 50, joints, inner), (3, outer, inner), (3, outer)))
        shared, own = (_meta(*clips, 3, joints, joints, dtype=dtype) for clips in ((), (256,)))
        for graph in (shared, own) if joints == 17 else (shared,):
            y = graph_conv.forward(x, graph, weight, bias)
            graph_conv.backward(y, x, graph, weight, bias, [True] * 4)


def _norms(dtype: torch.dtype) -> None:
    """Launch both fusions of batch norm at the widths of ST-GCN."""
    seed = _meta(dtype=torch.int64)
    for width in (16, 32, 64, 256):
        x, scale = _meta(256 * 50 * 25, width, dtype=dtype), _meta(width)
        for residual, p in ((None, 0.0), (x, 0.5)):
            y, found = batch_norm.forward(x, scale, scale, 1e-5, moments=None, residual=residual, p=p, seed=seed)
            batch_norm.backward(y, x, y, found, scale, adds=residual is not None, p=p, seed=seed)


def _meta(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def version() -> str:
    """Return the version of Triton, on which registers depend."""
    return importlib.metadata.version("triton")


def lines(rows: Iterable[Compiled]) -> Iterator[str]:
    """Yield the table in Markdown, a line each."""
    yield f"| {' | '.join(_HEADS)} |"
    yield "|---" * len(_HEADS) + "|"
    for row in rows:
        figures = (row.registers, row.stack, row.spills, row.shared, row.dots if row.multiplies else "", row.resident or "")
        yield f"| {' | '.join(map(str, (row.kernel.strip('_'), row.machine, row.constants, *figures)))} |"
