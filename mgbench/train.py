"""The one training loop: clips on the device, batched augmentation, no host synchronisation within a step.

A run that is killed continues from its checkpoint to the same weights, bit for bit, on the CPU.
"""

import hashlib
import io
import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import attrs
import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from mgbench.arithmetic import Arithmetic
from mgbench.captured import Captured, Learn, cuda_graphs, own_stream
from mgbench.components import Method, Recipe
from mgbench.data import Dense
from mgbench.errors import MgbenchError
from mgbench.model import Batch, Objective, View
from mgbench.skeleton import Skeleton
from mgbench.store import write_bytes


Purpose = Literal["init", "order", "augment", "masks", "dropout", "prepare", "probe"]


class DivergedError(MgbenchError):
    """The loss became infinite or not a number."""


def derive_seed(seed: int, purpose: Purpose) -> int:
    """Return the seed of one purpose, so that a new augmentation changes no order of clips."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=7).digest(), "little")


@attrs.frozen
class Progress:
    """Where a training stands."""

    step: int
    steps: int
    loss: float
    clips_per_second: float
    seconds_left: float


@attrs.frozen
class Training:
    """How one cell is trained, apart from its method.

    Args:
        arithmetic: how it computes.
        steps: optimiser steps; None for the recipe's epochs.
        checkpoint: file that holds the state of an unfinished training.
        checkpoint_seconds: at most one checkpoint in so many seconds.
        report: called about once a second.
    """

    seed: int
    arithmetic: Arithmetic
    steps: int | None
    checkpoint: Path
    checkpoint_seconds: float
    report: Callable[[Progress], None]


def steps_of(recipe: Recipe, clips: int, steps: int | None) -> tuple[int, int]:
    """Return steps and clips a step for so many recorded clips; an incomplete batch of an epoch is left to the next order of clips.

    Clips that were made before training lengthen no epoch, so that methods which make some process no more than others.
    """
    batch = min(recipe.batch_size, clips)
    return (recipe.epochs * (clips // batch) if steps is None or not recipe.epochs else steps), batch


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """Return the rate of a step: linear warm-up over the recipe's share of epochs, then its schedule.

    Rates change every step; the public code of the field changes them every epoch and spends its first epoch at zero.
    """
    warm = steps * recipe.warmup / max(recipe.epochs, 1)
    if step < warm:
        return recipe.lr * (step + 1) / (warm + 1)
    done = (step - warm) / max(steps - warm, 1)
    if recipe.schedule == "cosine":
        return recipe.lr_end + (recipe.lr - recipe.lr_end) * 0.5 * (1 + math.cos(math.pi * done))
    if recipe.schedule == "exponential":
        return recipe.lr * math.exp(done * math.log(recipe.lr_end / recipe.lr))
    if recipe.schedule == "step":
        passed = sum(step >= share * steps for share in recipe.milestones)
        return recipe.lr * recipe.gamma**passed
    return recipe.lr


def make_optimizer(
    recipe: Recipe, parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]], captured_on: torch.device | None = None
) -> Optimizer:
    """Make the recipe's optimiser, of parameters or of groups of them; `scale` of a group is what `set_rate` multiplies its rate by.

    Steps that are captured on a device find their rate and their number there.
    """
    rate = recipe.lr if captured_on is None else torch.tensor(recipe.lr, device=captured_on)
    if recipe.optimizer == "sgd":
        nesterov = recipe.nesterov and recipe.momentum > 0
        fused = True if captured_on is not None else None
        return torch.optim.SGD(parameters, rate, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=nesterov, fused=fused)
    if recipe.optimizer == "lbfgs":
        msg = "The optimiser 'lbfgs' is for convex probes; train a method with adam, adamw or sgd."
        raise MgbenchError(msg)
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return kind(
        parameters, rate, weight_decay=recipe.weight_decay, fused=True, capturable=captured_on is not None and captured_on.type == "cuda"
    )


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate of every group, where it lies."""
    for group in optimizer.param_groups:
        own = rate * group.get("scale", 1.0)
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(own)
        else:
            group["lr"] = own


def descend(optimizer: Optimizer, loss: Tensor, clip: float) -> None:
    """Take one step down the loss, the gradients' norm limited to `clip` unless that is 0."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if clip:
        nn.utils.clip_grad_norm_([weight for group in optimizer.param_groups for weight in group["params"]], clip)
    optimizer.step()


def draw_batch(
    method: Method, data: Dense, index: Tensor, skeleton: Skeleton, generator: Generator, masks: Sequence[View] | None = None
) -> Batch:
    """Draw the views of these clips: the common pipeline, then each view's own, with draws of their own.

    Given what `draw_masks` drew, augmentations that decide shapes are left out.
    """
    views = []
    for place, pipeline in enumerate(method.views):
        view = View(data.x[index]) if masks is None else masks[place]._replace(x=data.x[index])
        for augmentation in (*method.augment, *pipeline):
            if masks is None or not augmentation.decides_shapes:
                view = augmentation.apply(view, skeleton, generator)
        views.append(view)
    label = data.label if data.shares is None else data.shares
    return Batch(tuple(views), label[index] if method.uses_labels else None, index, data.length[index])


def draw_masks(method: Method, clips: Tensor, skeleton: Skeleton, generator: Generator) -> tuple[View, ...]:
    """Return for each view what augmentations that decide shapes draw for as many clips, whose coordinates they neither read nor change."""
    views = []
    for pipeline in method.views:
        view = View(clips)
        for augmentation in (*method.augment, *pipeline):
            if augmentation.decides_shapes:
                view = augmentation.apply(view, skeleton, generator)
        views.append(view)
    return tuple(views)


@attrs.define
class _State:
    """All that changes during training; `learn` takes a step, given clip numbers and what `masks`, if there is one, drew for each view."""

    objective: Objective
    learn: Learn
    optimizer: Optimizer | None
    augment: Generator
    masks: Generator | None
    losses: Tensor
    step: int = 0
    seconds: float = 0.0

    def save(self, path: Path) -> None:
        buffer = io.BytesIO()
        optimizer = self.optimizer.state_dict() if self.optimizer else {}
        generators = {"augment": self.augment.get_state(), "dropout": torch.get_rng_state()}
        if self.masks is not None:
            generators["masks"] = self.masks.get_state()
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        state = {"objective": self.objective.state_dict(), "optimizer": optimizer, "losses": self.losses}
        counts = {"step": self.step, "seconds": self.seconds}
        torch.save({**state, **counts, "generators": generators, "cuda": cuda}, buffer)
        write_bytes(path, buffer.getvalue())

    def restore(self, path: Path) -> None:
        state: dict[str, Any] = torch.load(path, weights_only=True)
        self.objective.load_state_dict(state["objective"])
        if self.optimizer:
            self.optimizer.load_state_dict(state["optimizer"])
        self.augment.set_state(state["generators"]["augment"])
        if self.masks is not None:
            if "masks" not in state["generators"]:
                msg = f"{path} was written before masks had a generator of their own; delete it, and the training begins anew."
                raise MgbenchError(msg)
            self.masks.set_state(state["generators"]["masks"])
        torch.set_rng_state(state["generators"]["dropout"])
        if state["cuda"]:
            torch.cuda.set_rng_state_all(state["cuda"])
        self.losses.copy_(state["losses"])
        self.step, self.seconds = state["step"], state["seconds"]


def pretrain(objective: Objective, method: Method, data: Dense, skeleton: Skeleton, training: Training) -> tuple[Tensor, float]:
    """Train an objective and return the loss of every step `(steps,)` and the seconds that all of them took.

    Continues from the checkpoint where there is one; the seconds before it count.

    Raises `DivergedError` when the loss is no longer finite.
    """
    with ExitStack() as within:
        within.enter_context(training.arithmetic.within())
        if training.arithmetic.capture:
            within.enter_context(own_stream(data.x.device))
        return _pretrain(objective, method.suited(objective.backbone.encoder), data, skeleton, training)


def _pretrain(objective: Objective, method: Method, data: Dense, skeleton: Skeleton, training: Training) -> tuple[Tensor, float]:
    steps, batch = steps_of(method.recipe, data.recorded, training.steps)
    state = _begin(objective, method, data, skeleton, training, steps)
    torch.manual_seed(derive_seed(training.seed, "dropout"))
    if training.checkpoint.is_file():
        state.restore(training.checkpoint)
    first, before, began = state.step, state.seconds, time.monotonic()
    reported = saved = began
    per_epoch = len(data.x) // batch
    epoch, order = -1, torch.empty(0, dtype=torch.long)
    while state.step < steps:
        place = state.step % per_epoch
        if state.step // per_epoch != epoch:
            epoch = state.step // per_epoch
            order = _epoch_order(training.seed, epoch, len(data.x)).to(data.x.device)  # at once, for the host waits for a copy
        if state.optimizer is not None:
            set_rate(state.optimizer, learning_rate(method.recipe, state.step, steps))
        masks = () if state.masks is None else draw_masks(method, data.x[:batch], skeleton, state.masks)
        given = [order[place * batch : (place + 1) * batch], *(kept for mask in masks for kept in mask[1:])]
        state.losses[state.step] = state.learn(given)
        state.step += 1
        objective.step(state.step / steps)
        now = time.monotonic()
        state.seconds = before + now - began
        if now - reported >= 1 or state.step == steps:
            reported = now
            _report(state, training, steps, batch, (state.step - first) / (now - began))
        if now - saved >= training.checkpoint_seconds and state.step < steps:
            saved = now
            state.save(training.checkpoint)
    return state.losses, state.seconds


def _epoch_order(seed: int, epoch: int, clips: int) -> Tensor:
    """Return the epoch's order of clips, a function of seed and epoch, so that there is nothing to save."""
    return torch.randperm(clips, generator=Generator().manual_seed(derive_seed(seed, "order") + epoch))


def _begin(objective: Objective, method: Method, data: Dense, skeleton: Skeleton, training: Training, steps: int) -> _State:
    """Return the state before the first step."""
    how, device = training.arithmetic, data.x.device
    augment, masks = Generator(device).manual_seed(derive_seed(training.seed, "augment")), None
    if how.capture or device.type != "cpu":
        masks = Generator().manual_seed(derive_seed(training.seed, "masks"))
    learned = [parameter for parameter in objective.parameters() if parameter.requires_grad]
    optimizer = make_optimizer(method.recipe, learned, device if how.capture else None) if learned else None
    forward: Callable[[Batch, Generator], dict[str, Tensor]] = torch.compile(objective, dynamic=False) if how.compile else objective

    def learn(given: Sequence[Tensor | None]) -> Tensor:
        index, *kept = given
        assert index is not None  # noqa: S101 - the first of them is
        size = len(View._fields) - 1
        named = None if masks is None else [View(data.x, *kept[place : place + size]) for place in range(0, len(kept), size)]
        batch = draw_batch(method, data, index, skeleton, augment, named)
        with torch.autocast(device.type, torch.bfloat16, enabled=how.precision == "bf16"):
            loss = forward(batch, augment)["loss"]
        if optimizer is not None:
            descend(optimizer, loss, method.recipe.clip)
        return loss.detach()

    taken = Captured(learn, objective, lambda: cuda_graphs(augment)) if how.capture else learn
    return _State(objective.train(), taken, optimizer, augment, masks, torch.zeros(steps, device=device))


def _report(state: _State, training: Training, steps: int, batch: int, steps_per_second: float) -> None:
    if not bool(torch.isfinite(state.losses[: state.step]).all()):
        step = int(torch.isfinite(state.losses[: state.step]).int().argmin())
        msg = f"The loss is not finite from step {step + 1} of {steps} on; try a lower lr."
        raise DivergedError(msg)
    loss = float(state.losses[max(0, state.step - 10) : state.step].mean())
    training.report(Progress(state.step, steps, loss, steps_per_second * batch, (steps - state.step) / steps_per_second))
