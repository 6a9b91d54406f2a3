"""`mgbench data how` and `prepare`: what is expected, and packing that survives whatever stops it."""

import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from boxes import break_split, calls, in_shell
from click.testing import Result
from flat_store import ZOO

from mgbench.fingerprint import data_key


Command = Callable[..., Result]


def test_how_tells_what_is_expected_and_what_is_there(boxes: Path, on_boxes: Command) -> None:
    """Its terms and tree, each place that is looked at with what it holds, and whether it is packed; no name of a file."""
    before = on_boxes("how", "boxes")
    on_boxes("prepare", "boxes")
    after = on_boxes("how", "boxes")
    lines = [" ".join(line.split()) for line in before.output.splitlines()]

    assert before.exit_code == 0
    assert "Boxes are granted to nobody. Expected:\n  boxes/train.npy\n" in before.output
    assert f"looked for {boxes / 'boxes'} 0 folders, 3 files, 84.8 KiB (3 .npy)" in lines
    assert f"{boxes / 'other'} not there" in lines
    assert before.output.splitlines()[-1].endswith("not yet: mgbench data prepare boxes")
    assert after.output.splitlines()[-1].endswith("ready for runs")


def test_how_of_data_that_are_missing_or_made(tmp_path: Path, mgbench: Command) -> None:
    """Nothing needs to be there to be told how it is got; what is made needs nothing."""
    assert "not there" in mgbench("data", "how", "smg", "--data-root", tmp_path).output
    assert "granted by the University of Oulu" in mgbench("data", "how", "smg", "--data-root", tmp_path).output
    assert mgbench("data", "how", "synthetic").output.endswith("It is made, not read, and needs no files.\n")


def test_prepare_packs_once(boxes: Path, on_boxes: Command) -> None:
    """Counts and digests are told; the second time nothing is parsed, and the same is told."""
    first, second = on_boxes("prepare", "boxes"), on_boxes("prepare", "boxes")
    table = [line.split() for line in first.output.splitlines()[4:8]]

    assert first.exit_code == second.exit_code == 0
    assert calls(boxes) == ["train", "val", "test"]
    assert first.output.splitlines()[:4] == [f"boxes: packing {boxes / 'boxes'}", "train packed", "val packed", "test packed"]
    assert [row[:-1] for row in table[1:]] == [[split, "8", "2", "96", "12", "12", "12"] for split in ("train", "val", "test")]
    assert len({row[-1] for row in table}) == 4
    assert second.output.splitlines() == ["boxes is packed already.", *first.output.splitlines()[4:]]


def test_runs_use_what_was_prepared(boxes: Path, on_boxes: Command, mgbench: Command) -> None:
    """Planning finds the packed split, and sound clips audit alike from the files and from the packed copy, which is not parsed again."""
    from_files = on_boxes("audit", "boxes").output
    on_boxes("prepare", "boxes")
    parsed = len(calls(boxes))
    planned = mgbench("plan", "-d", "boxes", "-m", "mgrl", "--plugin", boxes / "gated.py").output

    assert "8 test clips of 2 subjects" in planned
    assert on_boxes("audit", "boxes").output == from_files
    assert len(calls(boxes)) == parsed


@pytest.mark.parametrize("workers", ["1", "2"])
def test_prepare_goes_on_after_a_kill(boxes: Path, on_boxes: Command, workers: str) -> None:
    """A split that was packed is not parsed again, whether the command itself was killed or a process of it."""
    (boxes / "kill-test").touch()
    killed = in_shell("prepare", "boxes", "--workers", workers, "--plugin", boxes / "gated.py")
    (left,) = (boxes / "runs" / "data").glob(".packing-*")
    packed = sorted(path.name for path in left.iterdir())
    done = on_boxes("prepare", "boxes")

    assert killed.returncode != 0
    assert "Traceback" not in killed.stderr
    assert ("Error: The process that packed test was ended" in killed.stderr) == (workers == "2")
    assert packed == ["train", "val"] if workers == "1" else {"train"} <= {*packed}
    assert done.exit_code == 0
    assert calls(boxes).count("train") == 1
    assert not left.exists()


def test_splits_are_packed_at_once_to_the_same(boxes: Path, on_boxes: Command) -> None:
    """Processes pack what one after another packs."""
    alone = on_boxes("prepare", "boxes", "--store", boxes / "a", "--workers", 1).output.splitlines()
    together = on_boxes("prepare", "boxes", "--store", boxes / "b", "--workers", 3).output.splitlines()

    assert together[4:8] == alone[4:8]
    assert sorted(together[1:4]) == ["test packed", "train packed", "val packed"]


@pytest.mark.parametrize("workers", [1, 3])
def test_prepare_leaves_nothing_of_broken_data(boxes: Path, on_boxes: Command, workers: int) -> None:
    """A split that cannot be read is one sentence and exit status 2; no split stays."""
    break_split(boxes, "test")
    done = on_boxes("prepare", "boxes", "--workers", workers)

    assert done.exit_code == 2
    assert done.stderr == f"Error: '{boxes}/boxes/secret.npy', line 3 is wrong.\n"
    assert [path.suffix for path in (boxes / "runs" / "data").iterdir()] == [".lock"]


@pytest.mark.parametrize("workers", [1, 3])
def test_prepare_tells_whatever_a_loader_raises(boxes: Path, on_boxes: Command, workers: int) -> None:
    """A loader that stumbles is one sentence and exit status 2, in one process and in several; no split stays."""
    (boxes / "boxes" / "val.npy").write_bytes(b"no array")
    done = on_boxes("prepare", "boxes", "--workers", workers)

    assert done.exit_code == 2
    assert done.stderr.startswith("Error: boxes val cannot be packed: ")
    assert done.stderr.count("\n") == 1
    assert [path.suffix for path in (boxes / "runs" / "data").iterdir()] == [".lock"]


def test_prepare_from_another_folder(boxes: Path, on_boxes: Command, tmp_path: Path) -> None:
    """Files from elsewhere are packed under the key that they have once they lie below the data root; how they get there is told."""
    elsewhere = tmp_path / "down loads"
    (boxes / "boxes").rename(elsewhere)
    done = on_boxes("prepare", "boxes", "--from", elsewhere)
    last = done.output.splitlines()[-1]

    assert done.exit_code == 0
    assert last.endswith(f": ln -s {shlex.quote(str(elsewhere))} {boxes / 'boxes'}")

    subprocess.run(shlex.split(last.partition("link them: ")[2]), check=True)

    assert on_boxes("prepare", "boxes").output.startswith("boxes is packed already.\n")
    assert "Runs" not in on_boxes("prepare", "boxes", "--from", elsewhere).output


def test_prepare_from_a_second_copy(boxes: Path, on_boxes: Command) -> None:
    """Where runs would read another folder, that is told."""
    (boxes / "copy").mkdir()
    for path in (boxes / "boxes").iterdir():
        (boxes / "copy" / path.name).write_bytes(path.read_bytes())

    assert f"Runs use the files in {boxes / 'boxes'}, which is another folder" in on_boxes("prepare", "boxes", "--from", "copy").output


BAD = {
    "unknown": (["prepare", "smgg"], "There is no dataset 'smgg'; did you mean 'smg'?"),
    "sweep": (["audit", "wmft[tail=[0,1]]"], "The spec 'wmft[tail=[0,1]]' is a sweep of 2 components; one was expected."),
    "missing": (["audit", "smg", "--data-root", "nowhere"], "The data of 'smg' is missing: "),
    "missing to show": (["show", "smg", "--data-root", "nowhere"], "The data of 'smg' is missing: "),
    "no folder": (["prepare", "smg", "--from", "nowhere"], "--from got 'nowhere', which is no folder; give the one that would be '"),
    "made": (["prepare", "synthetic", "--from", "."], "The data of 'synthetic' are made, not read, so there is nothing to read from '.'"),
    "store": (["prepare", "synthetic:clips=34", "--store", "/proc/no"], "Cannot write to '/proc/no/data'"),
    "clip": (["show", "boxes", "--clip", "x", "--out", "p"], "There is no clip 'x' in train, val, test of 'boxes'; "),
    "gated clip": (["show", "boxes", "--clip", "secret-val-1"], "--clip needs --out DIR, since the recordings of 'boxes' may not be "),
    "no place": (["show", "boxes", "--out", "/proc/no"], "Cannot write '/proc/no/boxes-train-0.png'; give another folder by --out."),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told_in_one_sentence(name: str, on_boxes: Command) -> None:
    """What was got, what is allowed, exit status 2, and no traceback."""
    arguments, sentence = BAD[name]
    done = on_boxes(*arguments)

    assert done.exit_code == 2, done.output
    assert done.stderr.startswith(f"Error: {sentence}")


def test_damaged_pack_is_told(boxes: Path, on_boxes: Command) -> None:
    """Somebody emptied a packed file: the folder to delete is named."""
    on_boxes("prepare", "boxes")
    (next((boxes / "runs" / "data").glob("boxes-*[!k]")) / "val" / "x.npy").write_bytes(b"")
    done = on_boxes("audit", "boxes")

    assert done.exit_code == 2
    assert "are damaged" in done.stderr
    assert "delete '" in done.stderr


@pytest.mark.parametrize(("change", "stale"), [(0.0, ""), (0.01, "the files or options of boxes changed")])
def test_files_of_other_times_make_no_cell_stale(boxes: Path, on_boxes: Command, mgbench: Command, change: float, stale: str) -> None:
    """A fresh copy counts as the same data once it has been packed into the same values; other values never do."""
    grid = ("-d", "boxes", "-e", "flat", "-m", "faulty", "-E", "knn", "--no-floors", "--plugin", boxes / "gated.py", "--plugin", ZOO)
    file = boxes / "boxes" / "train.npy"

    def told() -> str:
        data_key.cache_clear()
        return str(json.loads(mgbench("plan", *grid, "--json").output)["stale"])

    assert mgbench("run", *grid).exit_code == 0
    np.save(file, np.load(file) + np.float32(change))
    os.utime(file, (1.0, 1.0))
    before = told()
    assert on_boxes("prepare", "boxes").exit_code == 0

    assert before == "the files or options of boxes changed"
    assert told() == stale
