"""Training steps recorded as CUDA graphs: one launch in place of the thousands whose cost is most of a step of small clips.

A graph holds sizes and addresses. So each shape of what a step is given has its own, what is given is copied to where it reads, and the
first steps of a shape are run as they are, until torch and the libraries below it have chosen what to run. What a step finds in attributes
of the objective's modules is given like the rest, and what it leaves there is put back after each replay; a plain value that changed
between steps makes all graphs anew.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeAlias

import attrs
import torch
from torch import Generator, Tensor, nn

from mgbench.errors import MgbenchError


#: A step: what changes between steps of one shape, its loss.
Learn: TypeAlias = Callable[[Sequence[Tensor | None]], Tensor]
#: Records what a call does, and returns what it gives and what does it again.
Record: TypeAlias = Callable[[Callable[[], Tensor]], tuple[Tensor, Callable[[], None]]]
#: A module, the name of an attribute, and its value.
_Attribute: TypeAlias = tuple[nn.Module, str, Tensor]
#: Steps of a shape that are run as they are, and phases after which one step at least must have been recorded.
_WARM, _PHASES = 3, 20
#: Attributes of any module that hold parameters, buffers, hooks and other modules.
_OF_ANY: Final = frozenset(vars(nn.Module())) - {"training"}


@attrs.frozen(eq=False)
class _Recorded:
    """A step of one shape: where it reads what it is given and what it finds in attributes, its loss, what repeats it, what it leaves."""

    given: list[Tensor | None]
    found: list[_Attribute]
    loss: Tensor
    replay: Callable[[], None]
    left: list[_Attribute]


class Captured:
    """A step from drawing views to descent: recorded once for every shape of what it is given, and replayed.

    Args:
        learn: the step; of its random numbers all come from generators that `record` knows.
        objective: what it trains.
        begin: returns how calls are recorded; asked anew for every phase, whose graphs share no memory with those of another.
    """

    def __init__(self, learn: Learn, objective: nn.Module, begin: Callable[[], Record]) -> None:
        self._learn, self._begin = learn, begin
        self._modules = tuple(objective.modules())
        self._own = {_place(one) for one in (*objective.parameters(), *objective.buffers())}
        self._record = begin()
        self._phase: tuple[object, ...] = ()
        self._phases = 0  # that passed without a recorded step
        self._seen: Counter[object] = Counter()
        self._steps: dict[object, _Recorded] = {}

    def __call__(self, given: Sequence[Tensor | None]) -> Tensor:
        """Take the step, and return the loss, which the next step overwrites."""
        phase, lying = self._attributes()
        if phase != self._phase:
            self._phases = 0 if self._steps else self._phases + 1
            if self._phases > _PHASES:
                msg = "The method changes a plain value of its modules in every step, which no graph can hold; run it without --capture."
                raise MgbenchError(msg)
            self._phase, self._seen, self._steps, self._record = phase, Counter(), {}, self._begin()
        found = [(id(module), name, value.shape, value.dtype) for module, name, value in lying]
        shape = (*(None if one is None else (one.shape, one.dtype) for one in given), *found)
        if shape not in self._steps:
            self._seen[shape] += 1
            if self._seen[shape] <= _WARM:
                return self._learn(given)
            self._steps[shape] = self._recorded(given, lying)
        step = self._steps[shape]
        for kept, new in zip(step.given, given, strict=True):
            if kept is not None and new is not None:
                kept.copy_(new)
        for module, name, kept in step.found:
            if (now := getattr(module, name)) is not kept:
                kept.copy_(now)
        step.replay()
        _put(step.left)
        return step.loss

    def _recorded(self, given: Sequence[Tensor | None], lying: Iterable[_Attribute]) -> _Recorded:
        held = [None if one is None else one.clone() for one in given]
        clones = {id(value): value.detach().clone() for _, _, value in lying}  # two names of one tensor stay that
        found = [(module, name, clones[id(value)]) for module, name, value in lying]
        _put(found)
        loss, replay = self._record(lambda: self._learn(held))
        _, left = self._attributes()
        _put(found)  # what was recorded is still to be computed
        return _Recorded(held, found, loss, replay, left)

    def _attributes(self) -> tuple[tuple[object, ...], list[_Attribute]]:
        """Return the plain values among modules' attributes, on which depends what a step computes, and the tensors.

        Those that lie where a parameter or a buffer does are these by another name.
        """
        plain: list[object] = []
        tensors: list[_Attribute] = []
        for module in self._modules:
            held = vars(module)
            for name in sorted(held.keys() - _OF_ANY):
                value = held[name]
                if value is None or isinstance(value, bool | int | float | str):
                    plain.append((id(module), name, value))
                elif isinstance(value, Tensor) and _place(value) not in self._own:
                    tensors.append((module, name, value))
        return tuple(plain), tensors


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


def _place(tensor: Tensor) -> int:
    """Return where the memory begins that a tensor is a view of."""
    return tensor.untyped_storage().data_ptr()


def _put(attributes: Iterable[_Attribute]) -> None:
    for module, name, value in attributes:
        setattr(module, name, value)
