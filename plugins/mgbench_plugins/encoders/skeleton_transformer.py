"""A transformer over tokens of four frames of one joint: the encoder of MAMP [Mao et al., ICCV 2023].

The default has 6,336,000 parameters for Kinect-25; with its decoder of five blocks MAMP has 10,368,524. Dropped tokens never enter it, so
nine tenths masked cost a tenth and less.
"""

from typing import ClassVar

import attrs
import torch
from torch import Tensor, nn
from torch.nn import functional

from mgbench import Encoder, Network, Skeleton
from mgbench.tokens import filled, in_tokens, kept_first, stretched
from mgbench_plugins import works


@attrs.frozen
class SkeletonTransformer(Encoder):
    """MAMP's transformer, whose tokens are some frames of one joint.

    Args:
        features: D, the width of a token.
        blocks: of attention and two layers.
        heads: of attention, which share the features.
        patch: frames of a token.
        frames: for which positions in time are learnt; they are stretched to clips of other lengths.
    """

    name = "skeleton_transformer"
    citation = works.MAMP
    tiny = "features=16,blocks=2,heads=2,frames=20"
    gives: ClassVar[frozenset[str]] = frozenset({"joint_map", "drop_joints", "drop_tokens"})

    features: int = attrs.field(default=256, validator=attrs.validators.ge(1))
    blocks: int = attrs.field(default=8, validator=attrs.validators.ge(1))
    heads: int = attrs.field(default=8, validator=attrs.validators.ge(1))
    patch: int = attrs.field(default=4, validator=attrs.validators.ge(1))
    frames: int = attrs.field(default=120, validator=attrs.validators.ge(1))

    def __attrs_post_init__(self) -> None:
        """Refuse what does not divide."""
        for name, whole, part, share in (("features", self.features, "heads", self.heads), ("frames", self.frames, "patch", self.patch)):
            if whole % share:
                msg = f"{name} got {whole}; it takes a multiple of {part}, which is {share}."
                raise ValueError(msg)

    @property
    def token(self) -> int:
        """The field `patch`."""
        return self.patch

    def build(self, skeleton: Skeleton, channels: int, persons: int) -> Network:
        """Make the network; persons are folded into the batch, so it holds nothing a person."""
        return _Transformer(self, channels, len(skeleton.joints))


class _Transformer(Network):
    def __init__(self, spec: SkeletonTransformer, channels: int, joints: int) -> None:
        super().__init__()
        self.width, self.patch = spec.features, spec.patch
        self.blocks = nn.ModuleList(_Block(spec.features, spec.heads) for _ in range(spec.blocks))
        for module in self.blocks.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        self.embed = nn.Linear(channels * spec.patch, spec.features)  # in the public code a convolution, drawn as torch draws both
        self.norm = nn.LayerNorm(spec.features)
        self.time = nn.Parameter(nn.init.trunc_normal_(torch.empty(spec.frames // spec.patch, spec.features), std=0.02))
        self.place = nn.Parameter(nn.init.trunc_normal_(torch.empty(joints, spec.features), std=0.02))

    def forward(self, x: Tensor, joints: Tensor | None = None, tokens: Tensor | None = None) -> Tensor:
        """Return `(N, M, D, ceil(T / patch), V')`, or with `tokens` `(N, M, D, K', 1)`: the tokens that they make whole, in order."""
        if joints is not None and tokens is not None:
            msg = "A view names kept joints and kept tokens; skeleton_transformer takes one of them."
            raise ValueError(msg)
        clips, persons, _, frames, places = x.shape
        patches = in_tokens(x, self.patch).flatten(0, 1)
        times = patches.shape[1]  # of (N M, T', V, C patch)
        y = (self.embed(patches) + stretched(self.time, times)[:, None] + self.place).flatten(1, 2)
        kept, grid = None, (times, places)
        if joints is not None:
            kept, grid = _tokens_of_joints(joints, times, places), (times, joints.shape[-1])
        elif tokens is not None:
            kept = self._tokens_of_cells(tokens.expand(clips, -1), frames, places)
            grid = (kept.shape[1], 1)
        if kept is not None:
            kept = kept.expand(clips, -1).repeat_interleave(persons, dim=0)
            y = y.gather(1, kept[..., None].expand(-1, -1, y.shape[2]))
        for block in self.blocks:
            y = block(y)
        features: Tensor = self.norm(y).transpose(1, 2).unflatten(2, grid).unflatten(0, (clips, persons))
        return features

    def _tokens_of_cells(self, cells: Tensor, frames: int, places: int) -> Tensor:
        """Return the numbers of the tokens that kept cells `(N, K)` of the T x V grid make whole, `(N, K')`."""
        held = torch.zeros(len(cells), frames * places, dtype=torch.bool, device=cells.device).scatter_(1, cells, value=True)
        held = filled(held.unflatten(1, (frames, places)), self.patch, dim=1).unflatten(1, (-1, self.patch))
        kept: Tensor = held.all(dim=2).flatten(1)  # (N, T' V)
        count = cells.shape[1] // self.patch
        whole = cells.device.type != "cpu" or ((held.any(dim=2).flatten(1) == kept).all() and (kept.sum(dim=1) == count).all())
        if not count or not whole:  # of another device every step would wait to know
            msg = f"Kept tokens got cells that are not, equally many for all clips, whole tokens of {self.patch} frames of one joint."
            raise ValueError(msg)
        return kept_first(cells, self.patch, -(-frames // self.patch), places)[:, :count]


def _tokens_of_joints(joints: Tensor, times: int, places: int) -> Tensor:
    """Return the numbers of the kept joints' tokens, `(1, K')` or `(N, K')`."""
    return (torch.arange(times, device=joints.device)[:, None] * places + joints.view(-1, 1, joints.shape[-1])).flatten(1)


class _Block(nn.Module):
    """Attention, then two layers, each on normalised tokens and added to them; `(N, K, D) -> (N, K, D)`."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(features)
        self.qkv = nn.Linear(features, 3 * features)
        self.mix = nn.Linear(features, features)
        self.second_norm = nn.LayerNorm(features)
        self.wide = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(self.norm(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        heads = functional.scaled_dot_product_attention(query, key, value)  # (N, heads, K, D / heads)
        x = x + self.mix(heads.transpose(1, 2).flatten(2))
        y: Tensor = x + self.narrow(functional.gelu(self.wide(self.second_norm(x))))
        return y
