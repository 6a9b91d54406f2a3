"""`mgbench gc`: what goes, and what never does."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from mgbench.lease import Lease
from mgbench.sources import engine_digest
from mgbench.store import CellFolder, write_json


Command = Callable[..., Result]
Write = Callable[..., CellFolder]


def _write(path: Path, *, hours: float = 0.0, size: int = 3000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    _age(path, hours)
    return path


def _age(path: Path, hours: float) -> None:
    os.utime(path, (time.time() - 3600 * hours,) * 2)


def _pack(store: Path, name: str, hours: float = 2.0) -> Path:
    folder = store / "data" / name
    for split in ("train", "test"):
        _write(folder / split / "clips.json", hours=hours)
    _age(folder, hours)
    return folder


def _files(store: Path) -> set[Path]:
    """Return all files but locks, which come and go with a look."""
    return {path for path in store.rglob("*") if path.is_file() and path.suffix != ".lock"}


def _deleted(mgbench: Command, store: Path) -> set[str]:
    """Return the names of the files that a deletion deletes, after a listing that must delete none of them."""
    before = _files(store)
    listed = mgbench("gc", "--store", store)

    assert listed.exit_code == 0
    assert _files(store) == before

    done = mgbench("gc", "--delete", "--store", store)

    assert done.exit_code == 0

    return {path.name for path in before - _files(store)}


def test_old_temporary_files_go(tmp_path: Path, mgbench: Command, write_cell: Write) -> None:
    """What killed writers left goes after an hour; younger ones, and files that merely look alike, stay."""
    folder = write_cell(tmp_path).path
    left = [".status.json-a_b1c2d3", "..lease-abcdefgh", ".lease.clock-0123", "pretrained/.embedder.safetensors-abcdefgh"]
    for name in left:
        _write(folder / name, hours=2)
    _write(tmp_path / ".index.parquet-abcdefgh", hours=2)
    _write(tmp_path / "data" / "waves-k" / ".test-x.npy-abcdefgh", hours=2)
    _write(tmp_path / "data" / "waves-k" / "train" / "clips.json")
    _write(tmp_path / "data" / ".packing-abcd" / "x.npy", hours=2)
    _age(tmp_path / "data" / ".packing-abcd", 2)
    _write(tmp_path / "data" / ".packing-efgh" / "y.npy")
    for name, hours in ((".status.json-abcdefgh", 0.5), ("status.json-abcdefgh", 2), (".notes-abcdefgh", 2), (".spec.json", 2)):
        _write(folder / name, hours=hours)

    gone = {Path(name).name for name in left} | {".index.parquet-abcdefgh", ".test-x.npy-abcdefgh", "x.npy"}
    assert _deleted(mgbench, tmp_path) == gone


def test_checkpoint_of_a_finished_cell_goes(tmp_path: Path, mgbench: Command, write_cell: Write) -> None:
    """A checkpoint is kept while a cell may go on from it; results and the index are never touched."""
    for how, status in (("none", "ok"), ("raise", "failed"), ("late", "interrupted"), ("slow", "timed-out")):
        folder = write_cell(tmp_path, how=how, right={"knn": [True, False]}, status=status)
        _write(folder.checkpoint, hours=5)
        _write(folder.pretrained / "embedder.safetensors", hours=5)
    _write(tmp_path / "index.parquet", hours=5)
    text = mgbench("gc", "--store", tmp_path).output

    assert _deleted(mgbench, tmp_path) == {"checkpoint.pt"}
    assert len(list(tmp_path.glob("cells/*/checkpoint.pt"))) == 3
    assert re.search(r"checkpoint of a finished cell \(1 item, 2\.9 KiB\)\n  2\.9 KiB  cells/waves-flat-faulty-how-none-s0-\w+/check", text)
    assert text.endswith("1 item, 2.9 KiB can go; --delete deletes it.\n")


def test_held_cell_is_never_touched(tmp_path: Path, mgbench: Command, write_cell: Write) -> None:
    """While somebody runs a cell, nothing of it goes, nor of its data set; afterwards it does."""
    folder = write_cell(tmp_path, status="ok")
    write_json(folder.status, {"status": "running", "began": time.time()})
    _write(folder.path / ".status.json-abcdefgh", hours=2)
    _write(_pack(tmp_path, "waves-unknown") / f"test-frame50-joint-{'0' * 16}.npy", hours=2)
    with (lease := Lease(folder.lease, lost=lambda: None)):
        assert lease.take()
        assert _deleted(mgbench, tmp_path) == set()

    write_json(folder.status, {"status": "ok", "data_key": "other"})
    _age(tmp_path / "data" / "waves-unknown", 2)

    assert {".status.json-abcdefgh", "clips.json"} <= _deleted(mgbench, tmp_path)
    assert not (tmp_path / "data" / "waves-unknown").exists()


def test_cell_that_is_taken_up_meanwhile_stays(tmp_path: Path, write_cell: Write) -> None:
    """Between list and deletion somebody may take the cell; then nothing of it is deleted."""
    from mgbench.garbage import find_garbage

    folder = write_cell(tmp_path, status="ok")
    _write(folder.checkpoint)
    found = find_garbage(tmp_path)
    with (lease := Lease(folder.lease, lost=lambda: None)):
        assert lease.take()
        assert [one.delete() for one in found] == [False]
    assert folder.checkpoint.is_file()


def test_lease_of_the_dead_goes(tmp_path: Path, mgbench: Command, write_cell: Write) -> None:
    """A lease without a living owner goes where the cell has ended, and stays where the cell will go on."""
    for how, status in (("none", "ok"), ("late", "interrupted")):
        folder = write_cell(tmp_path, how=how, status=status)
        lease = Lease(folder.lease, lost=lambda: None)

        assert lease.take()

        os.utime(folder.lease, (1.0, 1.0))

    assert _deleted(mgbench, tmp_path) == {".lease"}
    assert [path.parent.name.split("-")[4] for path in tmp_path.glob("cells/*/.lease")] == ["late"]


@pytest.mark.parametrize(
    ("other", "hours", "goes"),
    [
        ({"status": "ok", "data_key": "mine"}, 2, True),
        ({"status": "ok", "data_key": "mine"}, 0.5, False),
        ({"status": "ok", "data_key": "old"}, 2, False),
        ({"status": "killed"}, 2, False),
        ({}, 2, False),
        ({"status": "skipped"}, 2, True),
    ],
    ids=["unnamed", "young", "named", "ended-before-it-read", "pending", "skipped"],
)
def test_packed_data_that_no_cell_is_made_of_goes(
    tmp_path: Path, mgbench: Command, write_cell: Write, other: dict[str, str], hours: float, *, goes: bool
) -> None:
    """Data goes when no status names its key, an hour after it was made, unless a cell of that data set has yet to read any."""
    write_cell(tmp_path, status="ok", data_key="mine")
    write_cell(tmp_path, seed=1, **other)
    _pack(tmp_path, "waves-mine")
    folder = _pack(tmp_path, "waves-old", hours)
    gone = _deleted(mgbench, tmp_path)

    assert gone == ({"clips.json"} if goes else set())
    assert folder.exists() is not goes
    assert (tmp_path / "data" / "waves-mine").exists()


def test_damaged_cell_keeps_all_data(tmp_path: Path, mgbench: Command, write_cell: Write) -> None:
    """What a damaged cell was made of is unknown, so no packed data set goes."""
    write_cell(tmp_path, status="ok", data_key="mine").status.write_text("{")
    _pack(tmp_path, "waves-mine")

    assert _deleted(mgbench, tmp_path) == set()


def test_tensors_of_other_code_go(tmp_path: Path, mgbench: Command, write_cell: Write) -> None:
    """Tensors that today's code did not make are made again when they are needed; clips and today's tensors stay."""
    write_cell(tmp_path, status="ok", data_key="mine")
    folder = _pack(tmp_path, "waves-mine")
    kept = [f"test-frame50-joint-{engine_digest()}.npy", "notes.npy"]
    for name in [*kept, "test-frame50-joint-0123456789abcdef.npy"]:
        _write(folder / name, hours=2)

    assert _deleted(mgbench, tmp_path) == {"test-frame50-joint-0123456789abcdef.npy"}
    assert {path.name for path in folder.iterdir()} == {*kept, "train", "test"}


def test_clean_store_says_so(tmp_path: Path, mgbench: Command, write_cell: Write) -> None:
    """Where nothing can go, and where there is no store, that is the answer."""
    write_cell(tmp_path, status="ok")

    assert mgbench("gc", "--store", tmp_path).output == f"Nothing in '{tmp_path}' can go.\n"
    assert mgbench("gc", "--delete", "--store", tmp_path / "none").exit_code == 0
