"""AS-CAL: momentum contrast of augmented sequences with an LSTM [Rao et al., Information Sciences 2021].

Its encoder is `lstm`. Embeddings are the features themselves, without a head and, as in the public code, without normalising them: an
LSTM's outputs lie between -1 and 1. Other encoders want `normalize=true`. Its first epoch only fills the queue; ours starts from random
unit vectors, as MoCo's does.
"""

from typing import Final

import attrs

from mgbench import Backbone, Objective, Recipe
from mgbench.components import Pipeline
from mgbench_plugins import works
from mgbench_plugins.augmentations.reverse import Reverse
from mgbench_plugins.augmentations.shear import Shear
from mgbench_plugins.methods.contrast import MomentumContrast, MomentumMethod


#: What the paper found best, drawn clip by clip.
AUGMENT: Final[Pipeline] = (Reverse(), Shear(draw="clip"))
RECIPE: Final = Recipe(
    optimizer="sgd", lr=0.01, schedule="step", milestones=(0.5,), weight_decay=1e-4, nesterov=False, epochs=60, batch_size=32
)


@attrs.frozen
class ASCAL(MomentumMethod):
    """Tell the momentum key of a reversed or sheared view of the clip from a queue of earlier clips' keys."""

    name = "ascal"
    citation = works.ASCAL
    tiny = "queue=10"

    queue: int = attrs.field(default=16384, validator=attrs.validators.ge(1))
    temperature: float = attrs.field(default=0.06, validator=attrs.validators.gt(0))
    projection: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    normalize: bool = False
    augment: Pipeline = attrs.field(default=AUGMENT, kw_only=True)
    views: tuple[Pipeline, ...] = attrs.field(default=((), ()), kw_only=True, validator=attrs.validators.min_len(2))
    recipe: Recipe = attrs.field(default=RECIPE, kw_only=True)

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective: the first view is the query, the second the key."""
        return MomentumContrast(self, backbone)
