"""Which process makes which pages, and that it does not matter."""

import gc
import os
import signal
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


#: Pages by processes that are forked; and by ones that have begun and never end.
FORKED = """
import os, sys, time
import mgbench.boards.files as files
files._LARGE, os.cpu_count = 0, lambda: 2
assert files._way() == "fork"
def busy(*given):
    os.write(1, b"busy\\n")
    time.sleep(600)
if len(sys.argv) == 2:
    files._made = busy
    files.page_texts(files.Path(sys.argv[1]), files.FORMATS)
files.write_pages(files.page_texts(files.Path(sys.argv[1]), files.FORMATS), files.Path(sys.argv[2]))
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked")


@pytest.fixture(name="book")
def _book(tmp_path: Path) -> Path:
    made_book([Row("m", np.full(80, 1)), Row("n", np.full(80, 2))], LABEL, SUBJECT, FIT).write(tmp_path / "book")
    return tmp_path / "book"


@linux
def test_forked_processes_make_the_same(book: Path, tmp_path: Path) -> None:
    """As this one, which looks for garbage afterwards as before."""
    (tmp_path / "out").mkdir()
    subprocess.run([sys.executable, "-c", FORKED, str(book), str(tmp_path / "out")], check=True)
    texts = page_texts(book, FORMATS)

    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == texts
    assert gc.isenabled()


@linux
@pytest.mark.parametrize("ends", [[signal.SIGINT], [signal.SIGINT, signal.SIGINT], [signal.SIGTERM], [signal.SIGKILL]], ids=str)
def test_processes_end_with_the_one_that_started_them(book: Path, ends: list[signal.Signals]) -> None:
    """However it ends: on Ctrl-C, which all of them get, once or twice, and on signals that nobody else sees."""
    started = subprocess.Popen(
        [sys.executable, "-c", FORKED, str(book)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    assert started.stdout is not None
    assert [started.stdout.readline(), started.stdout.readline()] == ["busy\n"] * 2
    for end in ends:
        (os.killpg if end == signal.SIGINT else os.kill)(started.pid, end)
    rest, _ = started.communicate(timeout=60)  # until nobody can write any more

    assert rest == ""
    assert started.returncode != 0
