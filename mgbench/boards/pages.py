"""Pages of a leaderboard: the tables of one data set and track, in every format."""

from collections.abc import Collection, Iterable, Iterator
from itertools import groupby

import attrs
import polars

from mgbench.boards.book import Book, collected
from mgbench.boards.commands import command_sheet
from mgbench.boards.files import names
from mgbench.boards.lines import Board, boards_of
from mgbench.boards.measured import board_sheet, cost_sheet
from mgbench.boards.published import published_sheets, shipped_numbers
from mgbench.boards.sheet import Sheet, csv_text, escape, latex, markdown
from mgbench.boards.tails import tail_sheets


@attrs.frozen
class Page:
    """The tables of one data set and track.

    Args:
        dataset: the name of the data set, empty where it is not known.
        track: the track; empty on the page of a data set without any result.
        boards: what was measured.
        others: what stands beside it.
    """

    dataset: str
    track: str
    boards: tuple[Sheet, ...]
    others: tuple[Sheet, ...] = ()

    @property
    def title(self) -> str:
        """What the page is called."""
        return f"{self.dataset or 'unknown data'}, {self.track or 'no result'}"

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


def pages_of(book: Book, datasets: Collection[str] | None = None) -> Iterator[Page]:
    """Yield the pages of a book, or those of some data sets, in their order; cells without a result stand on every page of theirs."""
    lost, shown = _unfinished(book), set()
    for (dataset, track), group in _by_page(book, datasets):
        yield _page(book, track, list(group), lost.get(dataset))
        shown.add(dataset)
    for dataset, sheet in lost.items():
        if dataset not in shown and (datasets is None or dataset in datasets):
            yield Page(dataset, "", (), (sheet,))


def paged_boards(book: Book) -> Iterator[tuple[str, Board]]:
    """Yield the boards of a book, each with the name of its page."""
    name = names()
    for (dataset, track), group in _by_page(book):
        stem = name(dataset, track)
        yield from ((stem, board) for board in group)


def _by_page(book: Book, datasets: Collection[str] | None = None) -> Iterator[tuple[tuple[str, str], Iterator[Board]]]:
    return groupby(boards_of(book, datasets), key=lambda board: (board.key["dataset"], board.key["track"]))


def _page(book: Book, track: str, boards: list[Board], lost: Sheet | None) -> Page:
    dataset = boards[0].key["dataset"]
    published = published_sheets(shipped_numbers(), dataset.partition("[")[0])
    others = (*tail_sheets(book, boards), cost_sheet(boards), *published, lost, command_sheet(boards))
    return Page(dataset, track, tuple(map(board_sheet, boards)), tuple(sheet for sheet in others if sheet is not None))


def _unfinished(book: Book) -> dict[str, Sheet]:
    """Return the cells without a result, by data set; those whose data set is not known stand under an empty name."""
    columns = ("dataset", "cell", "status", "reason")
    lost = book.select(("evaluator", *columns)).filter(polars.col("evaluator").is_null()).select(columns)
    rows = collected(lost).fill_null("").sort("dataset", "cell")
    found: dict[str, list[tuple[str, ...]]] = {}
    for dataset, *texts in rows.iter_rows():
        found.setdefault(dataset, []).append(tuple(texts))
    return {name: Sheet("Cells without a result", (), columns[1:], tuple(texts)) for name, texts in found.items()}
