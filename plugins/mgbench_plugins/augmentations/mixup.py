"""mixup: a weighted mean of two clips and their labels [Zhang et al., ICLR 2018; MGRL eq. 7].

On coordinates it averages two bodies, which deforms both; it stands here to be compared with skeleton-merge.
"""

from typing import Literal

import attrs
import numpy as np

from mgbench import Skeleton
from mgbench_plugins.augmentations.merge import nearest_frames, seen
from mgbench_plugins.augmentations.pairing import Array, PairAugmentation


@attrs.frozen
class Mixup(PairAugmentation):
    """Average two clips joint by joint, with a weight drawn from Beta(alpha, alpha) for each new clip.

    Args:
        alpha: of the beta distribution; small values leave one clip nearly as it was.
    """

    name = "mixup"
    citation = """@inproceedings{zhang2018mixup,
  title={mixup: Beyond Empirical Risk Minimization},
  author={Zhang, Hongyi and Cisse, Moustapha and Dauphin, Yann N. and Lopez-Paz, David},
  booktitle={International Conference on Learning Representations (ICLR)},
  year={2018}
}"""

    prior: Literal["none", "classes", "clusters"] = attrs.field(default="none", kw_only=True)
    alpha: float = attrs.field(default=0.2, kw_only=True, validator=[attrs.validators.gt(0), attrs.validators.le(1e6)])

    def combine(self, first: Array, second: Array, skeleton: Skeleton, rng: np.random.Generator) -> tuple[Array, float]:
        """Return the mean of both, the second brought to the first's length; a joint that one lacks is as in the first."""
        share = float(rng.beta(self.alpha, self.alpha))
        other = second[nearest_frames(len(first), len(second))]
        both = seen(first, skeleton) & seen(other, skeleton)
        mixed = np.float32(share) * first + np.float32(1 - share) * other
        return np.where(both[..., None], mixed, first), share
