"""What several tests share: a command line, a store, real data, and plugins in one file."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from mgbench.cli import main


@pytest.hookimpl(trylast=True)  # after the shuffle
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each of two processes begin with slow tests, whole modules of them, so that neither waits at the end for the other's last one."""
    slow = [item for item in items if item.get_closest_marker("slow")]
    others = [item for item in items if not item.get_closest_marker("slow")]
    modules = list(dict.fromkeys(item.path for item in slow))
    halves = [[item for item in slow if modules.index(item.path) % 2 == half] for half in (0, 1)]
    middle = len(items) // 2 - len(halves[0])
    items[:] = [*halves[0], *others[:middle], *halves[1], *others[middle:]]


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests off the user's files, and results independent of the machine's cores."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("MGBENCH_STORE", raising=False)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def mgbench() -> Callable[..., Result]:
    """Run the command line in this process; cells run in processes of their own."""

    def call(*arguments: str | Path) -> Result:
        return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)

    return call


@pytest.fixture
def data_folder() -> Path:
    """The folder of real recordings; not given it is a skip, given and missing a failure."""
    root = os.environ.get("MGBENCH_DATA")
    if not root:
        pytest.skip("MGBENCH_DATA is not set")
    folder = Path(root)

    assert folder.is_dir(), f"MGBENCH_DATA is {root!r}, which is no folder"

    return folder
