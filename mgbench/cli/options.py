"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import rich_click as click


_Command = Callable[..., Any]


class _Folder(click.Path):
    """A folder; an empty text, as an unset variable leaves it, would be the current one."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - as in click
        if value == "":
            self.fail("got an empty text; name a folder.", param, ctx)
        try:
            str(value).encode()
        except UnicodeEncodeError:  # its bytes are none, and cells are named by texts
            self.fail(f"got {value!r}, which is no UTF-8; name another folder.", param, ctx)
        return super().convert(value, param, ctx)


def plugin_option(command: _Command) -> _Command:
    """Add `--plugin FILE`."""
    path = click.Path(path_type=Path)
    return click.option("--plugin", "plugin_files", multiple=True, type=path, metavar="FILE", help="A one-file plugin to load as well.")(
        command
    )


def store_option(command: _Command) -> _Command:
    """Add `--store DIR`."""
    return click.option("--store", type=_Folder(), help="Where cells are kept.  [default: MGBENCH_STORE, then ./runs]")(command)


def data_root_option(command: _Command) -> _Command:
    """Add `--data-root DIR`."""
    about = "Where the data sets' folders lie.  [default: MGBENCH_DATA, then the configuration, then the platform's data folder]"
    return click.option("--data-root", "root", type=_Folder(), help=about)(command)


def json_option(command: _Command) -> _Command:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")(command)


def set_option(command: _Command) -> _Command:
    """Add `--set KEY=VALUE`."""
    about = "Change a study: seeds=3, method.mgrl.epochs=50, or encoder.edgcn=stgcn for another component in that one's place."
    return click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help=about)(command)
