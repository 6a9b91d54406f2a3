"""Cells that fail in every way at once cost themselves alone."""

from collections import Counter
from pathlib import Path
from typing import Any

import polars
import pytest
from click.testing import CliRunner, Result

from mgbench.cli import main
from mgbench.records import read_records
from mgbench.store import read_json


HERE = Path(__file__).parent
#: Forty healthy cells, told apart by their learning rates.
HEALTHY = f"faulty[lr=[{','.join(f'{number}e-4' for number in range(1, 41))}]]"
#: How a cell misbehaves, and its status then.
ENDS = {
    "faulty[how=raise]": "failed",
    "faulty[how=segfault]": "killed",
    "faulty[augment=tread[how=hang]]": "timed-out",
    "faulty[augment=tread[how=eat]]": "out-of-memory",
    "faulty[how=nan]": "diverged",
    "faulty[how=collapse]": "collapsed",
}
#: Set by the clock and the machine.
TIMED = {"evaluate_seconds", "train_seconds", "peak_memory_mb"}


def _run(store: Path, methods: tuple[str, ...], *arguments: str) -> Result:
    plugins = [word for file in ("zoo.py", "vandal.py") for word in ("--plugin", str(HERE / file))]
    limits = ["--timeout", "20s", "--memory", "1G", "--workers", "3"]
    grid = ["-d", "waves", "-e", "flat", "-m", ",".join(methods), "-E", "knn", "--no-floors"]
    return CliRunner().invoke(main, ["run", *grid, "--store", str(store), *limits, *plugins, *arguments], catch_exceptions=False)


def _results(store: Path, name: str) -> tuple[bytes, polars.DataFrame, dict[str, Any]]:
    folder = store / "cells" / name
    rows = read_json(folder / "metrics.json")["rows"]
    kept = {evaluator: {key: value for key, value in row.items() if key not in TIMED} for evaluator, row in rows.items()}
    return (folder / "pretrained" / "embedder.safetensors").read_bytes(), polars.read_parquet(folder / "predictions.parquet"), kept


def _ends(store: Path) -> dict[str, float]:
    """Return when each cell ended."""
    return {path.parent.name: read_json(path)["ended"] for path in store.glob("cells/*/status.json")}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A store of forty healthy cells among six that misbehave, and how the command ended."""
    store = tmp_path_factory.mktemp("mixed")
    return store, _run(store, (*ENDS, HEALTHY))


@pytest.mark.slow
def test_each_end_has_its_status_and_forty_cells_are_ok(mixed: tuple[Path, Result]) -> None:
    """Six cells that raise, crash, hang, eat memory, diverge and collapse have six statuses and a reason each; the others are ok."""
    store, done = mixed
    records = read_records(store)
    bad = records.filter(polars.col("status") != "ok")

    assert done.exit_code == 1
    assert Counter(records["status"]) == {"ok": 40, **dict.fromkeys(ENDS.values(), 1)}
    assert dict(zip(bad["method"], bad["status"], strict=True)) == ENDS
    assert all(bad["reason"])
    assert "40 ok" in done.output.splitlines()[-1]


@pytest.mark.slow
def test_healthy_cells_are_as_without_the_others(mixed: tuple[Path, Result], tmp_path: Path) -> None:
    """Weights, predictions and rows of the forty equal those of a run of the forty alone."""
    store, _ = mixed
    alone = _run(tmp_path, (HEALTHY,))
    names = sorted(path.name for path in (tmp_path / "cells").iterdir())
    pairs = [(_results(store, name), _results(tmp_path, name)) for name in names]

    assert alone.exit_code == 0, alone.output
    assert len(names) == 40
    assert all(mine[0] == theirs[0] for mine, theirs in pairs)
    assert all(mine[1].equals(theirs[1]) for mine, theirs in pairs)
    assert all(mine[2] == theirs[2] for mine, theirs in pairs)


@pytest.mark.slow
def test_failures_are_kept_until_they_are_asked_for(mixed: tuple[Path, Result]) -> None:
    """The same command again runs nothing and says so with the same exit status; `--retry failed` runs the six, and nothing else."""
    store, _ = mixed
    before = _ends(store)
    again = _run(store, (*ENDS, HEALTHY))
    kept = _ends(store)
    retried = _run(store, (*ENDS, HEALTHY), "--retry", "failed")
    after = _ends(store)
    bad = {row["cell"] for row in read_records(store).to_dicts() if row["status"] != "ok"}

    assert (again.exit_code, retried.exit_code) == (1, 1)
    assert kept == before
    assert {name for name, ended in after.items() if ended != before[name]} == bad
    assert Counter(read_records(store)["status"]) == {"ok": 40, **dict.fromkeys(ENDS.values(), 1)}
