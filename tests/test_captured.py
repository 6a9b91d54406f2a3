"""Recorded steps: what surrounds CUDA graphs is held to the plain step, with something on the processor in a graph's place."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from learning import drifting, losses
from mgbench_plugins.augmentations.flip import Flip
from mgbench_plugins.augmentations.part_swap import PartSwap
from mgbench_plugins.augmentations.shear import Shear
from mgbench_plugins.encoders.stgcn import STGCN
from mgbench_plugins.methods.actclr import ActCLR
from mgbench_plugins.methods.byol import BYOL
from mgbench_plugins.methods.mgrl import MGRL
from mgbench_plugins.methods.skeletonclr import SkeletonCLR
from torch import Tensor, nn

from mgbench import Backbone, Method, Recipe, SpecError, load_skeleton
from mgbench.arithmetic import Arithmetic
from mgbench.captured import Captured, Learn, Record
from mgbench.data import Dense
from mgbench.errors import MgbenchError
from mgbench.train import Training, derive_seed, descend, pretrain


class Replays:
    """In a graph's place: repeats a call, and writes its results to where they were at first, as a graph does."""

    def __init__(self) -> None:
        self.objective, self.plain = nn.Module(), False
        self.recorded = self.replayed = 0

    def made(self, learn: Learn, objective: nn.Module, begin: Callable[[], Record]) -> Learn:
        """Return the step, as it is or captured, and keep its objective."""
        self.objective = objective
        return learn if self.plain else Captured(learn, objective, self.begin)

    def begin(self) -> Record:
        """Return what records."""
        return self.record

    def record(self, call: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        """Return where the loss will be, and what takes the step."""
        self.recorded += 1
        loss, found = torch.zeros(()), self._tensors()
        for module, name, held in found:
            setattr(module, name, torch.full_like(held, torch.nan))  # a recorded step has computed nothing yet
        left = self._tensors()

        def replay() -> None:
            self.replayed += 1
            for module, name, held in found:
                setattr(module, name, held)
            loss.copy_(call())
            for module, name, held in left:
                held.copy_(getattr(module, name))
                delattr(module, name)  # a graph sets nothing

        return loss, replay

    def _tensors(self) -> list[tuple[nn.Module, str, Tensor]]:
        return [(one, name, held) for one in self.objective.modules() for name, held in vars(one).items() if isinstance(held, Tensor)]


class Traced(Replays):
    """The same of steps that change nothing but attributes and buffers: recording binds the names that the step binds."""

    def record(self, call: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        """Return where the loss will be, and what takes the step."""
        self.recorded += 1
        loss, found = torch.zeros(()), self._tensors()
        before = [(one, one.clone()) for one in (*self.objective.buffers(), *(held for *_, held in found))]
        call()
        left = self._tensors()
        for one, value in before:
            one.copy_(value)

        def replay() -> None:
            for module, name, held in found:
                setattr(module, name, held)
            loss.copy_(call())
            for module, name, held in left:
                if (made := getattr(module, name)) is not held:
                    held.copy_(made)
                delattr(module, name)

        return loss, replay


@pytest.fixture(name="replays")
def _replays(monkeypatch: pytest.MonkeyPatch) -> Replays:
    made = Replays()
    monkeypatch.setattr("mgbench.train.Captured", made.made)
    monkeypatch.setattr("mgbench.train.own_stream", lambda _: nullcontext())
    return made


METHODS = [
    (MGRL(projector=16, augment=(Shear(), Flip(p=0.5), PartSwap())), 10, 1),  # whose batches have several shapes
    (SkeletonCLR(queue=32), 6, 1),  # which leaves keys for after the step
    (BYOL(projection=16, hidden=16), 6, 1),
    (ActCLR(queue=32, mining=0.0, start=0.5), 12, 2),  # which computes other things from the middle on
]


@pytest.mark.parametrize(("method", "steps", "phases"), METHODS, ids=lambda one: getattr(one, "name", ""))
def test_replayed_steps_are_those_that_are_run(replays: Replays, method: Method, steps: int, phases: int) -> None:
    """Losses are equal to the bit, whatever the batch's shape, what steps leave behind, and phases; most steps are replays."""
    encoder, how = STGCN(width=1, features=16), Arithmetic(capture=True)
    captured, replays.plain = losses(method, encoder, steps, how=how), True
    plain = losses(method, encoder, steps, how=how)

    assert captured.tolist() == plain.tolist()
    assert replays.recorded >= phases
    assert replays.replayed > 0


def test_each_shape_is_recorded_once(replays: Replays) -> None:
    """A batch of a shape that was there before replays what was recorded of it, with its own numbers."""
    steps = 24
    losses(MGRL(projector=16), STGCN(width=1, features=16), steps, how=Arithmetic(capture=True))

    assert 1 < replays.recorded <= 5  # numbers of joints that stay
    assert replays.replayed <= steps - 3 * replays.recorded


def test_a_step_finds_what_the_last_one_left() -> None:
    """Also where both are replayed, or of different shapes: an attribute that is read is not the one of the day of recording."""
    replays = Traced()

    def losses_of(captured: bool) -> list[float]:
        objective = replays.objective = nn.Linear(1, 1)
        objective.last = torch.zeros(())

        def learn(given: Sequence[Tensor | None]) -> Tensor:
            assert given[0] is not None
            loss = given[0].sum() + 2 * objective.last
            objective.last = given[0].sum()
            return loss

        step = Captured(learn, objective, replays.begin) if captured else learn
        return [float(step([torch.full((1 + number % 2,), float(number))])) for number in range(16)]

    assert losses_of(captured=True) == losses_of(captured=False)
    assert replays.recorded == 2


@pytest.mark.parametrize("names", [("one", "two"), ("one", "tail")])
def test_what_is_one_tensor_stays_one(names: tuple[str, str]) -> None:
    """Of two names, and where a name is a view into a buffer: what is written under one is read under the other."""
    replays = Traced()

    def losses_of(captured: bool) -> list[float]:
        objective = replays.objective = nn.Linear(1, 1)
        objective.register_buffer("queue", torch.zeros(3))
        objective.one = torch.zeros(1)
        objective.two, objective.tail = objective.one, objective.get_buffer("queue")[2:]

        def learn(given: Sequence[Tensor | None]) -> Tensor:
            assert given[0] is not None
            with torch.no_grad():
                getattr(objective, names[0]).add_(given[0])
                objective.tail.add_(given[0])
            return getattr(objective, names[1]).sum() + objective.get_buffer("queue").sum()

        step = Captured(learn, objective, replays.begin) if captured else learn
        return [float(step([torch.full((1,), float(number))])) for number in range(8)]

    assert losses_of(captured=True) == losses_of(captured=False)


def test_attributes_that_come_and_go_are_told() -> None:
    """What one step leaves under one name and the next under another is not taken for the same, but for what no graph can hold."""
    objective = nn.Linear(1, 1)
    objective.one, objective.two = torch.zeros(1), None

    def learn(given: Sequence[Tensor | None]) -> Tensor:
        objective.one, objective.two = (given[0], None) if objective.one is None else (None, given[0])
        return torch.zeros(())

    taken = Captured(learn, objective, Replays().begin)
    with pytest.raises(MgbenchError, match="changes a plain value"):
        [taken([torch.full((1,), float(number))]) for number in range(40)]


def test_graphs_know_the_generator_of_augmentations(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is registered, so that a replayed step draws on; that of masks is the processor's, and is not."""
    known: list[torch.Generator] = []

    def noted(*generators: torch.Generator) -> Record:
        known.extend(generators)
        return Replays().record

    monkeypatch.setattr("mgbench.train.cuda_graphs", noted)
    monkeypatch.setattr("mgbench.train.own_stream", lambda _: nullcontext())
    losses(MGRL(projector=16), STGCN(width=1, features=16), 1, how=Arithmetic(capture=True))

    assert [one.initial_seed() for one in known[:1]] == [derive_seed(0, "augment")]
    assert len({one.initial_seed() for one in known}) == 1


def test_masks_go_on_where_a_checkpoint_was(replays: Replays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their own generator is kept with the others: a training that was ended makes the steps that it would have made."""
    replays.plain, left = True, [8]

    def train(checkpoint: Path) -> Tensor:
        torch.manual_seed(0)
        method = MGRL(projector=16, recipe=Recipe(epochs=1, batch_size=16))
        objective = method.build(Backbone(STGCN(width=1, features=16), load_skeleton("kinect25"), 1), 4)
        data = Dense(drifting(), torch.zeros(16, dtype=torch.long), torch.full((16,), 20))
        training = Training(0, Arithmetic(capture=True), 12, checkpoint, 0.0, lambda _: None)
        return pretrain(objective, method, data, load_skeleton("kinect25"), training)[0]

    def ending(*given: Any) -> None:
        left[0] -= 1
        if not left[0]:
            raise InterruptedError
        descend(*given)

    undisturbed = train(tmp_path / "calm.pt")
    monkeypatch.setattr("mgbench.train.descend", ending)
    with pytest.raises(InterruptedError):
        train(tmp_path / "ended.pt")

    assert torch.equal(train(tmp_path / "ended.pt"), undisturbed)


def test_what_changes_in_every_step_is_not_taken_for_recorded() -> None:
    """A count in Python, as of steps, would keep all graphs from being replayed; that is said, and not hidden."""
    objective = nn.Linear(1, 1)

    def learn(_: Sequence[Tensor | None]) -> Tensor:
        objective.in_features += 1
        return torch.zeros(())

    taken = Captured(learn, objective, Replays().begin)
    for _ in range(20):
        taken([])
    with pytest.raises(MgbenchError, match="changes a plain value of its modules in every step"):
        taken([])


@pytest.mark.parametrize(("how", "words"), [(Arithmetic(capture=True), "--capture got"), (Arithmetic("tf32"), "--precision tf32 got")])
def test_what_needs_a_gpu_is_refused_without_one(how: Arithmetic, words: str) -> None:
    """In a sentence that names the option; a GPU takes it."""
    with pytest.raises(SpecError, match=f"{words} a machine without a GPU"):
        how.check(gpu=False)
    how.check(gpu=True)
    Arithmetic("bf16", compile=True).check(gpu=False)


def test_precision_holds_within_a_training_alone() -> None:
    """Products and convolutions of float32 are exact unless they are asked not to be; what was set before is set again."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    with Arithmetic("tf32").within():
        assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == ("high", True)
        with Arithmetic("fp32").within():
            assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == ("highest", False)
    assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == before
