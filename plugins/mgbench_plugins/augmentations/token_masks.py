"""What masks of tokens share: how long a token is, and how the kept ones are named."""

import abc
from typing import ClassVar

import attrs
from torch import Generator, Tensor

from mgbench import Encoder, Skeleton, SpecError, View, ViewAugmentation
from mgbench.tokens import cells_of, in_tokens


@attrs.frozen
class TokenMasking(ViewAugmentation):
    """Keep some tokens of each clip, equally many of all; all persons of a clip share its mask.

    Args:
        length: frames of a token; none for the encoder's own, and one where there is no encoder.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"drop_tokens"})

    length: int | None = attrs.field(default=None, kw_only=True, validator=attrs.validators.optional(attrs.validators.ge(1)))

    def suited(self, encoder: Encoder) -> ViewAugmentation:
        """Return the mask of tokens that are as long as the encoder's."""
        return attrs.evolve(self, length=self.length or encoder.token)

    def apply(self, view: View, skeleton: Skeleton, generator: Generator) -> View:
        """Return the same clips with the kept cells named."""
        if view.joints is not None or view.tokens is not None:
            msg = f"{self.name} masks tokens of a view that is masked already; give it once a view, and no mask of joints beside it."
            raise SpecError(msg)
        length, (frames, joints) = self.length or 1, view.x.shape[3:]
        kept = self.keep(in_tokens(view.x[:, :, : skeleton.spatial_axes], length), generator)
        return view._replace(tokens=cells_of(kept, length, frames, joints))

    @abc.abstractmethod
    def keep(self, x: Tensor, generator: Generator) -> Tensor:
        """Return the numbers `t' * V + v` of the kept tokens `(N, K')` of clips `(N, M, T', V, C length)`, K' at least one."""
