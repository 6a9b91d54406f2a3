"""`mgbench cite`: BibTeX of components, or of everything that a cell used."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import rich_click as click

from mgbench import spec
from mgbench.cli.components import complete_name, warn_of_failures
from mgbench.cli.options import plugin_option, store_option
from mgbench.errors import SpecError, nearest
from mgbench.manifest import Line, lines
from mgbench.registry import registry


if TYPE_CHECKING:
    from mgbench.grid import Cell


#: Types of parameters, as the manifest has them, that hold augmentations.
_PIPELINES: Final = ("views", "pipeline", "set pipeline")
#: Where an entry begins.
_ENTRY: Final = re.compile(r"(?m)^(?=@\w)")


@click.command("cite")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_name(""))
@plugin_option
@store_option
def cite_command(names: tuple[str, ...], plugin_files: tuple[Path, ...], store: Path | None) -> None:
    """Print BibTeX of the components called NAME, or of everything that a cell used, each work once.

    NAME is a component of any kind, or a cell's folder; with --store also a cell's name, or a part of its name that no other cell has.
    """
    loaded = registry(plugin_files)
    known = lines(loaded)
    warn_of_failures(loaded)
    found = [line for name in names for line in _named(name, known, store)]
    works = _works(line.citation for line in found)
    if works:
        click.echo("\n\n".join(works))
    silent = dict.fromkeys(f"{line.kind} {line.name}" for line in found if not line.citation)
    if silent:
        click.echo(f"No work to cite is given by {', '.join(silent)}.", err=True)


def _works(citations: Iterable[str]) -> list[str]:
    """Return the entries of citations, the first of each key: BibTeX refuses a key that is there twice, however the two are worded."""
    entries = (entry.strip() for citation in citations for entry in _ENTRY.split(citation) if entry.strip())
    first: dict[str, str] = {}
    for entry in entries:
        first.setdefault(entry.partition(",")[0], entry)
    return list(first.values())


def _named(name: str, known: list[Line], store: Path | None) -> list[Line]:
    """Return the components of a name, or those of the cell of that name."""
    found = [line for line in known if name in {line.name, f"{line.plugin}/{line.name}"}]
    if found:
        return found
    if store is None and not (Path(name) / "spec.json").is_file():
        msg = f"There is no component {name!r}, and no cell's folder; {nearest(name, [line.name for line in known])}"
        raise SpecError(msg)
    from mgbench.named import find_cell
    from mgbench.paths import store_root
    from mgbench.snapshot import read_cell

    return list(_used(read_cell(find_cell(name, store_root(store))).cell, known))


def _used(cell: "Cell", known: list[Line]) -> Iterator[Line]:
    """Yield the components of a cell, a method's augmentations behind it; those that are not installed are named on stderr."""
    for part in (*cell.parts, *cell.evaluators):
        line = _line(known, part.kind, part.name, part.distribution)
        if line is None:
            where = f"came from {part.distribution!r}, which is not installed; --plugin takes its file"
            click.echo(f"Warning: the {part.kind} {part.name!r} {where}.", err=True)
        else:
            yield line
            yield from _augmentations(line, dict(part.parameters), known)


def _line(known: list[Line], kind: str, name: str, distribution: str) -> Line | None:
    return next((line for line in known if (line.kind, line.name, line.plugin) == (kind, name, distribution)), None)


def _augmentations(line: Line, given: Mapping[str, str], known: list[Line]) -> Iterator[Line]:
    """Yield the augmentations in the parameters of a component, and theirs."""
    texts = [given.get(parameter.name, parameter.default) for parameter in line.parameters if parameter.type in _PIPELINES]
    for call in _steps(texts):
        found = [each for each in known if each.kind == "augmentation" and each.name == call.name]
        for each in [each for each in found if each.plugin == line.plugin] or found:
            yield each
            yield from _augmentations(each, dict(call.arguments), known)


def _steps(texts: Iterable[str]) -> Iterator[spec.Call]:
    """Yield the steps of pipelines, views apart by bars."""
    for text in texts:
        for step in (step for view in spec.split(text, "|") for step in spec.split(view, "+")):
            if step not in {"none", "()"}:
                yield spec.read(step)
