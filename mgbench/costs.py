"""What the rows of a board cost: the size of their encoders, the work of a forward pass, and how fast they were trained."""

from collections.abc import Mapping
from typing import Final

import polars


COSTS: Final = ("backbone_parameters", "forward_flops", "clips_processed", "train_seconds", "peak_memory_mb")
HEADS: Final = ("parameters of the encoder", "MFLOPs a clip", "clips a second", "seconds", "peak memory, MB")


def cost_texts(means: Mapping[str, float | None]) -> tuple[str, ...]:
    """Return what stands under `HEADS`, given means over cells; what a record does not tell is left empty."""
    parameters, flops, clips, seconds, memory = (means.get(column) for column in COSTS)
    speed = "" if clips is None or not seconds else f"{clips / seconds:.1f}"
    return (_whole(parameters), _whole(flops and flops / 1e6), speed, _whole(seconds), _whole(memory))


def mean_of(rows: polars.DataFrame, column: str) -> float | None:
    """Return a column's mean over the cells that tell it."""
    values = rows[column].drop_nulls() if column in rows.columns else polars.Series([])
    return float(values.to_numpy().astype(float).mean()) if len(values) else None


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"
