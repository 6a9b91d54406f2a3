"""Rules for augmentations of views."""

import attrs
import torch
from torch import Tensor

from mgbench import spec
from mgbench.components import ViewAugmentation
from mgbench.model import View
from mgbench.registry import Registry
from mgbench.skeleton import load_skeleton
from mgbench.testing.kit import LAYOUTS, Rule, clips, generator, hold


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
    masks = [torch.empty(0) if view.joints is None else view.joints for view in (first, second)]
    hold(torch.equal(*masks), "the same generator gave other joints")


def keeps_the_layout(augmentation: ViewAugmentation, _loaded: Registry) -> None:
    """On every skeleton clips keep persons, channels and joints; kept joints are distinct, sorted and as many for every clip."""
    for skeleton, persons in LAYOUTS:
        x = clips(6, persons, skeleton)
        view = _apply(augmentation, x, skeleton)
        hold(view.x.shape[:3] == x.shape[:3] and view.x.shape[4] == x.shape[4], f"{tuple(x.shape)} became {tuple(view.x.shape)}")
        hold(bool(view.x.isfinite().all()), "a coordinate is not finite")
        if view.joints is not None:
            joints = view.joints if view.joints.dim() == 2 else view.joints[None]
            hold(bool((joints.diff(dim=1) > 0).all()), "kept joints are not distinct and sorted")
            hold(joints.shape[1] > 0 and int(joints.min()) >= 0 and int(joints.max()) < x.shape[4], "a kept joint is out of range")


def draws_as_its_field_says(augmentation: ViewAugmentation, _loaded: Registry) -> None:
    """With `draw=batch` equal clips stay equal; with `draw=clip` they differ sooner or later."""
    if "draw" not in spec.types_of(type(augmentation)):
        return
    alike = clips(1).expand(16, -1, -1, -1, -1)
    for seed in range(4):
        view = _apply(attrs.evolve(augmentation, draw="batch"), alike, seed=seed)  # type: ignore[call-arg]
        hold(torch.equal(view.x, view.x[:1].expand_as(view.x)), "draw=batch drew for single clips")
        hold(view.joints is None or view.joints.dim() == 1, "draw=batch masked joints of single clips")
    views = [_apply(attrs.evolve(augmentation, draw="clip"), alike, seed=seed) for seed in range(4)]  # type: ignore[call-arg]
    apart = any(not torch.equal(view.x, view.x[:1].expand_as(view.x)) for view in views)
    masked = any(view.joints is not None and not torch.equal(view.joints, view.joints[:1].expand_as(view.joints)) for view in views)
    hold(apart or masked, "draw=clip drew once for the batch")


RULES: list[Rule] = [is_pure, keeps_the_layout, draws_as_its_field_says]
