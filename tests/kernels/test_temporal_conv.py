"""The temporal convolution against a sum over taps, in float64, on both of its ways."""

import pytest
import torch
from torch import Tensor

from mgbench.kernels.temporal_conv import pays, products, temporal_conv, temporal_conv_reference, transform_matrices


def by_definition(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1) -> Tensor:
    """Return y[t] = b + sum_k w[k] x[stride t + k - K // 2], frames outside the clip being zero."""
    frames, (outer, _, taps, _) = x.shape[1], weight.shape
    rows = []
    for centre in range(0, frames, stride):
        total = x.new_zeros(x.shape[0], x.shape[2], outer)
        for tap in range(taps):
            t = centre + tap - taps // 2
            if 0 <= t < frames:
                total = total + torch.einsum("nvc,oc->nvo", x[:, t], weight[:, :, tap, 0])
        rows.append(total if bias is None else total + bias)
    return torch.stack(rows, dim=1)


def case(frames: int, channels: int = 64, taps: int = 9, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    """Return clips `(2, T, 3, C)`, weights and bias."""
    generator = torch.Generator().manual_seed(frames * 100 + taps)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()

    return draw(2, frames, 3, channels), draw(channels + 8, channels, taps, 1), draw(channels + 8)


def channels_last_reference(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1) -> Tensor:
    """Return the reference's numbers, which takes and gives channels first, with channels last."""
    return temporal_conv_reference(x.permute(0, 3, 1, 2).contiguous(), weight, bias, stride).permute(0, 2, 3, 1)


@pytest.mark.parametrize("taps", [1, 3, 4, 9])
@pytest.mark.parametrize("frames", [4, 5, 12, 13])
def test_the_matrices_have_as_many_rows_as_products_are_told(frames: int, taps: int) -> None:
    """What a compiler and the limits of speed are told is what is made, and the caller may write to it."""
    x = torch.zeros(1, frames, 1, 1)
    into, onto, back = transform_matrices(x, taps)
    count = products(frames, taps)

    assert (into.shape, onto.shape, back.shape) == ((count, frames), (count, taps), (frames, count))
    into.zero_()
    assert transform_matrices(x, taps)[0].any()
    torch.library.opcheck(transform_matrices, (x, taps))


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("frames", [4, 5, 7, 8, 12, 13, 32])
def test_the_transform_is_the_convolution(frames: int, with_bias: bool) -> None:
    """Where the transform is used, for odd and even lengths down to the shortest, values and gradients are right."""
    x, weight, bias = case(frames)
    inputs = (x, weight, bias) if with_bias else (x, weight)
    ours = temporal_conv(x, weight, bias if with_bias else None)
    expected = by_definition(x, weight, bias if with_bias else None)
    direction = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    assert pays(x, weight, 1)
    torch.testing.assert_close(ours, expected)
    found = torch.autograd.grad(ours, inputs, direction)
    for a, b in zip(found, torch.autograd.grad(expected, inputs, direction), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frames", [1, 2, 3, 5, 6, 33, 50])
def test_other_shapes_are_the_convolution_too(frames: int, stride: int) -> None:
    """Few channels, strides, very short and long clips go the plain way and give the same."""
    x, weight, bias = case(frames, channels=6)

    assert not pays(x, weight, stride)
    torch.testing.assert_close(temporal_conv(x, weight, bias, stride), by_definition(x, weight, bias, stride))
    assert temporal_conv(x, weight, bias, stride).shape[1] == -(-frames // stride)


@pytest.mark.parametrize("frames", [1, 3, 33])
def test_clips_too_short_or_long_for_the_transform_go_the_plain_way(frames: int) -> None:
    """With many channels too, a clip shorter than half the taps, or long, is convolved directly."""
    x, weight, bias = case(frames)

    assert not pays(x, weight, 1)
    torch.testing.assert_close(temporal_conv(x, weight, bias), by_definition(x, weight, bias))


@pytest.mark.parametrize("taps", [1, 3, 5, 7, 9, 11])
def test_any_odd_number_of_taps(taps: int) -> None:
    """The transform serves every odd kernel size."""
    x, weight, bias = case(10, taps=taps)

    torch.testing.assert_close(temporal_conv(x, weight, bias), by_definition(x, weight, bias))


def test_both_ways_agree_for_an_even_number_of_taps() -> None:
    """Whichever way is faster, the number of frames is the reference's."""
    x, weight, bias = case(10, taps=4)

    assert temporal_conv(x, weight, bias).shape == channels_last_reference(x, weight, bias).shape


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frames", [3, 8, 13])
def test_the_shipped_reference_is_the_definition(frames: int, stride: int) -> None:
    """What other kernels are compared with is itself right."""
    x, weight, bias = case(frames, channels=6)

    torch.testing.assert_close(channels_last_reference(x, weight, bias, stride), by_definition(x, weight, bias, stride))


def test_float32_is_close() -> None:
    """In float32 values and gradients of the transform stay within rounding of the convolution in float64."""
    single, double = case(13, dtype=torch.float32), case(13)
    ours, expected = temporal_conv(*single), by_definition(*double)

    torch.testing.assert_close(ours, expected.float(), rtol=1e-4, atol=1e-4)
    ours.square().sum().backward()
    expected.square().sum().backward()
    for a, b in zip(single, double, strict=True):
        assert a.grad is not None
        assert b.grad is not None
        torch.testing.assert_close(a.grad, b.grad.float(), rtol=1e-4, atol=1e-4 * b.grad.abs().max().item())


def test_non_contiguous_clips_are_convolved_as_they_are() -> None:
    """The layout in memory does not matter."""
    x, weight, bias = case(12)
    turned = x.detach().permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)

    assert not turned.is_contiguous()
    torch.testing.assert_close(temporal_conv(turned, weight, bias), temporal_conv(x, weight, bias))


def test_autocast_goes_the_plain_way() -> None:
    """Under autocast the convolution is torch's, in bfloat16."""
    x, weight, bias = case(12, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        y = temporal_conv(x, weight, bias)

    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), by_definition(x, weight, bias), rtol=0.05, atol=0.5)


def test_a_first_call_without_gradients_spoils_no_training() -> None:
    """What is kept from a call under inference mode can be trained through."""
    x, weight = torch.randn(2, 11, 5, 64), torch.randn(64, 64, 9, 1, requires_grad=True)
    with torch.inference_mode():
        temporal_conv(x, weight, None)
    temporal_conv(x, weight, None).sum().backward()

    assert weight.grad is not None
