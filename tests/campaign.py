"""Kill `mgbench run` again and again, at random moments and in the middle of writes, and hold what comes out against an undisturbed run.

`python tests/campaign.py --kills 200 --seed 1` makes one undisturbed store, then stores whose runs are killed: a cell's process, the
runner, the forkserver, and any process at a rename or a flush of its own (`vandal.py`). After each end the same command is started again,
until the store is complete and is compared; another store follows until so many kills were delivered. It prints what it saw, and ends
with 1 and a sentence at the first thing that is not as it should be.
"""

import collections
import contextlib
import io
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import click
import polars
import psutil
from safetensors import safe_open

from mgbench.errors import MgbenchError
from mgbench.records import read_records
from mgbench.store import cell_folders, read_json


HERE: Final = Path(__file__).parent
#: Three methods with two seeds, a few dozen slow steps each; with the floors, eleven cells.
METHODS: Final = (
    "faulty[epochs=3,augment=crop+tread[track=a,pause=0.02]]",
    "faulty[epochs=3,optimizer=sgd,augment=crop+rotate+tread[track=b,pause=0.02]]",
    "supervised[epochs=3,batch_size=8,augment=crop[draw=clip]+tread[track=c,pause=0.02]]",
)
GRID: Final = ("-d", "waves", "-e", "flat", "-m", ",".join(METHODS), "-E", "knn,linear,majority", "--seeds", "2")
#: What clock and machine set; what a kill may make of a cell, and what follows.
TIMED: Final = ("evaluate_seconds", "train_seconds", "peak_memory_mb")
SOUND: Final = {"pending", "running", "killed", "interrupted", "ok"}
#: Seconds between kills, at least and at most; how often each kind is, and how often a runner is killed while it plans; seconds in
#: which everything must have ended once the runner has, on a busy machine.
DELAY: Final = (0.05, 1.2)
KINDS: Final = {"cell": 14, "runner": 4, "forkserver": 1}
EARLY: Final = 0.1
GRACE: Final = 60.0


class MismatchError(Exception):
    """Something that no kill may bring about."""


@attrs.define(eq=False)
class Campaign:
    """Stores that are made under kills, and what was counted meanwhile."""

    root: Path
    kills: int
    workers: int
    rng: random.Random
    seen: collections.Counter[str] = attrs.field(factory=collections.Counter)
    folder: Path = attrs.field(init=False)
    old: int = attrs.field(default=0, init=False)

    def run(self) -> None:
        """Make and compare stores until enough kills were delivered."""
        self._enter("undisturbed")
        code = self._await(self._start("undisturbed", None), disturb=False)
        if code:
            msg = f"The undisturbed command ended with {code}: {self._output()}"
            raise MismatchError(msg)
        while self.delivered < self.kills:
            self.seen["stores completed under kills"] += 1
            self._complete(f"killed-{self.seen['stores completed under kills']}")

    @property
    def delivered(self) -> int:
        """All kills so far."""
        return sum(number for name, number in self.seen.items() if name.startswith("kills "))

    def _enter(self, name: str) -> None:
        self.folder, self.old = self.root / name, 0
        (self.folder / "tracks").mkdir(parents=True)

    def _complete(self, name: str) -> None:
        """Start the command until it has gone through, killing while kills are left, and compare the store."""
        self._enter(name)
        for start in itertools.count():
            self.seen["starts of the command"] += 1
            before = self.delivered
            code = self._await(self._start(name, f"{self.rng.random()}"), disturb=True)
            self._read()
            if code == 0:
                break
            if self.delivered == before:
                msg = f"The command ended with {code} though nothing was killed: {self._output()}"
                raise MismatchError(msg)
            if start > 10 * self.kills + 10:
                msg = "The command makes no headway."
                raise MismatchError(msg)
        self._compare(self.root / "undisturbed", self.folder)

    def _start(self, name: str, seed: str | None) -> subprocess.Popen[bytes]:
        plugins = [word for file in ("zoo.py", "vandal.py") for word in ("--plugin", str(HERE / file))]
        fixed = ["--store", str(self.folder / "store"), "--workers", str(self.workers), "--checkpoint-seconds", "0", *plugins]
        given = {"VANDAL_FOLDER": str(self.folder), "XDG_CACHE_HOME": str(self.root / f"cache-{name}"), "VANDAL_SEED": seed or ""}
        with (self.folder / "output.txt").open("ab") as output:
            command = [sys.executable, str(HERE / "vandal.py"), "run", *GRID, *fixed]
            return subprocess.Popen(command, env={**os.environ, **given}, stdout=output, stderr=subprocess.STDOUT)

    def _await(self, runner: subprocess.Popen[bytes], *, disturb: bool) -> int:
        """Wait for the runner's end, killing meanwhile, and return its exit code."""
        while disturb and self.delivered < self.kills:
            with contextlib.suppress(subprocess.TimeoutExpired):
                runner.wait(self.rng.uniform(*DELAY))
                break
            self._strike(runner)
            self._read()
            self._count_deaths()
        if disturb and self.delivered >= self.kills:
            (self.folder / "calm").touch()
        code = runner.wait()
        self._count_deaths()
        self._none_left()
        return code

    def _strike(self, runner: subprocess.Popen[bytes]) -> None:
        """Kill something that runs."""
        with contextlib.suppress(psutil.NoSuchProcess):
            servers = [child for child in psutil.Process(runner.pid).children() if child.children()]
            cells = [cell for server in servers for cell in server.children()]
            kind = self.rng.choices(list(KINDS), list(KINDS.values()))[0] if cells or self.rng.random() < EARLY else "cell"
            victims = {"cell": cells, "runner": [psutil.Process(runner.pid)], "forkserver": servers}[kind]
            if victims:
                self.rng.choice(victims).send_signal(signal.SIGKILL)
                self.seen[f"kills of a {kind}"] += 1

    def _count_deaths(self) -> None:
        """Add the deaths at writes, which processes note before they kill themselves."""
        noted = self.folder / "deaths"
        lines = noted.read_text().splitlines() if noted.is_file() else []
        for line in lines[self.old :]:
            role, moment, call = line.split()
            self.seen[f"kills {moment} {call} in a {role}"] += 1
        self.old = len(lines)

    def _none_left(self) -> None:
        """Check that everything that a runner had started has ended with it."""
        end = time.monotonic() + GRACE
        while left := list(self._processes()):
            psutil.wait_procs(left, timeout=0.1)
            if time.monotonic() > end:
                msg = f"The runner has ended, but these go on: {left}"
                raise MismatchError(msg)
        self.seen["ends that left no process"] += 1

    def _processes(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("VANDAL_FOLDER") == str(self.folder) and process.status() != psutil.STATUS_ZOMBIE:
                    yield process

    def _read(self) -> None:
        """Read everything that stands in the store at this moment."""
        store = self.folder / "store"
        records = read_records(store)
        told = set(records["status"]) if records.height else set()
        if not told <= SOUND:
            msg = f"There are cells with the status {', '.join(sorted(told - SOUND))}: {records.filter(~polars.col('status').is_in(SOUND))}"
            raise MismatchError(msg)
        for path in sorted(store.rglob("*")):
            if not any(part.startswith(".") for part in path.relative_to(store).parts):
                with contextlib.suppress(FileNotFoundError):  # it was removed meanwhile
                    self.seen["files read"] += _read_file(path)
        for folder in cell_folders(store):
            rows = read_json(folder.metrics).get("rows", {})
            held = set(_table(folder.predictions)["evaluator"]) if rows else set()
            if not set(rows) <= held:
                msg = f"{folder.path} has rows of {sorted(rows)}, and predictions of {sorted(held)}."
                raise MismatchError(msg)

    def _output(self) -> str:
        return (self.folder / "output.txt").read_text()[-2000:]

    def _compare(self, calm: Path, killed: Path) -> None:
        """Hold a finished store, and the steps that were made for it, against the undisturbed ones."""
        if "Traceback" in (killed / "output.txt").read_text():
            msg = f"The command printed a traceback: {self._output()}"
            raise MismatchError(msg)
        names = [{folder.path.name for folder in cell_folders(place / "store")} for place in (calm, killed)]
        if names[0] != names[1]:
            msg = f"The stores hold other cells: {sorted(names[0] ^ names[1])}."
            raise MismatchError(msg)
        for name in sorted(names[0]):
            expected, got = (_results(place / "store" / "cells" / name) for place in (calm, killed))
            for what, value in expected.items():
                if not (got[what].equals(value) if isinstance(value, polars.DataFrame) else got[what] == value):
                    msg = f"{what} of {name}: {got[what]!r:.300} is not {value!r:.300}."
                    raise MismatchError(msg)
            self.seen["cells compared"] += 1
        for path in sorted((calm / "tracks").iterdir()):
            self._retrace(_track(path), _track(killed / "tracks" / path.name), path.name)
        litter = [path for path in (killed / "store").glob("**/.*-*") if path.suffix != ".lock"]
        self.seen["cut-off files left behind"] += len(litter) + len(list((killed / "store").glob("cells/*/checkpoint.pt")))

    def _retrace(self, planned: list[tuple[str, str]], made: list[tuple[str, str]], name: str) -> None:
        """Check that each process of a cell went on where the last one's checkpoint was: one step back at most, and none left out."""
        done, last, repeated = 0, "", 0
        for process, mark in made:
            if process != last and done and mark == planned[done - 1][1]:
                repeated += 1
            elif done < len(planned) and mark == planned[done][1]:
                done += 1
            else:
                msg = f"After {done} of {len(planned)} steps of {name}, process {process} made one that was not its next: {mark}."
                raise MismatchError(msg)
            last = process
        processes = len({process for process, _ in made})
        if done != len(planned) or repeated >= processes:
            msg = f"{name} made {done} of {len(planned)} steps, and {repeated} again by {processes} processes."
            raise MismatchError(msg)
        for word, number in {"planned": len(planned), "executed": len(made), "repeated": repeated}.items():
            self.seen[f"steps {word}"] += number
        self.seen["continued trainings"] += processes - 1


def _track(path: Path) -> list[tuple[str, str]]:
    """Return process and mark of every step."""
    return [(process, mark) for process, mark in (line.split() for line in path.read_text().splitlines())]


def _table(path: Path) -> polars.DataFrame:
    """Read a table from the bytes that stand there at one moment; given a path, polars opens it twice, and it may be replaced between."""
    return polars.read_parquet(io.BytesIO(path.read_bytes()))


def _read_file(path: Path) -> int:
    """Read one file as the project does and return 1, or 0 where it is of no kind that is read."""
    if path.name == "clips.json":
        json.loads(path.read_text())
    elif path.suffix == ".json":
        read_json(path)
    elif path.suffix == ".parquet":
        _table(path)
    elif path.suffix == ".safetensors":
        with safe_open(path, "numpy") as weights:
            list(weights.keys())
    elif path.suffix == ".pt":
        with zipfile.ZipFile(path) as state:
            [state.read(name) for name in state.namelist()]  # checks the sums
    else:
        return 0
    return 1


def _results(cell: Path) -> dict[str, Any]:
    """Return what a cell found, without what clocks say."""
    metrics = read_json(cell / "metrics.json")
    rows = {name: {key: value for key, value in row.items() if key not in TIMED} for name, row in metrics["rows"].items()}
    weights = cell / "pretrained" / "embedder.safetensors"
    return {
        "status": read_json(cell / "status.json")["status"],
        "weights": weights.read_bytes() if weights.is_file() else b"",
        "predictions": polars.read_parquet(cell / "predictions.parquet"),
        **{f"{key} by {evaluator}": value for evaluator, row in rows.items() for key, value in row.items()},
        "test_reads": metrics["test_reads"],
    }


@click.command()
@click.option("--kills", type=click.IntRange(min=1), default=20, show_default=True, help="How many to deliver.")
@click.option("--seed", default=0, show_default=True, help="Decides when and what is killed.")
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True, help="Cells at a time.")
def main(kills: int, seed: int, workers: int) -> None:
    """Kill the command so often, and check that nothing is lost, broken or made twice."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="campaign-") as root:
        campaign = Campaign(Path(root), kills, workers, random.Random(seed))  # noqa: S311 - no secret
        fault = ""
        try:
            campaign.run()
        except (MismatchError, MgbenchError, OSError, ValueError, polars.exceptions.PolarsError) as error:
            fault = f"{type(error).__name__} in {campaign.folder.name}: {error}"
    rows = {"kills": campaign.delivered, **dict(sorted(campaign.seen.items())), "seconds": round(time.monotonic() - began)}
    for name, number in rows.items():
        click.echo(f"{name:36}{number:>8}")
    if fault:
        click.echo(f"Error: {fault}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
