"""How far counts of chances may lie from what is expected."""

import torch
from scipy.stats import binom, kstest
from torch import Tensor


def assert_as_often(happened: Tensor, p: float) -> None:
    """Hold how often independent events `(draws,)` happened within the bounds that p allows but once in a million times."""
    low, high = binom.interval(1 - 1e-6, len(happened), p)
    assert low <= int(happened.sum()) <= high, f"{int(happened.sum())} of {len(happened)} at p = {p}"


def assert_uniform(values: Tensor, low: float, high: float) -> None:
    """Hold the distribution of values `(draws,)` against the uniform one, from which a fair one strays so far once in a million times."""
    assert low <= values.min() <= values.max() <= high
    assert kstest(values.double().numpy(), "uniform", args=(low, high - low)).pvalue > 1e-6


def assert_alike(numbers: Tensor, choices: int) -> None:
    """Hold whole numbers `(draws,)` from 0 on, of which there are so many, against all being as frequent."""
    assert torch.equal(numbers.unique(), torch.arange(choices))
    for number in range(choices):
        assert_as_often(numbers == number, 1 / choices)
