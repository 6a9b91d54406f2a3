"""Rules for augmentations of views and of sets."""

import attrs
import numpy as np
import torch
from torch import Tensor

from mgbench import spec
from mgbench.components import SetAugmentation, ViewAugmentation
from mgbench.model import View
from mgbench.registry import Registry
from mgbench.skeleton import load_skeleton
from mgbench.testing.kit import CLASSES, LAYOUTS, Rule, clips, generator, hold, recorded


def _apply(augmentation: ViewAugmentation, x: Tensor, skeleton: str = "kinect25", seed: int = 0) -> View:
    return augmentation.apply(View(x), load_skeleton(skeleton), generator(seed))


def is_pure(augmentation: ViewAugmentation, _loaded: Registry) -> None:
    """The given view stays as it was, and no random number comes from anywhere but the generator."""
    x = clips()
    before, state = x.clone(), torch.get_rng_state()
    first = _apply(augmentation, x)
    hold(torch.equal(x, before), "the given clips were changed")
    hold(torch.equal(state, torch.get_rng_state()), "torch's default generator was used")
    torch.manual_seed(77)
    second = _apply(augmentation, x)
    hold(torch.equal(first.x, second.x), "the same generator gave another result")
    for name in ("joints", "tokens"):
        masks = [torch.empty(0) if kept is None else kept for kept in (getattr(first, name), getattr(second, name))]
        hold(torch.equal(*masks), f"the same generator gave other {name}")


def keeps_the_layout(augmentation: ViewAugmentation, _loaded: Registry) -> None:
    """On every skeleton clips keep persons, channels and joints; kept joints or tokens are distinct, sorted, as many for all clips.

    Cells of the last frame may come again, for where that fills up a token (`mgbench.tokens.cells_of`).
    """
    for skeleton, persons in LAYOUTS:
        x = clips(6, persons, skeleton)
        view = _apply(augmentation, x, skeleton)
        hold(view.x.shape[:3] == x.shape[:3] and view.x.shape[4] == x.shape[4], f"{tuple(x.shape)} became {tuple(view.x.shape)}")
        hold(bool(view.x.isfinite().all()), "a coordinate is not finite")
        for what, kept, every in (("joint", view.joints, x.shape[4]), ("token", view.tokens, view.x.shape[3] * x.shape[4])):
            if kept is not None:
                rows = kept if kept.dim() == 2 else kept[None]
                again = (rows.diff(dim=1) == 0) & (rows[:, 1:] >= every - x.shape[4]) & (what == "token")
                hold(bool((again | (rows.diff(dim=1) > 0)).all()), f"kept {what}s are not distinct and sorted")
                hold(rows.shape[1] > 0 and int(rows.min()) >= 0 and int(rows.max()) < every, f"a kept {what} is out of range")


def shapes_are_foreseen(augmentation: ViewAugmentation, _loaded: Registry) -> None:
    """Without `decides_shapes` every draw gives tensors of the same shapes; with it, neither coordinates nor frames are looked at."""
    x = clips(16)
    if augmentation.decides_shapes:
        first, second = (_apply(augmentation, given) for given in (x, torch.zeros_like(x[:, :, :, :7])))
        hold(torch.equal(first.x, x), "coordinates are changed")
        for one, two in zip(first[1:], second[1:], strict=True):
            hold(one is two is None or (one is not None and two is not None and torch.equal(one, two)), "masks depend on coordinates")
        return
    shapes = {tuple(None if one is None else one.shape for one in _apply(augmentation, x, seed=seed)) for seed in range(16)}
    hold(len(shapes) == 1, f"shapes depend on draws, against decides_shapes: {len(shapes)} were seen")


def draws_as_its_field_says(augmentation: ViewAugmentation, _loaded: Registry) -> None:
    """With `draw=batch` equal clips stay equal; with `draw=clip` they differ sooner or later."""
    if "draw" not in spec.types_of(type(augmentation)):
        return
    alike = clips(1).expand(16, -1, -1, -1, -1)
    for seed in range(4):
        view = _apply(attrs.evolve(augmentation, draw="batch"), alike, seed=seed)  # type: ignore[call-arg] # of those that have the field
        hold(torch.equal(view.x, view.x[:1].expand_as(view.x)), "draw=batch drew for single clips")
        hold(view.joints is None or view.joints.dim() == 1, "draw=batch masked joints of single clips")
    views = [_apply(attrs.evolve(augmentation, draw="clip"), alike, seed=seed) for seed in range(4)]  # type: ignore[call-arg] # of those that have the field
    apart = any(not torch.equal(view.x, view.x[:1].expand_as(view.x)) for view in views)
    masked = any(view.joints is not None and not torch.equal(view.joints, view.joints[:1].expand_as(view.joints)) for view in views)
    hold(apart or masked, "draw=clip drew once for the batch")


def keeps_what_was_recorded(augmentation: SetAugmentation, _loaded: Registry) -> None:
    """On every skeleton the given clips come first and unchanged, and new ones are finite, unlabelled and of the same layout."""
    for skeleton, persons in LAYOUTS:
        given = recorded(skeleton, persons)
        before = given.digest
        grown = augmentation.apply(given, load_skeleton(skeleton), CLASSES, 0)
        hold(given.digest == before, "the given clips were changed")
        hold(grown.select(np.arange(len(given))).digest == before, "the given clips are not the first of the new set")
        hold(grown.x.shape[1:] == given.x.shape[1:], f"frames of shape {given.x.shape[1:]} became {grown.x.shape[1:]}")
        hold(np.isfinite(grown.x).all() and (grown.frames > 0).all(), "a new clip is empty or not finite")
        hold((grown.label[len(given) :] == -1).all(), "a new clip has a label")
        hold(len(set(grown.clip)) == len(grown.clip), "two clips have one name")


def tells_its_donors(augmentation: SetAugmentation, _loaded: Registry) -> None:
    """With `mixes_labels` every new clip has two donors that stand before it, and shares of classes that sum to one."""
    given = recorded()
    grown = augmentation.apply(given, load_skeleton("kinect25"), CLASSES, 0)
    new = len(grown) - len(given)
    if not augmentation.mixes_labels or not new:
        return
    made = grown.made
    if made is None or made.donors.shape != (new, 2) or made.share.shape != (new,):
        hold(made, f"{new} new clips do not tell their donors")
        return
    earlier = (made.donors >= 0) & (made.donors < np.arange(len(given), len(grown))[:, None])
    hold(earlier.all(), "a donor does not stand before the clip that is made of it")
    shares = grown.class_shares(len(CLASSES))
    hold((shares >= 0).all() and np.allclose(shares.sum(axis=1), 1), "the shares of the classes of a label do not sum to one")


def makes_the_same_of_the_same_seed(augmentation: SetAugmentation, _loaded: Registry) -> None:
    """The same seed gives the same set, another one another, and no random number comes from anywhere else."""
    given, skeleton = recorded(), load_skeleton("kinect25")
    first = augmentation.apply(given, skeleton, CLASSES, 0)
    torch.manual_seed(77)
    np.random.seed(77)  # noqa: NPY002 - the generator that nobody shall use
    states = torch.get_rng_state(), _numpy_state()
    hold(augmentation.apply(given, skeleton, CLASSES, 0).digest == first.digest, "the same seed made another set")
    hold(torch.equal(states[0], torch.get_rng_state()), "torch's default generator was used")
    hold(states[1] == _numpy_state(), "numpy's default generator was used")
    changed = len(first) > len(given) and augmentation.apply(given, skeleton, CLASSES, 1).digest == first.digest
    hold(not changed, "another seed made the same set")


def _numpy_state() -> str:
    return repr(np.random.get_state())  # noqa: NPY002 - the generator that nobody shall use


RULES: list[Rule] = [
    *(is_pure, keeps_the_layout, shapes_are_foreseen, draws_as_its_field_says),
    *(keeps_what_was_recorded, tells_its_donors, makes_the_same_of_the_same_seed),
]
