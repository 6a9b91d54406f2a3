"""A killed training continues to the same bits."""

from collections.abc import Callable
from pathlib import Path

import polars
import pytest
from click.testing import Result

from mgbench.store import read_json


ZOO = Path(__file__).parent / "zoo.py"
#: Set by the clock, and different in every run.
TIMED = {"evaluate_seconds", "peak_memory_mb", "train_seconds"}


def _results(store: Path) -> tuple[bytes, polars.DataFrame, dict[str, dict[str, object]]]:
    (folder,) = [path for path in (store / "cells").iterdir() if "stgcn" in path.name]
    rows = read_json(folder / "metrics.json")["rows"]
    kept = {name: {key: value for key, value in row.items() if key not in TIMED} for name, row in rows.items()}
    return (folder / "pretrained" / "embedder.safetensors").read_bytes(), polars.read_parquet(folder / "predictions.parquet"), kept


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "views"),
    [
        ("mgrl[projector=16,augment=crop+shear+rotate+flip+bomb[fuse={}]]", 3),
        ("supervised[augment=crop[draw=clip]+rotate[draw=clip]+bomb[fuse={}]]", 1),
        ("actclr[queue=20,projection=8,candidates=9,mining=0.2,start=0.5,augment=crop[draw=clip]+bomb[fuse={}]]", 4),
    ],
    ids=["mgrl", "supervised", "actclr"],
)
def test_three_kills_change_nothing(tmp_path: Path, mgbench: Callable[..., Result], method: str, views: int) -> None:
    """After SIGKILL at three steps, weights, predictions and metrics equal those of a run that was left alone, to the bit.

    Each process counts its own calls: the first dies in its 3rd step, the second in its 5th, the third in its 2nd.
    """
    fuse = tmp_path / "fuse"

    def run(store: str, step: int) -> int:
        fuse.write_text(str(step * views))
        grid = ["-d", "waves", "-m", method.format(fuse), "-e", "stgcn[width=4,features=16]", "--epochs", "3", "--batch-size", "16"]
        return mgbench("run", *grid, "--store", tmp_path / store, "--plugin", ZOO, "--no-floors", "--checkpoint-seconds", "0").exit_code

    statuses = [run("killed", step) for step in (3, 5, 2)]
    finished = [run("killed", 0), run("calm", 0)]
    killed, calm = _results(tmp_path / "killed"), _results(tmp_path / "calm")

    assert statuses == [1, 1, 1]
    assert finished == [0, 0]
    assert killed[0] == calm[0]
    assert killed[1].equals(calm[1])
    assert killed[2] == calm[2]
