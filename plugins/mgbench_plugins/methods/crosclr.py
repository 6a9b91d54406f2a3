"""CrosSCLR: three momentum contrasts, of joints, bones and motion, that learn from each other's neighbours [Li et al., CVPR 2021].

For the first half of training the streams learn apart, as `skeletonclr` does. Then, for stream u and another stream w, the queue's entry
most similar in w counts as a positive of u, and similarities of both streams multiplied stand beside those of u (section 3.3):

    loss_uw = InfoNCE over [s_u(key), s_u(queue), s_u(queue) * s_w(queue)], positives: the key and w's neighbour, twice

averaged over w and summed over u. Streams are derived from the augmented joints. In its second half the public code moves the momentum
encoder of motion alone; ours moves all three unless `motion_only` is set.
"""

from typing import Any, ClassVar, Final, Literal

import attrs
import torch
from torch import Generator, Tensor, nn

from mgbench import Backbone, Batch, Objective, Recipe, View
from mgbench.components import Pipeline, Stream
from mgbench.preprocess import derive_stream
from mgbench.skeleton import Skeleton
from mgbench_plugins import works
from mgbench_plugins.methods.contrast import MomentumContrast, MomentumMethod, info_nce, nearest
from mgbench_plugins.methods.skeletonclr import NORMAL, RECIPE


STREAMS: Final[tuple[Stream, ...]] = ("joint", "bone", "motion")


@attrs.frozen
class CrosSCLR(MomentumMethod):
    """Contrast joints, bones and motion, each with the others' nearest neighbours as further positives.

    Args:
        cross: share of training after which streams learn from each other.
        embedding: the stream whose encoder is evaluated, or `all` three, their features side by side.
        motion_only: let only motion's momentum encoder follow once streams learn from each other, as the public code does.
    """

    name = "crosclr"
    citation = works.CROSSCLR
    tiny = "queue=10,projection=8"
    streams: ClassVar[frozenset[Stream]] = frozenset({"joint"})

    cross: float = attrs.field(default=0.5, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    embedding: Literal["joint", "bone", "motion", "all"] = "joint"
    motion_only: bool = False
    augment: Pipeline = attrs.field(default=NORMAL, kw_only=True)
    views: tuple[Pipeline, ...] = attrs.field(default=((), ()), kw_only=True, validator=attrs.validators.min_len(2))
    recipe: Recipe = attrs.field(default=RECIPE, kw_only=True)

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective: the first view holds the queries, the second the keys; bones and motion get encoders of their own."""
        return _Objective(self, backbone)


class _Streams(nn.Module):
    """The features of some streams side by side, `(N, M, C, T, V) -> (N, D)`, of clips in the joint stream."""

    def __init__(self, backbones: dict[Stream, Backbone], skeleton: Skeleton) -> None:
        super().__init__()
        self.names, self.skeleton = tuple(backbones), skeleton
        self.backbones = nn.ModuleList(backbones.values())

    def forward(self, x: Tensor) -> Tensor:
        parts = [backbone(derive_stream(x, self.skeleton, name)) for name, backbone in zip(self.names, self.backbones, strict=True)]
        return torch.cat(parts, dim=1)


class _Objective(Objective):
    contrasts: nn.ModuleList

    def __init__(self, method: CrosSCLR, backbone: Backbone) -> None:
        super().__init__()
        self.backbone, self.method, self.crossing = backbone, method, method.cross == 0
        backbones = (backbone, backbone.fresh(), backbone.fresh())
        self.contrasts = nn.ModuleList(MomentumContrast(method, each) for each in backbones)

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        query, key = batch.views[:2]
        found = [self._similarity(contrast, stream, query, key) for contrast, stream in zip(self.contrasts, STREAMS, strict=True)]
        if not self.crossing:
            return {"loss": torch.stack([info_nce(similarity, self.method.temperature) for similarity in found]).sum()}
        losses = [crossed(found[u], found[w], self.method.temperature) for u in range(3) for w in range(3) if u != w]
        return {"loss": torch.stack(losses).sum() / 2}

    def _similarity(self, contrast: nn.Module, stream: Stream, query: View, key: View) -> Tensor:
        assert isinstance(contrast, MomentumContrast)  # noqa: S101 - a ModuleList forgets what it holds
        first, second = (view._replace(x=derive_stream(view.x, self.backbone.skeleton, stream)) for view in (query, key))
        return contrast.contrast(contrast.query(first), second)

    def step(self, progress: float) -> None:
        for contrast, stream in zip(self.contrasts, STREAMS, strict=True):
            assert isinstance(contrast, MomentumContrast)  # noqa: S101 - a ModuleList forgets what it holds
            contrast.step(progress, follow=stream == "motion" or not (self.crossing and self.method.motion_only))
        self.crossing = progress >= self.method.cross

    def embedder(self) -> nn.Module:
        chosen = STREAMS if self.method.embedding == "all" else (self.method.embedding,)
        backbones: dict[Stream, Any] = {name: self.contrasts[STREAMS.index(name)].backbone for name in chosen}
        return self.backbone if chosen == ("joint",) else _Streams(backbones, self.backbone.skeleton)

    def get_extra_state(self) -> dict[str, bool]:
        return {"crossing": self.crossing}

    def set_extra_state(self, state: dict[str, bool]) -> None:
        self.crossing = state["crossing"]


def crossed(own: Tensor, other: Tensor, temperature: float) -> Tensor:
    """Return the loss of one stream with the neighbours of another, from similarities `(N, 1 + K)` of each to key and queue."""
    context = own[:, 1:] * other[:, 1:]
    neighbour = nearest(other)
    return info_nce(torch.cat([own, context], dim=1), temperature, torch.cat([neighbour, neighbour], dim=1))
