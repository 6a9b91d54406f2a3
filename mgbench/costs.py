"""What the rows of a board cost: the size of their encoders, the work of a forward pass, and how fast they were trained."""

from collections.abc import Iterable

import polars


_COLUMNS = ("backbone_parameters", "forward_flops", "clips_processed", "train_seconds", "peak_memory_mb")


def cost_table(trained: dict[str, list[polars.DataFrame]]) -> Iterable[str]:
    """Yield a Markdown table of trained rows by their names, means over their cells; what a record does not tell is left empty."""
    yield "| what was trained | parameters of the encoder | MFLOPs a clip | clips a second | seconds | peak memory, MB |"
    yield "|---|---|---|---|---|---|"
    for name, tables in trained.items():
        cells = polars.concat(tables, how="diagonal_relaxed").unique("cell")
        parameters, flops, clips, seconds, memory = (mean_of(cells, column) for column in _COLUMNS)
        speed = None if clips is None or not seconds else clips / seconds
        figures = [
            _whole(parameters),
            _whole(flops and flops / 1e6),
            "" if speed is None else f"{speed:.1f}",
            _whole(seconds),
            _whole(memory),
        ]
        yield f"| {' | '.join([name, *figures])} |"


def mean_of(rows: polars.DataFrame, column: str) -> float | None:
    """Return a column's mean over the cells that tell it."""
    values = rows[column].drop_nulls() if column in rows.columns else polars.Series([])
    return float(values.to_numpy().astype(float).mean()) if len(values) else None


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"
