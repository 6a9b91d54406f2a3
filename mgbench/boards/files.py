"""Files of pages: their names and texts. Those of large books are made by several processes, data set by data set.

Nothing here is imported that takes long, so that processes are forked before there is anything that a fork would break, and each does its
own imports.
"""

import gc
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final, TypeAlias

from mgbench.boards.sources import RECORDS_FILE
from mgbench.errors import MgbenchError
from mgbench.store import list_folder, write_bytes
from mgbench.words import slug_of


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
    """Return the pages of a book, made by this process, or by so many others, each of which takes the next data set when it is free."""
    if processes == 1:
        return _made(source, forms, None)[0]
    try:
        return _shared_out(source, forms, processes)
    except BrokenProcessPool as error:
        msg = "A process that made boards was ended from outside, as for want of memory; the same command begins anew."
        raise MgbenchError(msg) from error


def _shared_out(source: Path, forms: Sequence[str], processes: int) -> _Texts:
    texts: _Texts = {}
    before = active_children()
    with ProcessPoolExecutor(processes, get_context(_way()), _follow) as pool:
        try:
            waiting = {pool.submit(_made, source, forms, number) for number in range(processes)}
            following = processes
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for pages, count in (one.result() for one in done):
                    texts |= pages
                    if following < count:
                        waiting.add(pool.submit(_made, source, forms, following))
                        following += 1
        except KeyboardInterrupt:
            for one in active_children():
                if one not in before:
                    one.kill()
            raise
    return texts


def _follow() -> None:
    """Leave Ctrl-C to the process that started this one, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if (parent := parent_process()) is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(process: BaseProcess) -> None:
    process.join()
    os._exit(1)


def _way() -> str:
    """Return how to start processes: by a fork, which is quickest, where no library holds threads or locks yet."""
    alone = sys.platform == "linux" and not {"numpy", "polars", "torch"} & set(sys.modules) and threading.active_count() == 1
    return "fork" if alone else "spawn"


def _made(source: Path, forms: Sequence[str], number: int | None) -> tuple[_Texts, int]:
    """Return the pages of all data sets, or of one of them, the largest first; and how many data sets there are."""
    with _uncollected():
        from threadpoolctl import threadpool_limits

        from mgbench.boards.compacting import board_book
        from mgbench.boards.pages import pages_of

        book = board_book(source)
        order = sorted(book.spans, key=lambda name: (-book.spans[name][2], name))
        wanted = order if number is None else order[number : number + 1]
        with threadpool_limits(1):  # products are small here: threads would wait for one another longer than these take
            pages = pages_of(book, wanted)
            return {(not page.track, page.dataset, page.track): {form: page.text(form) for form in forms} for page in pages}, len(order)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no garbage meanwhile: of the many texts and numbers of a page none refers to another."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


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
