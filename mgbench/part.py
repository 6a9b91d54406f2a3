"""Components as text and facts: what a plan, a record and a cell's `spec.json` know of them, without their code."""

import hashlib
import inspect
import json
from functools import cached_property
from typing import Any, Literal

import attrs

from mgbench import spec
from mgbench.components import Component, Dataset, Encoder, Evaluator, Method
from mgbench.errors import SpecError
from mgbench.registry import Registry
from mgbench.words import slug_of


@attrs.frozen
class Part:
    """One component of a cell.

    Args:
        kind: `dataset`, `encoder`, `method`, `augmentation` or `evaluator`.
        name: the component's word.
        distribution: where it comes from.
        version: of its results.
        spec: the shortest text that gives it.
        parameters: every field as text, so that a changed default rewrites no history.
        learns: False for a floor, and for all that is no method.
        uses_labels: whether its training sees labels.
        prepares: whether it makes new clips before training that have no label, not even a mixed one.
        guided: whether labels decide which new clips it makes before training.
        needs: what the encoder must give.
        streams: that a method takes; none for any.
        gives: what an encoder gives.
        reads: what an evaluator reads.
        folders: of a data set below the data root.
        how: how to come by a data set.
        modules: the component's own file and those of its augmentations, or of the evaluator that it fits, by name; of this machine, so
            not written to cells.
    """

    kind: str
    name: str
    distribution: str
    version: int
    spec: str
    parameters: tuple[tuple[str, str], ...]
    learns: bool = False
    uses_labels: bool = False
    prepares: bool = False
    guided: bool = False
    needs: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    reads: Literal["", "clips", "features", "backbone"] = ""
    folders: tuple[str, ...] = attrs.field(default=(), eq=False)
    how: str = attrs.field(default="", eq=False)
    modules: tuple[tuple[str, str], ...] = attrs.field(default=(), eq=False)

    def __str__(self) -> str:
        return self.spec

    @cached_property
    def digest(self) -> str:
        """A hash of origin, name and parameters: its share of a cell's identity."""
        text = json.dumps([self.kind, self.distribution, self.name, sorted(self.parameters)])
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @cached_property
    def slug(self) -> str:
        """The beginning of the spec in letters that every file system takes."""
        return slug_of(self.spec)[:40]

    def value(self, parameter: str) -> str:
        """Return a parameter's text."""
        return dict(self.parameters)[parameter]

    def to_json(self) -> dict[str, Any]:
        """Return it for `spec.json`."""
        stored = attrs.asdict(self, filter=lambda field, _: field.name not in {"modules", "how", "folders"})
        return {**stored, "parameters": dict(self.parameters)}


def from_json(stored: dict[str, Any]) -> Part:
    """Return a part as `to_json` or `attrs.asdict` wrote it."""
    pairs = stored["parameters"]
    words = {key: tuple(stored.get(key, ())) for key in ("needs", "gives", "streams", "folders")}
    tables = {"parameters": pairs.items() if isinstance(pairs, dict) else pairs, "modules": stored.get("modules", ())}
    return Part(**{**stored, **words, **{key: tuple((name, text) for name, text in table) for key, table in tables.items()}})


def describe(component: Component, registry: Registry) -> Part:
    """Return what is known of a component."""
    entry = registry.entry_of(component)
    steps: list[Component] = [component]
    facts: dict[str, Any] = {}
    if isinstance(component, Method):
        steps += [*component.augment, *(step for view in component.views for step in view), *component.prepare]
        facts = {"learns": component.learns, "uses_labels": component.uses_labels}
        facts |= {"prepares": not all(step.mixes_labels for step in component.prepare)}
        facts |= {"guided": any(step.guided for step in component.prepare)}
        facts |= {"needs": tuple(sorted(component.needs)), "streams": tuple(sorted(component.streams))}
    elif isinstance(component, Encoder):
        facts = {"gives": tuple(sorted(component.gives))}
    elif isinstance(component, Evaluator):
        steps += [value for value in attrs.astuple(component, recurse=False) if isinstance(value, Evaluator)]
        facts = {"reads": component.reads}
    elif isinstance(component, Dataset):
        facts = {"folders": component.folders, "how": component.how}
    modules = {step.name: inspect.getfile(type(step)) for step in steps}
    parameters = tuple(spec.write_full(component).items())
    owner = entry.plugin.distribution
    return Part(entry.kind, component.name, owner, component.version, str(component), parameters, **facts, modules=tuple(modules.items()))


def build(part: Part, registry: Registry) -> Any:  # noqa: ANN401 - a component of the part's kind
    """Return the component of a part; the distribution that it came from must be installed."""
    entries = [entry for entry in registry.entries(part.kind) if entry.cls.name == part.name]
    same = [entry for entry in entries if entry.plugin.distribution == part.distribution]
    if not same:
        registry.find(part.kind, part.name)
        msg = f"The {part.kind} {part.name!r} came from {part.distribution!r}, which is not installed."
        raise SpecError(msg)
    return next(spec.expand(same[0].cls, spec.Call(part.name, part.parameters), registry.find_type))
