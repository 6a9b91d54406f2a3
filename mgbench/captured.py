"""Training steps recorded as CUDA graphs: one launch in place of the thousands whose cost is most of a step of small clips.

A graph holds sizes and addresses. So each shape of what a step is given has its own, what is given is copied to where it reads, and the
first steps of a shape are run as they are, until torch and the libraries below it have chosen what to run. What a step leaves in
attributes of the objective's modules is put back after each replay; a plain value that changed between steps makes all graphs anew.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import attrs
import torch
from torch import Generator, Tensor, nn

from mgbench.errors import MgbenchError


#: A step: what changes between steps of one shape, its loss.
Learn: TypeAlias = Callable[[Sequence[Tensor | None]], Tensor]
#: Records what a call does, and returns what it gives and what does it again.
Record: TypeAlias = Callable[[Callable[[], Tensor]], tuple[Tensor, Callable[[], None]]]
#: Steps of a shape that are run as they are, and phases after which one step at least must have been recorded.
_WARM, _PHASES = 3, 20


@attrs.frozen(eq=False)
class _Recorded:
    """A step of one shape: where it reads what it is given, its loss, what repeats it, and what it leaves in attributes."""

    given: list[Tensor | None]
    loss: Tensor
    replay: Callable[[], None]
    left: list[tuple[nn.Module, str, Tensor]]


class Captured:
    """A step from drawing views to descent: recorded once for every shape of what it is given, and replayed.

    Args:
        learn: the step; of its random numbers all come from generators that `record` knows.
        objective: what it trains.
        begin: returns how calls are recorded; asked anew for every phase, whose graphs share no memory with those of another.
    """

    def __init__(self, learn: Learn, objective: nn.Module, begin: Callable[[], Record]) -> None:
        self._learn, self._objective, self._begin = learn, objective, begin
        self._record = begin()
        self._phase: tuple[object, ...] = ()
        self._phases = 0  # that passed without a recorded step
        self._seen: Counter[object] = Counter()
        self._steps: dict[object, _Recorded] = {}

    def __call__(self, given: Sequence[Tensor | None]) -> Tensor:
        """Take the step, and return the loss, which the next step overwrites."""
        if (phase := _phase(self._objective)) != self._phase:
            self._phases = 0 if self._steps else self._phases + 1
            if self._phases > _PHASES:
                msg = "The method changes a plain value of its modules in every step, which no graph can hold; run it without --capture."
                raise MgbenchError(msg)
            self._phase, self._seen, self._steps, self._record = phase, Counter(), {}, self._begin()
        shape = tuple(None if one is None else (one.shape, one.dtype) for one in given)
        if shape not in self._steps:
            self._seen[shape] += 1
            if self._seen[shape] <= _WARM:
                return self._learn(given)
            self._steps[shape] = self._recorded(given)
        step = self._steps[shape]
        for kept, new in zip(step.given, given, strict=True):
            if kept is not None and new is not None:
                kept.copy_(new)
        step.replay()
        for module, name, value in step.left:
            setattr(module, name, value)
        return step.loss

    def _recorded(self, given: Sequence[Tensor | None]) -> _Recorded:
        held = [None if one is None else one.clone() for one in given]
        loss, replay = self._record(lambda: self._learn(held))
        left = [(module, name, value) for module, name, value in _attributes(self._objective) if isinstance(value, Tensor)]
        return _Recorded(held, loss, replay, left)


def cuda_graphs(*generators: Generator) -> Record:
    """Return what records CUDA graphs that share their memory, and draw from these generators and torch's own as a step would."""
    pool = torch.cuda.graph_pool_handle()

    def record(call: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        graph = torch.cuda.CUDAGraph()
        for generator in generators:
            graph.register_generator_state(generator)
        try:
            with torch.cuda.graph(graph, pool=pool, stream=torch.cuda.current_stream()):
                loss = call()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            first = str(error.__context__ or error).partition("\n")[0]  # what ended the recording, not that it could not be ended
            msg = f"A training step waits for the GPU or copies to it ({first}), which no graph can hold; run it without --capture."
            raise MgbenchError(msg) from error
        return loss, graph.replay

    return record


@contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """Run what is recorded, and the steps before it, on one stream of their own, as recording demands."""
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    try:
        with torch.cuda.stream(stream):
            yield
    finally:
        torch.cuda.current_stream(device).wait_stream(stream)


def _attributes(objective: nn.Module) -> Iterator[tuple[nn.Module, str, object]]:
    """Yield the attributes of all modules but for parameters and buffers, which stay where they are."""
    for module in objective.modules():
        yield from ((module, name, value) for name, value in vars(module).items())


def _phase(objective: nn.Module) -> tuple[object, ...]:
    """Return the plain values among attributes, on which depends what a step computes."""
    return tuple(value for _, _, value in _attributes(objective) if isinstance(value, bool | int | float | str))
