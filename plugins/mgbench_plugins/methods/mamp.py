"""MAMP: the motion of hidden tokens, predicted from a tenth of the clip [Mao et al., ICCV 2023].

With the encoder `skeleton_transformer` it has the authors' 10,368,524 parameters. All values are those of their code, but for the
momenta of AdamW, which are torch's.
"""

import attrs
import torch
from torch import Tensor

from mgbench import Recipe
from mgbench.components import Pipeline
from mgbench.tokens import in_tokens
from mgbench_plugins import works
from mgbench_plugins.augmentations.crop_resize import CropResize
from mgbench_plugins.augmentations.motion_token_mask import MotionTokenMasking
from mgbench_plugins.augmentations.rotate import Rotate
from mgbench_plugins.methods.masked import MaskedMethod


@attrs.frozen
class MAMP(MaskedMethod):
    """Predict the motion of hidden tokens, which are hidden more often where there is motion."""

    name = "mamp"
    citation = works.MAMP
    tiny = "features=16,blocks=1,heads=2,frames=20"

    augment: Pipeline = attrs.field(default=(CropResize(), Rotate(degrees=17.19, others=17.19, signed=True, draw="clip")), kw_only=True)
    views: tuple[Pipeline, ...] = attrs.field(default=((MotionTokenMasking(),),), kw_only=True)
    recipe: Recipe = attrs.field(
        default=Recipe(optimizer="adamw", lr=1e-3, lr_end=5e-4, weight_decay=0.05, warmup=20, epochs=400, batch_size=128), kw_only=True
    )

    def targets(self, x: Tensor, length: int) -> Tensor:
        """Return each token's motion without its mean and scale."""
        motion = torch.cat([x[:, :, :, 1:] - x[:, :, :, :-1], torch.zeros_like(x[:, :, :, :1])], dim=3)
        values = in_tokens(motion, length)
        variance, mean = torch.var_mean(values, dim=4, keepdim=True)
        return (values - mean) / (variance + 1e-6).sqrt()
