"""Cells as people name them: by folder, or by enough of the name to be the only one."""

from pathlib import Path
from typing import Final

from mgbench.errors import SpecError, nearest
from mgbench.store import CellFolder, list_folder


#: So many cells are listed where a word names several.
_MOST: Final = 8


def find_cell(word: str, store: Path) -> CellFolder:
    """Return the cell that a word names: its folder, its whole name, or a part of its name that no other cell of the store has."""
    if (Path(word) / "spec.json").is_file():
        return CellFolder(Path(word).resolve())
    cells = store.absolute() / "cells"
    names = [entry.name for entry in list_folder(cells) if entry.is_dir() and not _lacks(Path(entry) / "spec.json")]
    matches = [name for name in names if name == word] or [name for name in names if word in name]
    if len(matches) != 1 or not word:
        raise SpecError(_refusal(word, matches, names, store))
    return CellFolder(cells / matches[0])


def _lacks(path: Path) -> bool:
    """Tell whether a file is known not to be there; one that cannot be looked at may be."""
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _refusal(word: str, matches: list[str], names: list[str], store: Path) -> str:
    """Return the sentence for a word that names no cell, or several."""
    if not names:
        return f"There is no cell {word!r}: the store {str(store)!r} holds none; --store or MGBENCH_STORE names another."
    if matches:
        more = f" and {len(matches) - _MOST} more" if len(matches) > _MOST else ""
        listed = ", ".join(matches[:_MOST]) + more
        return f"{word!r} names {len(matches)} of the {len(names)} cells in {str(store)!r}; give more of one of {listed}."
    pieces = {piece for name in names for piece in name.split("-")}
    advice = next((text for text in (nearest(word, names), nearest(word, pieces)) if text.startswith("did you mean")), "")
    return (
        f"None of the {len(names)} cells in {str(store)!r} has {word!r} in its name; {advice or 'mgbench status --json lists their names.'}"
    )
