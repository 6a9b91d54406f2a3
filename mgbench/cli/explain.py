"""`mgbench explain`: everything that a store knows of one cell, or the ways in which cells failed."""

import shlex
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import rich_click as click

from mgbench.cli.options import plugin_option, store_option
from mgbench.cli.text import columns, shortened
from mgbench.shape import shown
from mgbench.words import counted


if TYPE_CHECKING:
    from mgbench.standing import Standing


#: Lines of the log that are shown, and bytes of its end that are read for them.
_LINES: Final = 20
_BYTES: Final = 65536
_WIDTH: Final = 100


@click.command("explain")
@click.argument("cell", required=False)
@click.option("--data-root", "root", type=click.Path(path_type=Path), help="Named in the command that runs the cell again.")
@plugin_option
@store_option
def explain_command(cell: str | None, root: Path | None, plugin_files: tuple[Path, ...], store: Path | None) -> None:
    """Tell what CELL ran, how it ended, and how to run it again; without CELL, in which ways the cells of the store failed.

    CELL is a cell's folder, its name, or a part of its name that no other cell has.
    """
    from mgbench.named import find_cell
    from mgbench.paths import store_root
    from mgbench.standing import read_standing, read_standings

    place = store_root(store)
    if cell is None:
        lines = _failures(read_standings(place), place)
    else:
        folder = find_cell(cell, place)
        lines = _page(read_standing(folder), read_standings(folder.path.parent.parent), _places(root, plugin_files))
    for line in lines:
        click.echo(line)


def _failures(standings: "list[Standing]", store: Path) -> list[str]:
    from mgbench.failures import group_failures

    groups = group_failures(standings)
    if not groups:
        return [f"No cell failed; the store {str(store)!r} holds {counted(len(standings), 'cell')}."]
    number = sum(len(group.cells) for group in groups)
    lines = [f"{number} of {counted(len(standings), 'cell')} failed, in {counted(len(groups), 'way')}"]
    for group in groups:
        example = group.cells[0]
        reason = "" if example.reason == group.fingerprint else shortened(example.first_line, 300)
        lines += ["", f"{group.statuses}: {group.fingerprint}", *([f"  {reason}"] if reason else []), f"  for example {example.name}"]
    return [*lines, "", "mgbench explain CELL shows a cell's log, and the command that runs it again."]


def _page(one: "Standing", others: "list[Standing]", places: list[str]) -> list[str]:
    lines = [one.name, *columns(_facts(one, others))]
    if one.spec:
        lines += ["", "rows", *columns(_rows(one)), "", "parameters", *_parameters(one.spec)]
    lines += ["", *_log(one.folder.log)]
    if one.spec and one.status not in {"ok", "running", "pending", "skipped"}:
        lines += ["", *_nearest(one, others)]
    return [*lines, "", *_again(one, places)]


def _facts(one: "Standing", others: "list[Standing]") -> list[tuple[str, str]]:
    """Return what is told of a cell in one line each."""
    from mgbench.cli.watch import clock, progress_text

    same = sum(other.fingerprint == one.fingerprint and other.status == one.status and other.name != one.name for other in others)
    facts = [("folder", str(one.folder.path)), ("status", f"{one.status}: {one.first_line}" if one.reason else one.status)]
    facts += [("", line) for line in one.reason.splitlines()[1:]]
    if one.owner:
        facts.append(("by", f"{one.host} pid {one.owner['pid']}: {progress_text(one.progress) if one.progress else 'starts'}"))
    elif one.reached:
        facts.append(("got to", one.reached))
    if one.failure:
        facts.append(("failure", one.failure))
    if one.bad:
        facts.append(("alike", f"{counted(same, 'other cell')} failed in the same way"))
    if one.stale:
        facts.append(("stale", one.stale))
    stages = one.told.get("stage_seconds", {})
    if one.seconds is not None:
        took = clock(one.seconds) if one.seconds >= 60 else f"{one.seconds:.1f} s"  # noqa: PLR2004 - a minute
        facts.append(("took", took + (": " if stages else "") + ", ".join(f"{stage} {value:.1f} s" for stage, value in stages.items())))
    return [*facts, *(_settings(one.spec) if one.spec else [])]


def _settings(spec: dict[str, Any]) -> list[tuple[str, str]]:
    parts = [(kind, spec[kind]) for kind in ("dataset", "encoder", "method") if spec[kind]]
    facts = [(kind, f"{part['spec']}  (version {part['version']}, from {part['distribution']})") for kind, part in parts]
    run = {**spec["run"], **spec["run"].get("budget", {})}
    run.pop("budget", None)
    if "imported" in spec:
        facts.append(("imported", shown(spec["imported"])))
    told = ", ".join(f"{key}={str(value).lower()}" for key, value in run.items() if value is not None)
    return [*facts, *((key, str(spec[key])) for key in ("augmentation", "stream", "seed")), ("run", told)]


def _rows(one: "Standing") -> list[tuple[str, str]]:
    found = [(name, f"top-1 {100 * row['top1']:.1f}") for name, row in one.rows.items() if "top1" in row]
    lacking = [part["spec"] for part in one.spec.get("evaluators", []) if part["spec"] not in one.rows]
    return found + [(name, "no row") for name in lacking]


def _parameters(spec: dict[str, Any]) -> list[str]:
    """Return every parameter of every component, a paragraph a component."""
    parts = [(kind, spec[kind]) for kind in ("dataset", "encoder", "method")] + [("evaluator", part) for part in spec["evaluators"]]
    lines: list[str] = []
    for kind, part in parts:
        if part:
            text = ", ".join(f"{name}={value}" for name, value in part["parameters"].items()) or "none"
            words = f"{kind} {part['name']}: {text}"
            lines += textwrap.wrap(
                words, _WIDTH, initial_indent="  ", subsequent_indent="      ", break_long_words=False, break_on_hyphens=False
            )
    return lines


def _tail(path: Path) -> list[str]:
    """Return the last lines of a file, or none where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - _BYTES, 0))
            return file.read().decode(errors="replace").splitlines()
    except OSError:
        return []


def _log(path: Path) -> list[str]:
    """Return the last lines that the cell printed."""
    lines = _tail(path)
    if not lines:
        return ["it has printed nothing"]
    return [f"log, the end of {path}" if len(lines) > _LINES else "log", *(f"  {shortened(line, 300)}" for line in lines[-_LINES:])]


def _nearest(one: "Standing", others: "list[Standing]") -> list[str]:
    from mgbench.failures import nearest_finished

    found = nearest_finished(one, others)
    if found is None:
        return ["no cell of this store has finished"]
    other, differences = found
    rows = [("", "this cell", "that cell"), *((each.what, each.a or "-", each.b or "-") for each in differences)]
    return [f"nearest finished cell: {other.name}", *columns(rows)]


def _places(root: Path | None, plugin_files: tuple[Path, ...]) -> list[str]:
    """Return the options that say where data and one-file plugins lie, as far as that is known here."""
    from mgbench.paths import data_root

    folder = data_root(root).absolute()
    words = ["--data-root", str(folder)] if root is not None or folder.is_dir() else []
    return [*words, *(word for path in plugin_files for word in ("--plugin", str(path.absolute())))]


def _again(one: "Standing", places: list[str]) -> list[str]:
    """Return the command that runs the cell again."""
    if one.status == "damaged":
        return ["again: remove its folder, and give the same mgbench run again"]
    if one.status in {"running", "skipped"}:
        return []
    if "imported" in one.spec:
        return ["it is not run: mgbench leaderboard import took it in"]
    if "members" in one.spec:
        weights = ",".join(f"{member['weight']:g}" for member in one.spec["members"])
        names = [member["cell"] for member in one.spec["members"]]
        return ["to make it again:", shlex.join(["mgbench", "ensemble", *names, "--weights", weights])]
    folder, title = one.folder.path, {"pending": "to run it:", "interrupted": "to continue it:"}.get(one.status, "to run it again:")
    before: list[str] = []
    if one.status == "ok":  # where it lies, a finished cell has nothing left to run
        folder, title = Path("again", "cells", one.name), "to run it again, in a store of its own:"
        before = [shlex.join(["mkdir", "-p", str(folder)]), shlex.join(["cp", str(one.folder.spec), str(folder)])]
    found = _plugins(one, places)
    more = [word for path in found.values() for word in ("--plugin", str(path))]
    notes = [f"  ({path}: the plugin {name!r} is not installed here; give its file)" for name, path in found.items() if not path.is_file()]
    if one.folder.checkpoint.is_file() and one.status != "ok":
        notes.append("  (it goes on from checkpoint.pt; without that file it begins anew)")
    return [title, " && ".join([*before, shlex.join(["mgbench", "cell", "exec", str(folder), *places, *more])]), *notes]


def _plugins(one: "Standing", places: list[str]) -> dict[str, Path]:
    """Return the files of a cell's plugins that are neither installed nor given: where they lay when it ran, or else a mere name."""
    from mgbench.registry import installed_plugins

    known = {plugin.distribution for plugin in installed_plugins()} | {Path(word).stem for word in places}
    parts = [part for part in (one.spec["dataset"], one.spec["encoder"], one.spec["method"], *one.spec["evaluators"]) if part]
    files = {Path(path).stem: Path(path) for path in one.told.get("plugin_files", [])}
    missing = dict.fromkeys(part["distribution"] for part in parts if part["distribution"] not in known)
    return {name: files.get(name, Path(f"{name}.py")) for name in missing}
