"""A folder of one's own clips."""

from pathlib import Path

import pytest
from own_files import write


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A data root's folder of two training clips and one test clip."""
    write(tmp_path / "mine", "train", ["a", "b"], [0, 2])
    write(tmp_path / "mine", "test", ["c"], [1])
    return tmp_path / "mine"
