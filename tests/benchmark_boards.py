"""A million records to boards, in processes of their own: `python tests/benchmark_boards.py` prints one table.

`--rows` are how many, about; with fewer `--budgets` there are fewer tables, whose rows have more seeds; `--tailed` has long tails too.

Targets: boards of a million rows that are compacted already within two seconds and a gigabyte. What making and checking such a book
costs is told apart. Every data set has every budget, evaluator, method and encoder with as many seeds, and untrained floors: about as
many methods and encoders as mgbench has.
"""

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars
import psutil

from mgbench.boards.book import CLIPS, Book
from mgbench.scoring import figures_of


#: Data sets, as clips and people that are scored.
SETS = {"wmft": (240, 8), "ui_prmd": (200, 10), "smg": (610, 5), "big": (900, 36)}
METHODS, ENCODERS, EVALUATORS, STEPS = 24, 10, ("linear", "knn"), (100, 300, 1000, 3000, 10000)
#: So many different predictions of a data set; rows take one of them.
POOL, CLASSES = 64, 15
SHARED: dict[str, Any] = {
    **dict.fromkeys(("members", "imported", "reason", "stale"), ""),
    **dict.fromkeys(("select", "compile", "uses_labels", "guided"), False),
    "stream": "joint",
    "preprocess": "frame50",
    "target": "class",
    "fitted_on": "train+val",
    "scored_on": "test",
    "augmentation": "default",
    "precision": "bf16",
    "status": "ok",
    "badge": "recomputed",
    "spec": "{}",
    "batch_size": 32,
    "budget_batch_size": 32,
    "test_reads": 2,
    "backbone_parameters": 10**6,
    "forward_flops": 10**8,
    "clips_processed": 9600,
    "train_seconds": 60.0,
    "peak_memory_mb": 500,
}


def grid(seeds: int, budgets: int) -> polars.DataFrame:
    """Return the rows of one data set without what was predicted; method 0 learns nothing, and is in every budget at once."""
    axes = {"evaluator": EVALUATORS, "steps": STEPS[:budgets], "method": [f"method{k}[lr=0.0{k}]" for k in range(METHODS)],
            "encoder": [f"encoder{k}[width=64]" for k in range(ENCODERS)], "seed": range(seeds)}  # fmt: skip
    found = polars.DataFrame({"one": [1]})
    for name, values in axes.items():
        found = found.join(polars.DataFrame({name: values}), how="cross")
    learns = polars.col("method") != "method0[lr=0.00]"
    found = found.drop("one").filter(learns | (polars.col("steps") == STEPS[0])).with_columns(learns=learns)
    return found.with_columns(budget_steps=polars.when(learns).then("steps"))


def predictions(clips: int, people: int, rng: np.random.Generator) -> tuple[dict[str, Any], polars.DataFrame]:
    """Return a scored set, and the pool of what is predicted of it with its figures."""
    label, subject = rng.integers(CLASSES, size=clips), np.sort(np.arange(clips) % people)
    sure = rng.random((POOL, clips)) < rng.uniform(0.2, 0.8, (POOL, 1))
    predicted = np.where(sure, label, rng.integers(CLASSES, size=sure.shape))
    rank = np.where(predicted == label, 0, rng.integers(1, CLASSES, size=sure.shape))
    right = [np.bincount(subject, weights=row == label).astype(int).tolist() for row in predicted]
    lists = {"predicted": predicted.tolist(), "rank": rank.tolist(), "subject_right": right}
    pool = polars.DataFrame({"draw": np.arange(POOL), **figures_of(predicted, rank, label, subject), **lists})
    return {"subject": subject.tolist(), "label": label.tolist(), "classes": [f"class {k}" for k in range(CLASSES)]}, pool


def made(rows: int, budgets: int, *, tailed: bool) -> Book:
    """Return a book of about so many rows, which were fitted on as many clips of each class or on a long tail."""
    fit = np.geomspace(400, 5, CLASSES).astype(int) if tailed else np.full(CLASSES, 40)
    seeds = max(1, rows // (len(SETS) * len(EVALUATORS) * ENCODERS * (budgets * (METHODS - 1) + 1)))
    rng, frames, clips = np.random.default_rng(0), [], []
    for name, (count, people) in SETS.items():
        scored, pool = predictions(count, people, rng)
        clips.append({"test_digest": name, "target": "class", **scored})
        drawn = grid(seeds, budgets).with_columns(dataset=polars.lit(name), test_digest=polars.lit(name))
        drawn = drawn.with_columns(draw=polars.Series(rng.integers(POOL, size=len(drawn))))
        frames.append(drawn.join(pool, on="draw", how="left", maintain_order="left").drop("draw"))
    records = polars.concat(frames).with_columns(polars.lit(value).alias(name) for name, value in SHARED.items())
    records = records.with_columns(
        polars.format("{}-{}-{}-{}-s{}", "dataset", "encoder", "method", "steps", "seed").alias("cell"),
        polars.lit(None, polars.String).alias("pretrain_on"),
        polars.lit(None, polars.Int64).alias("budget_epochs"),
        polars.lit(fit.tolist(), polars.List(polars.UInt32)).alias("fit_counts"),
        polars.col("predicted", "rank").cast(polars.List(polars.UInt16)),
        polars.col("subject_right").cast(polars.List(polars.UInt32)),
    )
    return Book((records.lazy(),), polars.DataFrame(clips, schema=CLIPS).lazy())


def measure(what: str, *words: str | Path) -> None:
    """Run a command six times, and print a line of the table: how long it takes, and how much memory all of its processes have at most."""
    command, taken, peak = [sys.executable, "-m", "mgbench", *map(str, words)], [], 0
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - began)
    process = psutil.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):  # one that has just ended
            peak = max(peak, sum(one.memory_full_info().pss for one in (process, *process.children(recursive=True))))
        time.sleep(0.02)
    print(f"| {what} | {statistics.median(taken):.2f} | {min(taken):.2f} | {peak / 2**20:,.0f} |")


def main() -> None:
    """Make a book, build its boards, and check it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10**6)
    parser.add_argument("--budgets", type=int, default=len(STEPS), choices=range(1, len(STEPS) + 1))
    parser.add_argument("--tailed", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder, began = Path(scratch), time.perf_counter()
        book = made(given.rows, given.budgets, tailed=given.tailed)
        book.write(folder)
        taken, size = time.perf_counter() - began, sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        print(f"{book.rows:,} rows, {size:.0f} MB, made and written in {taken:.0f} s\n\n| | seconds | at least | MB |\n|---|---|---|---|")
        measure("leaderboard build, with the start of Python", "leaderboard", "build", folder, "--out", folder)
        pages = [path.stat().st_size for path in folder.iterdir() if path.suffix != ".parquet"]
        print(f"\n{len(pages)} pages, {sum(pages) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
