"""Cells of a book trained again from their specs, in a store of their own that is thrown away."""

import json
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import polars

from mgbench.arithmetic import arithmetic_of
from mgbench.boards.book import Book, collected
from mgbench.boards.compacting import compact
from mgbench.boards.verify import Rerun, Verdict, allowances, clips_of
from mgbench.errors import MgbenchError
from mgbench.fingerprint import evaluator_fingerprint, newer_code
from mgbench.grid import Cell, to_spec
from mgbench.launch.local import Job, Limits, LocalRunner, gpus
from mgbench.part import Part, build, describe
from mgbench.paths import dataset_folder
from mgbench.registry import Registry, registry
from mgbench.shape import check_spec
from mgbench.snapshot import read_cell
from mgbench.store import CellFolder, write_json


#: Ends that are the cell's own; others are the machine's.
_ITS_OWN: Final = ("failed", "diverged", "collapsed")
_SECONDS: Final = 60.0


def rerun(book: Book, names: Sequence[str], root: Path, plugin_files: tuple[Path, ...]) -> Iterator[Verdict]:
    """Run these cells of a book again, each in a process of its own, and yield what came of each row."""
    allowed = allowances(book)
    with tempfile.TemporaryDirectory(prefix="mgbench-verify-") as place:
        for name in names:
            mine = (polars.col("cell") == name) & polars.col("evaluator").is_not_null()
            rows = collected(book.records.filter(mine)).to_dicts()
            evaluators = tuple(row["evaluator"] for row in rows)
            try:
                cell, newer = _today(rows, root, registry(plugin_files))
            except MgbenchError as error:
                yield Verdict(name, evaluators, None, f"was not run again: {str(error).partition(chr(10))[0]}")
                continue
            folder = CellFolder(Path(place) / "cells" / cell.name)
            agrees, told = _run(cell, Job(folder, Path(place), root, plugin_files, _SECONDS))
            if told:
                yield Verdict(name, evaluators, agrees if not newer else None, "; ".join(filter(None, (told, newer))))
                continue
            again = compact(Path(place))
            found = {row["evaluator"]: row for row in collected(again.records).iter_rows(named=True)}
            for row in rows:
                if (new := found.get(row["evaluator"])) is None:
                    yield Verdict(name, (row["evaluator"],), None, "cannot be told: the evaluator has other defaults today")
                    continue
                clips = clips_of(book, row), clips_of(again, new)
                yield Rerun(row, new, clips, allowed[name, row["evaluator"]], newer).verdict
            shutil.rmtree(folder.path)


def _today(rows: list[dict[str, Any]], root: Path, components: Registry) -> tuple[Cell, str]:
    """Return the cell of some rows, and what of its code is newer; raise `MgbenchError` where components, data or a GPU are not here."""
    stored = json.loads(rows[0]["spec"])
    cell = check_spec(stored, Path(rows[0]["cell"]))
    arithmetic_of(cell.run).check(gpu=bool(gpus()))
    told = {row["evaluator"]: row for row in rows}
    cell = attrs.evolve(cell, evaluators=tuple(part for part in cell.evaluators if str(part) in told))

    def now(part: Part) -> Part:
        return describe(build(part, components), components)

    today = attrs.evolve(
        cell,
        dataset=now(cell.dataset),
        encoder=cell.encoder and now(cell.encoder),
        method=cell.method and now(cell.method),
        pretrain_on=cell.pretrain_on and now(cell.pretrain_on),
        evaluators=tuple(map(now, cell.evaluators)),
    )
    for part in filter(None, (today.dataset, today.pretrain_on)):
        dataset_folder(part, root)
    code = json.loads(rows[0].get("code") or "{}")
    newer = newer_code(code, today) if code.get("source") else ["the record does not tell of its code"]
    pairs = zip(cell.evaluators, today.evaluators, strict=True)
    changed = [part.name for was, part in pairs if not evaluator_fingerprint(part).items() <= told[str(was)].items()]
    return cell, "; ".join(filter(None, [*newer, *(f"the source of {name} changed" for name in changed)]))


def _run(cell: Cell, job: Job) -> tuple[bool | None, str]:
    """Run a cell; where it came to no result, return whether that speaks against the record, and how it ended."""
    write_json(job.folder.spec, to_spec(cell))
    for _, status in LocalRunner(deque([job]), 1, Limits(), _unwatched).run():
        if status != "ok":
            reason = read_cell(job.folder).status.get("reason", "")
            own = status in _ITS_OWN
            shutil.rmtree(job.folder.path)
            return (False if own else None), f"{'differs: it' if own else 'cannot be told: it'} is {status} when it is run again: {reason}"
    return True, ""


def _unwatched(running: list[Job], ended: list[Job]) -> None:
    """Look at nothing: one verdict a cell is told."""
