"""What every operator with a Triton kernel must give, by the names that training calls: on a GPU, or on the CPU in the interpreter."""

import copy
from collections.abc import Callable

import torch
from mgbench_plugins.encoders.stgcn import _Block
from torch import Tensor, nn
from torch.nn import functional

from mgbench.kernels.batch_norm import batch_norm_relu
from mgbench.kernels.cross_correlation import cross_correlation_loss, cross_correlation_reference
from mgbench.kernels.graph_conv import graph_conv_reference, masked_graph_conv, measured_graph_conv


#: Root mean square error that is allowed. A machine multiplies float32 as three products of 16 bits, the interpreter exactly.
ALLOWED = {"cpu": 3e-6, "cuda": 5e-5}


def drawn(device: str, *shapes: tuple[int, ...]) -> list[Tensor]:
    """Return numbers in float32 that want gradients, the same on every device."""
    generator = torch.Generator().manual_seed(sum(map(sum, shapes)))
    return [torch.randn(shape, generator=generator).to(device).requires_grad_() for shape in shapes]


def wide(tensors: list[Tensor]) -> list[Tensor]:
    """Return the same in float64."""
    return [z.detach().double().requires_grad_() for z in tensors]


def hold(device: str, found: Tensor, right: Tensor, inputs: list[Tensor], exact: list[Tensor]) -> None:
    """Hold a value, and its gradients towards a drawn one, to those in float64."""
    (towards,) = drawn(device, (*found.shape, 1)) if found.dim() else [torch.ones(1, device=device)]
    grads = torch.autograd.grad(found, inputs, towards.detach().reshape(found.shape))
    wanted = torch.autograd.grad(right, exact, towards.detach().double().reshape(right.shape))
    close(device, found, right)
    for one, other in zip(grads, wanted, strict=True):
        close(device, one, other)


def close(device: str, found: Tensor, right: Tensor) -> None:
    """Hold numbers to what is right."""
    error = (found.detach().double() - right.detach()).norm() / right.detach().norm()

    assert bool(error < ALLOWED[device]), error.item()


def loss(device: str, clips: int) -> None:
    """The loss of an anchor and two views."""
    streams = drawn(device, *[(clips, 70)] * 3)
    exact = wide(streams)
    hold(device, cross_correlation_loss(*streams, lambd=2e-3), cross_correlation_reference(*exact, lambd=2e-3), streams, exact)


def graph_conv(device: str, *, per_clip: bool) -> None:
    """The graph convolution, for one graph and for one a clip."""
    inputs = drawn(device, (2, 5, 17, 3), (2, 3, 17, 17) if per_clip else (3, 17, 17), (3, 16, 3), (3, 16))
    exact = wide(inputs)
    right = graph_conv_reference(exact[0].permute(0, 3, 1, 2), *exact[1:]).permute(0, 2, 3, 1)
    hold(device, masked_graph_conv(*inputs), right, inputs, exact)


def norm_behind_graph_conv(device: str) -> None:
    """Batch norm with ReLU, by the moments that the graph convolution leaves: value, every gradient, running statistics."""
    inputs, norm = drawn(device, (2, 5, 17, 3), (3, 17, 17), (3, 16, 3), (3, 16)), normalising(device)
    exact, right = wide(inputs), copy.deepcopy(norm).double()
    y, moments = measured_graph_conv(*inputs)
    z = graph_conv_reference(exact[0].permute(0, 3, 1, 2), *exact[1:])

    assert moments is not None
    found = batch_norm_relu(y, norm, moments=moments)
    hold(
        device, found, functional.relu(right(z)).permute(0, 2, 3, 1),
        [*inputs[:3], norm.weight, norm.bias], [*exact[:3], right.weight, right.bias],
    )  # fmt: skip
    same_statistics(device, norm, right)


def norm_dropout_residual(device: str) -> None:
    """Batch norm with dropout, residual and ReLU, for three steps: the factors are those that the same seed gives alone."""
    norm = normalising(device)
    right, ones = copy.deepcopy(norm).double(), normalising(device)
    with torch.no_grad():
        ones.weight.zero_()
        ones.bias.fill_(1)
    for step in range(3):
        x, residual = drawn(device, (2, 5, 17, 16), (2, 5, 17, 16))
        (x_, residual_) = wide([x, residual])
        torch.manual_seed(step)
        factors = batch_norm_relu(x, ones, dropout=0.5).detach()
        torch.manual_seed(step)
        found = batch_norm_relu(x, norm, dropout=0.5, residual=residual)
        y = right(x_.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)

        assert 0.4 < factors.eq(0).double().mean() < 0.6
        assert bool((factors.eq(0) | factors.eq(2)).all())
        hold(
            device, found, functional.relu(y * factors.double() + residual_),
            [x, residual, norm.weight, norm.bias], [x_, residual_, right.weight, right.bias],
        )  # fmt: skip
    same_statistics(device, norm, right)


def blocks(device: str) -> None:
    """Blocks of ST-GCN, with a stride and without: values, gradients of clips and parameters, running statistics."""
    for inner, outer, stride, residual in ((3, 16, 1, False), (16, 16, 1, True), (16, 20, 2, True)):
        torch.manual_seed(0)
        block = _Block(inner, outer, stride, 17, 0.0, residual=residual)
        exact, block = copy.deepcopy(block).double().to(device), block.to(device)
        x, adjacency = drawn(device, (2, 6, 17, inner), (3, 17, 17))
        x_, adjacency_ = wide([x, adjacency])
        found, right = block(x, adjacency.detach(), None), exact(x_, adjacency_.detach(), None)
        mine, theirs = parameters(block), parameters(exact)
        hold(device, found, right, [x, *mine], [x_, *theirs])
        for name in ("spatial_norm", "temporal_norm"):
            same_statistics(device, getattr(block, name), getattr(exact, name))


def parameters(block: nn.Module) -> list[Tensor]:
    """Return what a block learns, but for biases that its norms take away, whose gradients are nothing."""
    return [z for name, z in block.named_parameters() if not name.startswith(("temporal.bias", "shortcut.bias"))]


def steady(device: str) -> None:
    """Two steps from the same seed are equal bit for bit, gradients among them."""
    runs = []
    for _ in range(2):
        torch.manual_seed(0)
        block = _Block(3, 16, 1, 17, 0.5, residual=True).to(device)
        streams = drawn(device, *[(16, 70)] * 3)
        x, adjacency = drawn(device, (2, 6, 17, 3), (3, 17, 17))
        y = block(x, adjacency.detach(), None)
        value = cross_correlation_loss(*streams, lambd=2e-3)
        runs.append([y, value, *torch.autograd.grad(y.square().sum() + value, [x, *streams, *block.parameters()]), *block.buffers()])

    assert all(torch.equal(one, other) for one, other in zip(*runs, strict=True))


def resting(device: str) -> None:
    """Outside of training the norm is torch's own, which moves no statistics."""
    norm = normalising(device).eval()
    before = copy.deepcopy(norm)
    x, residual = drawn(device, (2, 5, 17, 16), (2, 5, 17, 16))
    found = batch_norm_relu(x, norm, residual=residual)
    right = functional.relu(before(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1) + residual)

    assert torch.equal(found, right)
    assert all(torch.equal(one, other) for one, other in zip(norm.buffers(), before.buffers(), strict=True))


def normalising(device: str) -> nn.BatchNorm2d:
    """Return a norm of 16 channels whose parameters and statistics are none of them one or zero."""
    norm = nn.BatchNorm2d(16, momentum=0.3)
    with torch.no_grad():
        for place, z in enumerate((norm.weight, norm.bias, norm.running_mean, norm.running_var)):
            assert z is not None
            z.copy_(torch.linspace(0.5, 1.5, 16).roll(3 * place))
    return norm.to(device)


def same_statistics(device: str, norm: nn.BatchNorm2d, right: nn.BatchNorm2d) -> None:
    """Hold running statistics to those of torch in float64."""
    for one, other in ((norm.running_mean, right.running_mean), (norm.running_var, right.running_var)):
        assert one is not None
        assert other is not None
        close(device, one, other)
    assert norm.num_batches_tracked is not None
    assert norm.num_batches_tracked == right.num_batches_tracked


#: All of them, by name.
CHECKS: dict[str, Callable[[str], None]] = {
    "loss": lambda device: loss(device, 33),
    "loss of many clips": lambda device: loss(device, 140),
    "graph convolution": lambda device: graph_conv(device, per_clip=False),
    "graph convolution, a graph a clip": lambda device: graph_conv(device, per_clip=True),
    "norm behind a graph convolution": norm_behind_graph_conv,
    "norm, dropout, residual": norm_dropout_residual,
    "blocks": blocks,
    "the same bits": steady,
    "norm at rest": resting,
}
