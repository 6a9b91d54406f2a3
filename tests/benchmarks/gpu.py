"""Everything that a GPU is asked, in one run: `python tests/benchmarks/gpu.py [--minutes 8] [--only operators,steps,epochs]`.

Operators by the eager form of the public code, by torch.compile of it, by ours, and by ours as a graph, with warm and cold caches, beside
their errors against float64, the machine's limit and the memory; training steps of MGRL at a batch of 128; 200 epochs on 3,089 clips.
`--small` tries the whole program on a processor.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import attrs
import torch
from gpu_cases import CASES, SMALL, Measured
from made import SKELETON, make_clips, make_pair
from mgbench_plugins.encoders.stgcn import STGCN
from mgbench_plugins.methods.mgrl import MGRL
from stopwatch import Call, GpuStopwatch, Stopwatch, WallStopwatch, ceilings

from mgbench.arithmetic import Arithmetic
from mgbench.components import Precision
from mgbench.data import Dense
from mgbench.kernels.cases import Form
from mgbench.kernels.measure import caller, drawn, errors, steady
from mgbench.train import Training, draw_batch, pretrain


#: Kinds of arithmetic: the type of tensors, how float32 is multiplied, and the error that is allowed, root mean square.
KINDS = {"fp32": (torch.float32, "highest", 1e-5), "tf32": (torch.float32, "high", 5e-3), "bf16": (torch.bfloat16, "highest", 3e-2)}
WAYS = [Arithmetic(kind, capture=capture) for capture in (False, True) for kind in get_args(Precision)]


@attrs.frozen
class Bench:
    """Where and how long it runs."""

    device: torch.device
    watch: Stopwatch
    deadline: float
    small: bool

    @property
    def encoder(self) -> STGCN:
        """What is trained."""
        return STGCN(width=1, features=16) if self.small else STGCN()

    @property
    def late(self) -> bool:
        """Whether there is no time for more."""
        return time.monotonic() > self.deadline


@contextmanager
def multiplying(precision: str) -> Iterator[None]:
    """Multiply float32 so."""
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.allow_tf32 = precision == "high"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = False


def operators(bench: Bench) -> None:
    """Print the table of operators."""
    copy, rates = ceilings(bench.watch, bench.device, 64 if bench.small else 8192)
    reached = ", ".join(f"{kind} {rate / 1e12:.1f} TFLOP/s" for kind, rate in rates.items())
    print(f"copies {copy / 1e9:.0f} GB/s, products {reached}\n")
    heads = (
        "operator",
        "shape",
        "kind",
        "form",
        "us warm",
        "us cold",
        "eager / it",
        "compiled / it",
        "% of limit",
        "MB",
        "rms error",
        "same bits",
    )
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for case in SMALL if bench.small else CASES:
        for kind, (_, precision, _) in KINDS.items():
            if bench.late:
                print(f"| {case.timed.op} | {case.timed.shape} | {kind} | left out for time |{' |' * (len(heads) - 4)}")
                continue
            with multiplying(precision):
                operator(bench, case, kind, copy, rates[kind])


def operator(bench: Bench, case: Measured, kind: str, copy: float, rate: float) -> None:
    """Print the rows of one operator."""
    dtype, _, allowed = KINDS[kind]
    timed, inputs = case.timed, drawn(case.timed, dtype, bench.device)
    torch.compiler.reset()  # beyond a few forms of one function it would compile no more, and say so only in a warning
    wrong = errors(case.checked, dtype, bench.device)
    reference = timed.forms["reference"]
    compiled = Form(torch.compile(reference.compute, dynamic=False), reference.channels_first)
    forms = {"eager": reference, "compiled": compiled, "mgbench": timed.forms["mgbench"]}
    calls: dict[str, Call] = {name: caller(form, inputs, "both") for name, form in forms.items()}
    if (graph := bench.watch.recorded(calls["mgbench"])) is not None:
        calls["graph"] = graph
    warm, cold = (bench.watch.medians(calls, 3 if bench.small else 15, cold=cold) for cold in (False, True))
    work = timed.work["both"]
    limit = 1000 * max(work.traffic * dtype.itemsize / copy, work.flops / rate)
    for name, call in calls.items():
        source = "mgbench" if name in {"mgbench", "graph"} else "reference"
        error = wrong[source][0]
        same = steady(case.checked, source, dtype, bench.device)
        told = [
            f"{1000 * warm[name]:.1f}",
            f"{1000 * cold[name]:.1f}",
            *(f"{warm[other] / warm[name]:.2f}" for other in ("eager", "compiled")),
        ]
        told += [f"{100 * limit / cold[name]:.0f}", "" if name == "graph" else f"{bench.watch.peak(call) / 2**20:.1f}"]
        told = told if error <= allowed else ["wrong"] + [""] * 5
        checked = ("", "") if name in {"compiled", "graph"} else (f"{error:.1e}", "yes" if same else "no")  # those are another's numbers
        row = (timed.op, timed.shape, kind, name, *told, *checked)
        print(f"| {' | '.join(row)} |", flush=True)


def train(bench: Bench, data: Dense, method: MGRL, how: Arithmetic, steps: int) -> float:
    """Return the seconds that so many steps take, those before the clock starts left out."""

    def run(count: int) -> float:
        torch.manual_seed(0)
        objective = make_pair(method, bench.encoder).objective.to(bench.device)
        bench.watch.wait()
        began = time.perf_counter()
        pretrain(objective, method, data, SKELETON, Training(0, how, count, Path("no checkpoint"), 1e9, lambda _: None))
        bench.watch.wait()
        return time.perf_counter() - began

    before = 1 if bench.small else 40  # in which kernels are compiled, and all shapes are recorded
    run(before)
    return run(before + steps) - run(before)


def straightforward(bench: Bench, data: Dense, method: MGRL, batch: int, steps: int) -> float:
    """Return the seconds of the public code's steps, for whose clips nothing is charged but what ours cost: they are augmented at once."""
    step = make_pair(method, bench.encoder).step.to(bench.device)
    plain = torch.optim.Adam(step.parameters(), 1e-4, foreach=False, fused=False)
    generator, order = torch.Generator(bench.device).manual_seed(0), torch.arange(batch, device=bench.device)

    def once() -> None:
        loss = step(draw_batch(method, data, order, SKELETON, generator))
        plain.zero_grad()
        loss.backward()
        plain.step()
        loss.item()

    once()
    return sum(bench.watch.once(once, cold=False) for _ in range(steps)) / 1000


def setting(bench: Bench, batch: int, clips: int) -> tuple[MGRL, Dense]:
    """Return the method with this batch, and so many clips on the device."""
    recipe = attrs.evolve(MGRL().recipe, batch_size=batch, epochs=1000)
    method = attrs.evolve(MGRL(projector=32) if bench.small else MGRL(), recipe=recipe)
    made = make_clips(clips)
    return method, Dense(*(one.to(bench.device) for one in (made.x, made.label, made.length)))


def called(how: Arithmetic) -> str:
    """Return how a training computes, in words."""
    return f"{how.precision}{', captured' if how.capture else ''}"


def steps(bench: Bench) -> None:
    """Print what a training step takes."""
    batch, few, count = (8, 1, 1) if bench.small else (128, 5, 60)
    method, data = setting(bench, batch, 4 * batch)
    plain = straightforward(bench, data, method, batch, few) / few
    print(f"\n| step of mgrl, batch {batch} | ms | eager fp32 / it |\n|---|---|---|")
    print(f"| straightforward, eager, fp32 | {1000 * plain:.2f} | 1.00 |", flush=True)
    for how in WAYS:
        if bench.late or (how.capture and bench.device.type != "cuda"):
            print(f"| {called(how)} | left out | |")
            continue
        taken = train(bench, data, method, how, count) / count
        print(f"| {called(how)} | {1000 * taken:.2f} | {plain / taken:.2f} |", flush=True)


def epochs(bench: Bench) -> None:
    """Print what 200 epochs of MGRL take."""
    clips, batch, count = (16, 8, 2) if bench.small else (3089, 128, 200)
    method, data = setting(bench, batch, clips)
    how = Arithmetic("bf16", capture=bench.device.type == "cuda")
    if bench.late:
        print(f"\n{count} epochs: left out for time")
        return
    taken = train(bench, data, method, how, count * (clips // batch))
    print(f"\n{count} epochs of mgrl on {clips} clips, {called(how)}: {taken:.1f} s")


def main(words: list[str] | None = None) -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--only", default="steps,epochs,operators")
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args(words)
    device = torch.device("cpu" if given.small else "cuda")
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("there is no GPU here; --small tries the program on a processor.")
    watch: Stopwatch = WallStopwatch() if given.small else GpuStopwatch()
    bench = Bench(device, watch, time.monotonic() + 60 * given.minutes, given.small)
    torch.backends.cudnn.allow_tf32 = False
    where = "a processor" if given.small else f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    print(f"torch {torch.__version__}, {where}\n")
    for part in given.only.split(","):
        {"operators": operators, "steps": steps, "epochs": epochs}[part](bench)


if __name__ == "__main__":
    main()
