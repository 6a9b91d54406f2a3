"""Memory that a kernel allocates and does not write is NaN, so that every test sees what was left out; and lanes that need Triton.

Compiling for machines that are not there takes Triton, and not its interpreter; the interpreter takes a process that is told so before
Triton is imported, as by `TRITON_INTERPRET=1 pytest tests/kernels/interpreted`. Elsewhere these files are skipped and say why; asking for
them alone fails then, since nothing is tested.
"""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch


def _missing(path: Path) -> str | None:
    """Return what a file of tests lacks here, if anything."""
    interprets = os.environ.get("TRITON_INTERPRET") == "1"
    inside = path.parent.name == "interpreted"
    if not inside and path.name != "test_compiled.py":
        return None
    if importlib.util.find_spec("triton") is None:
        return "Triton is not installed; pip install 'mgbench[triton]' installs it."
    if inside and not interprets:
        return "Kernels are interpreted in a process of their own: TRITON_INTERPRET=1 pytest tests/kernels/interpreted."
    return "The interpreter compiles nothing; run pytest without TRITON_INTERPRET." if interprets and not inside else None


class _Skipped(pytest.Module):
    """A file that is not imported, and why."""

    def collect(self) -> list[pytest.Item]:
        """Skip the file."""
        pytest.skip(str(_missing(self.path)))


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Leave out what cannot be imported here."""
    return _Skipped.from_parent(parent, path=module_path) if _missing(module_path) else None


@pytest.fixture(autouse=True)
def _poisoned() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)

    assert torch.utils.deterministic.fill_uninitialized_memory
    assert torch.empty(3).isnan().all()

    yield
    torch.use_deterministic_algorithms(False)
