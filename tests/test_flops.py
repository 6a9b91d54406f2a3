"""Operations of a forward pass, counted without computing anything."""

import torch
from torch import Tensor, nn

from mgbench import Backbone, Encoder, Network, Skeleton, load_skeleton
from mgbench.flops import forward_flops
from mgbench.kernels.graph_conv import masked_graph_conv


class Product(Network):
    """One product of channels, and a normalisation that does not count."""

    def __init__(self) -> None:
        super().__init__()
        self.width = 7
        self.norm, self.layer = nn.BatchNorm1d(3), nn.Linear(3, 7)

    def forward(self, x: Tensor, joints: Tensor | None = None) -> Tensor:
        """Return the map."""
        y = self.norm(x.flatten(0, 1).flatten(2)).transpose(1, 2)
        return self.layer(y).transpose(1, 2).unflatten(2, x.shape[3:]).unflatten(0, x.shape[:2])


class Mixer(Encoder):
    """Builds the product."""

    name = "mixer"

    def build(self, skeleton: Skeleton, channels: int, persons: int) -> Network:
        """Make it."""
        return Product()


class Gatherer(Product):
    """A graph convolution of 3 to 7 channels, of two subsets of neighbours."""

    def forward(self, x: Tensor, joints: Tensor | None = None) -> Tensor:
        """Return the map."""
        adjacency, weight = x.new_ones(2, x.shape[4], x.shape[4]), x.new_ones(2, 7, 3)
        return masked_graph_conv(x[:, 0].permute(0, 2, 3, 1), adjacency, weight).permute(0, 3, 1, 2)[:, None]


def test_a_product_counts_two_for_each_weight_and_place() -> None:
    """Of 3 x 7 weights at T x V places; nothing of the backbone changes."""
    backbone = Backbone(Mixer(), load_skeleton("kinect25"), 1)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}

    assert forward_flops(backbone, (1, 3, 10, 25)) == 2 * 3 * 7 * 10 * 25
    assert backbone.training
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, before[name])


def test_graph_convolution_counts_its_cheaper_order() -> None:
    """Neighbours are gathered at the 3 channels that go in, then mixed."""
    backbone = Backbone(Mixer(), load_skeleton("kinect25"), 1)
    backbone.network = Gatherer()

    assert forward_flops(backbone, (1, 3, 10, 25)) == 2 * 2 * 10 * (25 * 25 * 3 + 25 * 3 * 7)
