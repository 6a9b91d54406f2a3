"""What masked autoencoders share: a decoder that predicts hidden tokens from the features of the kept ones [MAE, He et al. 2022]."""

import abc
from typing import ClassVar

import attrs
import torch
from torch import Generator, Tensor, nn

from mgbench import Backbone, Batch, Method, Objective, SpecError, View
from mgbench.tokens import kept_first, stretched


@attrs.frozen
class MaskedMethod(Method):
    """Predict something of hidden tokens from the others, which alone enter the encoder.

    Args:
        features: width of the decoder, which is thrown away after training.
        blocks: of the decoder.
        heads: of the decoder's attention.
        frames: for which the decoder's positions in time are learnt; they are stretched to clips of other lengths.
    """

    requires: ClassVar[frozenset[str]] = frozenset({"drop_tokens"})

    features: int = attrs.field(default=256, kw_only=True, validator=attrs.validators.ge(1))
    blocks: int = attrs.field(default=5, kw_only=True, validator=attrs.validators.ge(1))
    heads: int = attrs.field(default=8, kw_only=True, validator=attrs.validators.ge(1))
    frames: int = attrs.field(default=120, kw_only=True, validator=attrs.validators.ge(1))

    def __attrs_post_init__(self) -> None:
        """Refuse heads that cannot share the features."""
        if self.features % self.heads:
            msg = f"{self.name}[heads] got {self.heads}; it must divide the {self.features} features of the decoder."
            raise SpecError(msg)

    @abc.abstractmethod
    def targets(self, x: Tensor, length: int) -> Tensor:
        """Return what is predicted of the tokens of clips `(N, M, C, T, V)`: `(N, M, T', V, C length)`."""

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective."""
        return _Objective(self, backbone)


class Decoder(nn.Module):
    """Kept and hidden tokens through blocks of attention, `(N, K', D) -> (N, H, values)`.

    Every token has its position; of a hidden one that is all there is to know, beside one learnt vector for all of them. Blocks do not
    depend on the order of tokens, so the kept ones come first.
    """

    def __init__(self, method: MaskedMethod, backbone: Backbone) -> None:
        super().__init__()
        width, token, skeleton = method.features, backbone.encoder.token, backbone.skeleton
        self.enter = nn.Linear(backbone.width, width)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, method.heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
            for _ in range(method.blocks)
        )
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, len(skeleton.axes) * token)
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
        self.hidden, self.time, self.place = (
            nn.Parameter(nn.init.trunc_normal_(torch.empty(count, width), std=0.02))
            for count in (1, max(1, method.frames // token), len(skeleton.joints))
        )

    def forward(self, features: Tensor, order: Tensor, times: int) -> Tensor:
        """Return the values of hidden tokens; `order` `(N, T' V)` numbers the K' kept ones and behind them the others."""
        y = torch.cat([self.enter(features), self.hidden.expand(len(order), order.shape[1] - features.shape[1], -1)], dim=1)
        positions = (stretched(self.time, times)[:, None] + self.place).flatten(0, 1)
        y = y + positions[order]
        for block in self.blocks:
            y = block(y)
        values: Tensor = self.leave(self.norm(y[:, features.shape[1] :]))
        return values


class _Objective(Objective):
    def __init__(self, method: MaskedMethod, backbone: Backbone) -> None:
        super().__init__()
        self.method, self.backbone, self.token = method, backbone, backbone.encoder.token
        self.decoder = Decoder(method, backbone)

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        return {"loss": torch.stack([self._error(view) for view in batch.views]).mean()}

    def _error(self, view: View) -> Tensor:
        """Return the mean squared error over all values of hidden tokens."""
        clips, persons = view.x.shape[:2]
        features = self.backbone.map(*view).flatten(3).flatten(0, 1).transpose(1, 2)  # (N M, K', D)
        targets = self.method.targets(view.x, self.token).flatten(0, 1)  # (N M, T', V, values)
        times, joints, values = targets.shape[1:]
        if view.tokens is None or features.shape[1] == times * joints:
            msg = f"{self.method.name} got a view of which no token is hidden; end each with a mask of tokens, such as motion_token_mask."
            raise SpecError(msg)
        order = kept_first(view.tokens.expand(clips, -1), self.token, times, joints).repeat_interleave(persons, dim=0)
        hidden = order[:, features.shape[1] :, None].expand(-1, -1, values)
        error: Tensor = self.decoder(features, order, times) - targets.flatten(1, 2).gather(1, hidden)
        return error.square().mean()
