"""Which records of a store belong to the rows of a study's table, and which of them compare."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import attrs
import polars

from mgbench import spec
from mgbench.boards.lines import COMPARABLE
from mgbench.catalogue import Budget, Catalogue
from mgbench.errors import SpecError
from mgbench.study import Row, Table


Key = dict[str, Any]
#: What all rows of a table share, whatever they name.
_ALIKE: Final = (*COMPARABLE, "evaluator", "precision", "threads", "compile", "capture")
#: What rows share that have recipes of their own, or data sets of their own to train on: what was asked for, not what that made of it.
_ASKED: Final = ("budget_epochs", "budget_batch_size", "budget_steps")
#: What all other rows share of their budgets.
_SPENT: Final = ("steps", "batch_size")


def groups_of(table: Table, scored: polars.DataFrame, catalogue: Catalogue) -> Iterator[tuple[Key, polars.DataFrame]]:
    """Yield the records that one table shows, with the `label` of their row, and what they share; a table is written as cells have it."""
    learned = scored.filter("learns")
    rows = [learned.filter(_holds(row, learned, catalogue)).with_columns(label=polars.lit(row.label)) for row in table.rows]
    bare = polars.col("method").map_elements(_bare, return_dtype=polars.String)
    found = polars.concat(rows).sort("cell", maintain_order=True).with_columns(bare=bare)
    shared = _shared(table)
    for values, group in found.group_by(shared, maintain_order=True) if not found.is_empty() else ():
        yield dict(zip(shared, values, strict=True)), group


def floors_of(scored: polars.DataFrame, key: Key, group: polars.DataFrame) -> dict[str, polars.DataFrame]:
    """Return the floors that these rows must beat, by name: of the clips, and of the same encoders untrained."""
    under = polars.col("encoder").is_in(group["encoder"].unique().to_list()) & (polars.col("evaluator") == key["evaluator"])
    same = _equal({name: key[name] for name in COMPARABLE})
    found = scored.filter(~polars.col("learns") & same & (polars.col("method").is_null() | under))
    untrained = polars.col("method") if "encoder" in key else polars.concat_str("method", "encoder", separator=" / ")
    named = found.with_columns(polars.coalesce(untrained, "evaluator").alias("floor")).sort("floor", "seed")
    return {str(name): part for (name,), part in named.group_by("floor", maintain_order=True)}


def _holds(row: Row, records: polars.DataFrame, catalogue: Catalogue) -> polars.Expr:
    """Return the condition that a record is of this row: its method is the row's, with the record's own pipeline and budget."""
    parts: dict[str, str | None] = {axis.replace("-", "_"): text for axis, text in row.parts.items()}
    if parts.get("pretrain_on") == "none":
        parts["pretrain_on"] = None
    method = parts.pop("method", None)
    holds = _equal(parts)
    if method is None:
        return holds
    (part,) = catalogue.axis("method", (method,))
    made = [polars.lit(value=False)]
    for asked in records.filter(holds).select("augmentation", *_ASKED).unique().iter_rows(named=True):
        with suppress(SpecError):  # a pipeline of a plugin that is not loaded here
            found = catalogue.method(part, asked["augmentation"], Budget(*(asked[name] for name in _ASKED)))
            made.append(_equal({**asked, "method": str(found)}))
    return holds & polars.any_horizontal(made)


def _equal(values: dict[str, Any]) -> polars.Expr:
    return polars.all_horizontal(polars.lit(value=True), *(polars.col(name).eq_missing(value) for name, value in values.items()))


def _bare(method: str) -> str:
    """Return a method's spec without its set augmentations, which is what rows that name augmentations differ in."""
    call = spec.read(method)
    return spec.write_call(attrs.evolve(call, arguments=tuple(one for one in call.arguments if one[0] != "prepare")))


def _shared(table: Table) -> tuple[str, ...]:
    """Return the columns of records in which the rows of one table are equal."""
    method = "bare" if "augmentation" in table.axes else "method"
    columns = {"method": method, "encoder": "encoder", "augmentation": "augmentation", "pretrain-on": "pretrain_on"}
    budget = _SPENT if {"method", "pretrain-on"}.isdisjoint(table.axes) else _ASKED
    return (*_ALIKE, *budget, *(column for axis, column in columns.items() if axis not in table.axes))
