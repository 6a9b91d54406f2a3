"""One cell from clips to rows: prepare, augment, pretrain, embed, evaluate; every end has a status."""

import copy
import os
import shutil
import time
import traceback
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import torch

from mgbench import metrics
from mgbench.arithmetic import Arithmetic
from mgbench.clips import Ints
from mgbench.components import Evaluator
from mgbench.data import Dense, Fold, ranked
from mgbench.errors import DataError, MgbenchError
from mgbench.fingerprint import evaluator_fingerprint
from mgbench.lease import Lease
from mgbench.model import Part as Side
from mgbench.model import Probe
from mgbench.part import Part
from mgbench.pretrained import Pretrained
from mgbench.pretraining import make_pretrained
from mgbench.registry import Registry
from mgbench.rows import append_row, make_row, peak_memory, predictions_of, sound_rows
from mgbench.shape import check_status, shown
from mgbench.stage import Stage
from mgbench.store import FULL, CellFolder, StoreError, read_json, write_json
from mgbench.timing import kin_of
from mgbench.train import DivergedError, derive_seed
from mgbench.work import Place, Work, code_origin, data_origin, make_work, open_data


#: A train embedding of lower effective rank has collapsed to a point or a line.
COLLAPSED_RANK: Final = 1.5
#: What `execute` returns of a cell that another process runs.
BUSY: Final = "busy"


class CollapsedError(MgbenchError):
    """Embeddings that carry at most one direction."""


def execute(place: Place, registry: Registry) -> str:
    """Run the cell of a folder, or what is missing of it, and return its status; raises nothing but interrupts and store errors.

    Where another process holds the cell it is left alone, and `BUSY` is returned.
    """
    lease = Lease(place.folder.lease, lost=lambda: os._exit(1))
    if not lease.take():
        return BUSY
    with lease:
        stored = check_status(read_json(place.folder.status), place.folder.status)
        if stored.get("ended") != place.before and "ended" in stored:
            return str(stored.get("status", "pending"))
        return _guarded(place, registry, Stage(place, lease), stored)


def _guarded(place: Place, registry: Registry, stage: Stage, stored: dict[str, Any]) -> str:
    """Run a cell and write its end, whatever it is."""
    began = time.time()
    kept = {key: value for key, value in stored.items() if key not in {"status", "reason", "failure", "signal", "ended", "schema"}}
    kept["plugin_files"] = [str(path) for path in place.plugin_files]
    try:
        if stored.get("anew") == "all":
            _clear(place.folder)
            kept = {"plugin_files": kept["plugin_files"]}
        stage.seconds |= kept.get("stage_seconds", {})
        work = make_work(place, registry)
        stage.origin = code_origin(work.cell)
        write_json(place.folder.status, {**kept, **stage.origin, "status": "running", "pid": os.getpid(), "began": began})
        with Arithmetic().within():  # training has its own
            outcome: dict[str, Any] = _run(work, stage, again="anew" in kept)
        status, reason, failure = "ok", "", ""
    except Exception as error:  # noqa: BLE001 - whatever a component raises becomes the cell's status
        status, reason = _status_of(error), f"{error}" if isinstance(error, MgbenchError) else f"{type(error).__name__}: {error}"
        outcome, reason, failure = {**kept, **stage.origin}, shown(reason), shown(_fingerprint(error))
        traceback.print_exc()
    stage.enter("done")
    ended = {"status": status, "reason": reason, "began": began, "ended": time.time(), **({"failure": failure} if failure else {})}
    write_json(place.folder.status, {**outcome, "plugin_files": kept["plugin_files"], **ended})
    place.folder.progress.unlink(missing_ok=True)
    if status == "ok":
        place.folder.checkpoint.unlink(missing_ok=True)
    return status


def _clear(folder: CellFolder) -> None:
    """Remove what a cell is to make anew; its status, which says so, is replaced when the rest is gone."""
    for path in (folder.metrics, folder.predictions, folder.checkpoint, folder.prepared, folder.pretrained):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    if folder.log.is_file():
        os.truncate(folder.log, 0)  # this process writes to it


def _fingerprint(error: Exception) -> str:
    """Return what two failures of one cause have in common: the kind of error, and the innermost place that raised it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {frame.name} ({Path(frame.filename).name}:{frame.lineno})"


def _status_of(error: Exception) -> str:
    known = {DivergedError: "diverged", CollapsedError: "collapsed", DataError: "no-data", MemoryError: "out-of-memory"}
    cause = error.__cause__ if isinstance(error, StoreError) else error
    if isinstance(cause, OSError) and (cause is not error or cause.errno in FULL):  # not the cell's fault: it goes on where there is room
        return "interrupted"
    if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
        return "out-of-memory"
    return next((status for kind, status in known.items() if isinstance(error, kind)), "failed")


def _run(work: Work, stage: Stage, *, again: bool) -> dict[str, Any]:
    """Make what is missing of a cell, where asked also the rows of evaluators whose code changed, and return what its status tells."""
    cell, place = work.cell, work.place
    torch.set_num_threads(cell.run.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    fold, fit, test = open_data(work.dataset, cell.dataset, cell, place, device)
    stage.origin |= data_origin(cell, place, fold, device)
    rows = sound_rows(place.folder)
    done = {str(part) for part, _ in work.evaluators if str(part) in rows and not (again and _changed(part, rows[str(part)]))}
    pending = [(part, evaluator) for part, evaluator in work.evaluators if str(part) not in done]
    if work.encoder is None or work.method is None:
        origin = stage.origin
        _evaluate(work, fold, pending, _Sides(fit, test, None), stage, {})
    else:
        pretrained, described = make_pretrained(work, fold, fit, stage)
        facts, origin = dict(described["facts"]), described["origin"]
        stage.enter("embed")
        features = Dense(pretrained.embed(fit.x), fit.label, fit.length)
        facts["effective_rank"] = round(metrics.effective_rank(features.x), 3)
        if facts["effective_rank"] < COLLAPSED_RANK:
            msg = f"The train embeddings have effective rank {facts['effective_rank']}: the method collapsed."
            raise CollapsedError(msg)
        sides = _Sides(features, Dense(pretrained.embed(test.x), test.label, test.length), pretrained, fit, test)
        _evaluate(work, fold, pending, sides, stage, facts)
    stage.enter("record")
    size = sum(path.stat().st_size for path in place.folder.path.rglob("*") if path.is_file())
    return {"stage_seconds": {name: round(value, 3) for name, value in stage.seconds.items()}, "kin": kin_of(cell), "bytes": size, **origin}


def _changed(evaluator: Part, row: dict[str, Any]) -> bool:
    return not evaluator_fingerprint(evaluator).items() <= row.items()


@attrs.frozen(eq=False)
class _Sides:
    """Train and test as an evaluator reads them: features, and where there is an embedder the clips behind them."""

    train: Dense
    test: Dense
    pretrained: Pretrained | None
    train_clips: Dense | None = None
    test_clips: Dense | None = None


def _evaluate(work: Work, fold: Fold, pending: list[tuple[Part, Evaluator]], sides: _Sides, stage: Stage, facts: dict[str, Any]) -> None:
    """Run the evaluators that have no row yet and write each one's row and predictions as soon as it is known."""
    for part, evaluator in pending:
        stage.enter("evaluate")
        began = time.monotonic()
        evaluation = evaluator.evaluate(_probe(evaluator, sides, fold, work.cell.seed))
        row = {**make_row(evaluation, fold, evaluator.target), **facts, **evaluator_fingerprint(part)}
        row |= {"evaluate_seconds": round(time.monotonic() - began, 3), "peak_memory_mb": peak_memory()}
        append_row(work.place.folder, str(part), row, predictions_of(str(part), evaluation, fold, evaluator.target), fold)
        print(f"{part}: top-1 {row['top1']:.4f}", flush=True)  # noqa: T201 - the cell's log


def _probe(evaluator: Evaluator, sides: _Sides, fold: Fold, seed: int) -> Probe:
    train, test, embedder = sides.train, sides.test, None
    if evaluator.reads == "backbone":
        assert sides.pretrained is not None and sides.train_clips is not None and sides.test_clips is not None  # noqa: S101, PT018
        train, test, embedder = sides.train_clips, sides.test_clips, copy.deepcopy(sides.pretrained.embedder)
    fitted = np.concatenate([clips.subject for clips in fold.fits])
    return Probe(_part(train, fitted), _part(test, fold.test.subject), len(fold.facts.classes), derive_seed(seed, "probe"), embedder)


def _part(side: Dense, subject: Ints) -> Side:
    return Side(side.x, side.label, torch.from_numpy(ranked(subject)[0]).to(side.x.device))
