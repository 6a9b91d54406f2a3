"""Pages of a leaderboard: the tables of one data set and track, in every format, written to files and checked against them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

import attrs
import polars

from mgbench.boards.book import Book, collected
from mgbench.boards.commands import command_sheet
from mgbench.boards.lines import Board, boards_of
from mgbench.boards.measured import board_sheet, cost_sheet
from mgbench.boards.published import published_sheets, shipped_numbers
from mgbench.boards.sheet import Sheet, csv_text, escape, latex, markdown
from mgbench.boards.tails import tail_sheets
from mgbench.part import slug_of
from mgbench.store import list_folder, write_bytes


FORMATS: Final = ("md", "csv", "tex")


@attrs.frozen
class Page:
    """The tables of one data set and track.

    Args:
        name: of its files, without what tells the format.
        title: of the whole.
        boards: what was measured.
        others: what stands beside it.
    """

    name: str
    title: str
    boards: tuple[Sheet, ...]
    others: tuple[Sheet, ...] = ()

    def text(self, form: str) -> str:
        """Return the page in one of the formats; CSV holds the boards alone."""
        if form == "csv":
            return csv_text(self.boards)
        if form == "tex":
            return "\n".join(map(latex, (*self.boards, *self.others)))
        return "\n".join([f"# {escape(self.title)}\n", *map(markdown, _told_once((*self.boards, *self.others)))])


def _told_once(sheets: Iterable[Sheet]) -> Iterator[Sheet]:
    """Yield sheets of which each sentence but the first stands under one alone: tables of a page are explained alike."""
    told: set[str] = set()
    for sheet in sheets:
        first, *more = sheet.about or ("",)
        yield attrs.evolve(sheet, about=tuple(filter(None, (first, *(text for text in more if text not in told)))))
        told |= set(more)


def pages_of(book: Book) -> Iterator[Page]:
    """Yield the pages of a book, data set by data set; cells without a result stand on every page of theirs."""
    lost, shown, names = _unfinished(book), set(), _Names()
    for (dataset, track), group in _by_page(book):
        yield _page(book, names.of(dataset, track), list(group), lost.get(dataset))
        shown.add(dataset)
    for dataset, sheet in lost.items():
        if dataset not in shown:
            yield Page(names.of(dataset or "unknown", "no result"), f"{dataset or 'unknown data'}, no result", (), (sheet,))


def paged_boards(book: Book) -> Iterator[tuple[str, Board]]:
    """Yield the boards of a book, each with the name of its page."""
    names = _Names()
    for (dataset, track), group in _by_page(book):
        name = names.of(dataset, track)
        yield from ((name, board) for board in group)


def _by_page(book: Book) -> Iterator[tuple[tuple[str, str], Iterator[Board]]]:
    return groupby(boards_of(book), key=lambda board: (board.key["dataset"], board.key["track"]))


class _Names:
    """Names of pages in the order in which they are asked for: of data sets whose names make the same one, the later bear numbers."""

    def __init__(self) -> None:
        self._given: Counter[str] = Counter()

    def of(self, dataset: str, track: str) -> str:
        """Return the name of the next page."""
        name = f"{slug_of(dataset)}-{track.replace(' ', '-')}"
        self._given[name] += 1
        return name if self._given[name] == 1 else f"{name}-{self._given[name]}"


def _page(book: Book, name: str, boards: list[Board], lost: Sheet | None) -> Page:
    dataset, track = boards[0].key["dataset"], boards[0].key["track"]
    published = published_sheets(shipped_numbers(), dataset.partition("[")[0])
    others = (*tail_sheets(book, boards), cost_sheet(boards), *published, lost, command_sheet(boards))
    return Page(name, f"{dataset}, {track}", tuple(map(board_sheet, boards)), tuple(sheet for sheet in others if sheet is not None))


def _unfinished(book: Book) -> dict[str, Sheet]:
    """Return the cells without a result, by data set; those whose data set is not known stand under an empty name."""
    columns = ("dataset", "cell", "status", "reason")
    rows = collected(book.records.filter(polars.col("evaluator").is_null()).select(columns)).fill_null("").sort("dataset", "cell")
    found: dict[str, list[tuple[str, ...]]] = {}
    for dataset, *texts in rows.iter_rows():
        found.setdefault(dataset, []).append(tuple(texts))
    return {name: Sheet("Cells without a result", (), columns[1:], tuple(texts)) for name, texts in found.items()}


def files_of(book: Book) -> dict[str, str]:
    """Return the texts of all pages by the names of their files."""
    return {f"{page.name}.{form}": page.text(form) for page in pages_of(book) for form in FORMATS}


def write_pages(book: Book, folder: Path) -> list[str]:
    """Write the pages of a book into a folder, and return the names of the files."""
    texts = files_of(book)
    for name, text in texts.items():
        write_bytes(folder / name, text.encode())
    return list(texts)


def differing(book: Book, folder: Path) -> list[str]:
    """Return what is wrong with the files of a folder that should be the pages of a book, a sentence each."""
    texts, there = files_of(book), {entry.name for entry in list_folder(folder)}
    found = [f"{name} is missing" for name in texts if name not in there]
    return found + [f"{name} differs" for name in texts if name in there and (folder / name).read_text(encoding="utf-8") != texts[name]]
