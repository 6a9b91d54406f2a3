"""How the graph convolution is cut into tiles: as large as the registers of each machine allow."""

from typing import Final

import triton
from torch import Tensor

from mgbench.kernels.triton.launch import machine, power, products, wanted_precision


#: Joints that a program can hold.
MOST_JOINTS: Final = 32
#: Programs that share a gradient's sum, with those of its other blocks: a few for every processor.
_PROGRAMS: Final = 384


def sizes(x: Tensor, graph: Tensor) -> tuple[int, int, int, int]:
    """Return clips, frames, joints and the step from a clip's graph to the next's; clips that share a graph are one of all frames."""
    clips, frames, joints, _ = x.shape
    return (clips, frames, joints, graph[0].numel()) if graph.dim() == 4 else (1, clips * frames, joints, 0)


def product(x: Tensor) -> str:
    """Return how operands of a type are multiplied; those of 16 bits are exact as they are."""
    return products(wanted_precision()) if x.dtype.itemsize == 4 else "ieee"


def tiles(x: Tensor, inner: int, outer: int, *, anew: bool = False) -> tuple[int, int, int, int]:
    """Return how many frames, channels before and channels after a program works on at a time, and its warps.

    Registers hold less of threefold float32 products, in gradients that gather anew, in loops, and of few joints; of blocks that are not
    full; and on sm_80.
    """
    three, few = product(x) == "bf16x3", power(x.shape[2]) < MOST_JOINTS
    half = (three and anew) or any(number > 32 and number % 64 for number in (inner, outer))
    bc, bo = (min(power(number), 32 if half else 64) for number in (inner, outer))
    if bc == 64 and ((three and few) or (bo == 64 and (machine() == "sm_80" or (three and inner > 64)))):
        bc = 32
    frames = 4 if max(bc, bo) <= 32 and not half else 2
    if few and not anew:
        frames = 4 if three else 2 * frames
    return frames, bc, bo, 4


def shared_by(spans: int, blocks: int) -> int:
    """Return how many programs share the spans of frames, each the same number as far as that goes."""
    programs: int = triton.cdiv(spans, triton.cdiv(spans, max(_PROGRAMS // blocks, 1)))
    return programs
