"""Which process makes which pages, and that it does not matter."""

from pathlib import Path

import attrs
import numpy as np
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_books import Row, made_book
from tailed import FIT, LABEL, SUBJECT

from mgbench.boards.files import FORMATS, page_texts, shared_out


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 50), max_size=12), st.integers(1, 5))
def test_each_data_set_has_one_process(datasets: dict[str, int], processes: int) -> None:
    """None is lost or made twice, and no process has more than it must: without its last data set it would have the least."""
    shares = shared_out(datasets, processes)
    counts = [sum(datasets[name] for name in share) for share in shares]

    assert sorted(name for share in shares for name in share) == sorted(datasets)
    assert all(count - datasets[share[-1]] <= min(counts) for count, share in zip(counts, shares, strict=True) if share)


def test_several_processes_make_the_pages_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large books are shared out by data set; names, order and texts of pages are the same, those of data sets without results too."""
    rows = [Row(f"m{number}", np.full(80, number % 4)) for number in range(9)]
    made = made_book(rows, LABEL, SUBJECT, FIT)
    names = polars.Series(["b", "a.b", "a-b", "c", "b", "a-b", "c", None, "d"])
    lost = polars.Series([*["linear"] * 7, None, None])
    attrs.evolve(made, files=(made.records.with_columns(dataset=names, evaluator=lost),)).write(tmp_path)
    one = page_texts(tmp_path, FORMATS)
    monkeypatch.setattr("mgbench.boards.files._LARGE", 0)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    several = page_texts(tmp_path, FORMATS)

    assert [name for name in one if name.endswith(".md")] == [
        "a-b-paper-recipe.md", "a-b-paper-recipe-2.md", "b-paper-recipe.md", "c-paper-recipe.md", "unknown-no-result.md", "d-no-result.md"
    ]  # fmt: skip
    assert list(several.items()) == list(one.items())
