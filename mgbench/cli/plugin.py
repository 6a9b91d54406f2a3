"""`mgbench plugin`: the contract, checked, and what went wrong, explained."""

import sys
from pathlib import Path

import rich_click as click

from mgbench.cli.components import warn_of_failures
from mgbench.cli.options import plugin_option
from mgbench.components import KINDS
from mgbench.registry import registry


@click.group("plugin")
def plugin_command() -> None:
    """Check and diagnose plugins."""


@plugin_command.command("check")
@click.argument("name")
@plugin_option
def check_command(name: str, plugin_files: tuple[Path, ...]) -> None:
    """Run the contract's checks over the component or plugin NAME, or over everything: all."""
    from mgbench.testing import CheckError, UnavailableError, checks

    loaded = registry(plugin_files)
    for kind in KINDS:
        loaded.entries(kind)
    warn_of_failures(loaded)
    found = checks("" if name == "all" else name, loaded)
    broken = 0
    for check in found:
        try:
            check()
            verdict = "ok"
        except UnavailableError as error:
            verdict = f"not checked: {error}"
        except CheckError as error:
            verdict = f"BROKEN: {error}"
        except Exception as error:  # noqa: BLE001 - a component may raise anything, and each check is told
            verdict = f"BROKEN: {type(error).__name__}: {error}"
        broken += verdict.startswith("BROKEN")
        click.echo(f"{check.entry.kind} {check.entry.cls.name}: {verdict}: {check.text}")
    click.echo(f"{len(found) - broken} of {len(found)} checks hold")
    sys.exit(1 if broken else 0)


@plugin_command.command("doctor")
@plugin_option
def doctor_command(plugin_files: tuple[Path, ...]) -> None:
    """Import every plugin and tell what each offers, what failed, and which names clash."""
    loaded = registry(plugin_files)
    names: dict[tuple[str, str], list[str]] = {}
    for kind in KINDS:
        for entry in loaded.entries(kind):
            names.setdefault((kind, entry.cls.name), []).append(entry.qualified)
    for plugin in loaded.plugins:
        mine = [entry.cls.name for kind in KINDS for entry in loaded.entries(kind) if entry.plugin == plugin]
        click.echo(f"{plugin.name} ({plugin.distribution} {plugin.version}, {plugin.target}): {', '.join(mine) or 'nothing'}")
        for failure in loaded.failures:
            if failure.plugin == plugin:
                click.echo(f"  no {failure.kind}s: {failure.reason}")
    for (kind, name), owners in names.items():
        if len(owners) > 1:
            click.echo(f"the {kind} {name!r} has {len(owners)} owners; write {' or '.join(owners)}")
    sys.exit(1 if loaded.failures else 0)
