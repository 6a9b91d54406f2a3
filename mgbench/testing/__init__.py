"""The checks that every component must pass, ours and anyone's.

A plugin's own test file is three lines:

    @pytest.mark.parametrize("check", mgbench.testing.checks("velocity"), ids=str)
    def test_velocity(check):
        check()
"""

import inspect

import attrs
import torch

from mgbench.errors import SpecError
from mgbench.registry import Entry, Registry, registry
from mgbench.testing import augmentations, common, datasets, encoders, evaluators, methods
from mgbench.testing.kit import CheckError, Rule, UnavailableError, tiny


__all__ = ["Check", "CheckError", "UnavailableError", "checks", "tiny"]

_RULES: dict[str, list[Rule]] = {
    "dataset": datasets.RULES,
    "encoder": encoders.RULES,
    "method": methods.RULES,
    "augmentation": augmentations.RULES,
    "evaluator": evaluators.RULES,
}


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


def checks(name: str = "", loaded: Registry | None = None) -> list[Check]:
    """Return the checks of the components of that name or plugin, or of everything installed."""
    loaded = loaded or registry()
    found = []
    for kind, rules in _RULES.items():
        for entry in loaded.entries(kind):
            if name in {"", entry.cls.name, entry.qualified, entry.plugin.name, entry.plugin.distribution}:
                found += [Check(entry, rule, loaded) for rule in [*common.RULES, *rules] if _applies(rule, entry)]
    if name and not found:
        msg = f"No component or plugin is called {name!r}; see mgbench list and mgbench plugin doctor."
        raise SpecError(msg)
    return found


def _applies(rule: Rule, entry: Entry) -> bool:
    wanted = next(iter(inspect.signature(rule).parameters.values())).annotation
    return issubclass(entry.cls, wanted)
