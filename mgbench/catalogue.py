"""From the words of a command to parts, remembered between commands, so that planning imports neither torch nor a plugin.

What was worked out once is kept in one file of the user's cache, named by the hashes of all plugins' files.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import platformdirs

from mgbench import spec
from mgbench.components import Component, Method, SetAugmentation, ViewAugmentation
from mgbench.errors import SpecError
from mgbench.manifest import plugin_key
from mgbench.part import Part, describe, from_json
from mgbench.registry import Registry
from mgbench.store import read_cache, write_json


@attrs.frozen
class Budget:
    """What overrides every method's recipe, so that rows compare; None leaves the recipe's own value."""

    epochs: int | None = None
    batch_size: int | None = None
    steps: int | None = None

    def apply(self, method: Method) -> Method:
        """Return the method with this budget; a floor, which learns nothing, keeps its own."""
        if not method.learns:
            return method
        recipe = method.recipe
        epochs = recipe.epochs if self.epochs is None else self.epochs
        batch_size = recipe.batch_size if self.batch_size is None else self.batch_size
        return attrs.evolve(method, recipe=attrs.evolve(recipe, epochs=epochs, batch_size=batch_size))


@attrs.define
class Catalogue:
    """Parts by the text that asks for them; a text that was never seen is worked out by importing its plugin."""

    registry: Registry
    _file: Path = attrs.field(init=False)
    _known: dict[str, list[Part]] = attrs.field(init=False)
    _grown: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        """Read what earlier commands worked out with the same files."""
        key = "-".join(sorted(plugin_key(plugin)[:12] for plugin in self.registry.plugins))
        self._file = platformdirs.user_cache_path("mgbench") / "parts" / f"{key}.json"
        rows = read_cache(self._file).get("parts", {})
        self._known = {text: [from_json(row) for row in found] for text, found in rows.items()}

    def save(self) -> None:
        """Keep what was worked out, in place of what other files of these plugins had."""
        if self._grown and not self.registry.failures:
            for old in sorted(self._file.parent.glob("*.json"), key=lambda path: path.stat().st_mtime)[:-8]:
                old.unlink(missing_ok=True)
            parts = {text: [attrs.asdict(part) for part in found] for text, found in self._known.items()}
            write_json(self._file, {"parts": parts})

    def _ask(self, words: tuple[Any, ...], work: Callable[[], list[Component]]) -> list[Part]:
        key = json.dumps(words)
        if key not in self._known:
            self._known[key] = [describe(component, self.registry) for component in work()]
            self._grown = True
        return self._known[key]

    def axis(self, kind: str, texts: tuple[str, ...]) -> list[Part]:
        """Return the components of one axis: lists and sweeps expanded, repeated options joined, doubles dropped."""
        found: dict[tuple[str, str], Part] = {}
        for call in (call for text in texts for call in spec.read_list(text)):
            words = (kind, call.name, call.arguments)
            for part in self._ask(words, lambda call=call: self.registry.expand(kind, call)):  # type: ignore[misc] # a bound default
                found.setdefault((part.distribution, part.spec), part)
        return list(found.values())

    def augmentation(self, text: str) -> str:
        """Return the one way to write a pipeline, so that two ways are one cell."""
        if text in {"default", "none"}:
            return text
        return "+".join(map(str, self._ask(("augmentation", text), lambda: list(_steps(text, self.registry)))))

    def written(self, axis: str, text: str) -> str:
        """Return the one way to write what a row of a table names on an axis; raise `SpecError` where that is not one component."""
        if axis == "augmentation":
            return self.augmentation(text)
        if axis == "pretrain-on" and text == "none":
            return text
        found = self.axis("dataset" if axis == "pretrain-on" else axis, (text,))
        if len(found) != 1:
            msg = f"A row of the study's table has the {axis} {text!r}, which is {len(found)} components; a row has one."
            raise SpecError(msg)
        return str(found[0])

    def method(self, part: Part, augmentation: str, budget: Budget) -> Part:
        """Return a method with the pipeline that `-a` asks for and with the budget."""

        def work() -> list[Component]:
            method = self.registry.parse("method", f"{part.distribution}/{part}")
            return [budget.apply(augmented(method, augmentation, self.registry))]

        return self._ask(("method", str(part), part.distribution, augmentation, attrs.astuple(budget)), work)[0]


def _steps(text: str, registry: Registry) -> tuple[Component, ...]:
    return tuple(registry.parse("augmentation", step) for step in spec.split(text, "+"))


def augmented(method: Method, text: str, registry: Registry) -> Method:
    """Return the method with its pipelines replaced: view steps replace `augment`, set steps `prepare`, `none` clears both."""
    if text == "default":
        return method
    steps = () if text == "none" else _steps(text, registry)
    views = tuple(step for step in steps if isinstance(step, ViewAugmentation))
    sets = tuple(step for step in steps if isinstance(step, SetAugmentation))
    replaced: dict[str, Any] = {"augment": views, "prepare": sets}
    if steps and len(views) + len(sets) != len(steps):
        msg = f"The pipeline {text!r} holds a step that is neither a view nor a set augmentation."
        raise SpecError(msg)
    return attrs.evolve(method, **{name: part for name, part in replaced.items() if part or not steps})
