"""From one skeleton to another: what of a trained embedder fits the new body is carried over, the rest is made anew and told.

Which tensors belong to joints is found by building the network for a smaller body: whatever changes its shape with the number of
joints does, even where two skeletons happen to have equally many. Of learned tensors with an axis of joints (adjacencies, positions)
the entries of joints that both skeletons name are carried over; what mixes joints and channels in one axis (data batch norm) and what
follows from the bones is made anew.
"""

import attrs
import torch
from torch import Tensor, nn

from mgbench.components import Encoder, Method
from mgbench.data import Dense
from mgbench.model import Backbone
from mgbench.skeleton import Skeleton


@attrs.frozen
class Moved:
    """What became of an embedder's tensors, by name: carried over whole, in part by joints' names, or made anew."""

    whole: tuple[str, ...]
    by_name: tuple[str, ...]
    anew: tuple[str, ...]
    shared_joints: int


def smaller(skeleton: Skeleton) -> Skeleton:
    """Return the body without one of its outermost joints, for telling which tensors belong to joints."""
    leaf = next(j for j in reversed(range(len(skeleton.joints))) if skeleton.degrees[j] == 1 and j not in _anchors(skeleton))

    def at(joint: int) -> int:
        return joint - (joint > leaf)

    return attrs.evolve(
        skeleton,
        joints=tuple(name for j, name in enumerate(skeleton.joints) if j != leaf),
        bones=tuple((at(a), at(b)) for a, b in skeleton.bones if leaf not in {a, b}),
        mirror=tuple((at(a), at(b)) for a, b in skeleton.mirror if leaf not in {a, b}),
        root=at(skeleton.root),
        centre=at(skeleton.centre),
        spine=at(skeleton.spine),
        parts={part: tuple(at(j) for j in joints if j != leaf) for part, joints in skeleton.parts.items()},
    )


def _anchors(skeleton: Skeleton) -> set[int]:
    """Return the joints that carry a meaning beyond their place: a body without them would be another."""
    named = {j for j, name in enumerate(skeleton.joints) if name.startswith(("shoulder", "hip"))}
    return {skeleton.root, skeleton.centre, skeleton.spine} | named


@attrs.frozen(eq=False)
class Transfer:
    """Makes a target's embedder out of a source's.

    Args:
        encoder: of both.
        method: of both.
        classes: of the target, for methods that build a head.
        persons: in a target's clip.
    """

    encoder: Encoder
    method: Method
    classes: int
    persons: int

    def embedder(self, skeleton: Skeleton) -> nn.Module:
        """Build an embedder, drawing its weights from torch's default generator."""
        return self.method.build(Backbone(self.encoder, skeleton, self.persons), self.classes).embedder()

    def move(self, trained: nn.Module, source: Skeleton, target: Skeleton) -> tuple[nn.Module, Moved]:
        """Return the embedder for the target's skeleton, and what became of the tensors of the trained one."""
        made = self.embedder(target)
        with torch.random.fork_rng():
            reference = self.embedder(smaller(target)).state_dict()
        given, state, learned = trained.state_dict(), made.state_dict(), dict(made.named_parameters())
        names = {j: target.joints.index(name) for j, name in enumerate(source.joints) if name in target.joints}
        whole, by_name, anew = [], [], []
        for name, tensor in state.items():
            axes = [i for i, (n, m) in enumerate(zip(tensor.shape, reference[name].shape, strict=True)) if n != m]
            old = given.get(name)
            if old is None:
                anew.append(name)
            elif source == target or (not axes and old.shape == tensor.shape):
                tensor.copy_(old)
                whole.append(name)
            elif axes and name in learned and _by_joints(tensor, old, axes, source, target):
                _copy_joints(tensor, old, axes, names)
                by_name.append(name)
            else:
                anew.append(name)
        made.load_state_dict(state)
        return made, Moved(tuple(whole), tuple(by_name), tuple(anew), len(names))


def _by_joints(tensor: Tensor, old: Tensor, axes: list[int], source: Skeleton, target: Skeleton) -> bool:
    """Tell whether exactly these axes count joints, one entry each, and all others agree."""
    counts = all(tensor.shape[i] == len(target.joints) and old.shape[i] == len(source.joints) for i in axes)
    others = [i for i in range(tensor.dim()) if i not in axes]
    return tensor.dim() == old.dim() and counts and all(tensor.shape[i] == old.shape[i] for i in others)


def _copy_joints(tensor: Tensor, old: Tensor, axes: list[int], names: dict[int, int]) -> None:
    """Copy the entries of joints that both skeletons name."""
    there, here = torch.tensor(list(names)), torch.tensor(list(names.values()))
    taken = old
    for axis in axes:
        taken = taken.index_select(axis, there.to(old.device))
    shape = [len(names) if i in axes else n for i, n in enumerate(tensor.shape)]
    index = [
        (here if i in axes else torch.arange(n)).reshape([-1 if i == j else 1 for j in range(tensor.dim())]).expand(shape)
        for i, n in enumerate(tensor.shape)
    ]
    tensor[tuple(part.to(tensor.device) for part in index)] = taken


def recalibrate(embedder: nn.Module, data: Dense, batch_size: int = 128) -> None:
    """Replace the statistics of every batch norm by those of these clips, without labels; each batch weighs the same."""
    norms = [module for module in embedder.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]  # noqa: SLF001 - its only common type
    before = [(norm.momentum, norm.training) for norm in norms]
    embedder.eval()  # no dropout, whose noise would enter the statistics
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    with torch.no_grad():
        for part in data.x.split(batch_size):
            embedder(part)
    for norm, (momentum, training) in zip(norms, before, strict=True):
        norm.momentum = momentum
        norm.train(training)
