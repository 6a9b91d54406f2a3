"""One cell from clips to rows: prepare, augment, pretrain, embed, evaluate; every end has a status."""

import copy
import os
import time
import traceback
from pathlib import Path
from typing import Any, Final

import attrs
import torch
from torch import Tensor

from mgbench import metrics
from mgbench.components import Evaluator
from mgbench.data import Dense, Fold, dense_fold, open_fold, pack, to_dense
from mgbench.errors import DataError, MgbenchError
from mgbench.fingerprint import evaluator_fingerprint
from mgbench.lease import Lease
from mgbench.model import Backbone, Objective, Probe
from mgbench.model import Part as Side
from mgbench.part import Part
from mgbench.preprocessings import preprocessing
from mgbench.pretrained import Pretrained, rebuild
from mgbench.registry import Registry
from mgbench.rows import append_row, make_row, peak_memory, predictions_of, sound_rows
from mgbench.store import read_json, write_json
from mgbench.timing import kin_of
from mgbench.train import DivergedError, Progress, Training, derive_seed, pretrain
from mgbench.work import Place, Work, code_origin, data_origin, make_work


#: A train embedding of lower effective rank has collapsed to a point or a line.
COLLAPSED_RANK: Final = 1.5
#: What `execute` returns of a cell that another process runs.
BUSY: Final = "busy"


class CollapsedError(MgbenchError):
    """Embeddings that carry at most one direction."""


class _LostError(BaseException):
    """Another process has taken the lease: whatever this one does from now on is nobody's."""


@attrs.define
class _Stage:
    """Tells where a run stands, and adds up the seconds of each stage."""

    place: Place
    lease: Lease
    seconds: dict[str, float] = attrs.field(factory=dict)
    origin: dict[str, Any] = attrs.field(factory=dict)
    stage: str = "prepare"
    began: float = attrs.field(factory=time.monotonic)
    scalars: Any = None

    def enter(self, stage: str) -> None:
        if not self.lease.held:
            raise _LostError
        now = time.monotonic()
        self.seconds[self.stage] = self.seconds.get(self.stage, 0.0) + now - self.began
        self.stage, self.began = stage, now
        self.report(None)

    def report(self, progress: Progress | None) -> None:
        told = {"stage": self.stage, **(attrs.asdict(progress) if progress else {})}
        write_json(self.place.folder.progress, told, durable=False)
        if progress is None:
            return
        print(  # noqa: T201 - the cell's log
            f"step {progress.step}/{progress.steps}  loss {progress.loss:.4g}  "
            f"{progress.clips_per_second:.0f} clips/s  {progress.seconds_left:.0f} s left",
            flush=True,
        )
        if self.place.tensorboard:
            self.draw(progress)

    def draw(self, progress: Progress) -> None:
        """Write TensorBoard's events."""
        if self.scalars is None:
            from torch.utils.tensorboard import SummaryWriter

            self.scalars = SummaryWriter(str(self.place.folder.tensorboard))
        self.scalars.add_scalar("loss", progress.loss, progress.step)
        self.scalars.add_scalar("clips_per_second", progress.clips_per_second, progress.step)
        self.scalars.flush()


def execute(place: Place, registry: Registry) -> str:
    """Run the cell of a folder, or what is missing of it, and return its status; raises nothing but interrupts and store errors.

    Where another process holds the cell it is left alone, and `BUSY` is returned.
    """
    lease = Lease(place.folder.lease, lost=lambda: os._exit(1))
    if not lease.take():
        return BUSY
    with lease:
        stored = read_json(place.folder.status)
        if stored.get("ended") != place.before and "ended" in stored:
            return str(stored["status"])
        return _guarded(place, registry, _Stage(place, lease, dict(stored.get("stage_seconds", {}))), stored)


def _guarded(place: Place, registry: Registry, stage: _Stage, stored: dict[str, Any]) -> str:
    """Run a cell and write its end, whatever it is."""
    began = time.time()
    kept = {key: value for key, value in stored.items() if key not in {"status", "reason", "failure", "signal", "ended", "schema"}}
    kept["plugin_files"] = [str(path) for path in place.plugin_files]
    try:
        work = make_work(place, registry)
        stage.origin = code_origin(work.cell)
        write_json(place.folder.status, {**kept, **stage.origin, "status": "running", "pid": os.getpid(), "began": began})
        outcome: dict[str, Any] = _run(work, stage)
        status, reason, failure = "ok", "", ""
    except Exception as error:  # noqa: BLE001 - whatever a component raises becomes the cell's status
        status, reason = _status_of(error), f"{error}" if isinstance(error, MgbenchError) else f"{type(error).__name__}: {error}"
        outcome, failure = {**kept, **stage.origin}, _fingerprint(error)
        traceback.print_exc()
    stage.enter("done")
    ended = {"status": status, "reason": reason, "began": began, "ended": time.time(), **({"failure": failure} if failure else {})}
    write_json(place.folder.status, {**outcome, "plugin_files": kept["plugin_files"], **ended})
    place.folder.progress.unlink(missing_ok=True)
    if status == "ok":
        place.folder.checkpoint.unlink(missing_ok=True)
    return status


def _fingerprint(error: Exception) -> str:
    """Return what two failures of one cause have in common: the kind of error, and the innermost place that raised it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {frame.name} ({Path(frame.filename).name}:{frame.lineno})"


def _status_of(error: Exception) -> str:
    known = {DivergedError: "diverged", CollapsedError: "collapsed", DataError: "no-data", MemoryError: "out-of-memory"}
    if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
        return "out-of-memory"
    return next((status for kind, status in known.items() if isinstance(error, kind)), "failed")


def _run(work: Work, stage: _Stage) -> dict[str, Any]:
    cell, place = work.cell, work.place
    torch.set_num_threads(cell.run.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    packed = pack(work.dataset, cell.dataset, place.data_root, place.store / "data")
    fold = open_fold(work.dataset, packed, select=cell.run.select)
    fit, test = dense_fold(work.dataset.skeleton, fold, packed, preprocessing(cell.run.preprocess), cell.stream, device)
    stage.origin |= data_origin(cell, place, fold, device)
    done = sound_rows(place.folder)
    pending = [(part, evaluator) for part, evaluator in work.evaluators if str(part) not in done]
    if work.encoder is None or work.method is None:
        origin = stage.origin
        _evaluate(work, fold, pending, _Sides(fit, test, None), stage, {})
    else:
        pretrained, described = _pretrained(work, fold, fit, stage)
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


@attrs.frozen(eq=False)
class _Sides:
    """Train and test as an evaluator reads them: features, and where there is an embedder the clips behind them."""

    train: Dense
    test: Dense
    pretrained: Pretrained | None
    train_clips: Dense | None = None
    test_clips: Dense | None = None


def _pretrained(work: Work, fold: Fold, fit: Dense, stage: _Stage) -> tuple[Pretrained, dict[str, Any]]:
    """Return the trained embedder, and facts and origin of its training: read back where it was saved, trained otherwise."""
    assert work.encoder is not None and work.method is not None  # noqa: S101, PT018 - the caller's branch
    cell, place, dataset, method = work.cell, work.place, work.dataset, work.method
    described = read_json(place.folder.pretrained / "pretrained.json")
    if described:
        read = rebuild(place.folder.pretrained, work.encoder, method)
        read.embedder.to(fit.x.device)
        return read, described
    skeleton = dataset.skeleton
    stage.enter("augment")
    clips = fold.fit
    for augmentation in method.prepare:
        clips = augmentation.apply(clips, skeleton, derive_seed(cell.seed, "prepare"))
    if method.prepare:
        fit = to_dense(clips, skeleton, preprocessing(cell.run.preprocess), cell.stream, fit.x.device)
    stage.enter("pretrain")
    torch.manual_seed(derive_seed(cell.seed, "init"))
    backbone = Backbone(work.encoder, skeleton, dataset.persons)
    objective: Objective = method.build(backbone, len(dataset.classes)).to(fit.x.device)
    training = Training(cell.seed, cell.run.precision, cell.steps, place.folder.checkpoint, place.checkpoint_seconds, stage.report)
    losses, seconds = pretrain(objective, method, fit, skeleton, training)
    facts = _training_facts(objective, backbone, losses, method.recipe.batch_size, len(fit.x))
    facts["train_seconds"] = round(seconds, 3)
    pretrained = Pretrained(objective.embedder().eval(), skeleton, preprocessing(cell.run.preprocess), cell.stream)
    described = {"persons": dataset.persons, "classes": len(dataset.classes), "facts": facts, "origin": stage.origin}
    pretrained.save(place.folder.pretrained, described)
    return pretrained, described


def _training_facts(objective: Objective, backbone: Backbone, losses: Tensor, batch_size: int, clips: int) -> dict[str, Any]:
    return {
        "steps": len(losses),
        "batch_size": min(batch_size, clips),
        "clips_processed": len(losses) * min(batch_size, clips),
        "first_loss": float(losses[0]) if len(losses) else None,
        "last_loss": float(losses[-10:].mean()) if len(losses) else None,
        "backbone_parameters": sum(parameter.numel() for parameter in backbone.parameters()),
        "parameters": sum(parameter.numel() for parameter in objective.parameters()),
    }


def _evaluate(work: Work, fold: Fold, pending: list[tuple[Part, Evaluator]], sides: _Sides, stage: _Stage, facts: dict[str, Any]) -> None:
    """Run the evaluators that have no row yet and write each one's row and predictions as soon as it is known."""
    classes = len(work.dataset.classes)
    for part, evaluator in pending:
        stage.enter("evaluate")
        began = time.monotonic()
        evaluation = evaluator.evaluate(_probe(evaluator, sides, classes, work.cell.seed))
        row = {**make_row(evaluation, fold, classes), **facts, **evaluator_fingerprint(part)}
        row |= {"evaluate_seconds": round(time.monotonic() - began, 3), "peak_memory_mb": peak_memory()}
        append_row(work.place.folder, str(part), row, predictions_of(str(part), evaluation, fold))
        print(f"{part}: top-1 {row['top1']:.4f}", flush=True)  # noqa: T201 - the cell's log


def _probe(evaluator: Evaluator, sides: _Sides, classes: int, seed: int) -> Probe:
    train, test, embedder = sides.train, sides.test, None
    if evaluator.reads == "backbone":
        assert sides.pretrained is not None and sides.train_clips is not None and sides.test_clips is not None  # noqa: S101, PT018
        train, test, embedder = sides.train_clips, sides.test_clips, copy.deepcopy(sides.pretrained.embedder)
    return Probe(Side(train.x, train.label), Side(test.x, test.label), classes, derive_seed(seed, "probe"), embedder)
