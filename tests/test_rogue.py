"""A cell that writes rubbish into its own folder, or leaves processes behind, costs itself alone."""

import json
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from click.testing import Result

from mgbench.catalogue import Catalogue
from mgbench.grid import Axes, Run, make_cells
from mgbench.launch.local import Job, Limits, LocalRunner
from mgbench.plan import lay_out, make_plan
from mgbench.registry import registry
from mgbench.standing import Standing, read_standings


Command = Callable[..., Result]
ZOO = Path(__file__).parent / "zoo.py"
ROGUE = r'''
import json, os, subprocess, time
from pathlib import Path

import attrs
from mgbench import ViewAugmentation, hookimpl


@attrs.frozen
class Rogue(ViewAugmentation):
    """Do something to the folder of the cell that runs, which is where its log lies."""

    name = "rogue"
    how: str = "none"

    def apply(self, view, skeleton, generator):
        folder = Path(os.readlink("/proc/self/fd/1")).parent
        if self.how == "progress":
            (folder / "progress.json").write_text("[")
        if self.how == "status":
            (folder / "status.json").write_text("[")
            os._exit(1)
        if self.how == "lease":
            (folder / ".lease").write_text("[]")
            os._exit(1)
        if self.how == "pid":
            (folder / ".lease").write_text('{"host": "h", "pid": "x", "born": "y", "token": "z"}')
            os._exit(1)
        if self.how == "lease_folder":
            (folder / ".lease").unlink()
            (folder / ".lease").mkdir()
            os._exit(1)
        if self.how == "status_folder":
            (folder / "status.json").unlink()
            (folder / "status.json").mkdir()
            os._exit(1)
        if self.how == "fake":
            (folder / "status.json").write_text('{"schema": 1, "status": "ok", "ended": 5.0}')
            os._exit(0)
        if self.how == "waits":
            time.sleep(600)
        if self.how == "quiet":
            os._exit(0)
        if self.how == "words":
            raise RuntimeError("half \udc80 \x1b[31mred \u202eback")
        if self.how == "sleeper":
            child = subprocess.Popen(["sleep", "600"])
            (folder / "child").write_text(str(child.pid))
        return view


@hookimpl
def mgbench_augmentations():
    return [Rogue]
'''


@pytest.fixture
def launch(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Run two cells, one of which does what it is told, and return the ends that the runner tells."""
    plugin = tmp_path / "rogue.py"
    plugin.write_text(ROGUE)

    def run(how: str, *, before: bool = False, memory: int | None = None) -> dict[str, str]:
        files = (ZOO, plugin)
        catalogue = Catalogue(registry(files))
        methods = catalogue.axis("method", ("faulty", f"faulty[augment=rogue[how={how}]]"))
        axes = Axes(*(catalogue.axis(kind, (name,)) for kind, name in (("dataset", "waves"), ("encoder", "flat"))), methods,
                    catalogue.axis("evaluator", ("knn",)), ["default"], ["joint"], [0])  # fmt: skip
        planned = make_plan(make_cells(axes, Run(), catalogue), tmp_path / "store", tmp_path, ("failed",) if before else ())
        for one in planned:
            lay_out(one)
        jobs = deque(Job(one.folder, tmp_path / "store", tmp_path, files, 60.0, one.before) for one in planned if one.runs)
        return {job.folder.path.name: end for job, end in LocalRunner(jobs, 1, Limits(memory=memory), lambda _running, _ended: None).run()}

    return run


def _standings(store: Path) -> tuple[Standing, Standing]:
    """Return the sound cell and the other one."""
    found = {"rogue" in str(one.spec): one for one in read_standings(store)}
    return found[False], found[True]


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("status", "its process ended with exit code 1"),
        ("lease", "its process ended with exit code 1"),
        ("pid", "its process ended with exit code 1"),
        ("fake", "its process ended with exit code 0 before it had written a result"),
        ("quiet", "its process ended with exit code 0 before it had written a result"),
    ],
)
def test_rubbish_of_a_dead_cell_is_no_end(tmp_path: Path, launch: Callable[..., dict[str, str]], how: str, reason: str) -> None:
    """Whatever a cell wrote before it died, it was killed, and the reason says how; the other cell is ok."""
    ends = launch(how)
    sound, rogue = _standings(tmp_path / "store")

    assert sorted(ends.values()) == ["killed", "ok"]
    assert (sound.status, rogue.status, rogue.reason) == ("ok", "killed", reason)


@pytest.mark.parametrize("how", ["status_folder", "lease_folder"])
def test_folder_in_place_of_a_file_is_named(tmp_path: Path, mgbench: Command, launch: Callable[..., dict[str, str]], how: str) -> None:
    """Where the end cannot be written the cell is damaged, status tells what to remove, and the other cell is ok."""
    ends = launch(how)
    file = {"status_folder": "status.json", "lease_folder": ".lease"}[how]
    rows = {row["status"]: row for row in map(json.loads, mgbench("status", "--json", "--store", tmp_path / "store").output.splitlines())}

    assert sorted(ends.values()) == ["damaged", "ok"]
    assert rows.keys() == {"ok", "damaged"}
    assert f"{file}' cannot be read: Is a directory; " in rows["damaged"]["reason"]
    assert mgbench("gc", "--store", tmp_path / "store").exit_code == 0


def test_words_of_an_exception_are_made_fit(tmp_path: Path, mgbench: Command, launch: Callable[..., dict[str, str]]) -> None:
    """What a component says when it fails is stored without what terminals obey and files cannot hold; the board shows it."""
    launch("words")
    board = mgbench("leaderboard", "build", "--store", tmp_path / "store")

    assert json.loads((_standings(tmp_path / "store")[1].folder.status).read_text())["reason"] == "RuntimeError: half  red back"
    assert board.exit_code == 0
    assert "RuntimeError: half red back" in board.output


def test_garbage_progress_is_no_progress(tmp_path: Path, mgbench: Command, launch: Callable[..., dict[str, str]]) -> None:
    """A progress file that cannot be read says nothing, and keeps no cell from its end."""
    ends = launch("progress")

    assert set(ends.values()) == {"ok"}
    assert mgbench("status", "--store", tmp_path / "store").exit_code == 0


def test_a_small_ceiling_is_told_as_it_was_given(tmp_path: Path, launch: Callable[..., dict[str, str]]) -> None:
    """A ceiling of one megabyte is not one of 0.00 GiB."""
    launch("waits", memory=2**20)
    rogue = _standings(tmp_path / "store")[1]

    assert rogue.status == "out-of-memory"
    assert rogue.reason.endswith("iB, over the ceiling of 1.0 MiB")


def test_an_old_end_is_not_this_end(tmp_path: Path, launch: Callable[..., dict[str, str]]) -> None:
    """A process that ends without a word after an earlier end of its cell was killed."""
    launch("quiet")
    first = _standings(tmp_path / "store")[1].told["ended"]
    ends = launch("quiet", before=True)
    rogue = _standings(tmp_path / "store")[1]

    assert list(ends.values()) == ["killed"]
    assert rogue.told["ended"] > first


def test_what_a_cell_started_ends_with_it(tmp_path: Path, launch: Callable[..., dict[str, str]]) -> None:
    """A process that a cell left behind when it ended well is ended too."""
    ends = launch("sleeper")
    pid = int(next((tmp_path / "store").glob("cells/*/child")).read_text())
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.01)

    assert set(ends.values()) == {"ok"}
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
