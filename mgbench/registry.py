"""How components are found: pluggy plugins under the entry point `mgbench`, each hook called alone.

A broken plugin, or a broken kind of one plugin, is remembered and named; everything else still works.
"""

import importlib.metadata
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pluggy

from mgbench import hookspecs, spec
from mgbench.components import KINDS, Component
from mgbench.errors import PluginError, SpecError, nearest


@attrs.frozen
class Plugin:
    """An installed distribution's entry point, or a file given by `--plugin`."""

    name: str
    distribution: str
    version: str
    target: str


@attrs.frozen
class Entry:
    """A component and where it comes from."""

    kind: str
    cls: type[Component]
    plugin: Plugin

    @property
    def qualified(self) -> str:
        """The name that stays unique when two plugins use one word."""
        return f"{self.plugin.distribution}/{self.cls.name}"


@attrs.frozen
class Failure:
    """What could not be loaded, and why."""

    plugin: Plugin
    kind: str
    reason: str


def installed_plugins() -> list[Plugin]:
    """List the entry points of the group `mgbench`, without importing them."""
    found = [
        Plugin(point.name, point.dist.name, point.dist.version, point.value)
        for point in importlib.metadata.entry_points(group="mgbench")
        if point.dist is not None
    ]
    return sorted(set(found), key=lambda plugin: (plugin.distribution, plugin.name))


def file_plugin(path: Path) -> Plugin:
    """Describe a one-file plugin, or raise `PluginError` where there is no such file."""
    if not path.is_file() or path.suffix != ".py":
        msg = f"The plugin file {str(path)!r} is no existing .py file."
        raise PluginError(msg)
    return Plugin(path.stem, path.stem, "file", str(path.resolve()))


@attrs.define
class Registry:
    """The components of a set of plugins; each kind of each plugin is loaded when it is first asked for."""

    plugins: list[Plugin]
    failures: list[Failure] = attrs.field(factory=list)
    _modules: dict[Plugin, ModuleType | None] = attrs.field(factory=dict)
    _kinds: dict[str, list[Entry]] = attrs.field(factory=dict)

    def entries(self, kind: str) -> list[Entry]:
        """Return the components of a kind that could be loaded, sorted by name."""
        if kind not in self._kinds:
            found = [entry for plugin in self.plugins for entry in self._load(plugin, kind)]
            self._kinds[kind] = sorted(found, key=lambda entry: (entry.cls.name, entry.plugin.distribution))
        return self._kinds[kind]

    def _load(self, plugin: Plugin, kind: str) -> Iterator[Entry]:
        try:
            manager = pluggy.PluginManager("mgbench")
            manager.add_hookspecs(hookspecs)
            manager.register(self._module(plugin))
            manager.check_pending()
            offered = [cls for group in getattr(manager.hook, f"mgbench_{kind}s")() for cls in group]
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything, and must stop nothing else
            self.failures.append(Failure(plugin, kind, f"{type(error).__name__}: {error}"))
            return
        for cls in offered:
            fault = fault_of(cls, KINDS[kind])
            if fault:
                self.failures.append(Failure(plugin, kind, fault))
            else:
                yield Entry(kind, cls, plugin)

    def _module(self, plugin: Plugin) -> ModuleType:
        if plugin not in self._modules:
            self._modules[plugin] = None
            self._modules[plugin] = _import_file(plugin) if plugin.version == "file" else importlib.import_module(plugin.target)
        module = self._modules[plugin]
        if module is None:
            msg = "its module could not be imported"
            raise PluginError(msg)
        return module

    def find(self, kind: str, name: str) -> Entry:
        """Return the one component of this kind and name; `distribution/name` tells two of one name apart."""
        entries = self.entries(kind)
        matches = [entry for entry in entries if name in {entry.cls.name, entry.qualified}]
        if len(matches) == 1:
            return matches[0]
        if matches:
            msg = f"Two plugins have {_article(kind)} {name!r}; write {' or '.join(entry.qualified for entry in matches)}."
            raise SpecError(msg)
        broken = sorted({failure.plugin.name for failure in self.failures if failure.kind == kind})
        also = f" (plugin {', '.join(broken)} could not be loaded: see mgbench plugin doctor)" if broken else ""
        msg = f"There is no {kind} {name!r}; {nearest(name, [entry.cls.name for entry in entries])}{also}"
        raise SpecError(msg)

    def find_type(self, base: type, name: str) -> type[Component]:
        """Return a component class for a field that holds components of type `base`."""
        kind = next(kind for kind, abstract in KINDS.items() if issubclass(base, abstract))
        cls = self.find(kind, name).cls
        if not issubclass(cls, base):
            msg = f"The {kind} {name!r} is no {base.__name__}."
            raise SpecError(msg)
        return cls

    def expand(self, kind: str, call: spec.Call) -> list[Any]:
        """Return the components that a call of this kind describes, one for each point of its sweeps."""
        return list(spec.expand(self.find(kind, call.name).cls, call, self.find_type))

    def parse(self, kind: str, text: str) -> Any:  # noqa: ANN401 - a component of that kind
        """Return the one component that a spec describes; a sweep is refused."""
        found = self.expand(kind, spec.read(text))
        if len(found) != 1:
            msg = f"The spec {text!r} is a sweep of {len(found)} components; one was expected."
            raise SpecError(msg)
        return found[0]

    def entry_of(self, component: Component) -> Entry:
        """Return where a component comes from."""
        kind = next(kind for kind, abstract in KINDS.items() if isinstance(component, abstract))
        return next(entry for entry in self.entries(kind) if entry.cls is type(component))


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _import_file(plugin: Plugin) -> ModuleType:
    name = f"mgbench_file_{plugin.name}"
    found = importlib.util.spec_from_file_location(name, plugin.target)
    assert found is not None and found.loader is not None  # noqa: S101, PT018 - a .py file always has a loader
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    found.loader.exec_module(module)
    return module


def fault_of(cls: object, base: type[Component]) -> str:
    """Return what keeps a class from being a component of this kind, or an empty string."""
    if not isinstance(cls, type) or not issubclass(cls, base):
        return f"{cls!r} is no subclass of {base.__name__}"
    if not isinstance(getattr(cls, "name", None), str):
        return f"{cls.__name__} has no name"
    fault = ""
    if "__attrs_attrs__" not in vars(cls):
        fault = "lacks the decorator @attrs.frozen, so its fields would be lost"
    elif inspect.isabstract(cls):
        fault = f"does not define {', '.join(sorted(cls.__abstractmethods__))}"
    elif not vars(cls).get("__doc__") or cls.summary().startswith("Method generated by attrs"):
        fault = "has no docstring, whose first line describes it"
    else:
        try:
            spec.types_of(cls)
        except Exception as error:  # noqa: BLE001 - annotations are the plugin's code
            fault = f"has a field whose type cannot be read: {error}"
    return fault and f"{cls.name!r} {fault}"


@cache
def registry(files: tuple[Path, ...] = ()) -> Registry:
    """Return the registry of all installed plugins and of these one-file plugins."""
    return Registry([*installed_plugins(), *(file_plugin(path) for path in files)])
