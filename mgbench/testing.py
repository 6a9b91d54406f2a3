"""The checks that every component must pass, ours and anyone's.

A plugin's own test file is three lines:

    @pytest.mark.parametrize("check", mgbench.testing.checks("velocity"), ids=str)
    def test_velocity(check):
        check()
"""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import attrs
import torch
from torch import Generator, Tensor

from mgbench import spec
from mgbench.components import Augmentation, Component, Dataset, Encoder, Evaluator, Method, SetAugmentation, ViewAugmentation
from mgbench.data import Dense
from mgbench.errors import DataError, MgbenchError, MissingDataError
from mgbench.model import Backbone, Batch, Objective, Part, Probe, View
from mgbench.paths import data_root, dataset_folder
from mgbench.registry import Entry, Registry, registry
from mgbench.skeleton import load_skeleton
from mgbench.train import draw_batch


class CheckError(AssertionError):
    """A rule that a component breaks."""


class Unavailable(MgbenchError):
    """A check that cannot be made here, such as of a data set whose files are missing."""


Rule = Callable[[Any, Registry], None]


@attrs.frozen
class Check:
    """One rule applied to one component; calling it raises `CheckError` where the rule is broken."""

    entry: Entry
    rule: Rule
    registry: Registry = attrs.field(repr=False)

    def __str__(self) -> str:
        """Return an id such as `mgrl-every_parameter_learns`."""
        return f"{self.entry.cls.name}-{self.rule.__name__}"

    @property
    def text(self) -> str:
        """The rule in words."""
        return (inspect.getdoc(self.rule) or "").partition("\n")[0]

    def __call__(self) -> None:
        """Apply the rule to the component in its tiny form."""
        torch.manual_seed(0)
        self.rule(tiny(self.entry, self.registry), self.registry)


def tiny(entry: Entry, loaded: Registry) -> Any:  # noqa: ANN401 - a component of the entry's kind
    """Return the component with its `tiny` parameters."""
    call = spec.read(f"{entry.cls.name}[{entry.cls.tiny}]" if entry.cls.tiny else entry.cls.name)
    return next(spec.expand(entry.cls, call, loaded.find_type))


def checks(name: str = "", loaded: Registry | None = None) -> list[Check]:
    """Return the checks of the components of that name or plugin, or of everything installed."""
    loaded = loaded or registry()
    found = []
    for kind, rules in _RULES.items():
        for entry in loaded.entries(kind):
            if name in {"", entry.cls.name, entry.qualified, entry.plugin.name, entry.plugin.distribution}:
                found += [Check(entry, rule, loaded) for rule in [*_COMMON, *rules] if _applies(rule, entry)]
    return found


def _applies(rule: Rule, entry: Entry) -> bool:
    wanted = next(iter(inspect.signature(rule).parameters.values())).annotation
    return issubclass(entry.cls, wanted)


def _hold(holds: object, fault: str) -> None:
    if not holds:
        raise CheckError(fault)


def _same(a: Tensor, b: Tensor, fault: str, tolerance: float = 1e-5) -> None:
    _hold(a.shape == b.shape and torch.allclose(a, b, atol=tolerance, rtol=tolerance), fault)


def _generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def _clips(clips: int = 6, persons: int = 1, skeleton: str = "kinect25", frames: int = 20) -> Tensor:
    joints, axes = len(load_skeleton(skeleton).joints), len(load_skeleton(skeleton).axes)
    return torch.randn(clips, persons, axes, frames, joints, generator=_generator(1))


# -- every component


def round_trips_as_text(component: Component, loaded: Registry) -> None:
    """`parse(str(c)) == c`, with its defaults and with every parameter written out."""
    kind = loaded.entry_of(component).kind
    qualified = str(component).replace(component.name, loaded.entry_of(component).qualified, 1)
    _hold(loaded.parse(kind, qualified) == component, f"{component} is read back as {loaded.parse(kind, qualified)}")
    full = spec.Call(component.name, tuple(spec.write_full(component).items()))
    _hold(next(spec.expand(type(component), full, loaded.find_type)) == component, f"{full} is not read back")


def is_a_value(component: Component, _loaded: Registry) -> None:
    """A component is frozen, hashable, and equal to a copy of itself."""
    _hold(hash(component) == hash(attrs.evolve(component)) and attrs.evolve(component) == component, "a copy differs")


# -- data sets


def _splits(dataset: Dataset) -> dict[str, Any]:
    try:
        folder = dataset_folder(dataset, data_root(None))
    except MissingDataError as error:
        raise Unavailable(str(error).partition("\n")[0]) from error
    return {split: dataset.load(split, folder) for split in dataset.splits}


def holds_valid_clips(dataset: Dataset, _loaded: Registry) -> None:
    """Every split has finite clips of the skeleton's shape with labels in range, and no subject is in two splits."""
    splits = _splits(dataset)
    for name, clips in splits.items():
        try:
            clips.check(dataset.skeleton, len(dataset.classes), name)
        except DataError as error:
            raise CheckError(str(error)) from error
        _hold(clips.x.shape[1] == dataset.persons, f"{name} has {clips.x.shape[1]} persons; the data set says {dataset.persons}")
    names = list(splits)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            shared = set(splits[first].subject.tolist()) & set(splits[second].subject.tolist())
            _hold(not shared, f"{len(shared)} subjects are in both {first} and {second}")


def loads_the_same_twice(dataset: Dataset, _loaded: Registry) -> None:
    """Two loads give equal digests."""
    first, second = _splits(dataset), _splits(dataset)
    _hold(all(first[name].digest == second[name].digest for name in first), "a split changes between loads")


# -- encoders

_LAYOUTS = (("kinect25", 1), ("kinect25", 2), ("kinect22", 1), ("openpose18", 1))


def _backbone(encoder: Encoder, skeleton: str = "kinect25", persons: int = 1) -> Backbone:
    torch.manual_seed(0)
    return Backbone(encoder, load_skeleton(skeleton), persons)


def gives_maps_of_its_width(encoder: Encoder, _loaded: Registry) -> None:
    """On every skeleton, with one person or two, the map is `(N, M, D, T', V')` and pools to a finite `(N, D)`."""
    for skeleton, persons in _LAYOUTS:
        backbone, x = _backbone(encoder, skeleton, persons).eval(), _clips(3, persons, skeleton)
        features = backbone.map(x)
        _hold(features.dim() == 5 and features.shape[:3] == (3, persons, backbone.width), f"{skeleton}: map {tuple(features.shape)}")  # noqa: PLR2004
        pooled = backbone(x)
        _hold(pooled.shape == (3, backbone.width) and bool(pooled.isfinite().all()), f"{skeleton}: features {tuple(pooled.shape)}")


def keeps_clips_apart(encoder: Encoder, _loaded: Registry) -> None:
    """In evaluation the features of a clip do not depend on the other clips of its batch."""
    backbone, x = _backbone(encoder).eval(), _clips()
    _same(backbone(x)[:1], backbone(torch.cat([x[:1], x[1:] + 1]))[:1], "another clip changed a clip's features")
    _same(backbone(x)[:1], backbone(x[:1]), "a clip's features depend on the size of its batch")


def ignores_dropped_joints(encoder: Encoder, _loaded: Registry) -> None:
    """Masked joints, dropped for the batch or per clip, change nothing, in training or evaluation."""
    if "drop_joints" not in encoder.gives:
        return
    each = torch.stack([torch.randperm(25, generator=_generator(i))[:17].sort().values for i in range(6)])
    for training in (False, True):
        for joints in (each[0], each):
            backbone, x = _backbone(encoder).train(training), _clips()
            masked = torch.ones(6, 25, dtype=torch.bool).scatter_(1, joints.expand(6, -1), value=False)
            torch.manual_seed(0)
            clean = backbone(x, joints)
            backbone, changed = _backbone(encoder).train(training), torch.where(masked[:, None, None, None], x * 7 + 3, x)
            torch.manual_seed(0)
            _same(clean, backbone(changed, joints), f"a masked joint changed the features (training={training})")


def depends_on_kept_joints(encoder: Encoder, _loaded: Registry) -> None:
    """Kept joints per clip give what the same joints for the batch give, and other joints something else."""
    if "drop_joints" not in encoder.gives:
        return
    backbone, x = _backbone(encoder).eval(), _clips()
    first, other = torch.arange(17), torch.arange(8, 25)
    _same(backbone(x, first), backbone(x, first.expand(6, -1)), "joints per clip differ from the same joints for the batch")
    _hold(not torch.equal(backbone(x, first), backbone(x, other)), "the kept joints make no difference")


def every_parameter_learns(encoder: Encoder, _loaded: Registry) -> None:
    """A gradient reaches every parameter."""
    backbone = _backbone(encoder).train()
    backbone(_clips()).square().sum().backward()
    idle = [name for name, parameter in backbone.named_parameters() if parameter.grad is None]
    _hold(not idle, f"no gradient reaches {', '.join(idle)}")


# -- methods


def _objective(method: Method, loaded: Registry) -> tuple[Objective, Batch]:
    """Build the method on the first installed encoder that gives what it needs, and draw a batch."""
    able = [tiny(entry, loaded) for entry in loaded.entries("encoder")]
    encoder = next((encoder for encoder in able if method.needs <= encoder.gives), None)
    if encoder is None:
        msg = f"no installed encoder gives {', '.join(sorted(method.needs))}"
        raise Unavailable(msg)
    objective = method.build(_backbone(encoder), classes=4).train()
    x = _clips()
    data = Dense(x, torch.arange(6) % 4, torch.full((6,), 20))
    return objective, draw_batch(method, data, torch.arange(6), load_skeleton("kinect25"), _generator())


def loss_reaches_what_learns(method: Method, loaded: Registry) -> None:
    """The loss is a finite scalar whose gradient reaches every parameter that learns and no other."""
    objective, batch = _objective(method, loaded)
    loss = objective(batch, _generator())["loss"]
    _hold(loss.dim() == 0 and bool(loss.isfinite()), f"the loss is {loss}")
    learned = [name for name, parameter in objective.named_parameters() if parameter.requires_grad]
    _hold(bool(learned) == method.learns, f"learns is {method.learns}, but {len(learned)} parameters ask for a gradient")
    if not learned:
        return
    loss.backward()  # type: ignore[no-untyped-call]
    for name, parameter in objective.named_parameters():
        _hold((parameter.grad is not None) == parameter.requires_grad, f"{name} asks for a gradient: {parameter.requires_grad}, and differs")


def same_seed_same_loss(method: Method, loaded: Registry) -> None:
    """Built and called twice from one seed, the loss is the same to the bit."""
    losses = []
    for _ in range(2):
        objective, batch = _objective(method, loaded)
        torch.manual_seed(5)
        losses.append(objective(batch, _generator(6))["loss"].detach())
    _hold(torch.equal(*losses), f"losses {losses} from one seed")


def sees_labels_only_if_it_says_so(method: Method, loaded: Registry) -> None:
    """Without `uses_labels` the batch carries no label."""
    _, batch = _objective(method, loaded)
    _hold((batch.label is not None) == method.uses_labels, "labels are given against uses_labels")


def embeds_clip_by_clip(method: Method, loaded: Registry) -> None:
    """The embedder gives finite `(N, D)`, clip by clip, for clips without any mask."""
    objective, _ = _objective(method, loaded)
    embedder, x = objective.embedder().eval(), _clips()
    features = embedder(x)
    _hold(features.dim() == 2 and len(features) == 6 and bool(features.isfinite().all()), f"features {tuple(features.shape)}")  # noqa: PLR2004
    _same(features[:2], embedder(x[:2]), "another clip changed a clip's features")


# -- augmentations


def _apply(augmentation: ViewAugmentation, x: Tensor, skeleton: str = "kinect25", seed: int = 0) -> View:
    return augmentation.apply(View(x), load_skeleton(skeleton), _generator(seed))


def is_pure(augmentation: ViewAugmentation, _loaded: Registry) -> None:
    """The given view stays as it was, and no random number comes from anywhere but the generator."""
    x = _clips()
    before, state = x.clone(), torch.get_rng_state()
    first = _apply(augmentation, x)
    _hold(torch.equal(x, before), "the given clips were changed")
    _hold(torch.equal(state, torch.get_rng_state()), "torch's default generator was used")
    torch.manual_seed(77)
    second = _apply(augmentation, x)
    _hold(torch.equal(first.x, second.x), "the same generator gave another result")


def keeps_the_layout(augmentation: ViewAugmentation, _loaded: Registry) -> None:
    """On every skeleton clips keep persons, channels and joints; kept joints are distinct, sorted and as many for every clip."""
    for skeleton, persons in _LAYOUTS:
        x = _clips(6, persons, skeleton)
        view = _apply(augmentation, x, skeleton)
        _hold(view.x.shape[:3] == x.shape[:3] and view.x.shape[4] == x.shape[4], f"{tuple(x.shape)} became {tuple(view.x.shape)}")
        _hold(bool(view.x.isfinite().all()), "a coordinate is not finite")
        if view.joints is not None:
            joints = view.joints if view.joints.dim() == 2 else view.joints[None]  # noqa: PLR2004
            _hold(bool((joints.diff(dim=1) > 0).all()), "kept joints are not distinct and sorted")
            _hold(joints.shape[1] > 0 and int(joints.min()) >= 0 and int(joints.max()) < x.shape[4], "a kept joint is out of range")


def draws_as_its_field_says(augmentation: ViewAugmentation, _loaded: Registry) -> None:
    """With `draw=batch` equal clips stay equal; with `draw=clip` they differ sooner or later."""
    if "draw" not in spec.types_of(type(augmentation)):
        return
    alike = _clips(1).expand(16, -1, -1, -1, -1)
    for seed in range(4):
        view = _apply(attrs.evolve(augmentation, draw="batch"), alike, seed=seed)  # type: ignore[call-arg]
        _hold(torch.equal(view.x, view.x[:1].expand_as(view.x)), "draw=batch drew for single clips")
        _hold(view.joints is None or view.joints.dim() == 1, "draw=batch masked joints of single clips")
    views = [_apply(attrs.evolve(augmentation, draw="clip"), alike, seed=seed) for seed in range(4)]  # type: ignore[call-arg]
    apart = any(not torch.equal(view.x, view.x[:1].expand_as(view.x)) for view in views)
    masked = any(view.joints is not None and not torch.equal(view.joints, view.joints[:1].expand_as(view.joints)) for view in views)
    _hold(apart or masked, "draw=clip drew once for the batch")


# -- evaluators


def _probe(evaluator: Evaluator, loaded: Registry) -> Probe:
    encoder = tiny(loaded.entries("encoder")[0], loaded)
    embedder = _backbone(encoder).eval()
    train, test = _clips(24), _clips(9)
    if evaluator.reads == "features":
        with torch.no_grad():
            train, test = embedder(train), embedder(test)
    copy = embedder if evaluator.reads == "backbone" else None
    return Probe(Part(train, torch.arange(24) % 4), Part(test, torch.arange(9) % 4), classes=4, seed=3, embedder=copy)


def scores_every_clip(evaluator: Evaluator, loaded: Registry) -> None:
    """Scores are finite `(N, classes)`, and metrics lie in [0, 1]."""
    evaluation = evaluator.evaluate(_probe(evaluator, loaded))
    _hold(evaluation.scores.shape == (9, 4) and bool(evaluation.scores.isfinite().all()), f"scores {tuple(evaluation.scores.shape)}")
    _hold(all(0 <= value <= 1 for value in evaluation.extra.values()), f"a metric lies outside [0, 1]: {evaluation.extra}")


def same_seed_same_scores(evaluator: Evaluator, loaded: Registry) -> None:
    """Two evaluations from one seed agree to the bit, whatever torch's default generator holds."""
    first = evaluator.evaluate(_probe(evaluator, loaded)).scores
    torch.manual_seed(99)
    _hold(torch.equal(first, evaluator.evaluate(_probe(evaluator, loaded)).scores), "one seed gave two results")


def leaves_its_input_alone(evaluator: Evaluator, loaded: Registry) -> None:
    """Features, clips and labels stay as they were."""
    probe = _probe(evaluator, loaded)
    before = [part.clone() for side in (probe.train, probe.test) for part in (side.x, side.label)]
    evaluator.evaluate(probe)
    after = [part for side in (probe.train, probe.test) for part in (side.x, side.label)]
    _hold(all(torch.equal(a, b) for a, b in zip(before, after, strict=True)), "the evaluator changed what it was given")


def fits_without_test_labels(evaluator: Evaluator, loaded: Registry) -> None:
    """Other test labels leave the scores as they are."""
    probe = _probe(evaluator, loaded)
    other = attrs.evolve(_probe(evaluator, loaded), test=Part(probe.test.x, probe.test.label.flip(0)))
    _hold(torch.equal(evaluator.evaluate(probe).scores, evaluator.evaluate(other).scores), "the scores depend on the test labels")


_COMMON: list[Rule] = [round_trips_as_text, is_a_value]
_RULES: dict[str, Iterable[Rule]] = {
    "dataset": [holds_valid_clips, loads_the_same_twice],
    "encoder": [gives_maps_of_its_width, keeps_clips_apart, ignores_dropped_joints, depends_on_kept_joints, every_parameter_learns],
    "method": [loss_reaches_what_learns, same_seed_same_loss, sees_labels_only_if_it_says_so, embeds_clip_by_clip],
    "augmentation": [is_pure, keeps_the_layout, draws_as_its_field_says],
    "evaluator": [scores_every_clip, same_seed_same_scores, leaves_its_input_alone, fits_without_test_labels],
}
__all__ = ["Augmentation", "Check", "CheckError", "SetAugmentation", "Unavailable", "checks", "tiny"]
