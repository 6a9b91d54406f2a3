"""What boards are made from: a store, or a book. Telling them apart imports nothing that takes long."""

from pathlib import Path

from mgbench.store import StoreError


#: Files of a book.
RECORDS_FILE, PREDICTIONS_FILE, CLIPS_FILE = "records.parquet", "predictions.parquet", "clips.parquet"


def is_book(source: Path) -> bool:
    """Tell whether a folder is a book; a store is none."""
    return (source / RECORDS_FILE).is_file()


def check_folder(source: Path) -> None:
    """Raise `StoreError` where there is no folder that is a store or a book."""
    if not source.is_dir():
        msg = f"There is no folder {str(source)!r}; give a store, or a book that mgbench leaderboard merge made."
        raise StoreError(msg)
    if not is_book(source) and not is_store(source):
        msg = f"The folder {str(source)!r} is neither a store that mgbench run filled nor a book that mgbench leaderboard merge made."
        raise StoreError(msg)


def is_store(folder: Path) -> bool:
    """Tell whether a folder has what runs and imports make."""
    return any((folder / name).is_dir() for name in ("cells", "derived"))
