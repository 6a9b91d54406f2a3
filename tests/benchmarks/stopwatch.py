"""How long calls take and how much they hold: on a GPU by its own clock, from graphs as well; on a processor by the clock on the wall."""

import abc
import statistics
import time
from collections.abc import Callable, Mapping
from typing import final

import torch
from torch import Tensor


Call = Callable[[], object]
#: Bytes beyond any cache between processor and memory of a GPU; overwritten, they leave nothing of a call's tensors there.
_BEYOND_CACHE = 2**28


class Stopwatch(abc.ABC):
    """Times calls in turns, so that none has a quieter moment than another."""

    def medians(self, calls: Mapping[str, Call], rounds: int, *, cold: bool) -> dict[str, float]:
        """Return the median milliseconds of each call, `cold` with nothing of its tensors in a cache."""
        found: dict[str, list[float]] = {name: [] for name in calls}
        for turn in range(rounds + 1):
            for name, call in calls.items():
                taken = self.once(call, cold=cold)
                if turn:
                    found[name].append(taken)
        return {name: statistics.median(taken) for name, taken in found.items()}

    @abc.abstractmethod
    def once(self, call: Call, *, cold: bool) -> float:
        """Return the milliseconds of one call."""

    @abc.abstractmethod
    def recorded(self, call: Call) -> Call | None:
        """Return the call as a graph that is replayed, None where there are no graphs."""

    @abc.abstractmethod
    def peak(self, call: Call) -> int:
        """Return the bytes that a call holds at most above what was held before; 0 where nobody counts."""

    @abc.abstractmethod
    def wait(self) -> None:
        """Wait until all is done that was asked for."""


@final
class GpuStopwatch(Stopwatch):
    """Times by events on the stream, a warm call in the mean of several, so that launches overlap as they do in a training."""

    def __init__(self) -> None:
        self._trash = torch.empty(_BEYOND_CACHE, dtype=torch.uint8, device="cuda")

    def once(self, call: Call, *, cold: bool) -> float:
        """Return the milliseconds between two events."""
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        repeats = 1 if cold else 5
        if cold:
            self._trash.zero_()
        begin.record()
        for _ in range(repeats):
            call()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / repeats

    def recorded(self, call: Call) -> Call:
        """Return a replay; on a stream of its own the call is run before, until libraries have chosen their kernels."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                call()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=stream):
                kept = call()
        torch.cuda.current_stream().wait_stream(stream)

        def replay() -> object:
            graph.replay()
            return kept

        return replay

    def peak(self, call: Call) -> int:
        """Return what torch's allocator held."""
        self.wait()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        call()
        self.wait()
        return torch.cuda.max_memory_allocated() - before

    def wait(self) -> None:
        """Wait for the GPU."""
        torch.cuda.synchronize()


@final
class WallStopwatch(Stopwatch):
    """For a machine without a GPU, where the whole program can be tried."""

    def once(self, call: Call, *, cold: bool) -> float:
        """Return milliseconds on the wall."""
        began = time.perf_counter()
        call()
        return 1000 * (time.perf_counter() - began)

    def recorded(self, call: Call) -> None:
        """Return None."""

    def peak(self, call: Call) -> int:
        """Return 0."""
        return 0

    def wait(self) -> None:
        """Everything is done already."""


def ceilings(watch: Stopwatch, device: torch.device, size: int) -> tuple[float, dict[str, float]]:
    """Return bytes a second when copying, and operations a second when multiplying matrices of a size, by kind of arithmetic."""
    source = torch.ones(size * size * 4, device=device)
    target = torch.empty_like(source)
    copy = 2 * source.nbytes / watch.medians({"": lambda: target.copy_(source)}, 10, cold=False)[""] * 1000
    rates = {}
    for kind, dtype, precision in (("fp32", torch.float32, "highest"), ("tf32", torch.float32, "high"), ("bf16", torch.bfloat16, "high")):
        torch.set_float32_matmul_precision(precision)
        a = torch.ones(size, size, device=device, dtype=dtype)
        rates[kind] = 2 * size**3 / watch.medians({"": _square(a)}, 10, cold=False)[""] * 1000
    torch.set_float32_matmul_precision("highest")
    return copy, rates


def _square(a: Tensor) -> Call:
    return lambda: a @ a
