"""Verify: figures are recomputed, a sample runs again, and what comes of it is told, in the exit status and on a book's rows."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars
import pytest
from click.testing import Result
from flat_store import ZOO

from mgbench.boards.book import Book
from mgbench.boards.compacting import compact, open_book
from mgbench.boards.verify import LEAST, Rerun, Verdict, allowances, badged, sample
from mgbench.grid import from_spec, to_spec
from mgbench.scoring import figures_of
from mgbench.store import CellFolder, read_json, write_json


Command = Callable[..., Result]


@pytest.fixture
def book(store: Path, tmp_path: Path) -> Path:
    """The book of the store."""
    compact(store).write(tmp_path / "book")
    return tmp_path / "book"


def changed(book: Path, of: str, **values: object) -> None:
    """Write other values into a row of a book."""
    found = open_book(book)
    records = found.records.collect()
    rows = [{**row, **values} if row["evaluator"] == of else row for row in records.to_dicts()]
    Book((polars.DataFrame(rows, schema=records.schema).lazy(),), found.clips).write(book)


def another(cell: CellFolder, **spec: object) -> None:
    """Make another cell of one, with the name that its spec gives."""
    told = from_spec({**read_json(cell.spec), **spec})
    write_json(cell.spec, to_spec(told))
    cell.path.rename(cell.path.with_name(told.name))


def badges(book: Path) -> dict[str, str]:
    """Return the badge of each evaluator's row."""
    return dict(open_book(book).records.select("evaluator", "badge").collect().iter_rows())


def contents(folder: Path) -> dict[Path, bytes]:
    """Return every file below a folder."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_sound_records_verify(mgbench: Command, store: Path, book: Path) -> None:
    """A store and its book, of which no figure was changed, are right, and neither is written to."""
    before = contents(store), contents(book)
    done = mgbench("verify", store), mgbench("verify", book)

    assert [one.exit_code for one in done] == [0, 0]
    assert all("the figures of 3 rows follow from their predictions" in one.output for one in done)
    assert (contents(store), contents(book)) == before


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"top1": 0.99}, "has 0.9900 as top1, where its predictions give"),
        ({"macro_f1": None}, "has no macro_f1, where its predictions give"),
        ({"predicted": [0] * 40}, "has other counts of people's right clips than its predictions give"),
        ({"predicted": [0] * 39}, "does not predict the clips that it scored"),
        ({"predicted": None}, "does not predict the clips that it scored"),
        ({"rank": None}, "does not predict the clips that it scored"),
        ({"cell": "other"}, "has the spec of waves-flat-"),
        ({"evaluator": "linear[c=3]"}, "is under an evaluator that its spec does not have: knn, linear"),
        ({"steps": 3000}, "has steps 3000, where 2 were asked for"),
        ({"badge": "peer reviewed"}, "has the badge 'peer reviewed', and was trained here"),
        ({"predicted": [65535] * 40}, "as macro_f1, where its predictions give"),
        ({"method": "mgrl"}, "has method 'mgrl', its spec"),
        ({"spec": "{"}, "has no sound spec"),
        ({"badge": "self-reported"}, "has the badge 'self-reported', and was trained here"),
    ],
)
def test_a_tampered_row_is_told(mgbench: Command, book: Path, values: dict[str, object], told: str) -> None:
    """A figure, a prediction, a name or a badge that does not follow is named with its cell, and nothing is run."""
    changed(book, "knn", **values)
    done = mgbench("verify", book, "--cells", "1", "--plugin", ZOO)

    assert done.exit_code == 1
    assert told in done.stderr
    assert "supervised" in done.stderr
    assert "running" not in done.output


def test_a_swapped_label_is_told(mgbench: Command, book: Path) -> None:
    """The labels of the clips belong to what figures follow from."""
    found = open_book(book)
    labels = found.clips.collect()["label"].to_list()
    swapped = [[one[1], one[0], *one[2:]] for one in labels]
    clips = found.clips.collect().with_columns(label=polars.Series(swapped, dtype=polars.List(polars.UInt16)))
    Book((found.records.collect().lazy(),), clips.lazy()).write(book)
    done = mgbench("verify", book)

    assert done.exit_code == 1
    assert "its predictions give" in done.stderr


@pytest.mark.parametrize("name", ["metrics.json", "predictions.parquet", "spec.json"])
def test_a_damaged_cell_is_told(mgbench: Command, store: Path, name: str) -> None:
    """What cannot be read is not passed over."""
    (cell,) = (store / "cells").glob("*supervised*")
    (cell / name).write_bytes(b"[")
    done = mgbench("verify", store)

    assert done.exit_code == 1
    assert cell.name in done.stderr


def test_a_rerun_that_is_equal_earns_the_badge(mgbench: Command, book: Path) -> None:
    """Run again on the same machine every prediction is the same; the row says so, floors keep their badge."""
    done = mgbench("verify", book, "--cells", "3", "--plugin", ZOO)

    assert done.exit_code == 0, done.output
    assert "running 1 of 1 trained cell again" in done.output
    assert "under knn: equal: all 40 predictions are the same" in done.output
    assert badges(book) == {"knn": "re-run", "linear": "re-run", "majority": "recomputed"}
    assert mgbench("leaderboard", "check", book).exit_code == 1  # its boards are still to be made
    assert not list(book.glob(".*"))


def _forged(book: Path, wrong: int) -> None:
    """Turn some right predictions of a row into wrong ones, and its figures with them."""
    found = open_book(book)
    ((subject, label),) = found.clips.select("subject", "label").collect().rows()
    row = found.records.filter(polars.col("evaluator") == "knn").collect().to_dicts()[0]
    predicted, rank, truth = (np.array(values) for values in (row["predicted"], row["rank"], label))
    places = np.flatnonzero(predicted == truth)[:wrong]
    predicted[places], rank[places] = (truth[places] + 1) % 5, 1
    figures = figures_of(predicted[None], rank[None], truth, np.array(subject))
    right = np.bincount(subject, weights=predicted == truth).astype(int).tolist()
    lists = {"predicted": predicted.tolist(), "rank": rank.tolist(), "subject_right": right}
    changed(book, "knn", **lists, **{name: float(values[0]) for name, values in figures.items()})


def test_a_forged_row_is_found_by_running_it_again(mgbench: Command, book: Path) -> None:
    """Predictions and figures that agree with each other, and not with the cell, fail on the machine of the record, and earn no badge."""
    _forged(book, 1)
    only = mgbench("verify", book)
    done = mgbench("verify", book, "--cells", "1", "--plugin", ZOO)

    assert only.exit_code == 0
    assert done.exit_code == 1
    assert "differs: 1 of 40 predictions are others" in done.stderr
    assert "on the same processor and versions all must be the same" in done.stderr
    assert badges(book)["knn"] == "recomputed"


def test_a_store_is_run_again_and_not_written_to(mgbench: Command, store: Path) -> None:
    """The verdict is told; no file of the store is another."""
    before = contents(store)
    done = mgbench("verify", store, "--cells", "1", "--plugin", ZOO)

    assert done.exit_code == 0, done.output
    assert contents(store) == before


def test_what_cannot_be_run_is_open(mgbench: Command, book: Path) -> None:
    """Where the plugin of a cell is not given, that is told, the status is 3, and the book stays as it is."""
    before = contents(book)
    done = mgbench("verify", book, "--cells", "1")

    assert done.exit_code == 3
    assert "under knn, linear: was not run again: There is no dataset 'waves'" in done.output
    assert contents(book) == before


def test_missing_data_are_open(mgbench: Command, store: Path, tmp_path: Path) -> None:
    """So it is where the folder of the data is not there."""
    (cell,) = map(CellFolder, (store / "cells").glob("*supervised*"))
    part = {"kind": "dataset", "name": "wmft", "distribution": "mgbench", "version": 1, "spec": "wmft", "parameters": {}}
    another(cell, dataset={**part, "folders": ["wmft"]})
    done = mgbench("verify", store, "--cells", "1", "--plugin", ZOO, "--data-root", tmp_path / "nowhere")

    assert done.exit_code == 3
    assert "was not run again: The data of 'wmft' is missing" in done.output


def test_newer_code_that_gives_the_same_is_told(mgbench: Command, store: Path) -> None:
    """A cell whose code is newer is run all the same; equal predictions speak for it, others do not speak against it."""
    (cell,) = map(CellFolder, (store / "cells").glob("*supervised*"))
    told = read_json(cell.status)
    write_json(cell.status, {**told, "source": {**told["source"], "flat": "0"}})
    done = mgbench("verify", store, "--cells", "1", "--plugin", ZOO)

    assert done.exit_code == 0
    assert "equal: all 40 predictions are the same; its code is newer (the source of flat changed)" in done.output


def test_a_cell_that_fails_again_is_told(mgbench: Command, store: Path) -> None:
    """A record of a cell that comes to no result is no record; its reason is told."""
    (cell,) = map(CellFolder, (store / "cells").glob("*supervised*"))
    spec = read_json(cell.spec)
    parameters = {**spec["dataset"]["parameters"], "fault": "empty"}
    another(cell, dataset={**spec["dataset"], "parameters": parameters})
    done = mgbench("verify", store, "--cells", "1", "--plugin", ZOO)

    assert done.exit_code == 3
    assert "cannot be told: it is no-data when it is run again" in done.output


ROW = {"cell": "c", "evaluator": "knn", "top1": 0.5, "test_digest": "d", "data": "x", "predicted": [0, 1, 2, 3], "rank": [0, 0, 1, 1]}
HERE = {"processor": "A", "device": "cpu", "version_torch": "1"}


@pytest.mark.parametrize(
    ("old", "new", "agrees", "told"),
    [
        ({}, {}, True, "equal: all 4 predictions are the same"),
        ({}, {"processor": "B"}, True, "equal: all 4 predictions are the same, although processor is B, was A"),
        ({}, {"predicted": [0, 1, 2, 2]}, False, "on the same processor and versions all must be the same"),
        ({}, {"rank": [0, 0, 1, 2]}, False, "differs: 1 of 4 predictions are others"),
        ({}, {"predicted": [0, 1, 2, 2], "version_torch": "2"}, True, "agrees: 1 of 4 predictions are others, top-1 is 50.0, was 50.0"),
        ({}, {"rank": [0, 0, 1, 2], "device": "cuda", "top1": 0.54}, True, "5.0 points are allowed, since device is cuda, was cpu"),
        ({"device": "cuda"}, {"rank": [0, 0, 1, 2], "device": "cuda"}, True, "since a GPU adds in no fixed order"),
        ({}, {"rank": [0, 0, 1, 2], "processor": "B", "top1": 0.56}, False, "differs: 1 of 4"),
        ({}, {"data": "y"}, None, "the data here are not those of the record"),
        ({"data": None}, {"test_digest": "e"}, False, "the labels or people of its clips are others"),
    ],
)
def test_each_rule_decides(old: dict[str, object], new: dict[str, object], agrees: bool | None, told: str) -> None:
    """Equal on the same machine; elsewhere within what is allowed; other data tell nothing, other labels all."""
    verdict = Rerun({**ROW, **HERE, **old}, {**ROW, **HERE, **new}, ([0], [0]), 0.05, "").verdict

    assert verdict.agrees is agrees
    assert told in str(verdict)


@pytest.mark.parametrize(("predicted", "agrees"), [([0, 1, 2, 3], True), ([0, 1, 2, 2], None)])
def test_newer_code_accuses_nobody(predicted: list[int], agrees: bool | None) -> None:
    """With newer code equal predictions agree, and others leave it open."""
    verdict = Rerun({**ROW, **HERE}, {**ROW, **HERE, "predicted": predicted}, ([0], [0]), 0.05, "the source of flat changed").verdict

    assert verdict.agrees is agrees
    assert "its code is newer (the source of flat changed)" in verdict.text


def test_what_is_allowed_grows_with_seeds(store: Path) -> None:
    """One seed allows 2 points; two that lie 20 apart allow three times the deviation of a difference."""
    one = compact(store)
    rows = [row for row in one.records.collect().to_dicts() if row["evaluator"] == "knn"]
    two = [{**rows[0], "top1": 0.4}, {**rows[0], "cell": "other", "seed": 1, "top1": 0.6}]
    both = Book((polars.DataFrame(two, schema=one.records.collect_schema()).lazy(),), one.clips)

    assert set(allowances(one).values()) == {LEAST}
    assert list(allowances(both).values()) == pytest.approx([3 * 2**0.5 * np.std([0.4, 0.6], ddof=1)] * 2)


def test_a_sample_is_always_the_same() -> None:
    """It is drawn of the sorted names without looking at results; all are drawn where there are no more."""
    names = [f"cell-{number:02}" for number in range(20)]

    assert sample(names, 4) == sample(names, 4)
    assert len(set(sample(names, 4))) == 4
    assert set(sample(names, 4)) <= set(sample(names, 8))
    assert sample(names, 30) == names


def test_badges_follow_verdicts(store: Path) -> None:
    """What agrees is re-run, what differs is not, and what is open stays."""
    found = compact(store)
    rows = found.records.filter(polars.col("evaluator") == "knn").collect()
    name = rows["cell"][0]

    def badge(before: Book, agrees: bool | None) -> tuple[Book, str]:
        after = badged(before, [Verdict(name, ("knn",), agrees, "")])
        return after, dict(after.records.select("evaluator", "badge").collect().iter_rows())["knn"]

    after, first = badge(found, agrees=True)
    assert (first, badge(after, agrees=None)[1], badge(after, agrees=False)[1]) == ("re-run", "re-run", "recomputed")
    buffer = io.BytesIO()
    after.records.collect().write_parquet(buffer)  # as it is written


def test_nothing_to_verify_is_said(mgbench: Command, tmp_path: Path) -> None:
    """No folder is a usage error; a store without results has nothing wrong, and nothing to run again."""
    (tmp_path / "empty" / "cells").mkdir(parents=True)
    missing, empty = mgbench("verify", tmp_path / "nowhere"), mgbench("verify", tmp_path / "empty", "--cells", "1")

    assert missing.exit_code == 2
    assert "There is no folder" in missing.stderr
    assert empty.exit_code == 3
    assert "running 0 of 0 trained cells again" in empty.output
