"""`--where`: the cells of a grid for which a condition holds."""

import re
from typing import TYPE_CHECKING, Final

from mgbench.errors import SpecError, nearest


if TYPE_CHECKING:
    import polars

    from mgbench.grid import Cell


_WORDS: Final = ("dataset", "encoder", "method", "augmentation", "stream", "pretrain_on")
#: Where a condition compares a word with a text.
_EQUALITY: Final = re.compile(rf"(?i)\b({'|'.join(_WORDS)})\s*==?\s*'([^']*)'")


def keep_where(cells: "list[Cell]", where: str | None) -> "list[Cell]":
    """Return the cells for which a condition holds; one that lacks what it speaks of, as the floors of clips do, is kept."""
    if where is None:
        return cells
    import polars

    example = "write a condition such as \"method = 'mgrl' and seed < 3\"."
    table = _words(cells)
    try:
        held = table.with_columns(polars.sql_expr(where).alias("held"))["held"]
    except polars.exceptions.PolarsError as error:
        msg = f"--where got {where!r}, which polars refuses ({str(error).partition(chr(10))[0]}); {example}"
        raise SpecError(msg) from error
    if held.dtype != polars.Boolean:
        msg = f"--where got {where!r}, which is neither true nor false of a cell; {example}"
        raise SpecError(msg)
    kept, hint = held.fill_null(value=True), "" if held.any() else _hint(where, table)
    if hint or not kept.any():
        msg = f"--where got {where!r}, which holds for no cell; {hint or 'mgbench plan without it lists the cells.'}"
        raise SpecError(msg)
    return [cell for cell, keep in zip(cells, kept, strict=True) if keep]


def _words(cells: "list[Cell]") -> "polars.DataFrame":
    """Return what a condition may speak of, one row a cell; null where a cell has no such word."""
    import polars

    def words(cell: "Cell") -> "dict[str, str | None]":
        parts = {word: getattr(getattr(cell, word), "name", None) for word in ("dataset", "encoder", "method")}
        before = getattr(cell.pretrain_on, "name", "none") if cell.method is not None and cell.method.learns else None
        return {**parts, "augmentation": cell.augmentation, "stream": cell.stream, "pretrain_on": before}

    rows = [words(cell) for cell in cells]
    table = polars.DataFrame(rows, schema=dict.fromkeys(_WORDS, polars.String))
    return table.with_columns(polars.Series("seed", [cell.seed for cell in cells]))


def _hint(where: str, table: "polars.DataFrame") -> str:
    """Return the nearest value where a condition names one that no cell has, or an empty string."""
    for word, got in _EQUALITY.findall(where):
        known = table[word.lower()].drop_nulls().unique().to_list()
        if got not in known:
            return nearest(got, known)
    return ""
