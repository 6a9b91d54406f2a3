"""A block of all four operators is one graph for a compiler, for clips of any length."""

import torch
from mgbench_plugins.encoders.stgcn import _Block
from torch import Tensor

from mgbench.kernels.temporal_conv import pays


def test_a_block_with_dropout_compiles_whole_for_any_length() -> None:
    """With dropout and the transform, at two lengths and one graph: the same values and gradients from the same seed."""
    torch.manual_seed(0)
    block = _Block(64, 64, 1, 5, 0.5, residual=True).train()
    adjacency = torch.rand(3, 5, 5)
    graphs: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> object:
        graphs.append(graph)
        return torch._dynamo.lookup_backend("aot_eager")(graph, inputs)

    compiled = torch.compile(block, fullgraph=True, dynamic=True, backend=backend)
    made = []
    for frames in (8, 13):
        found = []
        for call in (block, compiled):
            x = torch.randn(2, frames, 5, 64, generator=torch.Generator().manual_seed(1)).requires_grad_()
            torch.manual_seed(2)
            y = call(x, adjacency, None)
            y.square().sum().backward()
            assert x.grad is not None
            found.append((y.detach(), x.grad))

        assert pays(x, block.temporal.weight, 1)
        torch.testing.assert_close(found[1], found[0])
        made.append(len(graphs))
    assert made[0] == made[1]  # none was made for the second length
