"""AimCLR: extreme augmentations whose predictions must resemble the normal ones [Guo et al., AAAI 2022].

With p a query's distribution over its key and the queue, `normal` an ordinary view, `extreme` a much more augmented one, and `drop` the
extreme one with its most conspicuous joints and cells removed from the feature map (eq. 5 to 9):

    loss = InfoNCE(normal) + (D(p_extreme | p_normal) + D(p_drop | p_normal)) / 2,    D(p | q) = -sum q log p

From the middle of training on, the nearest entries of the queue to each of the three queries are positives as well. Values are those of
the public code, whose data loaders repeat one stream of random numbers in every epoch; ours do not.
"""

from typing import ClassVar

import attrs
import torch
from torch import Generator, Tensor
from torch.nn import functional

from mgbench import Backbone, Batch, Objective, Recipe
from mgbench.components import Pipeline
from mgbench_plugins import works
from mgbench_plugins.augmentations.blur import Blur
from mgbench_plugins.augmentations.channel_mask import ChannelMask
from mgbench_plugins.augmentations.flip import Flip
from mgbench_plugins.augmentations.noise import Noise
from mgbench_plugins.augmentations.rotate import Rotate
from mgbench_plugins.methods.contrast import MomentumContrast, MomentumMethod, info_nce, nearest, similarities
from mgbench_plugins.methods.skeletonclr import NORMAL, RECIPE


EXTREME: Pipeline = (Flip(draw="clip"), Rotate(draw="clip"), Noise(sigma=0.01, p=0.5), Blur(), ChannelMask(p=0.5))


@attrs.frozen
class AimCLR(MomentumMethod):
    """Contrast two views, and make an extreme third one be recognised as the first is.

    Args:
        mining: share of training after which nearest neighbours are positives.
        drop: joints, and cells of a channel, joint and frame, of the feature map whose attention is at least so large are dropped.
    """

    name = "aimclr"
    citation = works.AIMCLR
    tiny = "queue=10,projection=8"
    requires: ClassVar[frozenset[str]] = frozenset({"joint_map"})

    mining: float = attrs.field(default=0.5, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    drop: float = attrs.field(default=0.7, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    augment: Pipeline = attrs.field(default=NORMAL, kw_only=True)
    views: tuple[Pipeline, ...] = attrs.field(default=((), (), EXTREME), kw_only=True, validator=attrs.validators.min_len(3))
    recipe: Recipe = attrs.field(default=RECIPE, kw_only=True)

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective: the views are the query, the key and the extreme query."""
        return MiningContrast(self, backbone)


class MiningContrast(MomentumContrast):
    """AimCLR's loss of three views: query, key, and extreme query."""

    def __init__(self, method: AimCLR, backbone: Backbone) -> None:
        super().__init__(method, backbone)
        self.method, self.mining = method, method.mining == 0

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Return the loss."""
        normal, key, extreme = batch.views[:3]
        own = self.contrast(self.query(normal), key)
        features = self.backbone.map(*extreme)
        queries = [self.query.project_map(each) for each in (features, attention_drop(features, self.method.drop))]
        others = [similarities(query, self.fresh, self.queue.keys) for query in queries]
        target = functional.softmax(own.detach() / self.temperature, dim=1)
        unlike = torch.stack([-(target * functional.log_softmax(s / self.temperature, dim=1)).sum(dim=1).mean() for s in others])
        also = torch.stack([nearest(similarity) for similarity in (own, *others)]).amax(dim=0) if self.mining else None
        return {"loss": info_nce(own, self.temperature, also) + unlike.mean()}

    def step(self, progress: float, *, follow: bool = True) -> None:
        """Move what gradients do not, and begin to mine when it is time."""
        super().step(progress, follow=follow)
        self.mining = progress >= self.method.mining

    def get_extra_state(self) -> dict[str, bool]:
        """Return the phase, which a checkpoint must hold."""
        return {"mining": self.mining}

    def set_extra_state(self, state: dict[str, bool]) -> None:
        """Go on in the phase of a checkpoint."""
        self.mining = state["mining"]


def attention_drop(features: Tensor, threshold: float) -> Tensor:
    """Return a map `(N, M, D, T', V')` without its most conspicuous joints, then cells, the rest scaled up as dropout does.

    A cell's attention is the sigmoid of how far it lies from its channel's mean, in variances (SimAM); a joint's is the mean over channels
    and frames. Where all would go, all stay.
    """
    apart = (features - features.mean(dim=(3, 4), keepdim=True)).square()
    variance = apart.sum(dim=(3, 4), keepdim=True) / max(1, features[0, 0, 0].numel() - 1)
    attention = torch.sigmoid(apart / (4 * (variance + 1e-4)) + 0.5)
    for part in (attention.mean(dim=(2, 3), keepdim=True), attention):
        kept = (part < threshold).to(features.dtype)
        share = kept.mean(dim=(2, 3, 4), keepdim=True)
        features = torch.where(share > 0, features * kept / share.clamp_min(1e-6), features)
    return features
