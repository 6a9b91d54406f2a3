"""The operators that training calls, with their kernels in the interpreter: what a GPU computes, but for the device."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from operators import CHECKS, drawn, normalising
from torch import Tensor

from mgbench.kernels import batch_norm, fused, graph_conv
from mgbench.kernels.cross_correlation import cross_correlation_loss
from mgbench.kernels.triton.launch import instead


@pytest.fixture(autouse=True)
def _fuses(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (fused, batch_norm):
        monkeypatch.setattr(module, "fuses", lambda like: like.dtype != torch.float64)


@pytest.mark.parametrize("name", CHECKS)
def test_operator(name: str) -> None:
    """An operator gives what float64 gives."""
    CHECKS[name]("cpu")


def test_operators_are_registered_whole() -> None:
    """Schema, shapes without numbers and gradients of the norm and of the graph convolution with moments are what torch expects."""
    x, residual, scale, shift = drawn("cpu", (2, 3, 17, 16), (2, 3, 17, 16), (16,), (16,))
    inputs = (x, scale, shift, residual, torch.tensor(3), None, 1e-5, 0.5)
    parts = ("test_schema", "test_faketensor", "test_autograd_registration")
    torch.library.opcheck(batch_norm._forward, inputs, test_utils=parts)
    y, found = batch_norm._forward(*inputs)
    for adds in (True, False):
        torch.library.opcheck(batch_norm._backward, (y, x, y, found, scale, torch.tensor(3), adds, 0.5), test_utils=parts[:2])
    mixed = drawn("cpu", (2, 3, 17, 3), (3, 17, 17), (3, 16, 3), (3, 16))
    torch.library.opcheck(graph_conv._forward, (*mixed, True), test_utils=parts)


def test_dropout_follows_torchs_generator() -> None:
    """The same seed gives the same factors; every call draws anew."""
    (x,) = drawn("cpu", (2, 5, 17, 16))
    norm, made = normalising("cpu"), []
    for seed in (0, None, 0):
        if seed is not None:
            torch.manual_seed(seed)
        made.append(batch_norm.batch_norm_relu(x, norm, dropout=0.5).detach())

    assert torch.equal(made[0], made[2])
    assert not torch.equal(made[0], made[1])


def test_launches_are_as_few_as_told() -> None:
    """The table of docs/kernels.md: kernels of a value, and of all gradients."""
    streams = drawn("cpu", *[(16, 40)] * 3)
    x, graph, weight, bias = drawn("cpu", (2, 3, 17, 3), (3, 17, 17), (3, 16, 3), (3, 16))
    with launched() as count:
        value = cross_correlation_loss(*streams, lambd=2e-3)
        assert count() == 2
        torch.autograd.grad(value, streams)
        assert count() == 1
        y, moments = graph_conv.measured_graph_conv(x, graph, weight, bias)
        assert count() == 1
        torch.autograd.grad(y.sum(), [x, graph, weight, bias], retain_graph=True)
        assert count() == 5
        norm = normalising("cpu")
        z = batch_norm.batch_norm_relu(y, norm, moments=moments)
        assert count() == 2
        torch.autograd.grad(z.sum(), [y, norm.weight])
        assert count() == 3
        batch_norm.batch_norm_relu(y, norm, dropout=0.5, residual=y)
        assert count() == 3


@contextmanager
def launched() -> Iterator[Callable[[], int]]:
    """Count kernels; what is yielded tells how many were launched since it was last asked."""
    names: list[str] = []

    def count() -> int:
        number = len(names)
        names.clear()
        return number

    def run(kernel: Any, grid: tuple[int, ...], *arguments: object, **options: object) -> None:
        names.append(kernel.__name__)
        kernel[grid](*arguments, **options)

    token = instead.set(run)
    try:
        yield count
    finally:
        instead.reset(token)


@pytest.mark.parametrize("odd", ["float64", "another type", "no momentum", "no statistics", "no weights"])
def test_what_is_unusual_is_left_to_torch(odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Norms and types that the kernels do not know are computed as without them."""
    x, residual = (z.detach() for z in drawn("cpu", (2, 5, 17, 16), (2, 5, 17, 16)))
    kind: dict[str, dict[str, object]] = {
        "no momentum": {"momentum": None}, "no statistics": {"track_running_stats": False}, "no weights": {"affine": False},
    }  # fmt: skip
    norm = torch.nn.BatchNorm2d(16, **kind.get(odd, {})) if odd in kind else normalising("cpu")  # type: ignore[arg-type]
    x, norm = (x.double(), norm.double()) if odd == "float64" else (x, norm)
    residual = residual.double()

    def refuse(*_: Tensor) -> None:
        raise AssertionError

    monkeypatch.setattr(batch_norm, "_fused", refuse)
    beside = residual if odd in {"float64", "another type"} else None
    found = batch_norm.batch_norm_relu(x, norm, residual=beside)

    assert found.dtype == (torch.float64 if beside is not None else torch.float32)
