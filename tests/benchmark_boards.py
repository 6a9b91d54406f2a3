"""A million records to boards, timed as users wait for them: a process each for compacting and for building; run it by hand.

python tests/benchmark_boards.py [ROWS] [FOLDER]
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars

from mgbench.boards.book import CLIPS, Book
from mgbench.scoring import figures_of


#: Data sets, as clips and people that are scored.
SETS = {"wmft": (240, 8), "ui_prmd": (200, 10), "smg": (610, 5), "big": (900, 36)}
METHODS, ENCODERS, EVALUATORS, STEPS = 25, 10, ("linear", "knn"), (100, 300, 1000, 3000, 10000)


def made(rows: int) -> Book:
    """Return a book of so many rows: every data set, budget, evaluator, method and encoder with as many seeds."""
    lines = len(SETS) * len(EVALUATORS) * len(STEPS) * METHODS * ENCODERS
    seeds = max(1, rows // lines)
    rng, frames, clips = np.random.default_rng(0), [], []
    for name, (count, people) in SETS.items():
        label, subject = rng.integers(15, size=count), np.sort(np.arange(count) % people)
        clips.append(
            {"test_digest": name, "target": "class", "subject": subject, "label": label, "classes": [f"class {k}" for k in range(15)]}
        )
        pool = np.where(rng.random((64, count)) < rng.uniform(0.2, 0.8, (64, 1)), label, rng.integers(15, size=(64, count)))
        rank = np.where(pool == label, 0, rng.integers(1, 15, size=pool.shape))
        right = np.stack([np.bincount(subject, weights=row == label).astype(int) for row in pool])
        figures = {key: values for key, values in figures_of(pool, rank, label, subject).items()}
        drawn = polars.DataFrame(
            {
                "draw": np.arange(64, dtype=np.uint8),
                **figures,
                "predicted": pool.tolist(),
                "rank": rank.tolist(),
                "subject_right": right.tolist(),
            }
        )
        grid = polars.DataFrame({"evaluator": EVALUATORS}).join(polars.DataFrame({"steps": STEPS}), how="cross")
        grid = grid.join(polars.DataFrame({"method": [f"method{k}[lr=0.{k}]" for k in range(METHODS)]}), how="cross")
        grid = grid.join(polars.DataFrame({"encoder": [f"encoder{k}[width=64]" for k in range(ENCODERS)]}), how="cross")
        grid = grid.join(polars.DataFrame({"seed": np.arange(seeds)}), how="cross")
        grid = grid.with_columns(
            draw=polars.lit(rng.integers(64, size=len(grid), dtype=np.uint8)), dataset=polars.lit(name), test_digest=polars.lit(name),
            cell=polars.format("{}-{}-{}-{}-s{}", polars.lit(name), "encoder", "method", "steps", "seed"),
        )  # fmt: skip
        frames.append(grid.join(drawn, on="draw", how="left", maintain_order="left").drop("draw"))
    shared = {
        "stream": "joint", "preprocess": "frame50", "target": "class", "fitted_on": "train+val", "scored_on": "test", "select": False,
        "augmentation": "default", "members": "", "imported": "", "precision": "bf16", "compile": False, "learns": True, "uses_labels": False,
        "guided": False, "status": "ok", "reason": "", "stale": "", "badge": "recomputed", "batch_size": 32, "test_reads": 2, "test_clips": 0,
        "backbone_parameters": 1000, "forward_flops": 1000, "clips_processed": 9600, "train_seconds": 60.0, "peak_memory_mb": 500,
        "spec": "{}", "budget_batch_size": 32,
    }  # fmt: skip
    records = polars.concat(frames).with_columns(
        *(polars.lit(value).alias(name) for name, value in shared.items()),
        *(polars.lit(None, polars.String).alias(name) for name in ("pretrain_on",)),
        polars.lit(None, polars.Int64).alias("budget_epochs"),
        polars.col("steps").alias("budget_steps"),
        polars.lit(None, polars.List(polars.UInt32)).alias("fit_counts"),
        *(polars.col(name).cast(polars.List(polars.UInt16)) for name in ("predicted", "rank")),
        polars.col("subject_right").cast(polars.List(polars.UInt32)),
    )
    return Book(records.lazy(), polars.DataFrame(clips, schema=CLIPS).lazy())


CHILD = """
import resource, sys, time
began = time.perf_counter()
from mgbench.cli import main
try:
    main(sys.argv[1:], standalone_mode=False)
finally:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{time.perf_counter() - began:.2f} s, {peak:.0f} MB", file=sys.stderr)
"""


def timed(*words: str | Path) -> str:
    """Return what a command took, in a process of its own."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", CHILD, *map(str, words)], check=True, capture_output=True, text=True)
    return f"{time.perf_counter() - began:.2f} s with the start of Python; {done.stderr.strip().splitlines()[-1]} at most"


def main() -> None:
    """Make a book and print what it takes."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(scratch)
        if not (folder / "records.parquet").is_file():
            book = made(rows)
            began = time.perf_counter()
            book.write(folder)
            print(
                f"writing {book.rows} rows: {time.perf_counter() - began:.1f} s, {(folder / 'records.parquet').stat().st_size / 1e6:.0f} MB"
            )
        print("leaderboard build:", timed("leaderboard", "build", folder, "--out", folder / "boards"))
        print(
            f"{len(list((folder / 'boards').iterdir()))} files, {sum(path.stat().st_size for path in (folder / 'boards').iterdir()) / 1e6:.1f} MB"
        )


if __name__ == "__main__":
    main()
