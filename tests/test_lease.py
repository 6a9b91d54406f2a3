"""Leases: one owner at a time; the dead and the silent lose theirs."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mgbench import lease
from mgbench.lease import EXPIRY, Lease, owner_of
from mgbench.store import StoreError


def _take(path: Path) -> Lease:
    taken = Lease(path, lost=lambda: None)

    assert taken.take()

    return taken


def test_a_lease_has_one_owner(tmp_path: Path) -> None:
    """Nobody else takes a held lease; given back, it is free."""
    with _take(tmp_path / ".lease") as mine:
        assert mine.held
        assert owner_of(mine.path)["pid"] == os.getpid()
        assert not Lease(mine.path, lost=lambda: None).take()

    assert not owner_of(tmp_path / ".lease")
    assert _take(tmp_path / ".lease").held


def test_the_dead_hold_nothing(tmp_path: Path) -> None:
    """A process that was killed leaves a lease that anybody may take at once."""
    path = tmp_path / ".lease"
    code = f"import os; from mgbench.lease import Lease; from pathlib import Path; Lease(Path({str(path)!r}), print).take(); os.abort()"
    subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)

    assert path.is_file()
    assert not owner_of(path)
    assert _take(path).held


def test_another_host_is_trusted_until_it_falls_silent(tmp_path: Path) -> None:
    """A lease of another host is respected while it is renewed, and taken over when it was not for too long."""
    path = tmp_path / ".lease"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1, "born": 0.0, "token": "x"}))
    fresh = owner_of(path)
    past = time.time() - EXPIRY - 1
    os.utime(path, (past, past))

    assert fresh["host"] == "elsewhere"
    assert not owner_of(path)
    assert _take(path).held


def test_a_time_ahead_counts_from_when_it_was_seen(tmp_path: Path) -> None:
    """A renewal that the file system's clock has not reached holds the lease no longer than one of this moment."""
    path = tmp_path / ".lease"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1, "born": 0.0, "token": "x"}))
    ahead = time.time() + 1e6
    os.utime(path, (ahead, ahead))

    assert owner_of(path)["host"] == "elsewhere"
    assert path.stat().st_mtime <= time.time() + 1

    path.chmod(0o444)

    assert owner_of(path)


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "[" * 100_000, '{"host": "h", "pid": "1", "born": 0, "token": "x"}', '{"host": 1, "pid": 1, "born": 0}']
)
def test_rubbish_is_no_lease(tmp_path: Path, text: str) -> None:
    """A file that names no owner holds nothing."""
    path = tmp_path / ".lease"
    path.write_text(text)

    assert not owner_of(path)
    assert _take(path).held


def test_a_folder_is_no_lease(tmp_path: Path) -> None:
    """A folder in its place is told in one sentence; whoever held the lease has lost it."""
    mine = _take(tmp_path / ".lease")
    mine.path.unlink()
    mine.path.mkdir()

    assert not mine.held
    with pytest.raises(StoreError, match=r"'.*lease' cannot be read: Is a directory; .* remove it, and run"):
        owner_of(mine.path)
    with pytest.raises(StoreError, match="cannot be read"):
        mine.take()


def test_a_number_that_was_given_again_is_not_its_old_owner(tmp_path: Path) -> None:
    """A living process with the number of a dead owner holds nothing: its time of birth differs."""
    path = tmp_path / ".lease"
    with _take(path):
        owner = json.loads(path.read_bytes())
    path.write_text(json.dumps({**owner, "born": owner["born"] - 100}))

    assert not owner_of(path)


def test_the_owner_learns_that_it_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever finds another's token in its lease is told, and does not take that lease away when it ends."""
    monkeypatch.setattr(lease, "BEAT", 0.01)
    told = []
    taken = Lease(tmp_path / ".lease", lost=lambda: told.append(True))

    assert taken.take()

    with taken:
        taken.path.write_text(json.dumps({"token": "another"}))
        deadline = time.monotonic() + 10
        while not told and time.monotonic() < deadline:
            time.sleep(0.01)

    assert told == [True]
    assert taken.path.is_file()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A folder that cannot be one is told in one sentence."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="Cannot write to"):
        Lease(tmp_path / "file" / ".lease", lost=lambda: None).take()
