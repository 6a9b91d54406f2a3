"""How a cell comes by its embedder: read back, trained, or trained on another data set and carried over."""

from typing import Any

import attrs
import torch
from torch import Tensor

from mgbench.arithmetic import arithmetic_of
from mgbench.data import Dense, Fold, enlarged
from mgbench.errors import MgbenchError
from mgbench.fingerprint import source_fingerprint
from mgbench.flops import forward_flops
from mgbench.grid import Cell
from mgbench.model import Backbone, Objective
from mgbench.preprocessings import preprocessing
from mgbench.pretrained import Pretrained, rebuild
from mgbench.stage import Stage
from mgbench.store import CellFolder, read_json, write_json
from mgbench.train import Training, derive_seed, pretrain
from mgbench.transfer import Transfer, recalibrate
from mgbench.work import Work, open_data


Facts = dict[str, Any]


def make_pretrained(work: Work, fold: Fold, fit: Dense, stage: Stage) -> tuple[Pretrained, Facts]:
    """Return the embedder of a cell as it was saved, made before where it was not, and facts and origin of its training."""
    assert work.encoder is not None and work.method is not None  # noqa: S101, PT018 - the caller's branch
    folder = work.place.folder.pretrained
    described = read_json(folder / "pretrained.json")
    if not described:
        pretrained, facts = _carried(work, fold, fit, stage) if work.source is not None else _trained(work, fold, fit, stage)
        shape = {"persons": fold.facts.persons, "classes": len(fold.facts.classes)}
        described = {**shape, "facts": facts, "origin": stage.origin}
        pretrained.save(folder, described)
    read = rebuild(folder, work.encoder, work.method)  # also what was just saved, so that a later evaluator is handed nothing else
    read.embedder.to(fit.x.device)
    return read, described


def _trained(work: Work, fold: Fold, fit: Dense, stage: Stage) -> tuple[Pretrained, Facts]:
    """Train on the cell's own data set."""
    assert work.encoder is not None and work.method is not None  # noqa: S101, PT018 - the caller's branch
    cell, place, dataset, method = work.cell, work.place, fold.facts, work.method
    skeleton, device = dataset.skeleton, fit.x.device
    if method.prepare:
        stage.enter("augment")
        fit = _prepared(work, fold, fit)
    stage.enter("pretrain")
    torch.manual_seed(derive_seed(cell.seed, "init"))
    backbone = Backbone(work.encoder, skeleton, dataset.persons)
    objective: Objective = method.build(backbone, len(dataset.classes)).to(device)
    run = cell.run
    how = arithmetic_of(run)
    how.check(gpu=device.type == "cuda")
    training = Training(cell.seed, how, cell.steps, place.folder.checkpoint, place.checkpoint_seconds, stage.report)
    losses, seconds = pretrain(objective, method, fit, skeleton, training)
    facts = _training_facts(objective, backbone, losses, method.recipe.batch_size, fit)
    facts["train_seconds"] = round(seconds, 3)
    return Pretrained(objective.embedder().eval(), skeleton, preprocessing(cell.run.preprocess), cell.stream), facts


def _prepared(work: Work, fold: Fold, fit: Dense) -> Dense:
    """Return the clips to train on with those that set augmentations make, and leave in the cell's folder where each comes from."""
    assert work.method is not None  # noqa: S101 - the caller's branch
    cell, facts, clips = work.cell, fold.facts, fold.fit
    for place, augmentation in enumerate(work.method.prepare):
        given = clips
        clips = augmentation.apply(given, facts.skeleton, facts.classes, derive_seed(cell.seed, "prepare") + place)
        if clips.clip[: len(given)] != given.clip or (clips.label[len(given) :] != -1).any():
            msg = f"{augmentation} must return the clips that it is given and behind them new ones with the label -1; mgbench plugin check."
            raise MgbenchError(msg)
    told: Facts = {"pipeline": [str(augmentation) for augmentation in work.method.prepare], "digest": clips.digest}
    told |= {"recorded": len(fold.fit), "clips": clips.clip[len(fold.fit) :]}
    if clips.made is not None:
        donors = [[clips.clip[i] for i in pair] for pair in clips.made.donors]
        told |= {"donors": donors, "share": clips.made.share.tolist(), "notes": list(clips.made.notes)}
    write_json(work.place.folder.prepared, told)
    return enlarged(fit, clips, facts, preprocessing(cell.run.preprocess), cell.stream)


def _carried(work: Work, fold: Fold, fit: Dense, stage: Stage) -> tuple[Pretrained, Facts]:
    """Train on the data set before, unless its own cell has, carry the embedder over, and calibrate it on unlabelled training clips."""
    assert work.encoder is not None and work.method is not None  # noqa: S101, PT018 - the caller's branch
    assert work.source is not None and work.cell.pretrain_on is not None  # noqa: S101, PT018
    target, device = fold.facts, fit.x.device
    found = _taken_over(work, device)
    if found is None:
        before, dense, _ = open_data(work.source, work.cell.pretrain_on, work.cell, work.place, device)
        found = _trained(attrs.evolve(work, dataset=work.source, source=None), before, dense, stage)
    trained, facts = found
    stage.enter("transfer")
    torch.manual_seed(derive_seed(work.cell.seed, "init"))
    transfer = Transfer(work.encoder, work.method, len(target.classes), target.persons)
    embedder, moved = transfer.move(trained.embedder.cpu(), trained.skeleton, target.skeleton)
    embedder.to(device)
    recalibrate(embedder, fit)
    print(f"made anew: {', '.join(moved.anew) or 'nothing'}; by joint names: {', '.join(moved.by_name) or 'nothing'}")  # noqa: T201 - the log
    counts = {"carried_over": len(moved.whole), "carried_by_name": len(moved.by_name), "made_anew": len(moved.anew)}
    facts = {**facts, **counts, "shared_joints": moved.shared_joints}
    return Pretrained(embedder.eval(), target.skeleton, trained.preprocessing, trained.stream), facts


def _taken_over(work: Work, device: torch.device) -> tuple[Pretrained, Facts] | None:
    """Return what the cell of the data set before has trained with today's code, or None where there is no such cell."""
    origin: Cell | None = work.cell.origin
    assert origin is not None and work.encoder is not None  # noqa: S101, PT018 - the caller's branch
    folder = CellFolder(work.place.store / "cells" / origin.name).pretrained
    described = read_json(folder / "pretrained.json")
    if not described or described["origin"]["source"] != source_fingerprint(origin):
        return None
    read = rebuild(folder, work.encoder, work.method)
    read.embedder.to(device)
    if prepared := read_json(CellFolder(folder.parent).prepared):
        write_json(work.place.folder.prepared, {key: value for key, value in prepared.items() if key != "schema"})
    return read, described["facts"]


def _training_facts(objective: Objective, backbone: Backbone, losses: Tensor, batch_size: int, fit: Dense) -> Facts:
    clips = fit.recorded
    return {
        "steps": len(losses),
        "batch_size": min(batch_size, clips),
        "clips_processed": len(losses) * min(batch_size, clips),
        "first_loss": float(losses[0]) if len(losses) else None,
        "last_loss": float(losses[-10:].mean()) if len(losses) else None,
        "forward_flops": _counted_flops(backbone, tuple(fit.x.shape[1:])),
        "backbone_parameters": sum(parameter.numel() for parameter in backbone.parameters()),
        "parameters": sum(parameter.numel() for parameter in objective.parameters()),
    }


def _counted_flops(backbone: Backbone, shape: tuple[int, ...]) -> int | None:
    """Return the operations of a forward pass, or None where they cannot be counted, which the cell's log explains."""
    try:
        return forward_flops(backbone, shape)
    except Exception as error:  # noqa: BLE001 - whatever a third party's network raises without data costs no result
        print(f"The operations of a forward pass cannot be counted: {error}")  # noqa: T201 - the log
        return None
