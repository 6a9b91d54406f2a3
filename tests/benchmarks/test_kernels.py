"""Ratios of the operators to their straightforward forms, measured side by side: `pytest tests/benchmarks --benchmark-enable`.

What is asserted leaves room for a busy machine; `mgbench kernels bench` measures carefully.
"""

import time

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from mgbench.kernels.cases import Case, graph_case, loss_case, temporal_case
from mgbench.kernels.measure import caller, drawn, times


#: How many times faster than the reference, at least.
CASES = [
    (loss_case(32, 4096), 20.0),
    (loss_case(128, 1024), 2.0),
    (graph_case(64, 13, 25, 64, 256), 1.5),
    (graph_case(64, 50, 25, 3, 16), 1.5),
    (temporal_case(64, 13, 25, 256), 1.2),
]


@pytest.mark.parametrize(("case", "least"), CASES, ids=lambda value: value.name if isinstance(value, Case) else "")
def test_it_is_faster_than_the_reference(case: Case, least: float) -> None:
    """In turns with the reference, on one thread, in processor time, values and gradients."""
    taken = times(case, ["reference", "mgbench"], torch.float32, "both", rounds=3)

    assert min(taken["reference"]) > least * min(taken["mgbench"])


@pytest.mark.parametrize("form", ["reference", "mgbench"])
@pytest.mark.parametrize("case", [case for case, _ in CASES], ids=lambda case: case.name)
def test_speed(benchmark: BenchmarkFixture, case: Case, form: str) -> None:
    """One row of pytest-benchmark's table: forward and backward."""
    benchmark.group = case.name
    benchmark._timer = time.process_time
    gradients = benchmark(caller(case.forms[form], drawn(case, torch.float32), "both"))

    assert all(gradient.isfinite().all() for gradient in gradients)
