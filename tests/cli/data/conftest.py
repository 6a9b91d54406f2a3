"""A data root of boxes, and commands on it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from boxes import PLUGIN
from click.testing import Result

from mgbench.fingerprint import data_key


Command = Callable[..., Result]


@pytest.fixture
def boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with sound files, beside a plugin that reads them; commands run in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MGBENCH_DATA", str(tmp_path))
    (tmp_path / "gated.py").write_text(PLUGIN.replace("PUBLIC", "False"))
    (tmp_path / "public.py").write_text(PLUGIN.replace("PUBLIC", "True"))
    (tmp_path / "boxes").mkdir()
    rng = np.random.default_rng(0)
    time = np.linspace(0, 1, 12)[:, None, None, None]
    for split in ("train", "val", "test"):
        clips = [3 + rng.normal(size=(1, 1, 25, 3)) + 0.02 * np.sin(6 * time + rng.normal(size=(1, 1, 25, 3))) for _ in range(8)]
        np.save(tmp_path / "boxes" / f"{split}.npy", np.stack(clips).astype(np.float32))
    data_key.cache_clear()
    return tmp_path


@pytest.fixture
def on_boxes(boxes: Path, mgbench: Command) -> Command:
    """Run a command with the plugin of gated boxes."""
    return lambda *arguments: mgbench("data", *arguments, "--plugin", boxes / "gated.py")
