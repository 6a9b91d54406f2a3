"""What the contrastive methods share: heads, momentum copies, queues of negatives and InfoNCE [MoCo, He et al., CVPR 2020].

Queues start with random unit vectors, so nothing waits until they are filled. Writes wrap around, so no size need be a multiple of the
batch. Keys join the queue, and the copy follows, after the optimiser's step; a loss therefore reads only what earlier steps left.
"""

import copy
from typing import Generic, TypeVar

import attrs
import torch
from torch import Tensor, nn
from torch.nn import functional

from mgbench import Backbone, Batch, Method, Objective, SpecError, View


Online = TypeVar("Online", bound=nn.Module)


@attrs.frozen
class MomentumMethod(Method):
    """What contrasting with the keys of a momentum encoder takes.

    Args:
        queue: negatives kept, K.
        temperature: of the softmax.
        ema: share of the momentum encoder's weights that stays at each step.
        projection: D of the embeddings, behind a hidden layer; 0 contrasts the features themselves.
        normalize: whether embeddings have length one.
    """

    queue: int = attrs.field(default=32768, validator=attrs.validators.ge(1))
    temperature: float = attrs.field(default=0.07, validator=attrs.validators.gt(0))
    ema: float = attrs.field(default=0.999, validator=[attrs.validators.ge(0), attrs.validators.lt(1)])
    projection: int = attrs.field(default=128, validator=attrs.validators.ge(0))
    normalize: bool = True


def perceptron(inner: int, hidden: int, outer: int, *, norm: bool = False) -> nn.Sequential:
    """Return two linear layers with ReLU between them, and batch norm before it where asked, `(N, D) -> (N, D')`."""
    between = [nn.BatchNorm1d(hidden), nn.ReLU()] if norm else [nn.ReLU()]
    return nn.Sequential(nn.Linear(inner, hidden), *between, nn.Linear(hidden, outer))


class Embedding(nn.Module):
    """A backbone and a head; called with a view, it gives embeddings `(N, D)`."""

    def __init__(self, backbone: Backbone, projection: int, *, normalize: bool) -> None:
        super().__init__()
        self.backbone, self.normalize = backbone, normalize
        self.head = perceptron(backbone.width, backbone.width, projection) if projection else nn.Identity()
        self.width = projection or backbone.width

    def forward(self, view: View) -> Tensor:
        """Return the view's embeddings."""
        return self.project(self.backbone(*view))

    def project(self, features: Tensor) -> Tensor:
        """Return embeddings of pooled features `(N, D)`, in full precision."""
        z = full(self.head(features))
        return functional.normalize(z, dim=1) if self.normalize else z

    def project_map(self, features: Tensor) -> Tensor:
        """Return embeddings of a feature map `(N, M, D, T', V')`."""
        return self.project(self.backbone.network.pool(features))


class MomentumCopy(nn.Module, Generic[Online]):
    """A copy of a module that follows it slowly and gets no gradient; its batch statistics are its own."""

    module: Online

    def __init__(self, online: Online) -> None:
        super().__init__()
        self.module = copy.deepcopy(online).requires_grad_(requires_grad=False)

    @torch.no_grad()
    def forward(self, view: View) -> Tensor:
        """Return what the copy makes of a view."""
        z: Tensor = self.module(view)
        return z

    @torch.no_grad()
    def follow(self, online: nn.Module, momentum: float) -> None:
        """Move every weight by `1 - momentum` towards the online module's."""
        mine, theirs = ([weight.detach() for weight in module.parameters()] for module in (self.module, online))
        if mine:
            torch._foreach_lerp_(mine, theirs, 1 - momentum)


class Queue(nn.Module):
    """The latest K keys, `keys` `(K, D)`, in no particular order."""

    keys: Tensor
    place: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("keys", functional.normalize(torch.randn(size, width), dim=1))
        self.register_buffer("place", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def push(self, keys: Tensor) -> None:
        """Replace the oldest keys by these `(N, D)`, of which only the last K stay."""
        size, count = len(self.keys), len(keys)
        kept = min(size, count)
        index = (self.place + torch.arange(count - kept, count, device=keys.device)) % size
        self.keys.index_copy_(0, index, keys[count - kept :])
        self.place.copy_((self.place + count) % size)


def full(z: Tensor) -> Tensor:
    """Return what a network computed in half precision in float32; losses of a low temperature need it."""
    return z.to(torch.promote_types(z.dtype, torch.float32))


def refuse_masks(method: Method, *views: View) -> None:
    """Raise `SpecError` where a view has hidden joints or tokens, for methods that point at cells of a clip and its whole map."""
    if any(view.joints is not None or view.tokens is not None for view in views):
        msg = f"{method.name} got a view of which joints or tokens are hidden; it needs all of them, so leave such masks out."
        raise SpecError(msg)


def similarities(query: Tensor, key: Tensor, negatives: Tensor) -> Tensor:
    """Return `(N, 1 + K)`: each query's product with its own key, then with all negatives `(K, D)`."""
    with torch.autocast(query.device.type, enabled=False):
        return torch.cat([(query * key).sum(dim=1, keepdim=True), query @ negatives.T], dim=1)


def info_nce(similarity: Tensor, temperature: float, also: Tensor | None = None) -> Tensor:
    """Return InfoNCE, the mean over clips of minus the log share of the own key, which stands first.

    Args:
        similarity: `(N, 1 + K)`.
        temperature: divides similarities.
        also: which negatives are positives too, `(N, K)` in zeros and ones; log shares are averaged over all positives.
    """
    share = functional.log_softmax(similarity / temperature, dim=1)
    if also is None:
        return -share[:, 0].mean()
    return -((share[:, 0] + (share[:, 1:] * also).sum(dim=1)) / (1 + also.sum(dim=1))).mean()


def nearest(similarity: Tensor) -> Tensor:
    """Return the most similar negative of each query as a one-hot row, `(N, K)`, from `(N, 1 + K)`."""
    return functional.one_hot(similarity[:, 1:].argmax(dim=1), similarity.shape[1] - 1).to(similarity.dtype)


class MomentumContrast(Objective):
    """InfoNCE between the first view's embedding and the second's by a momentum encoder, against a queue of earlier keys."""

    fresh: Tensor

    def __init__(self, method: MomentumMethod, backbone: Backbone) -> None:
        super().__init__()
        self.backbone, self.temperature, self.ema = backbone, method.temperature, method.ema
        self.query = Embedding(backbone, method.projection, normalize=method.normalize)
        self.key = MomentumCopy(self.query)
        self.queue = Queue(method.queue, self.query.width)

    def forward(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the loss."""
        return {"loss": info_nce(self.contrast(self.query(batch.views[0]), batch.views[1]), self.temperature)}

    def contrast(self, query: Tensor, view: View) -> Tensor:
        """Return the similarities of queries to the keys of a view and to the queue, `(N, 1 + K)`, and keep the keys for `step`."""
        self.fresh = self.key(view)
        return similarities(query, self.fresh, self.queue.keys)

    def step(self, progress: float, *, follow: bool = True) -> None:
        """Let the key encoder follow, and the keys of this step join the queue."""
        if follow:
            self.key.follow(self.query, self.ema)
        self.queue.push(self.fresh)
