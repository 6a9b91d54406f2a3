"""Every installed component keeps the rules of its kind, and a component that breaks one is caught by that rule."""

import os
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest
from kinetics import make_kinetics
from sound import SOUND

from mgbench import SpecError, hookimpl
from mgbench.components import KINDS, Component
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


def plugin_of(cls: type[Component]) -> SimpleNamespace:
    """Return a plugin that offers one component."""
    kind = next(kind for kind, base in KINDS.items() if issubclass(cls, base))
    return SimpleNamespace(**{f"mgbench_{kind}s": hookimpl(lambda: [cls])})


def broken_rules(sound: str, fault: str) -> set[str]:
    """Return the names of the rules that a component with this fault breaks."""
    body = {"__doc__": "A component with a fault.", "name": fault, "tiny": f"fault={fault}"}
    cls = attrs.frozen(type(fault, (SOUND[sound],), body))
    plugin = Plugin("faulty", "mgbench-faulty", "1", "")
    loaded = Registry([plugin, *installed_plugins()], modules={plugin: plugin_of(cls)})  # type: ignore[call-arg] # any class of the kind
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
        ("sound_augmentation", "ragged", {"shapes_are_foreseen"}),
        ("sound_augmentation", "reader", {"shapes_are_foreseen"}),
        ("sound_evaluator", "cheat", {"fits_without_test_labels"}),
        ("sound_evaluator", "witness", {"fits_without_test_labels"}),
        ("sound_evaluator", "in_place", {"leaves_its_input_alone", "fits_without_test_labels"}),
        ("sound_evaluator", "percent", {"scores_every_clip"}),
        ("sound_method", "idle_head", {"loss_reaches_what_learns"}),
        ("sound_method", "two_losses", {"loss_reaches_what_learns"}),
        ("sound_method", "counter", {"same_seed_same_loss", "continues_from_its_state"}),
        ("sound_method", "forgetful", {"continues_from_its_state"}),
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
