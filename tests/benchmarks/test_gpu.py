"""The program for a GPU, tried on a processor: whatever it prints there, it runs through all of it."""

import gpu
import gpu_cases
import pytest


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch.compile's own
def test_it_runs_through(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every part prints its rows; what is left out for want of a GPU or of time says so."""
    monkeypatch.setattr(gpu, "SMALL", gpu_cases.SMALL[-1:])
    monkeypatch.setattr(gpu, "KINDS", {"fp32": gpu.KINDS["fp32"]})
    gpu.main(["--small"])
    told = capsys.readouterr().out
    gpu.main(["--small", "--minutes", "0", "--only", "epochs,operators"])
    late = capsys.readouterr().out

    assert [line.split(" | ")[3] for line in told.splitlines() if " | fp32 | " in line] == ["eager", "compiled", "mgbench"]
    assert told.count(", captured | left out") == 3
    assert "2 epochs of mgrl on 16 clips, bf16: " in told
    assert late.count("left out for time") == 2
    assert "wrong" not in told


@pytest.mark.parametrize("case", gpu_cases.CASES, ids=lambda case: case.timed.name)
def test_what_is_measured_has_a_table_row(case: gpu_cases.Measured) -> None:
    """Forms and the least that is to be done are there for each; the reference comes first."""
    assert list(case.timed.forms)[:2] == ["reference", "mgbench"]
    assert case.timed.work["both"].traffic >= case.timed.work["both"].touched > 0
