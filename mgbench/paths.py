"""Where data lies and where results go: option, then environment, then the user's configuration, then the platform's folder."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from mgbench.errors import MissingDataError
from mgbench.tables import read_toml


if TYPE_CHECKING:
    from mgbench.components import Dataset
    from mgbench.part import Part


def _configured(key: str) -> str | None:
    path = platformdirs.user_config_path("mgbench") / "config.toml"
    if not path.is_file():
        return None
    value = read_toml(path, f"The configuration {str(path)!r}").get(key)
    return None if value is None else str(value)


def data_root(option: Path | None) -> Path:
    """Return the folder that holds the data sets' folders."""
    chosen = option or os.environ.get("MGBENCH_DATA") or _configured("data")
    return Path(chosen).expanduser() if chosen else platformdirs.user_data_path("mgbench")


def store_root(option: Path | None) -> Path:
    """Return the folder that holds cells; `runs` below the current folder where nothing else is said."""
    chosen = option or os.environ.get("MGBENCH_STORE") or _configured("store")
    return Path(chosen).expanduser() if chosen else Path("runs")


def dataset_folder(dataset: "Dataset | Part", root: Path) -> Path:
    """Return the folder of a data set below the data root, or raise `MissingDataError` that says how to get the data."""
    if not dataset.folders:
        return root
    for name in dataset.folders:
        if (root / name).is_dir():
            return root / name
    held = sorted(path.name for path in root.iterdir())[:8] if root.is_dir() else []
    found = f"holds {', '.join(held)}" if held else ("is empty" if root.is_dir() else "does not exist")
    msg = (
        f"The data of {dataset.name!r} is missing: {str(root)!r} {found}, but no folder {' or '.join(map(repr, dataset.folders))}; "
        f"give its place by --data-root or MGBENCH_DATA, or use --dataset synthetic meanwhile.\n{dataset.how}".rstrip()
    )
    raise MissingDataError(msg)
