"""Memory that a kernel allocates and does not write is NaN, so that every test sees what was left out."""

import importlib.util
import os
from collections.abc import Iterator

import pytest
import torch


#: Compiling for machines that are not there takes Triton, and not its interpreter; asking for that file alone fails without.
collect_ignore = [] if importlib.util.find_spec("triton") and os.environ.get("TRITON_INTERPRET") != "1" else ["test_compiled.py"]


@pytest.fixture(autouse=True)
def _poisoned() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)

    assert torch.utils.deterministic.fill_uninitialized_memory
    assert torch.empty(3).isnan().all()

    yield
    torch.use_deterministic_algorithms(False)
