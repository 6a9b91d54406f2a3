"""Every installed component keeps the rules of its kind, and a component that breaks one is caught by that rule."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar, Literal

import attrs
import numpy as np
import pytest
import torch
from kinetics import make_kinetics
from torch import Generator, Tensor, nn

import mgbench
from mgbench import Backbone, Batch, Clips, Evaluation, Network, Objective, Probe, Skeleton, SpecError, View, hookimpl
from mgbench.components import KINDS, Component, Split
from mgbench.registry import Plugin, Registry, installed_plugins
from mgbench.testing import Check, CheckError, UnavailableError, checks


#: Licensed data of which only a few made files lie below the data root.
FIXTURES = dict.fromkeys(("imigue", "ntu120", "ntu60", "nw_ucla", "packed", "smg"), "format_fixtures")


@pytest.mark.parametrize("check", checks(), ids=str)
def test_an_installed_component_keeps_the_rule(check: Check, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each component keeps each rule of its kind; missing data is a failure, unless no data root is given."""
    root = os.environ.get("MGBENCH_DATA")
    if root and check.entry.cls.name in FIXTURES:
        monkeypatch.setenv("MGBENCH_DATA", str(Path(root) / FIXTURES[check.entry.cls.name]))
    if root and check.entry.cls.name == "kinetics_skeleton":
        make_kinetics(Path(root) / "format_fixtures" / "kinetics_skeleton", tmp_path / "kinetics_skeleton")
        monkeypatch.setenv("MGBENCH_DATA", str(tmp_path))
    try:
        check()
    except UnavailableError as error:
        if root:
            raise
        pytest.skip(str(error))


# Below: one sound component a kind, whose field `fault` makes it break a rule.


@attrs.frozen
class SoundEncoder(mgbench.Encoder):
    """One linear map of every joint's coordinates."""

    name = "sound_encoder"
    gives: ClassVar[frozenset[str]] = frozenset({"joint_map", "drop_joints", "drop_tokens", "sequence"})

    fault: str = "none"

    def build(self, skeleton: Skeleton, channels: int, persons: int) -> Network:
        """Make the network."""
        return _Network(channels, self.fault)


class _Network(Network):
    def __init__(self, channels: int, fault: str) -> None:
        super().__init__()
        self.width, self.fault = 4, fault
        self.layer = nn.Linear(channels, 4)
        if fault == "idler":
            self.idle = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, joints: Tensor | None = None, tokens: Tensor | None = None, length: Tensor | None = None) -> Tensor:
        kept = x
        if joints is not None and self.fault != "blind":
            kept = torch.stack([one[..., own] for one, own in zip(x, joints.expand(len(x), -1), strict=True)])
        if tokens is not None and self.fault != "token_blind":
            cells = [one.flatten(2)[..., own, None] for one, own in zip(x, tokens.expand(len(x), -1), strict=True)]
            kept = torch.stack(cells)
        y: Tensor = self.layer(kept.movedim(2, -1)).movedim(-1, 2)
        if length is not None and self.fault != "overrun":
            y = self.ended(y, length)
        if self.fault == "gossip":  # about the other clips
            return y - y.mean(dim=0)
        given = {"peeper": joints, "token_peeper": tokens, "late_peeper": length}.get(self.fault)
        if given is not None:  # at what is masked
            return y + x.mean(dim=(1, 2, 3, 4), keepdim=True)
        return y.mean(dim=4) if self.fault == "flat" else y

    def ended(self, y: Tensor, length: Tensor) -> Tensor:
        """Return a map that repeats a clip's mean behind its end, or with a fault nothing, so that its mean is diluted."""
        inside = (torch.arange(y.shape[3]) < length[:, None])[:, None, None, :, None]
        mean = (y * inside).sum(dim=3, keepdim=True) / length.view(-1, 1, 1, 1, 1)
        return torch.where(inside, y, mean * (self.fault != "diluted"))

    def pool(self, features: Tensor) -> Tensor:
        return features.flatten(3).mean(dim=(1, 3))


@attrs.frozen
class SoundAugmentation(mgbench.ViewAugmentation):
    """Moves clips at random."""

    name = "sound_augmentation"
    calls: ClassVar[list[int]] = []

    fault: str = "none"
    draw: Literal["batch", "clip"] = "batch"

    def apply(self, view: View, skeleton: Skeleton, generator: Generator) -> View:
        """Return the moved clips."""
        draws = len(view.x) if self.draw == "clip" and self.fault != "one_draw" else 1
        source = torch.default_generator if self.fault == "gambler" else generator
        moved = view.x + torch.randn(draws, 1, 1, 1, 1, generator=source)
        self.calls.append(1)
        if self.fault == "mutator" and view.x.is_contiguous():
            view.x.mul_(2)
        if self.fault == "unsorted":
            return View(moved, torch.randperm(len(skeleton.joints), generator=generator)[:9])
        tokens = torch.tensor([0, 99999]) if self.fault == "astray" else None
        return View(moved, torch.arange(9) + len(self.calls) % 2 if self.fault == "moody" else view.joints, tokens)


@attrs.frozen
class SoundEvaluator(mgbench.Evaluator):
    """Scores by the distance to class means."""

    name = "sound_evaluator"

    fault: str = "none"

    def evaluate(self, probe: Probe) -> Evaluation:
        """Score the test clips."""
        train, test = probe.train.x, probe.test.x
        if self.fault == "in_place":
            test.sub_(train.mean(dim=0))
            train.sub_(train.mean(dim=0))
        means = torch.stack([train[probe.train.label == c].mean(dim=0) for c in range(probe.classes)])
        scores = -torch.cdist(test, means)
        if self.fault == "unseeded":
            scores = scores + 0.1 * torch.randn(len(test), 1)
        if self.fault == "cheat":
            scores = nn.functional.one_hot(probe.test.label, probe.classes).float()
        if self.fault == "witness":
            scores = scores + nn.functional.one_hot(probe.test.subject, probe.classes)
        return Evaluation(scores, {"purity": 87.0} if self.fault == "percent" else {})


@attrs.frozen
class SoundMethod(mgbench.Method):
    """Makes features small."""

    name = "sound_method"

    fault: str = "none"

    def build(self, backbone: Backbone, classes: int) -> Objective:
        """Make the objective."""
        return _Objective(backbone, self.fault)


class _Objective(Objective):
    calls: ClassVar[list[int]] = []

    def __init__(self, backbone: Backbone, fault: str) -> None:
        super().__init__()
        self.backbone, self.fault = backbone, fault
        if fault == "idle_head":
            self.head = nn.Linear(2, 2)

    def forward(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        (view,) = batch.views
        loss = self.backbone(view.x, view.joints).square().mean()
        self.calls.append(1)
        if self.fault == "counter":
            loss = loss * len(self.calls)
        return {"loss": loss.expand(2) if self.fault == "two_losses" else loss}

    def embedder(self) -> nn.Module:
        whitening = nn.BatchNorm1d(self.backbone.width, track_running_stats=False)
        return nn.Sequential(self.backbone, whitening) if self.fault == "whitening" else self.backbone


@attrs.frozen
class SoundData(mgbench.Dataset):
    """Six constant clips a split."""

    name = "sound_data"
    loads: ClassVar[list[int]] = []

    fault: str = "none"

    @property
    def skeleton(self) -> Skeleton:
        """Kinect-25."""
        return mgbench.load_skeleton("kinect25")

    @property
    def classes(self) -> tuple[str, ...]:
        """Two."""
        return ("one", "two")

    def load(self, split: Split, folder: Path) -> Clips:
        """Make a split."""
        person = 0 if self.fault == "shared" else ("train", "val", "test").index(split)
        self.loads.append(1)
        x = np.ones((4, 2 if self.fault == "crowd" else 1, 25, 3))
        if self.fault == "restless":
            x *= len(self.loads)
        if self.fault == "holes":
            x[1, 0, 7, 2] = np.nan
        label = [0, 7 if self.fault == "label" else 1] * 3
        return mgbench.make_clips([x] * 6, label, [person] * 6, [f"{split}{i}" for i in range(6)])


SOUND = {cls.name: cls for cls in (SoundEncoder, SoundAugmentation, SoundEvaluator, SoundMethod, SoundData)}


def plugin_of(cls: type[Component]) -> SimpleNamespace:
    """Return a plugin that offers one component."""
    kind = next(kind for kind, base in KINDS.items() if issubclass(cls, base))
    return SimpleNamespace(**{f"mgbench_{kind}s": hookimpl(lambda: [cls])})


def broken_rules(sound: str, fault: str) -> set[str]:
    """Return the names of the rules that a component with this fault breaks."""
    body = {"__doc__": "A component with a fault.", "name": fault, "tiny": f"fault={fault}"}
    cls = attrs.frozen(type(fault, (SOUND[sound],), body))
    plugin = Plugin("faulty", "mgbench-faulty", "1", "")
    loaded = Registry([plugin, *installed_plugins()], modules={plugin: plugin_of(cls)})  # type: ignore[call-arg]
    found, broken = checks("mgbench-faulty", loaded), set()
    assert len(found) >= 4, loaded.failures
    for check in found:
        try:
            check()
        except CheckError:
            broken.add(check.rule.__name__)
    return broken


@pytest.mark.parametrize("sound", sorted(SOUND))
def test_a_sound_component_breaks_no_rule(sound: str) -> None:
    """The components whose faults are tried below keep every rule without them."""
    assert broken_rules(sound, "none") == set()


@pytest.mark.parametrize(
    ("sound", "fault", "rules"),
    [
        ("sound_encoder", "gossip", {"keeps_clips_apart", "ends_where_a_clip_ends"}),
        ("sound_encoder", "peeper", {"ignores_dropped_joints"}),
        ("sound_encoder", "blind", {"ignores_dropped_joints", "depends_on_kept_joints"}),
        ("sound_encoder", "token_peeper", {"ignores_dropped_tokens"}),
        ("sound_encoder", "token_blind", {"ignores_dropped_tokens", "depends_on_kept_tokens"}),
        ("sound_encoder", "diluted", {"ends_where_a_clip_ends"}),
        ("sound_encoder", "late_peeper", {"ignores_frames_behind_the_end", "ends_where_a_clip_ends"}),
        ("sound_encoder", "overrun", {"ignores_frames_behind_the_end", "ends_where_a_clip_ends"}),
        ("sound_encoder", "idler", {"every_parameter_learns"}),
        ("sound_encoder", "flat", {"gives_maps_of_its_width"}),
        ("sound_augmentation", "mutator", {"is_pure"}),
        ("sound_augmentation", "gambler", {"is_pure"}),
        ("sound_augmentation", "one_draw", {"draws_as_its_field_says"}),
        ("sound_augmentation", "unsorted", {"keeps_the_layout"}),
        ("sound_augmentation", "astray", {"keeps_the_layout"}),
        ("sound_evaluator", "cheat", {"fits_without_test_labels"}),
        ("sound_evaluator", "witness", {"fits_without_test_labels"}),
        ("sound_evaluator", "in_place", {"leaves_its_input_alone", "fits_without_test_labels"}),
        ("sound_evaluator", "percent", {"scores_every_clip"}),
        ("sound_method", "idle_head", {"loss_reaches_what_learns"}),
        ("sound_method", "two_losses", {"loss_reaches_what_learns"}),
        ("sound_method", "counter", {"same_seed_same_loss"}),
        ("sound_method", "whitening", {"embeds_clip_by_clip"}),
        ("sound_data", "shared", {"holds_valid_clips"}),
        ("sound_data", "crowd", {"holds_valid_clips"}),
        ("sound_data", "holes", {"holds_valid_clips"}),
        ("sound_data", "label", {"holds_valid_clips"}),
        ("sound_data", "restless", {"loads_the_same_twice"}),
    ],
)
def test_a_fault_is_caught_by_the_rule_against_it(sound: str, fault: str, rules: set[str]) -> None:
    """A component with one fault breaks the rule against that fault, and no other."""
    assert broken_rules(sound, fault) == rules


def test_an_evaluator_that_draws_from_torchs_generator_is_caught() -> None:
    """Scores that depend on what torch's default generator holds break the rule against that."""
    assert "same_seed_same_scores" in broken_rules("sound_evaluator", "unseeded")


def test_an_augmentation_that_masks_other_joints_each_time_is_caught() -> None:
    """One generator gives one mask."""
    assert "is_pure" in broken_rules("sound_augmentation", "moody")


def test_a_check_says_its_component_and_rule() -> None:
    """An id is component and rule, and the rule is told in words."""
    check = next(check for check in checks("stgcn") if check.rule.__name__ == "keeps_clips_apart")

    assert str(check) == "stgcn-keeps_clips_apart"
    assert check.text == "In evaluation the features of a clip do not depend on the other clips of its batch."


def test_checks_are_chosen_by_component_or_plugin() -> None:
    """A name selects a component, or everything that a plugin offers; an unknown one is refused, so that no test is skipped unseen."""
    assert {check.entry.cls.name for check in checks("mgrl")} == {"mgrl"}
    assert {str(check) for check in checks("mgbench")} >= {str(check) for check in checks("mgrl")}
    with pytest.raises(SpecError, match="No component or plugin is called 'nothing'"):
        checks("nothing")
