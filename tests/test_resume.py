"""A killed training continues to the same bits."""

import os
import subprocess
import sys
from pathlib import Path

import polars
import pytest

from mgbench.store import read_json


ZOO = Path(__file__).parent / "zoo.py"
#: Set by the clock, and different in every run.
TIMED = {"evaluate_seconds", "peak_memory_mb", "train_seconds"}


def _run(store: Path, method: str, bomb_at: int) -> int:
    arguments = ["-d", "waves", "-m", method, "-e", "stgcn[width=4,features=16]", "--epochs", "3", "--batch-size", "16"]
    fixed = ["--store", str(store), "--plugin", str(ZOO), "--no-floors", "--checkpoint-seconds", "0"]
    command = [sys.executable, "-m", "mgbench", "run", *arguments, *fixed]
    done = subprocess.run(command, env={**os.environ, "BOMB_AT": str(bomb_at)}, capture_output=True, check=False)
    return done.returncode


def _results(store: Path) -> tuple[bytes, polars.DataFrame, dict[str, dict[str, object]]]:
    (folder,) = [path for path in (store / "cells").iterdir() if "stgcn" in path.name]
    rows = read_json(folder / "metrics.json")["rows"]
    kept = {name: {key: value for key, value in row.items() if key not in TIMED} for name, row in rows.items()}
    return (folder / "pretrained" / "embedder.safetensors").read_bytes(), polars.read_parquet(folder / "predictions.parquet"), kept


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "views"),
    [
        ("mgrl[projector=16,augment=crop+shear+rotate+flip+bomb]", 3),
        ("supervised[augment=crop[draw=clip]+rotate[draw=clip]+bomb]", 1),
        ("actclr[queue=20,projection=8,candidates=9,mining=0.2,start=0.5,augment=crop[draw=clip]+bomb]", 4),
    ],
)
def test_three_kills_change_nothing(tmp_path: Path, method: str, views: int) -> None:
    """After SIGKILL at three steps, weights, predictions and metrics equal those of a run that was left alone, to the bit.

    Each process counts its own calls: the first dies in its 3rd step, the second in its 5th, the third in its 2nd.
    """
    statuses = [_run(tmp_path / "killed", method, step * views) for step in (3, 5, 2)]
    finished = [_run(tmp_path / "killed", method, 0), _run(tmp_path / "calm", method, 0)]
    killed, calm = _results(tmp_path / "killed"), _results(tmp_path / "calm")

    assert statuses == [1, 1, 1]
    assert finished == [0, 0]
    assert killed[0] == calm[0]
    assert killed[1].equals(calm[1])
    assert killed[2] == calm[2]
