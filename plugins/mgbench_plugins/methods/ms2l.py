"""MS2L: motion prediction, a jigsaw of time and contrast share a recurrent encoder [Lin et al., ACM Multimedia 2020].

The paper's encoder is `bigru[hidden=300,layers=2,feature=mean,weights=orthogonal]`. Values are those of the authors' code, which differs in
three points: it cuts gradients for each part of the network apart, gives a clip's likeness to itself the value -1 in place of leaving it
out, and counts frames behind a clip's end as predicted well.
"""

import itertools
from typing import ClassVar

import attrs
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from mgbench import Backbone, Batch, Method, Objective, Recipe, View
from mgbench.sequences import before_the_end, clips_before_the_end, frame_features, frame_vectors
from mgbench_plugins import works
from mgbench_plugins.augmentations.views import take_frames, valid_frames
from mgbench_plugins.methods.contrast import full, perceptron


@attrs.frozen
class MS2L(Method):
    """Predict how a clip ends, tell in which order its pieces were put, and recognise it in both forms.

    Args:
        masked: share of a clip's frames, at its end, that the prediction does not see.
        segments: pieces of the jigsaw, of which every order is a class.
        temperature: of the contrast.
        projection: D of the contrasted embeddings.
        hidden: width of the hidden layers of both heads.
    """

    name = "ms2l"
    citation = works.MS2L
    tiny = "projection=8,hidden=16"
    requires: ClassVar[frozenset[str]] = frozenset({"sequence"})

    masked: float = attrs.field(default=0.3, validator=[attrs.validators.gt(0), attrs.validators.lt(1)])
    segments: int = attrs.field(default=3, validator=[attrs.validators.ge(2), attrs.validators.le(5)])
    temperature: float = attrs.field(default=0.9, validator=attrs.validators.gt(0))
    projection: int = attrs.field(default=1024, validator=attrs.validators.ge(1))
    hidden: int = attrs.field(default=2048, validator=attrs.validators.ge(1))
    recipe: Recipe = attrs.field(
        default=Recipe(lr=1e-3, schedule="step", milestones=(0.5,), clip=10.0, epochs=60, batch_size=256), kw_only=True
    )

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective."""
        return _Objective(self, backbone)


def without_end(x: Tensor, length: Tensor, masked: float) -> Tensor:
    """Return clips `(N, M, C, T, V)` whose last valid frames, this share of them, are zero."""
    kept = length - (masked * length).round()
    return torch.where(clips_before_the_end(x, kept), x, 0)


def shuffled(x: Tensor, length: Tensor, orders: Tensor) -> Tensor:
    """Return clips whose valid frames are cut into as many pieces as an order `(N, segments)` has, and joined in that order.

    Pieces are equally long; frames beyond the last stay where they are.
    """
    time, count = torch.arange(x.shape[3], device=x.device), orders.shape[1]
    size = length[:, None] // count
    piece, place = time // size.clamp(min=1), time % size.clamp(min=1)
    source = torch.where((piece < count) & (size > 0), orders.gather(1, piece.clamp(max=count - 1)) * size + place, time)
    return take_frames(x, source)


def nt_xent(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Return NT-Xent [SimCLR, Chen et al. 2020]: how well each row of `(N, D)` tells its counterpart from the other 2 N - 2 rows."""
    z = functional.normalize(torch.cat([full(a), full(b)]), dim=1)
    with torch.autocast(z.device.type, enabled=False):
        similarity = z @ z.T / temperature
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    counterpart = torch.arange(len(z), device=z.device).roll(len(a))
    return functional.cross_entropy(similarity.masked_fill(itself, -torch.inf), counterpart)


class _Objective(Objective):
    orders: Tensor

    def __init__(self, method: MS2L, backbone: Backbone) -> None:
        super().__init__()
        self.method, self.backbone = method, backbone
        self.register_buffer("orders", torch.tensor(list(itertools.permutations(range(method.segments)))), persistent=False)
        self.decoder = nn.GRU(backbone.width, backbone.width, 2, batch_first=True)
        self.leave = nn.Linear(backbone.width, backbone.coordinates)
        self.jigsaw = perceptron(backbone.width, method.hidden, len(self.orders), norm=True)
        self.projector = perceptron(backbone.width, method.hidden, method.projection, norm=True)

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        motion, jigsaw, contrast = torch.stack([self._tasks(view, generator) for view in batch.views]).mean(dim=0)
        return {"loss": motion + jigsaw + contrast, "motion": motion, "jigsaw": jigsaw, "contrast": contrast}

    def _tasks(self, view: View, generator: Generator) -> Tensor:
        """Return the losses of the three tasks."""
        length = valid_frames(view)
        order = torch.randint(len(self.orders), length.shape, generator=generator, device=length.device)
        forms = (view.x, without_end(view.x, length, self.method.masked), shuffled(view.x, length, self.orders[order]))
        maps = [self.backbone.map(*view._replace(x=x)) for x in forms]
        whole, ended, mixed = (self.backbone.network.pool(features) for features in maps)
        said = self.leave(self.decoder(frame_features(maps[1]))[0])
        return torch.stack(
            [
                _error(said, frame_vectors(view.x), length),
                functional.cross_entropy(full(self.jigsaw(mixed)), order),
                self._contrast([self.projector(feature) for feature in (whole, ended, mixed)]),
            ]
        )

    def _contrast(self, z: list[Tensor]) -> Tensor:
        """Return the contrast of each form with the mean of all, in the mean over forms."""
        middle = torch.stack(z).mean(dim=0)
        return torch.stack([nt_xent(one, middle, self.method.temperature) for one in z]).mean()


def _error(said: Tensor, frames: Tensor, length: Tensor) -> Tensor:
    """Return the mean squared error of frames `(N, T, values)` before the end of their clip."""
    valid = before_the_end(said, length)
    return torch.where(valid, said - frames, 0).square().sum() / (valid.sum() * said.shape[2])
