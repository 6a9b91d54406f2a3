"""A-EDGCN's training: AS-CAL's momentum contrast around EDGCN, with a small queue [Shah et al., ICPR 2022].

The paper prints a queue of 500, 60 epochs, SGD at 1e-5 and a temperature of 0.06, and leaves open what AS-CAL's code decides: momentum,
batch, and that embeddings are not normalised. Together these are `a_edgcn_literal`, whose logits are huge and whose rate is a thousandth
of AS-CAL's. `a_edgcn` normalises and trains at AS-CAL's rate. The encoder is `edgcn[lift=moment]`; without the lift this is the paper's
EDGCN, with `msg3d` its MSG3D.
"""

import attrs

from mgbench import Recipe
from mgbench_plugins import works
from mgbench_plugins.methods.ascal import ASCAL, RECIPE


@attrs.frozen
class AEDGCN(ASCAL):
    """Tell the momentum key of a reversed or sheared view of the clip from a small queue of earlier clips' keys."""

    name = "a_edgcn"
    citation = works.EDGCN

    queue: int = attrs.field(default=500, validator=attrs.validators.ge(1))
    normalize: bool = True


@attrs.frozen
class AEDGCNLiteral(AEDGCN):
    """A-EDGCN's training with every value that its paper prints: a rate of 1e-5, embeddings as they are."""

    name = "a_edgcn_literal"

    normalize: bool = False
    recipe: Recipe = attrs.field(default=attrs.evolve(RECIPE, lr=1e-5), kw_only=True)
