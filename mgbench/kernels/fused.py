"""Operators as one kernel each, where there is a GPU and Triton is installed."""

import importlib
import importlib.util
from functools import cache
from types import ModuleType

from torch import Tensor


def fused(name: str, like: Tensor) -> ModuleType | None:
    """Return the Triton kernels of an operator for tensors on a GPU, or None; importing them takes as long as importing Triton."""
    return importlib.import_module(f"mgbench.kernels.triton.{name}") if like.is_cuda and _installed() else None


@cache
def _installed() -> bool:
    return importlib.util.find_spec("triton") is not None
