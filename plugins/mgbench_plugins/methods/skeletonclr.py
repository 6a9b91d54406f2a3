"""SkeletonCLR: momentum contrast of two augmented views of a skeleton sequence [Li et al., CVPR 2021, section 3.2].

Values are those of CrosSCLR's public code, whose queue had to be a multiple of the batch; ours need not be.
"""

from typing import Final

import attrs

from mgbench import Backbone, Objective, Recipe
from mgbench.components import Pipeline
from mgbench_plugins import works
from mgbench_plugins.augmentations.crop import Crop
from mgbench_plugins.augmentations.shear import Shear
from mgbench_plugins.methods.contrast import MomentumContrast, MomentumMethod


#: How CrosSCLR and AimCLR train: plain momentum, a tenth of the rate from epoch 250 of 300 on.
RECIPE: Final = Recipe(
    optimizer="sgd", lr=0.1, schedule="step", milestones=(5 / 6,), weight_decay=1e-4, nesterov=False, epochs=300, batch_size=128
)
NORMAL: Final[Pipeline] = (Crop(draw="clip"), Shear(amplitude=0.5, draw="clip"))


@attrs.frozen
class SkeletonCLR(MomentumMethod):
    """Tell the momentum key of another view of the clip from a queue of earlier clips' keys."""

    name = "skeletonclr"
    citation = works.CROSSCLR
    tiny = "queue=10,projection=8"

    augment: Pipeline = attrs.field(default=NORMAL, kw_only=True)
    views: tuple[Pipeline, ...] = attrs.field(default=((), ()), kw_only=True, validator=attrs.validators.min_len(2))
    recipe: Recipe = attrs.field(default=RECIPE, kw_only=True)

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective: the first view is the query, the second the key."""
        return MomentumContrast(self, backbone)
