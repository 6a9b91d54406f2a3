"""Operators as one kernel each, where there is a GPU and Triton is installed."""

import importlib
import importlib.util
from types import ModuleType
from typing import Final

from torch import Tensor


_INSTALLED: Final = importlib.util.find_spec("triton") is not None


def fuses(like: Tensor) -> bool:
    """Tell whether there are Triton kernels for tensors where this one lies."""
    return like.is_cuda and _INSTALLED


def kernels(name: str) -> ModuleType:
    """Return the Triton kernels of an operator; the first import of any takes as long as importing Triton."""
    return importlib.import_module(f"mgbench.kernels.triton.{name}")


def fused(name: str, like: Tensor) -> ModuleType | None:
    """Return the Triton kernels of an operator for tensors on a GPU, or None."""
    return kernels(name) if fuses(like) else None
