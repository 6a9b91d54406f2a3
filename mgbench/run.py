"""One cell from clips to rows: prepare, augment, pretrain, embed, evaluate; every end has a status."""

import copy
import io
import os
import platform
import resource
import time
import traceback
from pathlib import Path
from typing import Any

import attrs
import polars
import torch
from filelock import FileLock
from torch import Tensor

from mgbench import metrics, stats
from mgbench.components import Evaluator
from mgbench.data import Dense, Fold, open_fold, pack, to_dense
from mgbench.errors import DataError, MgbenchError
from mgbench.fingerprint import component_versions, data_key, environment, source_fingerprint
from mgbench.grid import Cell, from_spec
from mgbench.model import Backbone, Evaluation, Objective, Part, Probe
from mgbench.paths import dataset_folder
from mgbench.preprocess import preprocessing
from mgbench.pretrained import Pretrained, rebuild
from mgbench.registry import Registry
from mgbench.store import CellFolder, read_json, write_bytes, write_json
from mgbench.train import DivergedError, Progress, Training, derive_seed, pretrain


#: A train embedding of lower effective rank has collapsed to a point or a line.
COLLAPSED_RANK = 1.5


class CollapsedError(MgbenchError):
    """Embeddings that carry at most one direction."""


@attrs.frozen
class Place:
    """Where a cell finds data and leaves results."""

    folder: CellFolder
    store: Path
    data_root: Path
    checkpoint_seconds: float = 60.0


@attrs.define
class _Stage:
    """Tells where a run stands, and adds up the seconds of each stage."""

    place: Place
    seconds: dict[str, float] = attrs.field(factory=dict)
    stage: str = "prepare"
    began: float = attrs.field(factory=time.monotonic)

    def enter(self, stage: str) -> None:
        now = time.monotonic()
        self.seconds[self.stage] = self.seconds.get(self.stage, 0.0) + now - self.began
        self.stage, self.began = stage, now
        self.report(None)

    def report(self, progress: Progress | None) -> None:
        write_json(self.place.folder.progress, {"stage": self.stage, **(attrs.asdict(progress) if progress else {})})
        if progress:
            print(  # noqa: T201 - the cell's log
                f"step {progress.step}/{progress.steps}  loss {progress.loss:.4g}  "
                f"{progress.clips_per_second:.0f} clips/s  {progress.seconds_left:.0f} s left",
                flush=True,
            )


def execute(place: Place, registry: Registry) -> str:
    """Run the cell of a folder, or what is missing of it, and return its status; raises nothing but interrupts."""
    with FileLock(place.folder.lease):
        stored = read_json(place.folder.status)
        began = time.time()
        stage = _Stage(place)
        try:
            cell = from_spec(read_json(place.folder.spec), registry)
            write_json(place.folder.status, {**stored, "status": "running", "pid": os.getpid(), "began": began})
            outcome = _run(cell, place, stage)
            status, reason = "ok", ""
        except Exception as error:  # noqa: BLE001 - whatever a component raises becomes the cell's status
            status, reason = _status_of(error), f"{error}" if isinstance(error, MgbenchError) else f"{type(error).__name__}: {error}"
            traceback.print_exc()
            outcome = {key: value for key, value in stored.items() if key not in {"status", "reason", "schema"}}
        stage.enter("done")
        write_json(place.folder.status, {**outcome, "status": status, "reason": reason, "began": began, "ended": time.time()})
        place.folder.progress.unlink(missing_ok=True)
        if status == "ok":
            place.folder.checkpoint.unlink(missing_ok=True)
    return status


def _status_of(error: Exception) -> str:
    known = {DivergedError: "diverged", CollapsedError: "collapsed", DataError: "no-data", MemoryError: "out-of-memory"}
    if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
        return "out-of-memory"
    return next((status for kind, status in known.items() if isinstance(error, kind)), "failed")


def _run(cell: Cell, place: Place, stage: _Stage) -> dict[str, Any]:
    torch.set_num_threads(cell.run.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    fold = open_fold(cell.dataset, pack(cell.dataset, place.data_root, place.store / "data"), select=cell.run.select)
    choice = preprocessing(cell.run.preprocess)
    fit = to_dense(fold.fit, cell.dataset.skeleton, choice, cell.stream, device)
    test = to_dense(fold.test, cell.dataset.skeleton, choice, cell.stream, device)
    done = sound_rows(place.folder)
    pending = [evaluator for evaluator in cell.evaluators if str(evaluator) not in done]
    if cell.encoder is None or cell.method is None:
        origin = _origin(cell, place, fold, device)
        _evaluate(cell, place, fold, pending, _Sides(fit, test, None), stage, {})
    else:
        pretrained, described = _pretrained(cell, place, fold, fit, stage)
        facts, origin = dict(described["facts"]), described["origin"]
        stage.enter("embed")
        features = Dense(pretrained.embed(fit.x), fit.label, fit.length)
        facts["effective_rank"] = round(metrics.effective_rank(features.x), 3)
        if facts["effective_rank"] < COLLAPSED_RANK:
            msg = f"The train embeddings have effective rank {facts['effective_rank']}: the method collapsed."
            raise CollapsedError(msg)
        sides = _Sides(features, Dense(pretrained.embed(test.x), test.label, test.length), pretrained, fit, test)
        _evaluate(cell, place, fold, pending, sides, stage, facts)
    stage.enter("record")
    return {"stage_seconds": {name: round(value, 3) for name, value in stage.seconds.items()}, **origin}


def _origin(cell: Cell, place: Place, fold: Fold, device: torch.device) -> dict[str, Any]:
    """Return what weights depend on besides their spec; kept with them, so that a later evaluator does not make them look new."""
    return {
        "data": fold.digest,
        "data_key": data_key(cell.dataset, dataset_folder(cell.dataset, place.data_root)),
        "source": source_fingerprint(cell),
        "components": component_versions(cell),
        "environment": environment(device),
    }


def sound_rows(folder: CellFolder) -> dict[str, Any]:
    """Return the rows whose predictions can be read; a cell that lost or broke them is evaluated again, which trains nothing."""
    rows: dict[str, Any] = read_json(folder.metrics).get("rows", {})
    try:
        kept = set(polars.read_parquet(folder.predictions, columns=["evaluator"])["evaluator"]) if rows else set()
    except (OSError, polars.exceptions.PolarsError):
        kept = set()
    if rows and not kept:
        folder.predictions.unlink(missing_ok=True)
        folder.metrics.unlink()
    return {name: row for name, row in rows.items() if name in kept}


@attrs.frozen(eq=False)
class _Sides:
    """Train and test as an evaluator reads them: features, and where there is an embedder the clips behind them."""

    train: Dense
    test: Dense
    pretrained: Pretrained | None
    train_clips: Dense | None = None
    test_clips: Dense | None = None


def _pretrained(cell: Cell, place: Place, fold: Fold, fit: Dense, stage: _Stage) -> tuple[Pretrained, dict[str, Any]]:
    """Return the trained embedder, and facts and origin of its training: read back where it was saved, trained otherwise."""
    assert cell.encoder is not None and cell.method is not None  # noqa: S101, PT018 - the caller's branch
    described = read_json(place.folder.pretrained / "pretrained.json")
    if described:
        read = rebuild(place.folder.pretrained, cell.encoder, cell.method)
        read.embedder.to(fit.x.device)
        return read, described
    skeleton, method = cell.dataset.skeleton, cell.method
    stage.enter("augment")
    clips = fold.fit
    for augmentation in method.prepare:
        clips = augmentation.apply(clips, skeleton, derive_seed(cell.seed, "prepare"))
    if method.prepare:
        fit = to_dense(clips, skeleton, preprocessing(cell.run.preprocess), cell.stream, fit.x.device)
    stage.enter("pretrain")
    torch.manual_seed(derive_seed(cell.seed, "init"))
    backbone = Backbone(cell.encoder, skeleton, cell.dataset.persons)
    objective: Objective = method.build(backbone, len(cell.dataset.classes)).to(fit.x.device)
    training = Training(cell.seed, cell.run.precision, cell.steps, place.folder.checkpoint, place.checkpoint_seconds, stage.report)
    losses = pretrain(objective, method, fit, skeleton, training)
    facts = _training_facts(objective, backbone, losses, method.recipe.batch_size, len(fit.x))
    pretrained = Pretrained(objective.embedder().eval(), skeleton, preprocessing(cell.run.preprocess), cell.stream)
    origin = _origin(cell, place, fold, fit.x.device)
    described = {"persons": cell.dataset.persons, "classes": len(cell.dataset.classes), "facts": facts, "origin": origin}
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


def _evaluate(cell: Cell, place: Place, fold: Fold, pending: list[Evaluator], sides: _Sides, stage: _Stage, facts: dict[str, Any]) -> None:
    """Run the evaluators that have no row yet and write each one's row and predictions as soon as it is known."""
    stage.enter("evaluate")
    for evaluator in pending:
        began = time.monotonic()
        evaluation = evaluator.evaluate(_probe(evaluator, sides, len(cell.dataset.classes), cell.seed))
        row = {**_row(evaluation, fold, len(cell.dataset.classes)), **facts}
        row |= {"evaluate_seconds": round(time.monotonic() - began, 3), "peak_memory_mb": _peak_memory()}
        _append(place.folder, str(evaluator), row, _predictions(str(evaluator), evaluation, fold))
        print(f"{evaluator}: top-1 {row['top1']:.4f}", flush=True)  # noqa: T201 - the cell's log


def _probe(evaluator: Evaluator, sides: _Sides, classes: int, seed: int) -> Probe:
    train, test, embedder = sides.train, sides.test, None
    if evaluator.reads == "backbone":
        assert sides.pretrained is not None and sides.train_clips is not None and sides.test_clips is not None  # noqa: S101, PT018
        train, test, embedder = sides.train_clips, sides.test_clips, copy.deepcopy(sides.pretrained.embedder)
    return Probe(Part(train.x, train.label), Part(test.x, test.label), classes, derive_seed(seed, "probe"), embedder)


def _row(evaluation: Evaluation, fold: Fold, classes: int) -> dict[str, Any]:
    scores, label = evaluation.scores.cpu(), torch.from_numpy(fold.test.label)
    if scores.shape != (len(label), classes) or not bool(torch.isfinite(scores).all()):
        msg = f"An evaluator returned scores of shape {tuple(scores.shape)}; it must return finite ones of {(len(label), classes)}."
        raise MgbenchError(msg)
    predicted = scores.argmax(dim=1)
    right = (predicted == label).numpy()
    low, high = stats.wilson(int(right.sum()), len(right))
    subject_low, subject_high = stats.subject_interval(right, fold.test.subject)
    return {
        "top1": metrics.top_k(scores, label, 1),
        "top1_low": low,
        "top1_high": high,
        "top1_subject_low": subject_low,
        "top1_subject_high": subject_high,
        "top5": metrics.top_k(scores, label, 5),
        "mean_class_accuracy": metrics.mean_class_accuracy(predicted, label, classes),
        "macro_f1": metrics.macro_f1(predicted, label, classes),
        **evaluation.extra,
        "fitted_on": fold.fitted,
        "scored_on": fold.scored,
        "fit_clips": len(fold.fit),
        "test_clips": len(label),
        "test_digest": fold.test_digest,
    }


def _predictions(evaluator: str, evaluation: Evaluation, fold: Fold) -> polars.DataFrame:
    scores = evaluation.scores.cpu().float()
    return polars.DataFrame(
        {
            "evaluator": [evaluator] * len(fold.test),
            "clip": list(fold.test.clip),
            "subject": fold.test.subject,
            "label": fold.test.label,
            "predicted": scores.argmax(dim=1).numpy(),
            "scores": scores.numpy(),
        },
        schema_overrides={"scores": polars.Array(polars.Float32, scores.shape[1])},
    )


def _append(folder: CellFolder, evaluator: str, row: dict[str, Any], predictions: polars.DataFrame) -> None:
    """Add one evaluator's predictions, then its row: a row is never without predictions."""
    if folder.predictions.is_file():
        kept = polars.read_parquet(folder.predictions).filter(polars.col("evaluator") != evaluator)
        predictions = polars.concat([kept, predictions])
    buffer = io.BytesIO()
    predictions.write_parquet(buffer)
    write_bytes(folder.predictions, buffer.getvalue())
    stored = read_json(folder.metrics)
    reads = int(stored.get("test_reads", 0)) + (row["scored_on"] == "test")
    write_json(folder.metrics, {"rows": {**stored.get("rows", {}), evaluator: row}, "test_reads": reads})


def _peak_memory() -> int:
    """Return the largest resident size of this process so far, in megabytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 if platform.system() == "Linux" else 1024 * 1024)
