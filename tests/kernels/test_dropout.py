"""Byte dropout: how much is kept, how it is scaled, and that the layout in memory does not matter."""

import pytest
import torch
from torch import Tensor

from mgbench.kernels.dropout import byte_dropout, factors


def share(p: float) -> float:
    """Return the share kept, to the nearest 1/256."""
    return round(256 * (1 - p)) / 256


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
def test_an_element_is_dropped_or_scaled(p: float) -> None:
    """Each element becomes zero, or itself over the share kept, so that the expectation is exact."""
    x = torch.linspace(1, 2, 4096, dtype=torch.float64)
    torch.manual_seed(0)
    y = byte_dropout(x, p)
    kept = y != 0

    torch.testing.assert_close(y[kept], x[kept] / share(p))
    assert not y[~kept].any()


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
def test_the_share_kept_is_as_asked(p: float) -> None:
    """Over many elements the share kept is within four standard errors of 1 - p to the nearest 1/256."""
    count, q = 200_000, share(p)
    torch.manual_seed(0)
    kept = (byte_dropout(torch.ones(count), p) != 0).double().mean().item()

    assert kept == pytest.approx(q, abs=4 * (q * (1 - q) / count) ** 0.5)


def test_elements_are_dropped_independently_of_their_place_in_a_word() -> None:
    """Each of the eight bytes of a random number drops as often as the others, and independently of them."""
    torch.manual_seed(0)
    kept = (byte_dropout(torch.ones(20_000, 8), 0.5) != 0).double()
    correlation = torch.corrcoef(kept.T)

    assert kept.mean(dim=0) == pytest.approx(0.5, abs=0.02)
    assert (correlation - torch.eye(8)).abs().max() < 0.03


def test_nothing_is_dropped_with_p_zero() -> None:
    """With p = 0 the input comes back."""
    x = torch.randn(50, generator=torch.Generator().manual_seed(0))

    assert torch.equal(byte_dropout(x, 0.0), x)


def layouts() -> dict[str, Tensor]:
    """Return tensors of one shape that lie differently in memory."""
    x = torch.arange(1.0, 2 * 3 * 4 * 5 + 1).reshape(2, 3, 4, 5)
    return {
        "contiguous": x,
        "channels last": x.contiguous(memory_format=torch.channels_last),
        "permuted": x.permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0),
        "strided": torch.cat([x, x], dim=3)[..., :5],
        "every other": x.repeat_interleave(2, dim=2)[:, :, ::2],
        "offset": torch.cat([x, x])[2:],
        "expanded": x[:1].expand(2, -1, -1, -1),
        "size one": x[:, :1].permute(1, 3, 0, 2),
        "empty": x[:0],
    }


@pytest.mark.parametrize("name", sorted(layouts()))
def test_any_layout_in_memory(name: str) -> None:
    """Whatever the strides, each element is dropped or doubled, about half of them, and shape and input stay."""
    x = layouts()[name]
    before = x.clone()
    torch.manual_seed(0)
    y = byte_dropout(x, 0.5)

    assert y.shape == x.shape
    assert torch.equal(x, before)
    assert ((y == 0) | (y == 2 * x)).all()
    assert not x.numel() or 0.3 < (y == 0).double().mean() < 0.7


def test_an_expanded_input_is_dropped_element_by_element() -> None:
    """Copies that share memory get masks of their own."""
    torch.manual_seed(0)
    y = byte_dropout(torch.ones(1, 64).expand(2, -1), 0.5)

    assert not torch.equal(y[0], y[1])


@pytest.mark.parametrize("count", [1, 7, 8, 9, 17])
def test_any_number_of_elements(count: int) -> None:
    """Counts that are no multiple of eight are served."""
    torch.manual_seed(0)
    y = byte_dropout(torch.ones(count), 0.5)

    assert y.shape == (count,)
    assert ((y == 0) | (y == 2)).all()


def test_torchs_seed_decides_the_mask() -> None:
    """Equal seeds give equal masks, and each call a new one."""
    x = torch.ones(500)
    torch.manual_seed(3)
    first, second = byte_dropout(x, 0.5), byte_dropout(x, 0.5)
    torch.manual_seed(3)

    assert torch.equal(byte_dropout(x, 0.5), first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("name", sorted(layouts()))
def test_the_operator_is_registered_in_full(name: str) -> None:
    """Schema and fake tensors agree, whatever the layout in memory."""
    torch.library.opcheck(factors, (layouts()[name], 128), test_utils=("test_schema", "test_faketensor"))


def test_gradients_pass_through_kept_elements_alone() -> None:
    """The gradient is the mask times the scale."""
    x = torch.ones(300, requires_grad=True)
    torch.manual_seed(0)
    y = byte_dropout(x, 0.25)
    y.sum().backward()

    assert x.grad is not None
    assert torch.equal(x.grad, y.detach())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_the_type_stays(dtype: torch.dtype) -> None:
    """The result has the type of the input."""
    assert byte_dropout(torch.ones(16, dtype=dtype), 0.5).dtype == dtype


@pytest.mark.parametrize("p", [1.0, 1.5, -0.5])
def test_a_probability_outside_its_range_is_refused(p: float) -> None:
    """Nothing is kept at one, and nothing means anything beyond."""
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\)"):
        byte_dropout(torch.ones(8), p)
