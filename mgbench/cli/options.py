"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import rich_click as click


_Command = Callable[..., Any]


def plugin_option(command: _Command) -> _Command:
    """Add `--plugin FILE`."""
    path = click.Path(path_type=Path)
    return click.option("--plugin", "plugin_files", multiple=True, type=path, metavar="FILE", help="A one-file plugin to load as well.")(
        command
    )


def store_option(command: _Command) -> _Command:
    """Add `--store DIR`."""
    return click.option(
        "--store", type=click.Path(path_type=Path, file_okay=False), help="Where cells are kept.  [default: MGBENCH_STORE, then ./runs]"
    )(command)


def data_root_option(command: _Command) -> _Command:
    """Add `--data-root DIR`."""
    about = "Where the data sets' folders lie.  [default: MGBENCH_DATA, then the configuration, then the platform's data folder]"
    return click.option("--data-root", "root", type=click.Path(path_type=Path), help=about)(command)


def json_option(command: _Command) -> _Command:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")(command)
