"""Cells written by hand, in every state, without running anything."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest

from mgbench.grid import Cell, Run, to_spec
from mgbench.part import Part
from mgbench.store import CellFolder, write_bytes, write_json


def _part(kind: str, name: str, **parameters: str) -> Part:
    spec = f"{name}[{','.join(f'{key}={value}' for key, value in parameters.items())}]" if parameters else name
    return Part(kind, name, "zoo", 1, spec, tuple({"lr": "0.001", "epochs": "1", "batch_size": "8", **parameters}.items()))


def _rows(folder: CellFolder, right: dict[str, list[bool]], digest: str) -> None:
    tables, rows = [], {}
    for name, hits in right.items():
        label = np.arange(len(hits)) % 4
        columns = {"clip": [f"secret-{i:02}" for i in range(len(hits))], "subject": 987650 + np.arange(len(hits)) % 4, "label": label}
        tables.append(polars.DataFrame({"evaluator": [name] * len(hits), **columns, "predicted": np.where(hits, label, label + 1)}))
        figures = dict.fromkeys(("top1", "top5", "mean_class_accuracy", "macro_f1"), float(np.mean(hits)))
        rows[name] = {**figures, "test_digest": digest, "fit_clips": 80, "clips_processed": 80, "train_seconds": 80.0}
    buffer = io.BytesIO()
    polars.concat(tables).write_parquet(buffer)
    write_bytes(folder.predictions, buffer.getvalue())
    write_json(folder.metrics, {"rows": rows, "test_reads": 1})


@pytest.fixture
def write_cell() -> Callable[..., CellFolder]:
    """Write one cell: its method's options, seed, evaluators, the clips that each got right, and what its status tells."""

    def write(
        store: Path,
        *,
        how: str = "none",
        encoder: str = "flat",
        seed: int = 0,
        right: dict[str, list[bool]] | None = None,
        digest: str = "d",
        **told: Any,
    ) -> CellFolder:
        parts = _part("dataset", "waves"), _part("encoder", encoder), _part("method", "faulty", how=how)
        cell = Cell(*parts, (_part("evaluator", "knn"),), "default", "joint", seed, Run())
        folder = CellFolder(store / "cells" / cell.name)
        write_json(folder.spec, to_spec(cell))
        if told:
            write_json(folder.status, {"began": 1000.0, "ended": 1010.0, **told})
        if right:
            _rows(folder, right, digest)
        return folder

    return write
