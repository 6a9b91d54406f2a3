"""Cells, and records derived from them, as people name them: by folder, or by enough of the name to be the only one."""

from pathlib import Path
from typing import Final

from mgbench.errors import SpecError, nearest
from mgbench.store import CellFolder, list_folder


#: So many cells are listed where a word names several.
_MOST: Final = 8


def find_cell(word: str, store: Path) -> CellFolder:
    """Return the cell that a word names: its folder, its whole name, or a part of its name that no other cell of the store has.

    Where no cell has it, it may name a derived record in the same way.
    """
    if (Path(word) / "spec.json").is_file():
        return CellFolder(Path(word).resolve())
    places = {kind: _names(store.absolute() / kind) for kind in ("cells", "derived")}
    for kind, names in places.items():  # the words of a derived record's name are also those of its cells, which come first
        matches = [name for name in names if name == word] or [name for name in names if word in name]
        if len(matches) == 1 and word:
            return CellFolder(store.absolute() / kind / matches[0])
        if matches:
            raise SpecError(_refusal(word, matches, names, store))
    raise SpecError(_refusal(word, [], places["cells"], store))


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in list_folder(folder) if entry.is_dir() and not _lacks(Path(entry) / "spec.json")]


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
