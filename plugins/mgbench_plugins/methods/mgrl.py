"""MGRL: PSTL's three views with self-attention over time before the projector [Shah, Chen and Zhao, FG 2024].

Where the paper is silent: attention is one multi-head layer over time tokens, joints averaged (`attention=time`), pre-norm with a
residual and no positions; the probed feature is its output; optimiser, lambda and masks are PSTL's, at the paper's batch of 32 and
200 epochs. The views share one encoder. Before training, the prior-guided skeleton-merge adds a fifth of new clips.
"""

from typing import ClassVar, Literal

import attrs
from torch import Generator, Tensor, nn

from mgbench import Backbone, Batch, Method, Objective, Recipe, SpecError
from mgbench.components import Pipeline, SetPipeline
from mgbench.kernels.cross_correlation import cross_correlation_loss
from mgbench_plugins import works
from mgbench_plugins.augmentations.csm import CentralSpatialMasking
from mgbench_plugins.augmentations.matm import MotionTemporalMasking
from mgbench_plugins.augmentations.merge import Merge
from mgbench_plugins.methods.barlow_twins import AUGMENT, RECIPE, Projector


@attrs.frozen
class MGRL(Method):
    """Make spatially and temporally masked views agree with an anchor, through self-attention over time.

    Args:
        projector: D of the three projector layers.
        lambd: weight of the redundancy term (eq. 4 and 5).
        attention: what a token is: a time step, joints averaged; every joint at every time step; or no attention, which is PSTL.
        heads: of the attention.
        probe: whether the evaluated feature comes `after` the attention or `before` it.
    """

    name = "mgrl"
    citation = works.MGRL
    tiny = "projector=32"
    requires: ClassVar[frozenset[str]] = frozenset({"joint_map"})

    projector: int = attrs.field(default=6144, validator=attrs.validators.ge(1))
    lambd: float = attrs.field(default=2e-4, validator=attrs.validators.ge(0))
    attention: Literal["time", "cells", "none"] = "time"
    heads: int = attrs.field(default=4, validator=attrs.validators.ge(1))
    probe: Literal["after", "before"] = "after"
    augment: Pipeline = attrs.field(default=AUGMENT, kw_only=True)
    views: tuple[Pipeline, ...] = attrs.field(default=((), (CentralSpatialMasking(),), (MotionTemporalMasking(),)), kw_only=True)
    prepare: SetPipeline = attrs.field(default=(Merge(),), kw_only=True)
    recipe: Recipe = attrs.field(default=attrs.evolve(RECIPE, epochs=200, batch_size=32), kw_only=True)

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective: the first view is the anchor."""
        if self.attention != "none" and backbone.width % self.heads:
            msg = f"mgrl[heads] got {self.heads}; it must divide the encoder's {backbone.width} features."
            raise SpecError(msg)
        return _Objective(self, backbone)


class _Attended(nn.Module):
    """A backbone whose feature map is pooled by self-attention, `(N, M, C, T, V) -> (N, D)`."""

    def __init__(self, method: MGRL, backbone: Backbone) -> None:
        super().__init__()
        self.backbone, self.tokens = backbone, method.attention
        self.norm = nn.LayerNorm(backbone.width)
        self.attention = nn.MultiheadAttention(backbone.width, method.heads, batch_first=True)

    def forward(self, x: Tensor, joints: Tensor | None = None, tokens: Tensor | None = None, length: Tensor | None = None) -> Tensor:
        features = self.backbone.map(x, joints, tokens, length)  # (N, M, D, T', V')
        tokens = features.mean(dim=4) if self.tokens == "time" else features.flatten(3)
        tokens = tokens.flatten(0, 1).transpose(1, 2)  # (N M, tokens, D)
        normal = self.norm(tokens)
        attended = tokens + self.attention(normal, normal, normal, need_weights=False)[0]
        pooled: Tensor = attended.mean(dim=1).unflatten(0, (len(x), -1)).mean(dim=1)
        return pooled


class _Objective(Objective):
    def __init__(self, method: MGRL, backbone: Backbone) -> None:
        super().__init__()
        self.backbone, self.lambd = backbone, method.lambd
        self.encoder: nn.Module = backbone if method.attention == "none" else _Attended(method, backbone)
        self.projector = Projector(backbone.width, method.projector)
        self.probed = backbone if method.probe == "before" else self.encoder

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        anchor, *views = self.projector([self.encoder(*view) for view in batch.views])
        return {"loss": cross_correlation_loss(anchor, *views, lambd=self.lambd)}

    def embedder(self) -> nn.Module:
        return self.probed
