"""Speed, memory and error of the forms of a case: all in one run, error first, and no speed of what is wrong."""

import math
import multiprocessing
import resource
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Literal

import attrs
import torch
from torch import Tensor

from mgbench.kernels.cases import CASES, TOLERANCE, Case, Form


Mode = Literal["forward", "both"]
DTYPES: Final = {"fp64": torch.float64, "fp32": torch.float32, "bf16": torch.bfloat16}


@attrs.frozen
class Ceilings:
    """What the machine reaches at best: bytes a second when copying, operations a second when multiplying matrices, by dtype."""

    copy: float
    multiply: dict[str, float]


@attrs.frozen
class Row:
    """One form of a case, in one dtype and mode; times are None where its result is wrong.

    Args:
        rms: error of values and gradients against float64, relative to their root mean square; the worst of them.
        largest: the largest error, relative to the largest number.
        steady: whether three runs give the same bits.
        rounds: milliseconds of processor time in each round; also the least and the median of them.
        ratio: the reference's least time over this one's, from the same rounds; also of the medians.
        limit: milliseconds that the machine needs at least, by its measured ceilings.
        memory: bytes that forward and backward held at most above inputs, in a fresh process.
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


def inputs_of(case: Case, dtype: torch.dtype) -> list[Tensor]:
    """Return fresh inputs that want gradients."""
    return [x.to(dtype).requires_grad_() for x in case.draw()]


def _results(form: Form, inputs: list[Tensor], towards: Tensor | None = None) -> list[Tensor]:
    """Return the value and the gradient of every input, in float64."""
    y = form(*inputs)
    towards = torch.ones_like(y) if towards is None else towards.to(y.dtype)
    return [y.detach().double(), *(gradient.double() for gradient in torch.autograd.grad(y, inputs, towards))]


def errors(case: Case, dtype: torch.dtype) -> dict[str, tuple[float, float]]:
    """Return for every form the worst relative error of value and gradients: root mean square, and largest.

    The truth is the reference in float64, of inputs as the dtype has them.
    """
    inputs = inputs_of(case, dtype)
    wide = [x.detach().double().requires_grad_() for x in inputs]
    probe = next(iter(case.forms.values()))(*wide)
    towards = torch.randn(probe.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64).to(dtype).double()
    truth = _results(next(iter(case.forms.values())), wide, towards)
    found = {}
    for name, form in case.forms.items():
        got = _results(form, inputs, towards)
        if [one.shape for one in got] != [two.shape for two in truth]:
            found[name] = (math.inf, math.inf)
            continue
        apart = [(one - two).abs() for one, two in zip(got, truth, strict=True)]
        rms = torch.stack([gap.norm() / right.norm().clamp_min(1e-300) for gap, right in zip(apart, truth, strict=True)])
        largest = torch.stack([gap.max() / right.abs().max().clamp_min(1e-300) for gap, right in zip(apart, truth, strict=True)])
        found[name] = (float(rms.max()), float(largest.max()))  # a NaN anywhere stays one, which Python's max would lose
    return found


def steady(case: Case, form: str, dtype: torch.dtype) -> bool:
    """Tell whether three runs give the same values and gradients, bit for bit."""
    inputs = inputs_of(case, dtype)
    first, *others = (_results(case.forms[form], inputs) for _ in range(3))
    return all(torch.equal(one, two) for other in others for one, two in zip(first, other, strict=True))


def within(error: tuple[float, float], dtype: torch.dtype) -> bool:
    """Tell whether an error is one that the dtype allows; what is not a number is not."""
    return all(got <= allowed for got, allowed in zip(error, TOLERANCE[dtype], strict=True))


def _timed(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return 1000 * (time.process_time() - began)


def _caller(form: Form, inputs: list[Tensor], mode: Mode) -> Callable[[], object]:
    def both() -> object:
        y = form(*inputs)
        return torch.autograd.grad(y, inputs, torch.ones_like(y))

    def forward() -> object:
        with torch.no_grad():
            return form(*inputs)

    return both if mode == "both" else forward


def times(case: Case, forms: Iterable[str], dtype: torch.dtype, mode: Mode, rounds: int) -> dict[str, list[float]]:
    """Return milliseconds of processor time of the named forms, taken in turns; every other round goes through them backwards."""
    inputs = inputs_of(case, dtype)
    calls = {name: _caller(case.forms[name], inputs, mode) for name in forms}
    found: dict[str, list[float]] = defaultdict(list)
    for turn in range(rounds + 1):
        for name in calls if turn % 2 else reversed(calls):
            repeats = 1 if turn == 0 else max(1, min(20, int(5 / max(min(found[name] or [1e9]), 1e-3))))
            taken = _timed(lambda call=calls[name], repeats=repeats: [call() for _ in range(repeats)]) / repeats  # type: ignore[misc]  # a lambda with defaults has no type
            if turn:
                found[name].append(taken)
    return found


def ceilings(dtypes: Iterable[str]) -> Ceilings:
    """Measure what the machine reaches at best on one thread."""
    source = torch.zeros(2**26)
    target = torch.empty_like(source)
    copied = min(_timed(lambda: target.copy_(source)) for _ in range(5))
    multiply = {}
    for name in dtypes:
        a = torch.ones(1024, 1024, dtype=DTYPES[name])
        multiply[name] = 2 * 1024**3 / min(_timed(lambda a=a: a @ a) for _ in range(5)) * 1000  # type: ignore[misc]  # as above
    return Ceilings(2 * source.nbytes / copied * 1000, multiply)


def _peak(index: int, form: str, dtype: str) -> int:
    torch.set_num_threads(1)
    case = CASES[index]
    inputs = inputs_of(case, DTYPES[dtype])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _caller(case.forms[form], inputs, "both")()
    return 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def peak_memory(case: Case, form: str, dtype: str) -> int:
    """Return the bytes by which a fresh process grew when it computed value and gradients."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mgbench.kernels.measure"])
    with context.Pool(1, maxtasksperchild=1) as pool:
        return pool.apply(_peak, (CASES.index(case), form, dtype))


def bench(case: Case, dtype: str, mode: Mode, rounds: int, machine: Ceilings) -> Iterator[Row]:
    """Yield a row for each form of a case."""
    kind = DTYPES[dtype]
    found = errors(case, kind)
    sound = [name for name, error in found.items() if within(error, kind)]
    taken = times(case, sound, kind, mode, rounds)
    share = 1 if mode == "both" else 3
    traffic, flops = case.traffic * kind.itemsize // share, case.flops // share
    limit = 1000 * max(traffic / machine.copy, flops / machine.multiply[dtype])
    reference = taken.get(next(iter(case.forms)))
    for name, (rms, largest) in found.items():
        same = steady(case, name, kind)
        row = Row(case.op, case.shape, dtype, mode, name, rms, largest, name in sound, same, limit, traffic, flops)
        if name in sound and reference:
            mine = taken[name]
            figures: dict[str, Any] = {
                "rounds": tuple(mine),
                "least": min(mine),
                "median": statistics.median(mine),
                "ratio": min(reference) / min(mine),
                "ratio_of_medians": statistics.median(reference) / statistics.median(mine),
                "memory": peak_memory(case, name, dtype) if mode == "both" else None,
            }
            row = attrs.evolve(row, **figures)
        yield row
