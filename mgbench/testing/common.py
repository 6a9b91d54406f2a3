"""Rules for every component."""

import attrs

from mgbench import spec
from mgbench.components import Component
from mgbench.registry import Registry
from mgbench.testing.kit import Rule, hold


def round_trips_as_text(component: Component, loaded: Registry) -> None:
    """`parse(str(c)) == c`, with its defaults and with every parameter written out."""
    kind = loaded.entry_of(component).kind
    qualified = str(component).replace(component.name, loaded.entry_of(component).qualified, 1)
    hold(loaded.parse(kind, qualified) == component, f"{component} is read back as {loaded.parse(kind, qualified)}")
    full = spec.Call(component.name, tuple(spec.write_full(component).items()))
    hold(next(spec.expand(type(component), full, loaded.find_type)) == component, f"{full} is not read back")


def is_a_value(component: Component, _loaded: Registry) -> None:
    """A component is frozen, hashable, and equal to a copy of itself."""
    hold(hash(component) == hash(attrs.evolve(component)) and attrs.evolve(component) == component, "a copy differs")


RULES: list[Rule] = [round_trips_as_text, is_a_value]
