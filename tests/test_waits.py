"""Nothing in a training step makes the host wait for the device, or copies to it: no pause, and a step can be recorded.

On the device `meta`, which holds no numbers, whoever asks for one fails. What is made in the first step may be copied.
"""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mgbench import Encoder, Method, View, ViewAugmentation
from mgbench.arithmetic import Arithmetic
from mgbench.data import Dense
from mgbench.registry import Entry, registry
from mgbench.skeleton import load_skeleton
from mgbench.testing.kit import backbone, clips, generator, tiny
from mgbench.train import Training, _begin, draw_batch, draw_masks


LOADED = registry()
SKELETON = load_skeleton("kinect25")
META = torch.device("meta")
#: Operators that ask a GPU for numbers, though not `meta`.
ASKING = {"aten::multinomial", "aten::equal", "aten::is_nonzero"}


class Waits(TorchDispatchMode):
    """Notes operators that ask the device for numbers, or read a tensor that lies elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given, made = ([one for one in tree_leaves(some) if isinstance(one, Tensor)] for some in ((args, kwargs), result))
        touched = any(one.is_meta for one in (*given, *made))
        if touched and (func._schema.name in ASKING or any(not one.is_meta and one.dim() for one in given)):
            self.found.add(func._schema.name)
        return result


class Makes(TorchFunctionMode):
    """Notes tensors that are made on the device of numbers in Python, which operators are not told of."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if func in {torch.tensor, torch.as_tensor} and made.is_meta:
            self.found.add(func.__name__)
        return made


def waits(step: Callable[[], object]) -> set[str]:
    """Return what makes the host wait in a step that is not the first."""
    step()
    with Waits() as seen, Makes() as made:
        step()
    return seen.found | made.found


@pytest.fixture(autouse=True)
def _no_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch knows no autocast for `meta`, and what is turned off here is off."""
    monkeypatch.setattr(torch, "autocast", lambda *_given, **_how: nullcontext())


def augmentations() -> list[ViewAugmentation]:
    """Return every installed augmentation of views, for a batch and for each clip where it knows both."""
    found = [tiny(entry, LOADED) for entry in LOADED.entries("augmentation") if issubclass(entry.cls, ViewAugmentation)]
    return [
        one
        for each in found
        for one in ([attrs.evolve(each, draw=draw) for draw in ("batch", "clip")] if hasattr(each, "draw") else [each])
    ]


@pytest.mark.parametrize("augmentation", augmentations(), ids=str)
def test_an_augmentation_asks_the_device_for_nothing(augmentation: ViewAugmentation) -> None:
    """But for masks that decide shapes, which are drawn on the processor."""
    x = clips().to(META)

    def step() -> View:
        return augmentation.apply(View(x), SKELETON, generator())

    if augmentation.decides_shapes:  # what it drew is copied, and on `meta` no generator can be the device's
        kept = [one for one in step()[1:] if one is not None]
        assert kept
        assert all(one.is_meta for one in kept)
    else:
        assert waits(step) == set()


def able(method: Method) -> Encoder:
    """Return the first installed encoder that gives what a method needs."""
    every = [tiny(entry, LOADED) for entry in LOADED.entries("encoder")]
    return next(encoder for encoder in every if method.needs <= encoder.gives)


@pytest.mark.parametrize("entry", LOADED.entries("method"), ids=lambda entry: entry.cls.name)
def test_a_step_of_a_method_asks_the_device_for_nothing(entry: Entry) -> None:
    """From drawing views to gradients, and what follows."""
    method: Method = tiny(entry, LOADED)
    encoder = able(method)
    method, objective = method.suited(encoder), method.build(backbone(encoder), classes=4).train().to(META)
    data = Dense(clips().to(META), torch.arange(6).to(META) % 4, torch.full((6,), 20).to(META))
    index = torch.arange(6).to(META)
    masks = draw_masks(method, data.x, SKELETON, generator())

    def step() -> None:
        batch = draw_batch(method, data, index, SKELETON, generator(), masks)
        loss = objective(batch, generator())["loss"]
        if method.learns:
            loss.backward()
        objective.step(0.5)

    assert waits(step) == set()


def test_a_training_off_the_processor_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Masks have the processor's generator there, whether steps are recorded or not, and a step is given what they drew."""
    monkeypatch.setattr("mgbench.train.Generator", lambda _device=None: torch.Generator())
    monkeypatch.setattr("mgbench.train.make_optimizer", lambda _recipe, learned, _captured: torch.optim.SGD(learned, foreach=False))
    method: Method = next(tiny(entry, LOADED) for entry in LOADED.entries("method") if entry.cls.name == "mgrl")
    objective = method.build(backbone(able(method)), classes=4).to(META)
    data = Dense(clips().to(META), torch.arange(6).to(META) % 4, torch.full((6,), 20).to(META))
    state = _begin(objective, method, data, SKELETON, Training(0, Arithmetic(), 2, Path("none"), 1e9, lambda _: None), 2)
    assert state.masks is not None
    masks = draw_masks(method, data.x, SKELETON, state.masks)

    assert waits(lambda: state.learn([torch.arange(6, device=META), *(kept for mask in masks for kept in mask[1:])])) == set()


@pytest.mark.parametrize("encoder", [tiny(entry, LOADED) for entry in LOADED.entries("encoder")], ids=lambda one: one.name)
def test_an_encoder_asks_the_device_for_nothing(encoder: Encoder) -> None:
    """Whole clips, and with joints that are kept of all or of each."""
    network, x = backbone(encoder).to(META), clips().to(META)
    kept = torch.arange(17).to(META)
    given = [None, kept, kept.expand(6, -1)] if "drop_joints" in encoder.gives else [None]

    for joints in given:
        assert waits(lambda joints=joints: network(x, joints).sum().backward()) == set()


@pytest.mark.parametrize(
    ("wait", "names"),
    [
        (lambda x: x + torch.tensor([1.0, 2.0]).to(META), {"aten::_to_copy"}),
        (lambda x: x + torch.tensor([1.0, 2.0], device=META), {"tensor"}),
        (lambda x: torch.multinomial(x, 1), {"aten::multinomial"}),
    ],
)
def test_what_waits_is_found(wait: Callable[[Tensor], object], names: set[str]) -> None:
    """Copies and questions."""
    assert waits(lambda: wait(torch.ones(2, device=META))) >= names


@pytest.mark.parametrize(
    "ask", [lambda x: x.nonzero(), lambda x: x[x > 0], lambda x: x.sum().item(), lambda x: nn.functional.one_hot(x.long())]
)
def test_who_asks_meta_for_numbers_fails(ask: Callable[[Tensor], object]) -> None:
    """It has none."""
    with pytest.raises(RuntimeError, match="meta"):
        ask(torch.ones(2, device=META))
