"""Every operator on a GPU, by Triton's kernels: against float64, and twice the same bits."""

import importlib.util
import os
from collections.abc import Iterator

import pytest
import torch
from operators import CHECKS


os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it the library refuses to promise the same bits

_ABSENT = "no CUDA device is here" if not torch.cuda.is_available() else "Triton is not installed"
_THERE = torch.cuda.is_available() and importlib.util.find_spec("triton") is not None
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not _THERE, reason=f"{_ABSENT}; tests/kernels/interpreted runs the same in the interpreter."),
]


@pytest.fixture(autouse=True)
def _exact() -> Iterator[None]:
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = allowed


@pytest.mark.parametrize("name", CHECKS)
def test_operator(name: str) -> None:
    """An operator gives what float64 gives, within what three products of 16 bits lose."""
    CHECKS[name]("cuda")
