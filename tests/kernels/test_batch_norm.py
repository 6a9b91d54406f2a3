"""Where there is no GPU, batch norm and what follows it are torch's operators one by one, in the order that they always had."""

import copy

import pytest
import torch
from mgbench_plugins.encoders.stgcn import _Block
from torch import Tensor
from torch.nn import functional

from mgbench.kernels.batch_norm import batch_norm_relu
from mgbench.kernels.dropout import byte_dropout
from mgbench.kernels.graph_conv import masked_graph_conv
from mgbench.kernels.temporal_conv import temporal_conv


def one_by_one(block: _Block, x: Tensor, adjacency: Tensor) -> Tensor:
    """Return what a block gives, without the fused operators."""
    weight, bias = block.spatial.weight, block.spatial.bias
    assert bias is not None
    outer = len(bias) // 3
    y = masked_graph_conv(x, adjacency, weight.view(3, outer, -1), bias.view(3, outer), importance=block.importance).permute(0, 3, 1, 2)
    y = functional.relu(block.spatial_norm(y), inplace=True).permute(0, 2, 3, 1)
    y = block.temporal_norm(temporal_conv(y, block.temporal.weight, block.temporal.bias, block.stride).permute(0, 3, 1, 2))
    y = byte_dropout(y, block.dropout) if block.training else y
    if block.shortcut is not None and block.shortcut_norm is not None:
        y = y + block.shortcut_norm(block.shortcut(x[:, :: block.stride]).permute(0, 3, 1, 2))
    elif block.residual:
        y = y + x.permute(0, 3, 1, 2)
    return functional.relu(y, inplace=True).permute(0, 2, 3, 1).contiguous()


@pytest.mark.parametrize("training", ["all", "nothing", "norms", "all but norms"])
@pytest.mark.parametrize(("inner", "stride", "residual"), [(3, 1, False), (16, 1, True), (3, 2, True)])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_block_on_the_cpu_is_unchanged(training: str, inner: int, stride: int, residual: bool, dropout: float) -> None:
    """In any mode, value, gradients of clips and parameters, running statistics and what is drawn are the same bits."""
    torch.manual_seed(0)
    block = _Block(inner, 16, stride, 17, dropout, residual=residual).train(training.startswith("all"))
    for norm in (block.spatial_norm, block.temporal_norm):
        norm.train(training in {"all", "norms"})
    other = copy.deepcopy(block)
    x, adjacency = torch.randn(2, 7, 17, inner, requires_grad=True), torch.rand(3, 17, 17)
    runs = []
    for one, call in ((block, lambda: block(x, adjacency, None)), (other, lambda: one_by_one(other, x, adjacency))):
        torch.manual_seed(1)
        y = call()
        runs.append([y, *torch.autograd.grad(y.square().sum(), [x, *one.parameters()]), *one.buffers(), torch.rand(3)])

    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


def test_a_single_row_is_refused_as_torch_refuses_it() -> None:
    """One number a channel has no variance."""
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        batch_norm_relu(torch.randn(1, 1, 1, 4), torch.nn.BatchNorm2d(4))
