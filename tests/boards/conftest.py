"""A store that was really trained, and copies of it to change."""

import shutil
from pathlib import Path

import pytest
from flat_store import run_flat


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one trained cell of five classes, and the majority floor."""
    return run_flat(tmp_path_factory.mktemp("store"), "-E", "knn,linear,majority", "--no-floors")


@pytest.fixture
def store(finished: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    return shutil.copytree(finished, tmp_path / "store")
