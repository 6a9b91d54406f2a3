"""What the committed boards say of each method, for its page."""

from functools import cache
from pathlib import Path

from mgbench.boards.compacting import open_book
from mgbench.boards.lines import Board
from mgbench.boards.measured import ranks_of, title_of
from mgbench.boards.pages import paged_boards
from mgbench.boards.sources import is_book
from mgbench.boards.texts import percent


@cache
def _boards(folder: Path) -> tuple[tuple[str, Board], ...]:
    return tuple(paged_boards(open_book(folder))) if is_book(folder) else ()


def rows_of(method: str, folder: Path) -> list[tuple[str, ...]]:
    """Return the rows of a method on the boards of a book: data set with a link from the method's page, table, row, rank, top-1."""
    found = []
    for page, board in _boards(folder):
        data = f"[{board.key['dataset']}](../../{folder.name}/{page}.md)"
        for line, rank in zip(board.lines, ranks_of(board), strict=True):
            if (line.facts["method"] or "").partition("[")[0] == method:
                found.append((data, title_of(board), line.name, rank, percent(line.mean, line.facts["top1_sd"])))
    return found
