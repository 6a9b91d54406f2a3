"""`mgbench kernels` as a person types it: what is wrong has no speed, and fails the check."""

import json
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import torch
from click.testing import Result
from torch import Tensor

from mgbench.kernels import cases, measure
from mgbench.kernels.cases import CASES, Case, Form


Command = Callable[..., Result]
SMALL = cases.graph_case(2, 3, 5, 3, 4)


def off_by_a_hair(x: Tensor, *others: Tensor) -> Tensor:
    """Return a thousandth too much."""
    return 1.001 * SMALL.forms["mgbench"].compute(x, *others)


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Case:
    """One case alone, one of whose forms is a little wrong."""
    case = attrs.evolve(SMALL, forms={**SMALL.forms, "hasty": Form(off_by_a_hair)})
    monkeypatch.setattr(cases, "CASES", (case,))
    monkeypatch.setattr(measure, "peak_memory", lambda *_: 2**20)
    return case


def test_a_table_a_line_and_a_plot(mgbench: Command, faulty: Case, tmp_path: Path) -> None:
    """A row a form, the reference's ratio is one, and the same figures stand in the JSON lines."""
    done = mgbench("kernels", "bench", "--rounds", "2", "--json", tmp_path / "k.jsonl", "--plot", tmp_path / "k.png")
    table = [line.strip("| ").split(" | ") for line in done.output.splitlines() if line.startswith("| graph_conv")]
    rows = [json.loads(line) for line in (tmp_path / "k.jsonl").read_text().splitlines()]

    assert done.exit_code == 0, done.output
    assert [row["form"] for row in rows] == list(faulty.forms)
    assert rows[0]["ratio"] == 1
    assert float(table[1][4]) == pytest.approx(rows[1]["least"], abs=0.006)
    assert "GB/s" in rows[0]["environment"][2]
    assert (tmp_path / "k.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_wrong_has_no_speed(mgbench: Command, faulty: Case, tmp_path: Path) -> None:
    """A form that is a thousandth off is named wrong, with its error and without a time."""
    done = mgbench("kernels", "bench", "--rounds", "1", "--json", tmp_path / "k.jsonl")
    row = json.loads((tmp_path / "k.jsonl").read_text().splitlines()[2])
    (line,) = (line for line in done.output.splitlines() if "hasty" in line)

    assert (row["form"], row["sound"], row["least"], row["ratio"]) == ("hasty", False, None, None)
    assert row["rms"] == pytest.approx(1e-3, rel=0.01)
    assert "wrong" in line
    assert line.count("|") == done.output.splitlines()[4].count("|")


def test_a_gradient_that_is_no_number_is_wrong() -> None:
    """NaN in the last gradient alone is not lost among errors that are small."""

    def broken(x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return (
            SMALL.forms["mgbench"].compute(x, graph, weight, bias) + (bias * 0).sum().abs().sqrt()
        )  # whose slope at zero is 0 times infinity

    error = measure.errors(attrs.evolve(SMALL, forms={**SMALL.forms, "broken": Form(broken)}), torch.float32)["broken"]

    assert error[0] != error[0]
    assert not measure.within(error, torch.float32)


def test_the_check_fails_where_a_form_is_wrong(mgbench: Command, faulty: Case) -> None:
    """It goes through all, tells which, and exits with 1."""
    done = mgbench("kernels", "check", "--dtype", "fp32", "--dtype", "fp64")

    assert done.exit_code == 1
    assert [line.split()[0] for line in done.output.splitlines()[:6]] == ["ok", "ok", "WRONG"] * 2
    assert "2 results are not what float64 gives" in done.output


def test_a_folder_that_is_not_there_is_told_before_measuring(mgbench: Command, faulty: Case, tmp_path: Path) -> None:
    """Nothing is measured that could not be written."""
    done = mgbench("kernels", "bench", "--plot", tmp_path / "none" / "k.png")

    assert done.exit_code == 2
    assert done.output == f"Error: There is no folder {str(tmp_path / 'none')!r} to write 'k.png' to; make it first.\n"


def test_unknown_cases_are_told(mgbench: Command) -> None:
    """Words that no case holds are refused with the nearest operator."""
    done = mgbench("kernels", "check", "--only", "graph_convolution")

    assert done.exit_code == 2
    assert done.output == "Error: No case holds 'graph_convolution'; did you mean 'graph_conv'?\n"


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if case.work["both"].flops < 1e9], ids=lambda case: case.name)
def test_every_case_is_right(case: Case) -> None:
    """What is measured is what float64 gives, in every dtype that trains."""
    for dtype in (torch.float32, torch.bfloat16):
        for form, error in measure.errors(case, dtype).items():
            assert measure.within(error, dtype), f"{form} in {dtype}: {error}"
