"""Convolution over time of short clips with many channels, by a discrete Fourier transform written as three constant matrices.

    y[t] = sum_m O[t, m] (sum_s I[m, s] x[s]) (sum_k F[m, k] w[k])

T + K // 2 frames suffice for the transform, because the zeros before the clip can serve as those behind it. A complex product
costs three real ones, so T = 13 and K = 9 need 25 matrix products a step in place of 117. Exact up to rounding; worth it where the
matrix products outweigh the transforms (see `pays`).
"""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional


def temporal_conv_reference(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1) -> Tensor:
    """Return `(N, O, T', V)` of `(N, C, T, V)` by weights `(O, C, K, 1)`, zero-padded by K // 2, as the public code does."""
    return functional.conv2d(x, weight, bias, (stride, 1), (weight.shape[2] // 2, 0))


def temporal_conv(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1) -> Tensor:
    """Return `(N, T', V, O)` of `(N, T, V, C)`, the same numbers, by whichever form is faster for these shapes on this device."""
    if not pays(x, weight, stride):
        return temporal_conv_reference(x.permute(0, 3, 1, 2), weight, bias, stride).permute(0, 2, 3, 1)
    clips, frames, joints, inner = x.shape
    outer, _, taps, _ = weight.shape
    into, onto, back = transform_matrices(x.detach(), taps)
    spectrum = torch.matmul(into, x.reshape(clips, frames, joints * inner)).view(clips, len(into), joints, inner)
    spectrum = spectrum.transpose(0, 1).reshape(len(into), clips * joints, inner)
    kernels = torch.matmul(onto, weight.squeeze(3).permute(2, 1, 0).reshape(taps, inner * outer)).view(len(into), inner, outer)
    product = torch.bmm(spectrum, kernels).view(len(into), clips, joints * outer).transpose(0, 1)
    y = torch.matmul(back, product).view(clips, frames, joints, outer)
    return y if bias is None else y + bias


def pays(x: Tensor, weight: Tensor, stride: int) -> bool:
    """Tell whether the transform is faster: on the processor, in full precision, for many channels and few frames."""
    full = x.dtype in {torch.float32, torch.float64} and not torch.is_autocast_enabled("cpu")
    plain = x.device.type == "cpu" and full and stride == 1
    return plain and min(weight.shape[:2]) >= 64 and weight.shape[2] % 2 == 1 and weight.shape[2] // 2 <= x.shape[1] <= 32  # measured


def products(frames: int, taps: int) -> int:
    """Return m, how many matrix products the transform needs: three for a complex number of the spectrum, one for a real one."""
    length = frames + taps // 2
    real = 2 - length % 2
    return real + 3 * (length // 2 + 1 - real)


@torch.library.custom_op("mgbench::temporal_transform", mutates_args=())
def transform_matrices(x: Tensor, taps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return I `(m, T)`, F `(m, K)` and O `(T, m)` for clips `(N, T, V, C)`; a compiler sees shapes alone, so that T may vary."""
    into, onto, back = _matrices(x.shape[1], taps, x.dtype)
    return into.clone(), onto.clone(), back.clone()  # a compiler may write to what it is given


@transform_matrices.register_fake
def _(x: Tensor, taps: int) -> tuple[Tensor, Tensor, Tensor]:
    frames = x.shape[1]
    count = products(frames, taps)
    return x.new_empty(count, frames), x.new_empty(count, taps), x.new_empty(frames, count)


@cache
@torch.inference_mode(mode=False)  # what is kept must be fit for training, whoever asks first
def _matrices(frames: int, taps: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    length, half = frames + taps // 2, taps // 2
    angle = 2 * torch.pi * torch.arange(length // 2 + 1, dtype=torch.float64)[:, None] / length
    time, tap = torch.arange(frames, dtype=torch.float64), torch.arange(taps, dtype=torch.float64) - half
    # y = x correlated with w: the transform of x times the conjugate of that of w, with a + ib = x's and c + id = w's conjugate
    a, b = torch.cos(angle * time), -torch.sin(angle * time)
    c, d = torch.cos(angle * tap), torch.sin(angle * tap)
    share = torch.full((len(angle), 1), 2 / length, dtype=torch.float64)
    share[0] = 1 / length
    if length % 2 == 0:
        share[-1] = 1 / length
    real, imaginary = (share * torch.cos(angle * time)).T, (share * -torch.sin(angle * time)).T
    # three products: c (a + b), a (d - c), b (c + d); real part = first - third, imaginary part = first + second
    both = [i for i in range(len(angle)) if i > 0 and 2 * i != length]
    only = [i for i in range(len(angle)) if i not in both]
    into = torch.cat([a[only], (a + b)[both], a[both], b[both]])
    onto = torch.cat([c[only], c[both], (d - c)[both], (c + d)[both]])
    back = torch.cat([real[:, only], (real + imaginary)[:, both], imaginary[:, both], -real[:, both]], dim=1)
    return into.to(dtype), onto.to(dtype), back.to(dtype)
