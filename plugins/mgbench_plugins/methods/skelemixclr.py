"""SkeleMixCLR: body parts of another clip are pasted in, and both clips must be found again [Chen et al., SkeleMixCLR].

Besides the contrast of `skeletonclr`, queries are mixed: in a span of time, two or three whole body parts come from another clip of the
batch. The cells of the feature map where parts were pasted are pooled and contrasted with that clip's key, the others with the own key.
Spans are counted in cells of the encoder's map; four frames make one in ST-GCN, so that shares of T stand for the paper's 7 to 11 of 16.
"""

from typing import ClassVar

import attrs
import torch
from torch import Generator, Tensor

from mgbench import Backbone, Batch, Objective, Recipe
from mgbench.components import Pipeline
from mgbench_plugins.methods.contrast import MomentumContrast, MomentumMethod, info_nce, refuse_masks, similarities
from mgbench_plugins.methods.skeletonclr import NORMAL, RECIPE


@attrs.frozen
class SkeleMixCLR(MomentumMethod):
    """Contrast clips, and clips with pasted body parts, whose two sources must each be told from a queue of keys.

    Args:
        parts: how many body parts are pasted, from the first number to the second.
        span: share of the clip in which they are, from the first number to the second.
    """

    name = "skelemixclr"
    citation = """@article{chen2022skelemixclr,
  title={Contrastive Learning from Spatio-Temporal Mixed Skeleton Sequences for Self-Supervised Skeleton-Based Action Recognition},
  author={Chen, Zhan and Liu, Hong and Guo, Tianyu and Chen, Zhengyan and Song, Pinhao and Tang, Hao},
  journal={arXiv:2207.03065},
  year={2022}
}"""
    tiny = "queue=10,projection=8"
    requires: ClassVar[frozenset[str]] = frozenset({"joint_map"})

    temperature: float = attrs.field(default=0.2, validator=attrs.validators.gt(0))
    parts: tuple[int, int] = attrs.field(default=(2, 3))
    span: tuple[float, float] = attrs.field(default=(7 / 16, 11 / 16))
    augment: Pipeline = attrs.field(default=NORMAL, kw_only=True)
    views: tuple[Pipeline, ...] = attrs.field(default=((), ()), kw_only=True, validator=attrs.validators.min_len(2))
    recipe: Recipe = attrs.field(default=RECIPE, kw_only=True)

    def __attrs_post_init__(self) -> None:
        """Refuse ranges that are none."""
        for name, (low, high), least, most in (("parts", self.parts, 1, 5), ("span", self.span, 0, 1)):
            if not least <= low <= high <= most:
                msg = f"{name} got ({low},{high}); it needs two numbers from {least} to {most}, the smaller first."
                raise ValueError(msg)

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective: the first view holds the queries, the second the keys."""
        return _Objective(self, backbone)


class _Objective(MomentumContrast):
    member: Tensor

    def __init__(self, method: SkeleMixCLR, backbone: Backbone) -> None:
        super().__init__(method, backbone)
        self.method = method
        self.register_buffer("member", membership(backbone.skeleton.body_parts, len(backbone.skeleton.joints)), persistent=False)

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        query, key = batch.views[:2]
        refuse_masks(self.method, query)
        whole = info_nce(self.contrast(self.query(query), key), self.temperature)
        x = query.x
        shift = torch.randint(1, max(2, len(x)), (), generator=generator, device=x.device)
        donor = (torch.arange(len(x), device=x.device) + shift) % len(x)
        cells = -(-x.shape[3] // 4)
        mask = pasted(self.method, self.member, cells, generator)
        inside = mask.repeat_interleave(4, dim=0)[: x.shape[3]]
        features = self.backbone.map(torch.where(inside, x[donor], x), *query[1:])
        fitted = torch.nn.functional.interpolate(mask[None, None].float(), (features.shape[3], mask.shape[1]), mode="nearest-exact")[0, 0]
        losses = [
            info_nce(similarities(self.query.project(pooled(features, weight)), keys, self.queue.keys), self.temperature)
            for weight, keys in ((fitted, self.fresh[donor]), (1 - fitted, self.fresh))
        ]
        return {"loss": whole + losses[0] + losses[1]}


def membership(body: tuple[tuple[int, ...], ...], joints: int) -> Tensor:
    """Return which joints belong to which part of the body, `(parts, V)`."""
    return torch.tensor([[joint in part for joint in range(joints)] for part in body])


def pasted(method: SkeleMixCLR, member: Tensor, cells: int, generator: Generator) -> Tensor:
    """Return which cells `(cells, V)` come from the other clip: some body parts `(parts, V)` during one span, never all parts."""
    (low, high), (parts, _), device = method.parts, member.shape, member.device
    ranks = torch.rand(parts, generator=generator, device=device).argsort()
    most = min(high, parts - 1)
    count = torch.randint(min(low, most), most + 1, (), generator=generator, device=device)
    chosen = (member & (ranks < count)[:, None]).any(dim=0)
    least, largest = (max(1, round(share * cells)) for share in method.span)
    length = torch.randint(least, largest + 1, (), generator=generator, device=device)
    start = (torch.rand((), generator=generator, device=device) * (cells - length + 1)).long()
    place = torch.arange(cells, device=device)
    return ((place >= start) & (place < start + length))[:, None] & chosen


def pooled(features: Tensor, weight: Tensor) -> Tensor:
    """Return the mean `(N, D)` of a map `(N, M, D, T', V)` over persons and the cells of weight one, `(T', V)`."""
    return (features * weight).sum(dim=(1, 3, 4)) / (features.shape[1] * weight.sum())
