"""Which files of a folder are meant: those of an ending, however it is written, without what systems leave beside them."""

from pathlib import Path


def list_files(folder: Path, ending: str) -> list[Path]:
    """Return the files whose names end so, in capitals too, by name; none where there is no such folder.

    Names that begin with a dot are left out: macOS packs a `._NAME` with each file.
    """
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.name.lower().endswith(ending) and not path.name.startswith("."))
