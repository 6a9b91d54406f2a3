"""`mgbench diff`: two cells side by side."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from mgbench.boards.ranks import paired_p
from mgbench.store import CellFolder


Command = Callable[..., Result]
Write = Callable[..., CellFolder]
VERSIONS = {"python": "3.12.1", "torch": "2.10.0"}
ORIGIN = {"source": {"faulty": "aaa", "mgbench": "core"}, "components": {"faulty": 1}, "data": "d1", "data_key": "k1"}
#: Clips of four subjects in turn: which of them each cell gets right.
A = [True, True, True, False, True, False, True, False]
B = [True, True, False, True, True, True, True, True]


@pytest.fixture
def two(tmp_path: Path, write_cell: Write) -> Path:
    """A store of two finished cells that differ in one parameter, the seed, a library and the data."""
    write_cell(tmp_path, right={"knn": A}, status="ok", environment={"versions": VERSIONS, "device": "cpu"}, **ORIGIN)
    changed = {"versions": {**VERSIONS, "torch": "2.11.0"}, "device": "cpu"}
    write_cell(tmp_path, how="other", seed=3, right={"knn": B}, status="ok", environment=changed, **{**ORIGIN, "data": "d2"})
    return tmp_path


def _facts(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_everything_that_differs_is_told(two: Path, mgbench: Command) -> None:
    """Parameters, settings, library versions and data that differ stand in one line each; what is the same is left out."""
    done = mgbench("diff", "none-s0", "other", "--store", two)
    facts = _facts(done.output)
    first, second = facts.index("spec"), facts.index("environment, source and data")

    assert done.exit_code == 0
    assert facts[first : second - 1] == ["spec", "A B", "method how none other", "seed 0 3"]
    assert facts[second : second + 4] == ["environment, source and data", "A B", "environment torch 2.10.0 2.11.0", "data d1 d2"]


def test_metrics_differ_in_points(two: Path, mgbench: Command) -> None:
    """Metrics are in percent, and their difference is B less A."""
    facts = _facts(mgbench("diff", "none-s0", "other", "--store", two).output)

    assert [fact for fact in facts if fact.startswith("knn top1")] == ["knn top1 62.5 87.5 +25.0"]
    assert "knn macro_f1 62.5 87.5 +25.0" in facts


def test_clips_are_paired_by_hand(two: Path, mgbench: Command) -> None:
    """Of eight clips four are right in both, one in A alone, three in B alone; subjects weigh the same in difference and p."""
    (row,) = json.loads(mgbench("diff", "none-s0", "other", "--store", two, "--json").output)["paired"]
    right = [[np.mean([side[subject], side[subject + 4]]) for subject in range(4)] for side in (A, B)]
    differences = np.array(right[1]) - np.array(right[0])

    assert (row["clips"], row["subjects"], row["both"], row["only_a"], row["only_b"]) == (8, 4, 4, 1, 3)
    assert row["difference"] == pytest.approx(differences.mean())
    assert row["p"] == pytest.approx(paired_p(differences))
    assert "knn 4 1 3 0 +25.0" in " ".join(mgbench("diff", "none-s0", "other", "--store", two).output.split())


def test_no_subject_or_clip_is_printed(two: Path, mgbench: Command) -> None:
    """Numbers of people and names of clips stay in the store."""
    text = mgbench("diff", "none-s0", "other", "--store", two).output + mgbench("diff", "none-s0", "other", "--store", two, "--json").output

    assert "secret" not in text
    assert "98765" not in text


def test_other_clips_are_not_paired(two: Path, mgbench: Command, write_cell: Write) -> None:
    """Cells that scored different clips are compared by their metrics alone, and that is said."""
    write_cell(two, how="third", right={"knn": A}, digest="e", status="ok")
    text = mgbench("diff", "none-s0", "third", "--store", two).output

    assert "not compared clip by clip\n  knn: they scored different clips\n" in text
    assert "knn  top1" in text


@pytest.mark.parametrize("damage", ["truncate", "remove"])
def test_lost_predictions_are_told(two: Path, mgbench: Command, damage: str) -> None:
    """Metrics are compared without predictions, whose loss is named with the cell."""
    path = next(two.glob("cells/*other*/predictions.parquet"))
    path.write_bytes(path.read_bytes()[:100]) if damage == "truncate" else path.unlink()
    done = mgbench("diff", "none-s0", "other", "--store", two)

    assert done.exit_code == 0
    assert f"knn: {path.parent.name}: its predictions cannot be read" in done.output
    assert "knn  top1" in done.output


def test_cell_without_result_is_compared_as_far_as_it_goes(two: Path, mgbench: Command, write_cell: Write) -> None:
    """A cell that ended before its data were read has no environment and no rows, which is told."""
    write_cell(two, how="bad", status="killed", reason="its process ended with signal 9", source={"faulty": "bbb"}, components={})
    facts = _facts(mgbench("diff", "none-s0", "bad", "--store", two).output)

    assert any(fact.endswith("killed: its process ended with signal 9") for fact in facts)
    assert {"source faulty aaa bbb", "environment recorded -", "data recorded -", "only A has knn", "none that both have"} <= set(facts)


def test_component_that_one_lacks_is_one_line(two: Path, mgbench: Command, write_cell: Write) -> None:
    """Another encoder's parameters are compared; a component that only one cell has is not taken apart."""
    write_cell(two, encoder="stgcn", status="ok")
    table = json.loads(mgbench("diff", "flat-faulty-how-none", "stgcn", "--store", two, "--json").output)

    assert table["spec"] == [{"what": "encoder", "a": "flat", "b": "stgcn"}]
    assert table["unpaired"] == {}


def test_one_cell_twice_is_said(two: Path, mgbench: Command) -> None:
    """Two words for one cell are told apart from two equal cells."""
    assert mgbench("diff", "none", "none-s0", "--store", two).output.endswith("A and B are one cell.\n")


@pytest.mark.parametrize("name", ["spec.json", "status.json", "metrics.json"])
def test_damaged_cell_stops_nothing(two: Path, mgbench: Command, name: str) -> None:
    """The damaged side is named with its reason; nothing is invented for it."""
    next(two.glob(f"cells/*other*/{name}")).write_text("[")
    done = mgbench("diff", "none-s0", "other", "--store", two)

    assert done.exit_code == 0
    assert "damaged: " in done.output
    assert "  B cannot be read\n" in done.output
    assert json.loads(mgbench("diff", "none-s0", "other", "--store", two, "--json").output)["b"]["status"] == "damaged"


def test_lines_are_whole_in_a_narrow_pipe(two: Path, mgbench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside a terminal no column is cut or wrapped, and nothing is coloured."""
    wide = mgbench("diff", "none-s0", "other", "--store", two).output
    monkeypatch.setenv("COLUMNS", "20")

    assert mgbench("diff", "none-s0", "other", "--store", two).output == wide
    assert "\x1b" not in wide
