"""ActCLR: what moves in a clip, its actionlet, is kept while the rest is augmented hard [Lin, Zhang and Liu, CVPR 2023].

Training starts as AimCLR, whose model the public code loads. Then the actionlet of a clip is found without labels: the gradient of its
unlikeness to a static anchor, the key embedding of the batch's mean clip, weighs the channels of its feature map, and cells are averaged
within body parts. Three queries resemble the key, whose features are half those of all cells and half those of the actionlet: actionlet
of the normal view and rest of an extreme one; the same with another body's statistics and parts in the rest; and a mixture of two clips,
which resembles the mixture of their keys:

    loss = sum over queries of KL(softmax(s_key / 0.04) | softmax(s_query^2 / 0.1))

over the entries of the queue most similar to the key, those above 0.95 left out. Reconstructed in two points: maps of attention are
scaled by their largest value before they are clipped to [0, 1], and the public code's augmentations, which weaken in four stages, stay.
"""

from typing import Final

import attrs
import torch
from torch import Generator, Tensor
from torch.nn import functional

from mgbench import Backbone, Batch, Objective, Recipe, View
from mgbench.components import Pipeline
from mgbench_plugins import works
from mgbench_plugins.augmentations.part_swap import PartSwap
from mgbench_plugins.methods.aimclr import EXTREME, AimCLR, MiningContrast
from mgbench_plugins.methods.contrast import full, refuse_masks


#: A logit whose share is zero, and whose logarithm is still a number.
_NOWHERE: Final = -1e4


@attrs.frozen
class ActCLR(AimCLR):
    """Train as AimCLR, then recognise clips by their moving parts alone.

    Args:
        start: share of training after which actionlets are used.
        candidates: entries of the queue whose similarities are compared.
        sharpness: temperatures of keys and queries.
    """

    name = "actclr"
    citation = works.ACTCLR
    tiny = "queue=10,projection=8,candidates=6"

    queue: int = attrs.field(default=65536, validator=attrs.validators.ge(1))
    mining: float = attrs.field(default=3 / 13, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    start: float = attrs.field(default=6 / 13, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    candidates: int = attrs.field(default=8192, validator=attrs.validators.ge(1))
    sharpness: tuple[float, float] = attrs.field(default=(0.04, 0.1), validator=attrs.validators.deep_iterable(attrs.validators.gt(0)))
    views: tuple[Pipeline, ...] = attrs.field(
        default=((), (), EXTREME, (*EXTREME, PartSwap())), kw_only=True, validator=attrs.validators.min_len(4)
    )
    recipe: Recipe = attrs.field(
        default=Recipe(
            optimizer="sgd", lr=0.4, schedule="step", milestones=(11 / 13,), weight_decay=1e-4, nesterov=False, epochs=650, batch_size=128
        ),
        kw_only=True,
    )

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective: the views are the query, the key, and two extreme queries."""
        return _Objective(self, backbone)


class _Objective(MiningContrast):
    method: ActCLR
    parts: Tensor

    def __init__(self, method: ActCLR, backbone: Backbone) -> None:
        super().__init__(method, backbone)
        self.acting = method.start == 0
        self.register_buffer("parts", averaging(backbone.skeleton.body_parts, len(backbone.skeleton.joints)), persistent=False)

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        return self._act(batch, generator) if self.acting else super().forward(batch, generator)

    def _act(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        normal, second, *extreme = batch.views[:4]
        refuse_masks(self.method, normal, second, *extreme)
        key = self.fresh = self._key(second)
        mine = self.actionlet(normal)
        _, donor = torch.rand(len(normal.x), generator=generator, device=normal.x.device).sort()
        rests = (extreme[0].x, transferred(extreme[1].x, donor))
        queries = [self.query(View(torch.lerp(rest, normal.x, stretched(mine, rest)))) for rest in rests]
        share = torch.rand(len(donor), 1, generator=generator, device=donor.device).to(key.dtype)
        mixed = torch.lerp(normal.x[donor], normal.x, share[..., None, None, None])
        keys = (key, key, functional.normalize(torch.lerp(key[donor], key, share), dim=1))
        losses = [self._unlike(query, target) for query, target in zip((*queries, self.query(View(mixed))), keys, strict=True)]
        return {"loss": torch.stack(losses).sum()}

    @torch.no_grad()
    def _key(self, view: View) -> Tensor:
        """Return the keys of a view, half of all cells and half of the actionlet."""
        encoder = self.key.module
        mask = self.actionlet(view)
        features = encoder.backbone.map(*view)
        inside = (features * mask.unsqueeze(2)).sum(dim=(1, 3, 4)) / mask.sum(dim=(1, 2, 3)).clamp_min(1e-6)[:, None]
        key: Tensor = encoder.project((encoder.backbone.network.pool(features) + inside) / 2)
        return key

    def actionlet(self, view: View) -> Tensor:
        """Return how much each cell of the key encoder's map tells a clip from a static one, `(N, M, T', V)` in [0, 1]."""
        encoder = self.key.module
        with torch.no_grad():
            anchor = encoder(View(view.x.mean(dim=0, keepdim=True)))
            features = encoder.backbone.map(*view)
        with torch.enable_grad():
            cells = full(features).detach().requires_grad_()
            unlike = 1 - functional.cosine_similarity(encoder.project_map(cells), anchor, dim=1)
            (slope,) = torch.autograd.grad(unlike.sum(), cells)
        weight = slope.mean(dim=(1, 3, 4), keepdim=True)
        heat = torch.relu((weight * features).sum(dim=2))
        with torch.autocast(heat.device.type, enabled=False):
            heat = full(heat) @ full(self.parts.to(heat.dtype))
        return (heat / heat.amax(dim=(1, 2, 3), keepdim=True).clamp_min(1e-12)).clamp(0, 1)

    def _unlike(self, query: Tensor, key: Tensor) -> Tensor:
        """Return the divergence of a query's likeness to the queue from its key's.

        Entries that are left out have no share in either, also where the queue has too few others for so many candidates.
        """
        sharp, soft = self.method.sharpness
        with torch.autocast(key.device.type, enabled=False):
            toward, found = key @ self.queue.keys.T, query @ self.queue.keys.T
        out = toward > 0.95  # noqa: PLR2004 - the paper's own number
        near, index = toward.masked_fill(out, -torch.inf).topk(min(self.method.candidates, len(self.queue.keys)), dim=1)
        out = out.gather(1, index)
        every = (near / sharp, found.gather(1, index).square() / soft)
        theirs, ours = (functional.log_softmax(logits.masked_fill(out, _NOWHERE), dim=1) for logits in every)
        return functional.kl_div(ours, theirs, log_target=True, reduction="batchmean")

    def step(self, progress: float, *, follow: bool = True) -> None:
        super().step(progress, follow=follow)
        self.acting = progress >= self.method.start

    def get_extra_state(self) -> dict[str, bool]:
        return {**super().get_extra_state(), "acting": self.acting}

    def set_extra_state(self, state: dict[str, bool]) -> None:
        super().set_extra_state(state)
        self.acting = state["acting"]


def averaging(body: tuple[tuple[int, ...], ...], joints: int) -> Tensor:
    """Return the matrix `(V, V)` that replaces every joint's value by the mean of its body part."""
    matrix = torch.zeros(joints, joints)
    for part in body:
        index = torch.tensor(part)
        matrix[index[:, None], index] = 1 / len(part)
    return matrix


def stretched(mask: Tensor, x: Tensor) -> Tensor:
    """Return a mask `(N, M, T', V)` for the frames of clips, `(N, M, 1, T, V)`."""
    return functional.interpolate(mask, size=x.shape[3:], mode="nearest-exact").unsqueeze(2)


def transferred(x: Tensor, donor: Tensor) -> Tensor:
    """Return clips whose joints move about the donor's mean positions as widely as the donor's do."""
    mean, spread = x.mean(dim=3, keepdim=True), x.std(dim=3, keepdim=True)
    return (x - mean) / spread.clamp_min(1e-6) * spread[donor] + mean[donor]
