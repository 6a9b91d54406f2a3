"""Which process makes which pages, and that it does not matter."""

import subprocess
import sys
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import polars
import pytest
from made_books import Row, made_book
from tailed import FIT, LABEL, SUBJECT

from mgbench.boards.files import FORMATS, page_texts
from mgbench.errors import MgbenchError


def test_pages_are_begun_before_anything_is_imported_that_a_fork_breaks() -> None:
    """All that the command imports before it starts processes leaves them to be forked; afterwards it is too late, and they are not."""
    before = "import mgbench.__main__, mgbench.cli.leaderboard, mgbench.paths, mgbench.boards.files as files; print(files._way())"
    told = subprocess.run(
        [sys.executable, "-c", f"{before}; import polars; print(files._way())"], check=True, capture_output=True, text=True
    )

    assert told.stdout.split() == ["fork" if sys.platform == "linux" else "spawn", "spawn"]


@pytest.mark.parametrize("processes", [2, 6])
def test_several_processes_make_the_pages_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int) -> None:
    """Large books are made data set by data set; names, order and texts of pages are the same, those of data sets without results too."""
    rows = [Row(f"m{number}", np.full(80, number % 4)) for number in range(9)]
    made = made_book(rows, LABEL, SUBJECT, FIT)
    names = polars.Series(["b", "a.b", "a-b", "c", "b", "a-b", "c", None, "d"])
    lost = polars.Series([*["linear"] * 7, None, None])
    attrs.evolve(made, files=(made.records.with_columns(dataset=names, evaluator=lost),)).write(tmp_path)
    one = page_texts(tmp_path, FORMATS)
    monkeypatch.setattr("mgbench.boards.files._LARGE", 0)
    monkeypatch.setattr("mgbench.boards.files._MOST", 9)
    monkeypatch.setattr("os.cpu_count", lambda: processes)
    several = page_texts(tmp_path, FORMATS)

    assert [name for name in one if name.endswith(".md")] == [
        "a-b-paper-recipe.md", "a-b-paper-recipe-2.md", "b-paper-recipe.md", "c-paper-recipe.md", "unknown-no-result.md", "d-no-result.md"
    ]  # fmt: skip
    assert list(several.items()) == list(one.items())


class _Ended(ProcessPoolExecutor):
    """Whose processes are killed as soon as they have something to do."""

    def submit(self, *given: Any) -> Future[Any]:  # type: ignore[override] # of calls without keywords
        """Begin a call that nobody ends."""
        begun = super().submit(*given)
        for process in list(self._processes.values()):
            process.kill()
        return begun


def test_a_killed_process_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sentence, and no page is made."""
    made_book([Row("m", np.full(80, 1))], LABEL, SUBJECT, FIT).write(tmp_path)
    monkeypatch.setattr("mgbench.boards.files._LARGE", 0)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr("mgbench.boards.files.ProcessPoolExecutor", _Ended)
    with pytest.raises(MgbenchError, match="was ended from outside"):
        page_texts(tmp_path, FORMATS)
