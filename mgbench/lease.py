"""Who runs a cell: a file with owner and heartbeat, so that several runners and hosts share one store and none waits for the dead.

A lease is anybody's when its owner has died on this machine, or when it was not renewed for `EXPIRY` seconds by the clock of the
file system, which is one for all hosts. A renewal that this clock has not reached yet counts from when it is first seen. An owner that
finds its lease taken ends at once.
"""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import attrs
import psutil
from filelock import FileLock

from mgbench.store import StoreError, write_bytes


#: Seconds between renewals, and after how many without one a lease is anybody's.
BEAT: Final = 5.0
EXPIRY: Final = 60.0
#: No system numbers processes as high.
_MOST_PROCESSES: Final = 2**31
#: Seconds by which a file system's clock may run behind itself, such as between two of its servers.
_SKEW: Final = 5.0


def _host() -> str:
    """Return what names this machine; two containers of one name count processes apart."""
    space = Path("/proc/self/ns/pid")
    return f"{socket.gethostname()}/{space.stat().st_ino}" if space.exists() else socket.gethostname()


def _me() -> dict[str, Any]:
    """Return what tells this process from all others, also from one that gets its number later."""
    return {"host": _host(), "pid": os.getpid(), "born": psutil.Process().create_time(), "token": uuid.uuid4().hex}


def _read(path: Path) -> dict[str, Any]:
    """Return whose a lease is; nobody's where there is none, or where it says nothing that an owner would."""
    try:
        owner = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    except OSError as error:
        msg = f"{str(path)!r} cannot be read: {error.strerror}; make it readable, or remove it, and run the same command again."
        raise StoreError(msg) from error
    return owner if isinstance(owner, dict) and _signed(owner) else {}


def _signed(owner: dict[str, Any]) -> bool:
    pid, born = owner.get("pid"), owner.get("born")
    numbered = isinstance(pid, int) and 0 < pid < _MOST_PROCESSES and isinstance(born, int | float)
    return numbered and all(isinstance(owner.get(word), str) for word in ("host", "token"))


def _alive(owner: dict[str, Any]) -> bool:
    """Tell whether an owner on this machine lives; one elsewhere is given the benefit of the doubt."""
    if owner["host"] != _host():
        return True
    try:
        process = psutil.Process(owner["pid"])
        return bool(abs(process.create_time() - owner["born"]) < 1 and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _age(path: Path) -> float:
    """Return the seconds since the last renewal, by the file system's clock, or by ours where nothing can be written."""
    probe = path.with_name(f"{path.name}.clock-{uuid.uuid4().hex}")
    try:
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink(missing_ok=True)
    except OSError:
        now = time.time()
    try:
        age = now - path.stat().st_mtime
        if age < -_SKEW:  # from a clock that was wrong: the time is brought back to now, and whoever looks in `EXPIRY` seconds sees it old
            os.utime(path)
    except FileNotFoundError:
        return float("inf")
    except OSError:  # a reader without rights; the lease is held
        return 0.0
    return age


def owner_of(path: Path) -> dict[str, Any]:
    """Return host and pid of the process that holds a lease, or nothing where it is free or was left behind."""
    owner = _read(path)
    return owner if owner and _alive(owner) and _age(path) < EXPIRY else {}


@attrs.define
class Lease:
    """The right to run one cell, for a `with` block; `lost` is called from another thread when someone took it over."""

    path: Path
    lost: Callable[[], None]
    _owner: dict[str, Any] = attrs.field(factory=_me, init=False)
    _ended: threading.Event = attrs.field(factory=threading.Event, init=False)
    _renewer: threading.Thread = attrs.field(init=False)

    def take(self) -> bool:
        """Take the lease unless somebody holds it."""
        try:
            with FileLock(self.path.with_name(f"{self.path.name}.lock")):
                if owner_of(self.path):
                    return False
                write_bytes(self.path, json.dumps(self._owner).encode())
        except OSError as error:
            msg = f"Cannot write to {str(self.path.parent)!r}: {error.strerror}."
            raise StoreError(msg) from error
        return True

    @property
    def held(self) -> bool:
        """Whether it is still this process's."""
        try:
            return bool(_read(self.path).get("token") == self._owner["token"])
        except StoreError:  # somebody put something else in its place
            return False

    def __enter__(self) -> Self:
        """Start renewing."""
        self._renewer = threading.Thread(target=self._renew, daemon=True)
        self._renewer.start()
        return self

    def _renew(self) -> None:
        while not self._ended.wait(BEAT):
            try:
                if self.held:
                    os.utime(self.path)
                    continue
            except OSError:  # taken over and given back meanwhile, or nothing that can be renewed
                pass
            self.lost()
            return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop renewing and give it back."""
        self._ended.set()
        self._renewer.join()
        if self.held:
            self.path.unlink(missing_ok=True)
