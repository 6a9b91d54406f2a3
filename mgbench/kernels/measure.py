"""Speed, memory and error of the forms of a case: all in one run, error first, and no speed of what is wrong."""

import math
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from mgbench.kernels.cases import TOLERANCE, Case, Form, Mode


DTYPES: Final = {"fp64": torch.float64, "fp32": torch.float32, "bf16": torch.bfloat16}

#: Milliseconds that the quickest form's turn takes at least, and how often a form is called in a turn at most.
_TURN: Final = 5.0
_CALLS: Final = 20


@attrs.frozen
class Ceilings:
    """What the machine reaches at best.

    Args:
        copy: bytes read and written a second when copying, by how many bytes source and target have together, smallest first.
        multiply: operations a second when multiplying matrices, by dtype.
    """

    copy: dict[int, float]
    multiply: dict[str, float]

    def copying(self, touched: int) -> float:
        """Return the best speed of copies that touch so many bytes, down to half as many, or more: what fits in cache is faster."""
        return max([speed for size, speed in self.copy.items() if size > touched / 2] or [list(self.copy.values())[-1]])


@attrs.frozen
class Row:
    """One form of a case, in one dtype and mode; times are None where its result is wrong, or the reference's.

    Args:
        rms: error of values and gradients against float64, relative to their root mean square; the worst of them.
        largest: the largest error, relative to the largest number.
        steady: whether three runs give the same bits.
        rounds: milliseconds of processor time in each round; also the least and the median of them.
        ratio: the reference's least time over this one's, from the same rounds; also of the medians.
        limit: milliseconds that the machine needs at least, by its measured ceilings.
        memory: bytes of torch's allocator that forward and backward held at most above inputs.
        why: why there are no times.
    """

    op: str
    shape: str
    dtype: str
    mode: Mode
    form: str
    rms: float
    largest: float
    sound: bool
    steady: bool
    limit: float
    traffic: int
    flops: int
    least: float | None = None
    median: float | None = None
    ratio: float | None = None
    ratio_of_medians: float | None = None
    memory: int | None = None
    rounds: tuple[float, ...] = ()
    why: str | None = None


_CPU: Final = torch.device("cpu")


def drawn(case: Case, dtype: torch.dtype, device: torch.device = _CPU) -> list[Tensor]:
    """Return inputs, clips with their channels last."""
    return [x.to(device, dtype) for x in case.draw()]


def _results(form: Form, inputs: list[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """Return the value and the gradient of every input towards drawn numbers that the dtype has, in float64, all with channels last."""
    laid = form.inputs(inputs)
    y = form.compute(*laid)
    towards = torch.randn(form.common(y).shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64).to(y.device, dtype)
    clips, *others = torch.autograd.grad(y, laid, form.laid(towards.to(y.dtype)))
    return [z.double() for z in (form.common(y.detach()), form.common(clips), *others)]


def errors(case: Case, dtype: torch.dtype, device: torch.device = _CPU) -> dict[str, tuple[float, float]]:
    """Return for every form the worst relative error of value and gradients: root mean square, and largest.

    The truth is the reference in float64, of inputs as the dtype has them.
    """
    inputs = drawn(case, dtype, device)
    wide = [x.double() for x in inputs]
    reference = next(iter(case.forms.values()))
    truth = _results(reference, wide, dtype)
    found = {}
    for name, form in case.forms.items():
        got = _results(form, inputs, dtype)
        if [one.shape for one in got] != [two.shape for two in truth]:
            found[name] = (math.inf, math.inf)
            continue
        apart = [(one - two).abs() for one, two in zip(got, truth, strict=True)]
        rms = torch.stack([gap.norm() / right.norm().clamp_min(1e-300) for gap, right in zip(apart, truth, strict=True)])
        largest = torch.stack([gap.max() / right.abs().max().clamp_min(1e-300) for gap, right in zip(apart, truth, strict=True)])
        found[name] = (float(rms.max()), float(largest.max()))  # a NaN anywhere stays one, which Python's max would lose
    return found


def steady(case: Case, form: str, dtype: torch.dtype, device: torch.device = _CPU) -> bool:
    """Tell whether three runs give the same values and gradients, bit for bit."""
    inputs = drawn(case, dtype, device)
    first, *others = (_results(case.forms[form], inputs, dtype) for _ in range(3))
    return all(torch.equal(one, two) for other in others for one, two in zip(first, other, strict=True))


def within(error: tuple[float, float], dtype: torch.dtype) -> bool:
    """Tell whether an error is one that the dtype allows; what is not a number is not."""
    return all(got <= allowed for got, allowed in zip(error, TOLERANCE[dtype], strict=True))


def _timed(call: Callable[[], object], repeats: int = 1) -> float:
    """Return milliseconds of processor time a call."""
    began = time.process_time()
    for _ in range(repeats):
        call()
    return 1000 * (time.process_time() - began) / repeats


def caller(form: Form, inputs: list[Tensor], mode: Mode) -> Callable[[], object]:
    """Return a call that computes the value, or value and gradients; its inputs are laid out beforehand, and are not copied."""
    laid = form.inputs(inputs)

    def both() -> object:
        y = form.compute(*laid)
        return torch.autograd.grad(y, laid, torch.ones_like(y))

    def forward() -> object:
        with torch.no_grad():
            return form.compute(*laid)

    return both if mode == "both" else forward


def times(case: Case, forms: Iterable[str], dtype: torch.dtype, mode: Mode, rounds: int) -> dict[str, list[float]]:
    """Return milliseconds of processor time of the named forms, taken in turns; every other round goes through them backwards.

    In a turn every form is called equally often, so that none has more chances of a quiet moment or a warmer cache than another.
    """
    inputs = drawn(case, dtype)
    calls = {name: caller(case.forms[name], inputs, mode) for name in forms}
    found: dict[str, list[float]] = {name: [] for name in calls}
    first = {name: _timed(call) for name, call in calls.items()}
    quickest = _timed(calls[min(first, key=first.__getitem__)])  # warm by now
    repeats = max(1, min(_CALLS, math.ceil(_TURN / max(quickest, 1e-3))))
    for turn in range(rounds):
        for name in reversed(calls) if turn % 2 else calls:
            found[name].append(_timed(calls[name], repeats))
    return found


def ceilings(dtypes: Iterable[str]) -> Ceilings:
    """Measure what the machine reaches at best on one thread."""
    copy = {}
    for size in (2**power for power in range(14, 30)):
        source = torch.ones(size // 8)
        target = torch.empty_like(source)
        repeats = max(1, 2**24 // size)
        copy[size] = 1000 * size / min(_timed(lambda source=source, target=target: target.copy_(source), repeats) for _ in range(7))  # type: ignore[misc]  # a lambda with defaults has no type
    multiply = {}
    for name in dtypes:
        a = torch.ones(1024, 1024, dtype=DTYPES[name])
        multiply[name] = 2 * 1024**3 / min(_timed(lambda a=a: a @ a) for _ in range(10)) * 1000  # type: ignore[misc]  # as above
    return Ceilings(copy, multiply)


@contextmanager
def _silent() -> Iterator[None]:
    """Keep from the terminal what the profiler writes to it."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def peak(call: Callable[[], object]) -> int:
    """Return the most bytes of torch's allocator that a call held at once, its result among them, above what was held before.

    Every allocation on the processor is counted, also within operators; not what oneDNN and MKL get from the system by themselves.
    """
    with _silent(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        result = call()
    del result
    assert profiler.profiler is not None  # noqa: S101 - it has run
    held = most = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


def peak_memory(case: Case, form: str, dtype: str) -> int:
    """Return the bytes that a form holds at most for value and gradients, above its inputs."""
    return peak(caller(case.forms[form], drawn(case, DTYPES[dtype]), "both"))


def bench(case: Case, dtype: str, mode: Mode, rounds: int, machine: Ceilings) -> Iterator[Row]:
    """Yield a row for each form of a case."""
    kind = DTYPES[dtype]
    found = errors(case, kind)
    sound = [name for name, error in found.items() if within(error, kind)]
    reference = next(iter(case.forms))
    taken = times(case, sound, kind, mode, rounds) if reference in sound else {}
    work = case.work[mode]
    traffic = work.traffic * kind.itemsize
    limit = 1000 * max(traffic / machine.copying(work.touched * kind.itemsize), work.flops / machine.multiply[dtype])
    for name, (rms, largest) in found.items():
        same = steady(case, name, kind)
        row = Row(case.op, case.shape, dtype, mode, name, rms, largest, name in sound, same, limit, traffic, work.flops)
        if name in taken:
            mine, other = taken[name], taken[reference]
            figures: dict[str, Any] = {
                "rounds": tuple(mine),
                "least": min(mine),
                "median": statistics.median(mine),
                "ratio": min(other) / min(mine),
                "ratio_of_medians": statistics.median(other) / statistics.median(mine),
                "memory": peak_memory(case, name, dtype) if mode == "both" else None,
            }
            yield attrs.evolve(row, **figures)
        else:
            yield attrs.evolve(row, why=f"{reference} is wrong" if name in sound else "wrong")
