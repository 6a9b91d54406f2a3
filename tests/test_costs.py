"""The table of what training cost."""

import polars

from mgbench.costs import cost_table


def rows(**columns: list[float | str | None]) -> polars.DataFrame:
    """Return rows of a record."""
    return polars.DataFrame(columns)


def test_means_are_over_cells() -> None:
    """A cell that two evaluators scored counts once, and speed is of all clips in all seconds."""
    one = rows(cell=["a", "a", "b"], backbone_parameters=[1000, 1000, 1000], forward_flops=[2e6, 2e6, 2e6],
               clips_processed=[100, 100, 300], train_seconds=[1.0, 1.0, 3.0], peak_memory_mb=[400, 400, 600])  # fmt: skip

    assert list(cost_table({"x, 5 x 20": [one[:1], one[1:]]}))[2:] == ["| x, 5 x 20 | 1,000 | 2 | 100.0 | 2 | 500 |"]


def test_what_is_not_told_is_empty() -> None:
    """Records of before a column was there, and counts that were not possible, show nothing."""
    some = rows(cell=["a"], backbone_parameters=[1000], forward_flops=[None], clips_processed=[100], train_seconds=[0.0])

    assert list(cost_table({"x": [some]}))[2:] == ["| x | 1,000 |  |  | 0 |  |"]
