"""Files of pages: their names and texts. Those of large books are made by several processes, each of which has some of the data sets.

Nothing here is imported that takes long, so that a process begins its imports while the next one is started.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final, TypeAlias

from mgbench.boards.sources import RECORDS_FILE
from mgbench.part import slug_of
from mgbench.store import list_folder, write_bytes


FORMATS: Final = ("md", "csv", "tex")
#: Records, in bytes, from which a second process saves more than its start takes; and most processes, each of which needs memory.
_LARGE, _MOST = 2**21, 4
#: Texts of a page by format, by whether nothing there has a result, data set and track: the order of pages.
_Texts: TypeAlias = dict[tuple[bool, str, str], dict[str, str]]


def page_texts(source: Path, forms: Sequence[str]) -> dict[str, str]:
    """Return the pages of a book or store in some formats, by the names of their files."""
    texts = _several(source, forms, min(_MOST, os.cpu_count() or 1) if _large(source) else 1)
    name = names()
    named = {name(*key[1:]): texts[key] for key in sorted(texts)}
    return {f"{stem}.{form}": text for stem, page in named.items() for form, text in page.items()}


def _large(source: Path) -> bool:
    records = source / RECORDS_FILE
    return records.is_file() and records.stat().st_size > _LARGE


def _several(source: Path, forms: Sequence[str], processes: int) -> _Texts:
    """Return the pages of a book, made by this process and others."""
    if processes == 1:
        return _share(source, forms)
    ignore = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is this process's, which ends the others
    with ProcessPoolExecutor(processes - 1, get_context("spawn"), signal.signal, ignore) as pool:
        others = [pool.submit(_share, source, forms, number, processes) for number in range(1, processes)]
        texts = _share(source, forms, 0, processes)
        for other in others:
            texts |= other.result()
    return texts


def _share(source: Path, forms: Sequence[str], number: int = 0, processes: int = 1) -> _Texts:
    """Return the pages of one process's data sets."""
    from threadpoolctl import threadpool_limits

    from mgbench.boards.compacting import board_book
    from mgbench.boards.pages import pages_of

    book = board_book(source)
    datasets = shared_out({name: span[2] for name, span in book.spans.items()}, processes)[number] if processes > 1 else None
    with threadpool_limits(1):  # products are small here: threads would wait for one another longer than these take
        pages = pages_of(book, datasets)
        return {(not page.track, page.dataset, page.track): {form: page.text(form) for form in forms} for page in pages}


def shared_out(datasets: Mapping[str, int], processes: int) -> list[list[str]]:
    """Return which process has which data sets, so that their records are about as many."""
    shares: list[list[str]] = [[] for _ in range(processes)]
    counts = [0] * processes
    for name in sorted(datasets, key=lambda name: (-datasets[name], name)):
        least = counts.index(min(counts))
        shares[least].append(name)
        counts[least] += datasets[name]
    return shares


def names() -> Callable[[str, str], str]:
    """Return what names pages in their order: of data sets whose names make the same one, the later bear numbers."""
    given: Counter[str] = Counter()

    def name(dataset: str, track: str) -> str:
        stem = f"{slug_of(dataset or 'unknown')}-{(track or 'no result').replace(' ', '-')}"
        given[stem] += 1
        return stem if given[stem] == 1 else f"{stem}-{given[stem]}"

    return name


def write_pages(texts: Mapping[str, str], folder: Path) -> None:
    """Write the pages of a book into a folder, given their texts by the names of their files."""
    for name, text in texts.items():
        write_bytes(folder / name, text.encode(), durable=False)  # they can be made again


def differing(texts: Mapping[str, str], folder: Path) -> list[str]:
    """Return what is wrong with the files of a folder that should have these texts, a sentence each."""
    there = {entry.name: entry for entry in list_folder(folder)}

    def same(name: str, text: str) -> bool:
        return there[name].is_file() and (folder / name).read_bytes() == text.encode()

    found = [f"{name} is missing" for name in texts if name not in there]
    return found + [f"{name} differs" for name, text in texts.items() if name in there and not same(name, text)]
