"""Which records belong to which row of a study's table, told by records that are written by hand."""

from pathlib import Path
from typing import Any

import polars
import pytest

from mgbench.catalogue import Catalogue
from mgbench.errors import SpecError
from mgbench.registry import registry
from mgbench.studied import floors_of, groups_of
from mgbench.study import Row, Table


ZOO = Path(__file__).parent / "zoo.py"
RECORD = {
    "dataset": "waves", "encoder": "flat", "method": "faulty", "augmentation": "default", "pretrain_on": None, "evaluator": "knn",
    "stream": "joint", "preprocess": "frame50", "target": "class", "fitted_on": "train", "scored_on": "test", "test_digest": "d",
    "select": False, "precision": "fp32", "threads": 1, "compile": False, "capture": False,
    "seed": 0, "learns": True, "steps": 5, "batch_size": 8,
    "budget_epochs": None, "budget_batch_size": None, "budget_steps": None,
}  # fmt: skip


@pytest.fixture(name="catalogue")
def _catalogue() -> Catalogue:
    return Catalogue(registry((ZOO,)))


def _records(*told: dict[str, Any]) -> polars.DataFrame:
    """Return records that differ from a plain one in what is told, each of a cell of its own."""
    rows = [{"cell": f"cell-{number}", **RECORD, **one} for number, one in enumerate(told)]
    return polars.DataFrame(rows, infer_schema_length=None)


def _table(*parts: dict[str, str]) -> Table:
    """Return a table whose rows are called by their numbers."""
    return Table("a table", "nobody", "0", "", tuple(Row(str(number), one, {}) for number, one in enumerate(parts)))


def _found(table: Table, records: polars.DataFrame, catalogue: Catalogue) -> list[list[tuple[str, str]]]:
    """Return the cells of each table with the rows that they are of."""
    return [group.select("cell", "label").rows() for _, group in groups_of(table.mapped(catalogue.written), records, catalogue)]


def test_rows_may_name_encoders(catalogue: Catalogue) -> None:
    """A record is of the row that has its encoder to the last parameter; other encoders are of none."""
    records = _records({}, {"encoder": "flat[lift=moment]"}, {"encoder": "stgcn"})
    table = _table({"encoder": "flat"}, {"encoder": "flat[lift='moment']"})
    assert _found(table, records, catalogue) == [[("cell-0", "0"), ("cell-1", "1")]]


def test_what_rows_leave_open_makes_tables(catalogue: Catalogue) -> None:
    """Records that differ in what no row names, or in what they spent, stand in tables of their own."""
    records = _records({}, {"method": "spinning"}, {"augmentation": "crop"}, {"pretrain_on": "ntu60"}, {"steps": 7}, {"precision": "bf16"})
    assert _found(_table({"encoder": "flat"}), records, catalogue) == [[(f"cell-{number}", "0")] for number in range(6)]


def test_rows_may_name_methods_with_recipes_of_their_own(catalogue: Catalogue) -> None:
    """Methods whose recipes differ stand in one table; what is asked for in place of their recipes makes tables."""
    asked = {"budget_batch_size": 4, "budget_steps": 3, "steps": 3, "batch_size": 4}
    records = _records(
        {"steps": 5},
        {"method": "spinning", "steps": 1, "batch_size": 40},
        {"method": "faulty[batch_size=4]", **asked},
        {"method": "spinning[batch_size=4]", **asked},
    )
    table = _table({"method": "faulty"}, {"method": "spinning"})
    assert _found(table, records, catalogue) == [[("cell-0", "0"), ("cell-1", "1")], [("cell-2", "0"), ("cell-3", "1")]]


def test_half_a_batch_is_another_recipe(catalogue: Catalogue) -> None:
    """What ran with half the batch that was asked for, or that its recipe has, is of no row; a row may name it, and a pipeline may join."""
    half = {"method": "faulty[batch_size=4]", "batch_size": 4}
    records = _records(half, {**half, "budget_batch_size": 8}, {"method": "faulty[augment=crop]", "augmentation": "crop"})
    assert _found(_table({"method": "faulty"}), records, catalogue) == [[("cell-2", "0")]]
    assert _found(_table({"method": "faulty:batch_size=4"}), records, catalogue) == [[("cell-0", "0")]]


def test_rows_may_name_what_they_train_on(catalogue: Catalogue) -> None:
    """`none` is the data set itself; sets of other sizes give other steps, and stand in one table."""
    records = _records({}, {"pretrain_on": "ui_prmd", "steps": 70}, {"pretrain_on": "ntu60"})
    table = _table({"pretrain-on": "none"}, {"pretrain-on": "ui_prmd"})
    assert _found(table, records, catalogue) == [[("cell-0", "0"), ("cell-1", "1")]]


def test_an_augmentation_that_is_not_loaded_stops_no_table(catalogue: Catalogue) -> None:
    """A record of a pipeline that nobody knows here is of no row whose method would have it."""
    records = _records({}, {"augmentation": "whirl", "method": "faulty[augment=whirl]"})
    assert _found(_table({"method": "faulty"}), records, catalogue) == [[("cell-0", "0")]]


def test_floors_are_those_of_the_rows(catalogue: Catalogue) -> None:
    """The floors of a table are those of its clips, and of the encoders of its rows, which name them where they are several."""
    floor = {"learns": False, "method": "untrained"}
    records = _records(
        *({"encoder": encoder} for encoder in ("flat", "stgcn")),
        *({"encoder": encoder, **floor} for encoder in ("flat", "stgcn", "tacnn")),
        {"learns": False, "method": None, "encoder": None, "evaluator": "raw"},
        {"dataset": "other", **floor},
    )

    def floors(table: Table) -> list[set[str]]:
        return [set(floors_of(records, key, group)) for key, group in groups_of(table.mapped(catalogue.written), records, catalogue)]

    assert floors(_table({"encoder": "flat"}, {"encoder": "stgcn"})) == [{"raw", "untrained / flat", "untrained / stgcn"}]
    assert floors(_table({"method": "faulty"})) == [{"raw", "untrained"}] * 2


@pytest.mark.parametrize(("axis", "text", "said"), [
    ("method", "falty", "There is no method 'falty'; did you mean 'faulty'?"),
    ("encoder", "flat,stgcn", "A row of the study's table has the encoder 'flat,stgcn', which is 2 components; a row has one."),
    ("pretrain-on", "waves[clips=[10,20]]", "has the pretrain-on 'waves[clips=[10,20]]', which is 2 components; a row has one."),
])  # fmt: skip
def test_a_row_names_one_component(catalogue: Catalogue, axis: str, text: str, said: str) -> None:
    """A name that is not installed, a list and a sweep are refused in one sentence."""
    with pytest.raises(SpecError) as told:
        _table({axis: text}).mapped(catalogue.written)
    assert said in str(told.value)
