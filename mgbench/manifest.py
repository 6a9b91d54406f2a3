"""What `list`, `show` and completion read instead of importing plugins: one small JSON file a plugin, keyed by its files."""

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import attrs
import platformdirs

from mgbench import spec
from mgbench.components import KINDS, Component, Encoder, Evaluator, Method, SetAugmentation
from mgbench.registry import Entry, Plugin, Registry
from mgbench.store import read_cache, write_json


#: Where the classes are defined whose fields every component of a kind has.
_CONTRACTS: Final = (Component.__module__, "abc", "builtins")


@attrs.frozen
class Parameter:
    """A field of a component, as text."""

    name: str
    type: str
    default: str


@attrs.frozen
class Line:
    """What is shown of a component without importing it."""

    kind: str
    name: str
    plugin: str
    version: int
    summary: str
    doc: str
    citation: str
    parameters: tuple[Parameter, ...]
    facts: dict[str, str]


def _describe(entry: Entry) -> Line:
    cls = entry.cls
    facts: dict[str, str] = {}
    if issubclass(cls, Encoder):
        facts["gives"] = ", ".join(sorted(cls.gives)) or "nothing beyond pooled features"
    if issubclass(cls, Method):
        facts["needs"] = ", ".join(sorted(cls().needs)) or "nothing beyond pooled features"
        facts["labels"] = "used in training" if cls.uses_labels else "not used"
    if issubclass(cls, SetAugmentation):
        facts["labels"] = "decide what it makes" if cls().guided else "not read"
    if issubclass(cls, Evaluator):
        facts["reads"] = cls.reads
        facts |= {"tells": "people, not classes"} if cls.target == "subject" else {}
    hints = spec.types_of(cls)
    defaults = spec.write_full(cls())
    parameters = tuple(Parameter(name, _type_text(hints[name]), default) for name, default in defaults.items())
    doc, owner = _doc(cls), entry.plugin.distribution
    return Line(entry.kind, cls.name, owner, cls.version, cls.summary(), doc, cls.citation, parameters, facts)


def _doc(cls: type[Component]) -> str:
    """Return a component's docstring, with what those of its family say of the fields that it inherits."""
    own, *inherited = [inspect.cleandoc(base.__doc__ or "") for base in cls.__mro__ if base.__module__ not in _CONTRACTS]
    blocks = [block for doc in (own, *inherited) if (block := doc.partition("Args:\n")[2].partition("\n\n")[0].rstrip())]
    return own.partition("Args:\n")[0].rstrip() + ("\n\nArgs:\n" + "\n".join(blocks) if blocks else "")


def _type_text(hint: Any) -> str:  # noqa: ANN401
    text = hint.__name__ if isinstance(hint, type) and "[" not in str(hint) else str(hint)
    for long, short in (
        ("typing.Literal", "one of "),
        ("tuple[tuple[mgbench.components.ViewAugmentation, ...], ...]", "views"),
        ("tuple[mgbench.components.ViewAugmentation, ...]", "pipeline"),
        ("tuple[mgbench.components.SetAugmentation, ...]", "set pipeline"),
    ):
        text = text.replace(long, short)
    return text


def _files(plugin: Plugin) -> Iterable[Path]:
    if plugin.version == "file":
        return [Path(plugin.target)]
    found = importlib.util.find_spec(plugin.target.partition(":")[0].partition(".")[0])
    if found is None:
        return []
    folders = [Path(place) for place in found.submodule_search_locations or ()]
    return sorted(path for folder in folders for path in folder.rglob("*.py")) or [Path(str(found.origin))]


def plugin_key(plugin: Plugin) -> str:
    """Return a hash of everything that decides what a plugin offers: its files, and those of the contracts."""
    total = hashlib.blake2b(f"{plugin}{sys.version}".encode(), digest_size=12)
    for path in [*_files(plugin), *Path(__file__).parent.glob("*.py")]:
        total.update(f"{path}\0".encode() + path.read_bytes())
    return total.hexdigest()


def lines(registry: Registry) -> list[Line]:
    """Return every component's line; a plugin is imported only where its files changed since the last time.

    A plugin that fails is not remembered, so that mending what it lacks is enough.
    """
    found: list[Line] = []
    for plugin in registry.plugins:
        cache = platformdirs.user_cache_path("mgbench") / "manifest" / f"{plugin.distribution}-{plugin.name}-{plugin_key(plugin)}.json"
        rows = read_cache(cache).get("components")
        if rows is not None:
            found += [_line(row) for row in rows]
            continue
        fresh = [_describe(entry) for kind in KINDS for entry in registry.entries(kind) if entry.plugin == plugin]
        if not any(failure.plugin == plugin for failure in registry.failures):
            for old in cache.parent.glob(f"{plugin.distribution}-{plugin.name}-*.json"):
                old.unlink(missing_ok=True)
            write_json(cache, {"components": [attrs.asdict(line) for line in fresh]})
        found += fresh
    return sorted(found, key=lambda line: (list(KINDS).index(line.kind), line.name, line.plugin))


def _line(row: dict[str, Any]) -> Line:
    return Line(**{**row, "parameters": tuple(Parameter(**parameter) for parameter in row["parameters"])})
