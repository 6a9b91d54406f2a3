"""P&C, Predict & Cluster: a decoder kept weak repeats the clip from the encoder's final state [Su et al., CVPR 2020].

Recipe and sizes are those of the authors' TensorFlow code for NTU-60. Their PyTorch code leaves the weights unfrozen that it means to
freeze, and reads forwards in both directions; here fixed weights are fixed, and `bigru` reads backwards.
"""

from typing import ClassVar, Literal

import attrs
import torch
from torch import Generator, Tensor, nn

from mgbench import Backbone, Batch, Method, Objective, Recipe, View
from mgbench.sequences import before_the_end, frame_vectors
from mgbench_plugins import works
from mgbench_plugins.methods.scaled import Scaled, to_unit


@attrs.frozen
class PredictCluster(Method):
    """Predict a clip frame by frame from its feature, by a decoder too weak to do so without it.

    Args:
        decoder: a GRU whose weights stay as they are drawn (`fixed_weights`), or whose state is the feature at every frame
            (`fixed_states`).
    """

    name = "predict_cluster"
    citation = works.PREDICT_CLUSTER
    requires: ClassVar[frozenset[str]] = frozenset({"sequence"})

    decoder: Literal["fixed_weights", "fixed_states"] = "fixed_weights"
    recipe: Recipe = attrs.field(
        default=Recipe(lr=1e-4, schedule="exponential", lr_end=4.6e-5, clip=25.0, epochs=96, batch_size=256), kw_only=True
    )

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective."""
        return _Objective(self, backbone)


class Decoder(nn.Module):
    """A GRU that adds to a frame what leads to the next, beginning with the first frame and the feature as its state."""

    def __init__(self, values: int, width: int, *, fixed_weights: bool) -> None:
        super().__init__()
        self.cell, self.leave, self.fixed_weights = nn.GRUCell(values, width), nn.Linear(width, values), fixed_weights
        for matrix in (self.cell.weight_ih, self.cell.weight_hh, self.leave.weight):
            nn.init.xavier_uniform_(matrix)
        self.cell.requires_grad_(requires_grad=not fixed_weights)

    def forward(self, frame: Tensor, feature: Tensor, steps: int) -> Tensor:
        """Return so many frames `(N, steps, values)` that follow on a frame `(N, values)`, each made of the one before as predicted."""
        state, said = feature, []
        for _ in range(steps):
            state = self.cell(frame, state if self.fixed_weights else feature)
            frame = frame + self.leave(state)
            said.append(frame)
        return torch.stack(said, dim=1)


class _Objective(Objective):
    def __init__(self, method: PredictCluster, backbone: Backbone) -> None:
        super().__init__()
        self.backbone, self.encoder = backbone, Scaled(backbone)
        self.decoder = Decoder(backbone.coordinates, backbone.width, fixed_weights=method.decoder == "fixed_weights")

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        return {"loss": torch.stack([self._error(view) for view in batch.views]).mean()}

    def _error(self, view: View) -> Tensor:
        """Return the absolute error, summed over a frame, in the mean over all valid frames but the first of each clip."""
        frames = frame_vectors(to_unit(view.x, view.length))
        said = self.decoder(frames[:, 0], self.encoder(*view), frames.shape[1] - 1)
        error: Tensor = (said - frames[:, 1:]).abs().sum(dim=2, keepdim=True)
        if view.length is None:
            return error.mean()
        valid = before_the_end(error, view.length - 1)
        return torch.where(valid, error, 0).sum() / valid.sum().clamp(min=1)

    def embedder(self) -> nn.Module:
        return self.encoder
