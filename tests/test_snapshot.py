"""The packed copy of a store's small files: as good as the files, and never trusted where they changed."""

from pathlib import Path
from typing import Any

import polars
import pytest

from mgbench import snapshot
from mgbench.grid import Cell, Run, to_spec
from mgbench.part import Part
from mgbench.snapshot import read_cells
from mgbench.store import CellFolder, StoreError, write_json


def _spec(seed: int) -> dict[str, Any]:
    parts = [Part(kind, "any", "zoo", 1, "any", ()) for kind in ("dataset", "encoder", "method", "evaluator")]
    return to_spec(Cell(*parts[:3], (parts[3],), "default", "joint", seed, Run()))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three cells, the last without a status; the copy is written at every change."""
    monkeypatch.setattr(snapshot, "_SLACK", 0)
    for i in range(3):
        folder = CellFolder(tmp_path / "cells" / f"c{i}")
        write_json(folder.spec, _spec(i))
        if i < 2:
            write_json(folder.status, {"status": "ok"})
    return tmp_path


def test_the_copy_says_what_the_files_say(store: Path) -> None:
    """Read from the files and read from the copy are the same; a missing file is an empty object."""
    first, second = read_cells(store), read_cells(store)

    assert (store / "index.parquet").is_file()
    assert first == second
    assert [cell.spec["seed"] for cell in second.values()] == [0, 1, 2]
    assert second["c2"].status == {}


def test_a_replaced_file_is_read_anew(store: Path) -> None:
    """A status that was written again, a new cell and a removed cell are seen."""
    read_cells(store)
    write_json(store / "cells" / "c0" / "status.json", {"status": "no"})
    write_json(store / "cells" / "c9" / "spec.json", _spec(9))
    (store / "cells" / "c1" / "spec.json").unlink()
    cells = read_cells(store)

    assert list(cells) == ["c0", "c2", "c9"]
    assert cells["c0"].status["status"] == "no"


@pytest.mark.parametrize("how", ["garbage", "empty", "folder", "columns", "numbers", "nulls"])
def test_a_broken_copy_is_no_harm(store: Path, how: str) -> None:
    """Whatever happened to the copy, the cells' files are read."""
    before = read_cells(store)
    path = store / "index.parquet"
    columns = polars.read_parquet(path).columns
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how in {"garbage", "empty"}:
        path.write_bytes(b"PAR1 no" if how == "garbage" else b"")
    else:
        names = [name.upper() if how == "columns" else name for name in columns]
        polars.DataFrame(dict.fromkeys(names, [3] if how == "numbers" else [None])).write_parquet(path)

    assert read_cells(store) == before


def test_the_copy_holds_no_damaged_cell(store: Path) -> None:
    """A damaged cell is read from its files every time, so that what is mended without a trace in their times is seen."""
    path = store / "cells" / "c0" / "status.json"
    path.write_text("{")
    read_cells(store)

    assert polars.read_parquet(store / "index.parquet")["cell"].to_list() == ["c1", "c2"]


def test_a_broken_file_is_named_when_it_is_used(store: Path) -> None:
    """One damaged file stops neither the others nor the reading of its own neighbours."""
    (store / "cells" / "c0" / "status.json").write_text("{")
    cells = read_cells(store)

    assert cells["c0"].spec["seed"] == 0
    assert cells["c1"].status["status"] == "ok"
    with pytest.raises(StoreError, match="damaged"):
        _ = cells["c0"].status


def test_an_empty_store_has_no_cells(tmp_path: Path) -> None:
    """A store that is not there yet is empty, and is not made by reading."""
    assert read_cells(tmp_path / "none") == {}
    assert not (tmp_path / "none").exists()
