"""`mgbench list` and `mgbench show`, from the manifest."""

import inspect
import json
from pathlib import Path
from typing import Any

import attrs
import rich_click as click

from mgbench.cli.options import json_option, plugin_option
from mgbench.components import KINDS
from mgbench.errors import SpecError, nearest
from mgbench.manifest import Line, lines
from mgbench.registry import Registry, registry


def _complete_kind(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    return [kind for kind in KINDS if kind.startswith(incomplete)]


def complete_name(kind: str) -> Any:  # noqa: ANN401 - click's callback type
    """Return a completion of component names of one kind, or of all."""

    def complete(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
        return [line.name for line in lines(registry()) if kind in {"", line.kind} and line.name.startswith(incomplete)]

    return complete


def warn_of_failures(loaded: Registry) -> None:
    """Name on stderr every plugin that could not be loaded."""
    for failure in loaded.failures:
        click.echo(
            f"Warning: plugin {failure.plugin.name!r} gives no {failure.kind}s ({failure.reason}); see mgbench plugin doctor.", err=True
        )


@click.command("list")
@click.argument("kind", required=False, shell_complete=_complete_kind)
@json_option
@plugin_option
def list_command(kind: str | None, as_json: bool, plugin_files: tuple[Path, ...]) -> None:
    """List the installed components, or those of one KIND (dataset, encoder, method, augmentation, evaluator)."""
    singular = (kind or "").removesuffix("s")
    if kind and singular not in KINDS:
        msg = f"There is no kind {kind!r}; {nearest(kind, KINDS)}"
        raise SpecError(msg)
    loaded = registry(plugin_files)
    shown = [line for line in lines(loaded) if singular in {"", line.kind}]
    warn_of_failures(loaded)
    if as_json:
        for line in shown:
            click.echo(json.dumps(attrs.asdict(line)))
        return
    width = max((len(line.name) for line in shown), default=0)
    for group in KINDS:
        members = [line for line in shown if line.kind == group]
        if members:
            click.echo(f"{group}s")
        for line in members:
            origin = "" if line.plugin == "mgbench" else f"  ({line.plugin})"
            click.echo(f"  {line.name:<{width}}  {line.summary}{origin}")


@click.command("show")
@click.argument("name", shell_complete=complete_name(""))
@json_option
@plugin_option
def show_command(name: str, as_json: bool, plugin_files: tuple[Path, ...]) -> None:
    """Show the components called NAME."""
    loaded = registry(plugin_files)
    known = lines(loaded)
    found = [line for line in known if name in {line.name, f"{line.plugin}/{line.name}"}]
    warn_of_failures(loaded)
    if not found:
        msg = f"There is no component {name!r}; {nearest(name, [line.name for line in known])}"
        raise SpecError(msg)
    for line in found:
        click.echo(json.dumps(attrs.asdict(line)) if as_json else _page(line))


def _page(line: Line) -> str:
    parts = [f"{line.kind} {line.name} (version {line.version}, from {line.plugin})", "", inspect.cleandoc(line.doc), ""]
    parts += [f"{fact}: {text}" for fact, text in line.facts.items()]
    if line.parameters:
        width = max(len(parameter.name) for parameter in line.parameters)
        parts += ["", "parameters"]
        parts += [f"  {parameter.name:<{width}} = {parameter.default}   ({parameter.type})" for parameter in line.parameters]
    return "\n".join([*parts, *(["", line.citation] if line.citation else [])])
