"""PSTL: partial spatio-temporal learning, an anchor against a spatially and a temporally masked view [Zhou et al., AAAI 2023].

All values are those of its public code. It differs in three documented points: the learning rate changes at every step, not every
epoch (whose first had rate zero); an incomplete last batch is left out; and the anchor passes the projector once, not twice.
"""

import attrs

from mgbench import Backbone, Method, Objective, Recipe
from mgbench.components import Pipeline
from mgbench_plugins import works
from mgbench_plugins.augmentations.csm import CentralSpatialMasking
from mgbench_plugins.augmentations.matm import MotionTemporalMasking
from mgbench_plugins.methods.barlow_twins import AUGMENT, RECIPE, Projector, TwinsObjective


@attrs.frozen
class PSTL(Method):
    """Make views without central joints, and without moving frames, agree with the whole clip.

    Args:
        projector: D of the three projector layers.
        lambd: weight of the redundancy term.
    """

    name = "pstl"
    citation = works.PSTL
    tiny = "projector=32"

    projector: int = attrs.field(default=6144, validator=attrs.validators.ge(1))
    lambd: float = attrs.field(default=2e-4, validator=attrs.validators.ge(0))
    augment: Pipeline = attrs.field(default=AUGMENT, kw_only=True)
    views: tuple[Pipeline, ...] = attrs.field(default=((), (CentralSpatialMasking(),), (MotionTemporalMasking(),)), kw_only=True)
    recipe: Recipe = attrs.field(default=RECIPE, kw_only=True)

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective: the first view is the anchor."""
        return TwinsObjective(backbone, Projector(backbone.width, self.projector), self.lambd)
