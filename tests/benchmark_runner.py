"""How much the runner itself costs: `python tests/benchmark_runner.py [--rounds 5]` prints one table; each figure has a target.

Commands are real ones, timed as whole processes in interleaved rounds. The store of ten thousand finished cells is one finished cell
copied under the names that the plan gives.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from mgbench.store import read_json, write_json


ZOO = Path(__file__).parent / "zoo.py"
TINY = ("-d", "waves", "-e", "flat", "-m", "faulty", "-E", "knn", "--no-floors", "--plugin", str(ZOO))
TRAINING = (
    "-d",
    "waves",
    "-e",
    "stgcn[width=4,features=16]",
    "-m",
    "supervised[epochs=4,batch_size=16]",
    "-E",
    "knn",
    "--no-floors",
    "--plugin",
    str(ZOO),
)
SPINNING = ("-d", "waves", "-e", "flat", "-m", "spinning", "-E", "knn", "--no-floors", "--plugin", str(ZOO))
MANY = ("-d", "waves,waves[clips=20]", "-e", "stgcn[width=[4,8,16,32,64]]", "-m", "mgrl,pstl,barlow_twins,supervised,faulty")


def run(store: Path, *arguments: str, command: str = "run") -> float:
    """Return the seconds of one command."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "mgbench", command, *arguments, "--store", str(store)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - began


def fresh(store: Path, *arguments: str) -> float:
    """Return the seconds of a command on an empty store whose data are packed."""
    shutil.rmtree(store / "cells", ignore_errors=True)
    return run(store, *arguments)


def finished(store: Path, cells: int) -> None:
    """Fill a store with so many finished cells: the first really runs, the others are its copies under the names that a plan gives."""
    run(store, *TINY)
    (source,) = (store / "cells").iterdir()
    spec = read_json(source / "spec.json")
    command = [sys.executable, "-m", "mgbench", "plan", *TINY, "--seeds", str(cells), "--json", "--store", str(store)]
    planned = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for row in map(json.loads, planned.splitlines()):
        folder = store / "cells" / row["cell"]
        if folder != source:
            write_json(folder / "spec.json", {**spec, "seed": row["seed"], "id": row["cell"].rpartition("-")[2]}, durable=False)
            for name in ("status.json", "metrics.json", "predictions.parquet"):
                os.link(source / name, folder / name)


def marginal(store: Path, grid: tuple[str, ...], cells: int, workers: str) -> float:
    """Return the seconds a cell beyond the first ones, so that the start of the command does not count."""
    first = fresh(store, *grid, "--seeds", workers, "--workers", workers)
    return (fresh(store, *grid, "--seeds", str(cells), "--workers", workers) - first) / (cells - int(workers))


def measure(work: Path, cells: int) -> dict[str, float]:
    """Return one round of figures."""
    spins = [marginal(work / "b", SPINNING, 12, workers) for workers in "12"]
    trains = [marginal(work / "c", TRAINING, 12, workers) for workers in "12"]
    one, resumed = (run(work / "d", *TINY, "--seeds", seeds) for seeds in ("1", str(cells)))
    few, planned = (run(work / "e", *MANY, "--no-floors", "--plugin", str(ZOO), "--seeds", s, command="plan") for s in ("1", "2000"))
    return {
        "seconds a cell after the first (0.15)": marginal(work / "a", TINY, 21, "1"),
        "two workers against one, spinning (1.8)": spins[0] / spins[1],
        "two workers against one, training": trains[0] / trains[1],
        f"resume {cells} finished cells, s (2)": resumed,
        "resume one of them": one,
        "plan 100000 cells, s (2 after imports)": planned,
        "plan 50 cells": few,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cells", type=int, default=10_000)
    arguments = parser.parse_args()
    figures: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        finished(work / "d", arguments.cells)
        measure(work, arguments.cells)  # fills caches
        for _ in range(arguments.rounds):
            for name, value in measure(work, arguments.cells).items():
                figures[name].append(value)
    print(f"| figure (target) | median of {arguments.rounds} | least | most |\n|---|---|---|---|")
    for name, values in figures.items():
        print(f"| {name.strip()} | {statistics.median(values):.2f} | {min(values):.2f} | {max(values):.2f} |")


if __name__ == "__main__":
    main()
