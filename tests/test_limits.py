"""How a campaign is bounded: early stops, halved batches, accelerators a worker, and losses for TensorBoard."""

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from click.testing import Result

from mgbench.launch.local import gpus
from mgbench.records import read_records
from mgbench.store import CellFolder


Command = Callable[..., Result]
ZOO = Path(__file__).parent / "zoo.py"


def _run(mgbench: Command, store: Path, method: str, *more: str, command: str = "run") -> Result:
    fixed = ("-d", "waves", "-e", "flat", "-E", "knn", "--no-floors", "--plugin", ZOO, "--store", store)
    return mgbench(command, "-m", method, *fixed, *more)


def _statuses(store: Path) -> list[str]:
    return sorted(read_records(store)["status"].to_list())


@pytest.mark.parametrize(("option", "failed"), [(("--fail-fast",), 1), (("--max-failures", "2"), 2)])
def test_failures_stop_a_campaign(mgbench: Command, tmp_path: Path, option: tuple[str, ...], failed: int) -> None:
    """After so many failures nothing more starts; what has not run is pending, and the same command goes on with it."""
    stopped = _run(mgbench, tmp_path, "faulty:how=raise", "--seeds", "4", *option)
    before = _statuses(tmp_path)
    goes_on = _run(mgbench, tmp_path, "faulty:how=raise", "--seeds", "4")

    assert stopped.exit_code == goes_on.exit_code == 1
    assert f"Stopped after {failed} failed" in stopped.output
    assert before == ["failed"] * failed + ["pending"] * (4 - failed)
    assert _statuses(tmp_path) == ["failed"] * 4
    assert goes_on.output.count("(kept)") == failed


def test_half_the_batch_is_another_cell(mgbench: Command, tmp_path: Path) -> None:
    """An out-of-memory cell stays what it is; once more, where asked, half the batch runs as a cell with a row of its own."""
    method = "faulty[how=memory,batch_size=16]"
    plain = _run(mgbench, tmp_path / "plain", method)
    halved = _run(mgbench, tmp_path / "halved", method, "--retry", "half-batch")
    records = read_records(tmp_path / "halved").sort("status")

    assert plain.exit_code == halved.exit_code == 1
    assert _statuses(tmp_path / "plain") == ["out-of-memory"]
    assert records["status"].to_list() == ["ok", "out-of-memory"]
    assert records["method"].to_list() == ["faulty[how=memory]", "faulty[how=memory,batch_size=16]"]
    assert "once more with batch_size=8" in halved.output


def test_a_kept_cell_is_halved(mgbench: Command, tmp_path: Path) -> None:
    """A cell that an earlier command left out-of-memory is halved as well; once both stand, the same command keeps both."""
    method = "faulty[how=memory,batch_size=16]"
    _run(mgbench, tmp_path, method)
    halved, kept = (_run(mgbench, tmp_path, method, "--retry", "half-batch") for _ in range(2))

    assert [done.exit_code for done in (halved, kept)] == [1, 1]
    assert _statuses(tmp_path) == ["ok", "out-of-memory"]
    assert halved.output.count("(kept)") == 1
    assert kept.output.count("(kept)") == 2


def test_a_half_that_is_in_the_grid_is_run_once(mgbench: Command, tmp_path: Path) -> None:
    """Where the cell with half the batch was asked for anyway, `--retry half-batch` adds nothing."""
    done = _run(mgbench, tmp_path, "faulty[how=memory,batch_size=[16,8]]", "--retry", "half-batch")

    assert _statuses(tmp_path) == ["ok", "out-of-memory"]
    assert "[2/2]" in done.output
    assert "once more" not in done.output


def test_a_half_is_not_halved(mgbench: Command, tmp_path: Path) -> None:
    """A cell whose half does not fit either stays so, in the same command and in the next."""
    for _ in range(2):
        _run(mgbench, tmp_path, "faulty[how=memory,batch_size=36]", "--retry", "half-batch")

    assert _statuses(tmp_path) == ["out-of-memory", "out-of-memory"]


def test_a_cell_whose_starter_was_killed_is_continued(mgbench: Command, tmp_path: Path) -> None:
    """Nobody sees how a process without the forkserver ends: it is ended, and its cell is interrupted, which no option is needed for."""
    done = _run(mgbench, tmp_path, "faulty[how=orphan],faulty", "--workers", "1")
    again = _run(mgbench, tmp_path, "faulty", "--workers", "1")
    logs = [CellFolder(folder).log.read_text() for folder in (tmp_path / "cells").iterdir()]
    (orphan,) = (int(line.split()[1]) for log in logs for line in log.splitlines() if line.startswith("process: "))

    assert done.exit_code == 1
    assert again.exit_code == 0
    assert _statuses(tmp_path) == ["interrupted", "ok"]
    assert not psutil.pid_exists(orphan)


def test_each_worker_has_an_accelerator(mgbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers and two accelerators: every cell sees one of them, and both are used."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "a,b")
    done = _run(mgbench, tmp_path, "faulty", "--seeds", "4", "--workers", "2")
    logs = [CellFolder(folder).log.read_text() for folder in (tmp_path / "cells").iterdir()]

    assert done.exit_code == 0, done.output
    assert gpus() == ["a", "b"]
    assert {line for log in logs for line in log.splitlines() if "accelerators" in line} == {"accelerators: a", "accelerators: b"}


def test_losses_can_be_seen_in_tensorboard(mgbench: Command, tmp_path: Path) -> None:
    """`--tensorboard` leaves event files with the loss of the last step."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    done = _run(mgbench, tmp_path, "faulty", "--tensorboard")
    (folder,) = (tmp_path / "cells").iterdir()
    events = accumulator.EventAccumulator(str(CellFolder(folder).tensorboard))
    events.Reload()

    assert done.exit_code == 0, done.output
    assert events.Scalars("loss")[-1].step == 10


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        (("--timeout", "soon"), "--timeout got 'soon'; write 90s, 30m or 2h."),
        (("--timeout", "0h"), "--timeout got '0h'"),
        (("--timeout", "9" * 400 + "d"), "--timeout got '999"),
        (("--checkpoint-seconds", "nan"), "--checkpoint-seconds got nan; write a number of seconds, such as 60."),
        (("--memory", "8"), "--memory got '8'; write 500M, 8G or 1T."),
    ],
)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_wrong_limits_are_told(mgbench: Command, tmp_path: Path, command: str, option: tuple[str, str], sentence: str) -> None:
    """One sentence, exit status 2, nothing run; a plan checks them too."""
    done = _run(mgbench, tmp_path / "store", "faulty", *option, command=command)

    assert done.exit_code == 2
    assert sentence in done.stderr
    assert not (tmp_path / "store").exists()
