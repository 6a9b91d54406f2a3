"""Memory that a kernel allocates and does not write is NaN, so that every test sees what was left out."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def _poisoned() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)

    assert torch.utils.deterministic.fill_uninitialized_memory
    assert torch.empty(3).isnan().all()

    yield
    torch.use_deterministic_algorithms(False)
