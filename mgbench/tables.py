"""Tables that people write in TOML: read and checked, each fault one sentence that says where it is."""

import tomllib
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from mgbench.errors import SpecError, nearest


_WORDS: Final[dict[Any, str]] = {
    str: "text, in quotes",
    int: "a whole number, without quotes",
    list: "a list",
    (str, dict): "text, or a table of texts by data set",
}


def read_toml(file: Path | Traversable, name: str) -> dict[str, Any]:
    """Return what a file holds, or raise `SpecError`, which calls it by a name."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))  # editors on Windows write a mark before the first key
    except OSError as error:
        msg = f"{name} cannot be read: {error.strerror}."
        raise SpecError(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{name} is no TOML: {error}."
        raise SpecError(msg) from error


def check_keys(table: dict[str, Any], needed: dict[str, type], allowed: dict[str, Any], where: str) -> None:
    """Raise `SpecError`, which says where, for a key of a table that means nothing, a value of another type, and a key that is lacking."""
    for key, value in table.items():
        kind = {**needed, **allowed}.get(key)
        if kind is None:
            msg = f"{where} has the key {key!r}; {nearest(key, [*needed, *allowed])}"
            raise SpecError(msg)
        if not isinstance(value, kind) or isinstance(value, bool):
            msg = f"{where} has the {key} {value!r}; write {_WORDS[kind]}."
            raise SpecError(msg)
    if lacking := [key for key in needed if key not in table]:
        msg = f"{where} lacks {', '.join(lacking)}."
        raise SpecError(msg)
