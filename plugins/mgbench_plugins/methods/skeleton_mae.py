"""SkeletonMAE: the coordinates of hidden times and joints [Wu et al., ICMEW 2023], on MAMP's encoder and decoder.

The paper's encoder, STTFormer, is not here, its code is not public, and its ratios and recipe are not at hand. Decoder, views and recipe
are those of `mamp`, so that the two differ by what is hidden and by what is predicted, and by nothing else.
"""

import attrs
from torch import Tensor

from mgbench import Recipe
from mgbench.components import Pipeline
from mgbench.tokens import in_tokens
from mgbench_plugins import works
from mgbench_plugins.augmentations.frame_joint_mask import FrameJointMasking
from mgbench_plugins.methods.mamp import MAMP
from mgbench_plugins.methods.masked import MaskedMethod


@attrs.frozen
class SkeletonMAE(MaskedMethod):
    """Predict the coordinates of hidden tokens: of times that are hidden whole, and of joints at the others."""

    name = "skeleton_mae"
    citation = works.SKELETON_MAE
    tiny = MAMP.tiny

    augment: Pipeline = attrs.field(default=MAMP().augment, kw_only=True)
    views: tuple[Pipeline, ...] = attrs.field(default=((FrameJointMasking(),),), kw_only=True)
    recipe: Recipe = attrs.field(default=MAMP().recipe, kw_only=True)

    def targets(self, x: Tensor, length: int) -> Tensor:
        """Return each token's coordinates."""
        return in_tokens(x, length)
