"""What a result depends on besides its spec: component sources and versions, libraries, machine; and whether it went stale."""

import contextlib
import hashlib
import importlib.metadata
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgbench.errors import MissingDataError
from mgbench.grid import Cell
from mgbench.part import Part
from mgbench.paths import dataset_folder
from mgbench.sources import engine_digest, source_digest


if TYPE_CHECKING:
    import torch


def source_fingerprint(cell: Cell) -> dict[str, str]:
    """Return a digest of the code of each component of the cell, augmentations included, by component, and of the core's engine."""
    modules = {name: path for part in cell.parts for name, path in part.modules}
    return {"mgbench": engine_digest(), **{name: source_digest(Path(path)) for name, path in modules.items()}}


@cache
def data_key(dataset: Part, folder: Path) -> str:
    """Return a key of a data set: its spec, version and source, and the names, sizes and times of its files."""
    source = [source_digest(Path(path)) for _, path in dataset.modules]
    words = (dataset.name, dataset.version, sorted(dataset.parameters), source)
    total = hashlib.blake2b(repr(words).encode(), digest_size=8)
    for path in sorted(filter(Path.is_file, folder.rglob("*"))) if dataset.folders else []:
        stat = path.stat()
        total.update(f"{path.relative_to(folder)}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return total.hexdigest()


def packed_folder(dataset: Part, root: Path, cache: Path) -> Path:
    """Return where a data set is packed, or will be; raise `MissingDataError` where there is nothing to pack."""
    return cache / f"{dataset.name}-{data_key(dataset, dataset_folder(dataset, root))}"


def component_versions(cell: Cell) -> dict[str, int]:
    """Return the version of each component of the cell, by component."""
    return {part.name: part.version for part in cell.parts}


def evaluator_fingerprint(evaluator: Part) -> dict[str, Any]:
    """Return what a row depends on besides its evaluator's spec."""
    sources = [source_digest(Path(path)) for _, path in evaluator.modules]
    return {"evaluator_version": evaluator.version, "evaluator_source": "+".join(sources)}


def why_stale(stored: dict[str, Any], cell: Cell, root: Path, packs: Path) -> str:
    """Return why a finished cell's weights might come out otherwise today, or an empty string.

    Data that is no longer there makes nothing stale, nor do files of other times that were packed into the same values.
    """
    reasons = newer_code(stored, cell)
    if "environment" not in stored:  # it ended before its data were read
        return "; ".join(reasons)
    versions = stored["environment"].get("versions", {})
    now = library_versions()
    reasons += [f"{name} is {now[name]}, was {versions.get(name)}" for name in ("torch",) if versions.get(name) != now[name]]
    for dataset, key in ((cell.dataset, "data_key"), (cell.pretrain_on, "pretrain_data_key")):
        with contextlib.suppress(MissingDataError):
            if dataset is not None and not _same_data(packs / f"{dataset.name}-{stored.get(key)}", packed_folder(dataset, root, packs)):
                reasons.append(f"the files or options of {dataset.name} changed")
    return "; ".join(reasons)


def newer_code(stored: dict[str, Any], cell: Cell) -> list[str]:
    """Return which components, and whether the core, are not those of a finished cell, a few words each."""
    components = stored.get("components", {})
    reasons = [
        f"{name} is version {version}, was {components.get(name)}"
        for name, version in component_versions(cell).items()
        if components.get(name) != version
    ]
    changed = [name for name, digest in source_fingerprint(cell).items() if stored["source"].get(name) != digest]
    return reasons + [f"the source of {name} changed" for name in changed]


def _same_data(then: Path, now: Path) -> bool:
    """Tell whether two packed data sets are one, or hold the same values; what is not packed yet cannot be told to."""
    if then == now:
        return True
    held = [{path.relative_to(folder): path.read_bytes() for path in folder.glob("*/clips.json")} for folder in (then, now)]
    return bool(held[0]) and held[0] == held[1]


@cache
def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that a result depends on."""
    names = ("mgbench", "torch", "numpy", "scipy")
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}}


def environment(device: "torch.device") -> dict[str, Any]:
    """Return the versions, device, and state of the source tree."""
    return {"versions": library_versions(), "device": str(device), "processor": _processor(), **_git()}


@cache
def _processor() -> str:
    """Return the processor's model, since two of one kind may round otherwise; its kind where the system does not tell."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, text = line.partition(":")
            if name.strip() == "model name":
                return text.strip()
    return platform.processor() or platform.machine()


@cache
def _git() -> dict[str, Any]:
    """Return commit and cleanness of the checkout that mgbench runs from; nothing where it runs from a wheel."""
    here = Path(__file__).parent.parent

    def ask(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(here), *arguments], capture_output=True, text=True, check=False)  # noqa: S607
        return done.stdout.strip() if done.returncode == 0 else ""

    if not (here / ".git").exists():
        return {"commit": None, "dirty": None}
    try:
        return {"commit": ask("rev-parse", "HEAD") or None, "dirty": bool(ask("status", "--porcelain", "--untracked-files=no"))}
    except OSError:
        print("git is not installed; the commit is not recorded", file=sys.stderr)  # noqa: T201 - the cell's log
        return {"commit": None, "dirty": None}
