"""Fill the marked regions of these pages from the code: `python docs/generate.py`, or `--check` to compare only.

A region is a line `<!-- parameters: mgrl -->`, then what is generated, then a line `<!-- end -->`. The word before the colon
names the function below that writes it, what stands behind the colon is its argument.
"""

import inspect
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
from measured import rows_of

from mgbench.cli import main as command_line
from mgbench.components import CAPABILITIES, Encoder, Method, Recipe
from mgbench.flops import forward_flops
from mgbench.manifest import Line, lines
from mgbench.model import Backbone
from mgbench.preprocessings import PREPROCESSINGS
from mgbench.registry import installed_plugins, registry
from mgbench.skeleton import load_skeleton, skeleton_names
from mgbench.store import CellFolder
from mgbench.study import load_study, study_names
from mgbench.testing import checks


DOCS = Path(__file__).parent
_REGION = re.compile(r"(?m)^<!-- (\w+)(?:: ([^\n]*?))? -->\n((?:(?!^<!-- )[^\n]*\n)*?)<!-- end -->$")

#: By which option `run` is given what a row of a study names.
_OPTION = {"method": "-m", "encoder": "-e", "augmentation": "-a", "pretrain-on": "--pretrain-on"}


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """Return a Markdown table; a bar within a cell is escaped."""
    every = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in every)


def _flat(text: str) -> str:
    return " ".join(text.split())


@cache
def first_party() -> tuple[Line, ...]:
    """Return the components that come with mgbench, whatever else is installed."""
    return tuple(line for line in lines(registry()) if line.plugin == "mgbench")


def _arguments(doc: str) -> dict[str, str]:
    """Return what a docstring's `Args` says of each field."""
    _, _, block = inspect.cleandoc(doc).partition("Args:\n")
    found: dict[str, str] = {}
    for entry in re.split(r"(?m)^    (?=\w)", block.partition("\n\n")[0])[1:]:
        name, _, text = entry.partition(": ")
        found[name] = _flat(text)
    return found


def _words(text: str) -> str:
    """Return a parameter's type in words."""
    if text.startswith("one of "):
        return " or ".join(f"`{word}`" for word in re.findall(r"'([^']*)'", text))
    for code, word in (
        ("int", "whole number"),
        ("float", "number"),
        ("bool", "`true` or `false`"),
        ("str", "text"),
        ("None", "`none`"),
        ("Evaluator", "an evaluator"),
    ):
        text = re.sub(rf"\b{code}\b", word, text)
    return text.replace("tuple[text, ...]", "texts as `(a,b)`").replace(" | ", " or ")


def parameters(name: str) -> str:
    """Return a component's parameters, its own before those that every component of its kind has."""
    (line,) = [line for line in first_party() if line.name == name]
    own = _arguments(line.doc)
    told = {**_arguments(Method.__doc__ or ""), **_arguments(Recipe.__doc__ or ""), **_arguments(Encoder.__doc__ or ""), **own}
    if not line.parameters:
        return "It has no parameters."
    ordered = sorted(line.parameters, key=lambda parameter: parameter.name not in own)
    rows = ((f"`{p.name}`", f"`{p.default}`", _words(p.type), told.get(p.name, "")) for p in ordered)
    facts = "".join(f"\n\n{fact.capitalize()}: {text}." for fact, text in line.facts.items())
    return _table(("parameter", "default", "values", "meaning"), rows) + facts


def page_of(line: Line) -> str:
    """Return the page, or the page and section, that describes a component."""
    folder = DOCS / f"{line.kind}s"
    return f"{line.kind}s/{line.name}.md" if folder.is_dir() else f"{line.kind}s.md#{line.name}"


def components(_: str) -> str:
    """Return all components that come with mgbench, with their pages."""
    rows = ((line.kind, f"[`{line.name}`]({page_of(line)})", line.summary) for line in first_party())
    return _table(("kind", "name", "what it is"), rows)


def capabilities(_: str) -> str:
    """Return the words by which methods and encoders are matched."""
    return _table(("word", "what an encoder that gives it can do"), ((f"`{word}`", text) for word, text in CAPABILITIES.items()))


def encoder_sizes(_: str) -> str:
    """Return what each encoder weighs and works, for one person of Kinect-25, and what it gives."""
    layout, rows = load_skeleton("kinect25"), []
    for entry in registry().entries("encoder"):
        if entry.plugin.distribution == "mgbench":
            backbone = Backbone(entry.cls(), layout, 1)  # type: ignore[arg-type] # entries of the kind are encoders
            weights = sum(parameter.numel() for parameter in backbone.parameters())
            work = forward_flops(backbone, (1, len(layout.axes), PREPROCESSINGS["frame50"].frames, len(layout.joints))) / 1e6
            gives = ", ".join(sorted(entry.cls.gives))  # type: ignore[attr-defined] # entries of the kind are encoders
            rows.append((f"[`{entry.cls.name}`](encoders/{entry.cls.name}.md)", f"{weights:,}", f"{work:,.0f}", gives))
    return _table(("encoder", "parameters", "MFLOPs a clip", "gives"), iter(rows))


def measured(method: str) -> str:
    """Return the rows of a method on the committed boards."""
    rows = rows_of(method, DOCS.parent / "leaderboards")
    return _table(("data", "table", "row", "rank", "top-1"), iter(rows)) if rows else "On no board yet."


def conformance(kind: str) -> str:
    """Return the checks of one kind."""
    ours = [check for check in checks() if check.entry.kind == kind and check.entry.plugin.distribution == "mgbench"]
    rules = {check.rule.__name__: check.text for check in ours}
    return _table(("check", "rule"), ((f"`{name}`", text) for name, text in rules.items()))


def source(path: str) -> str:
    """Return a file of these pages."""
    return f"```python\n{(DOCS / path).read_text().rstrip()}\n```"


def preprocessings(_: str) -> str:
    """Return the choices of `--preprocess`."""
    centre = {"none": "nothing", "frame": "the centre joint of each frame", "first": "the spine joint of the first frame"}
    rows = (
        (f"`{name}`", str(choice.frames), centre[choice.centre], "yes" if choice.upright else "no")
        for name, choice in PREPROCESSINGS.items()
    )
    return _table(("name", "T", "subtracted", "shoulders turned to +x"), rows)


def skeletons(_: str) -> str:
    """Return the skeletons that come with mgbench."""
    every = map(load_skeleton, skeleton_names())
    rows = (
        (f"`{s.name}`", str(len(s.joints)), " ".join(s.axes), *(s.joints[joint] for joint in (s.root, s.centre, s.spine))) for s in every
    )
    return _table(("name", "joints", "axes", "root", "centre", "spine"), rows)


def studies(_: str) -> str:
    """Return the tables of the studies that come with mgbench, before anything is measured."""
    told = []
    for name in study_names():
        table = load_study(Path(name)).table
        assert table is not None
        sizes = ("parameters",) if any(row.parameters for row in table.rows) else ()
        rows = (
            (
                row.label,
                *(row.published.get(column, "") for column in table.columns),
                *(row.parameters for _ in sizes),
                f"`{' '.join(f'{_OPTION[axis]} {shlex.quote(text)}' for axis, text in row.parts.items())}`",
            )
            for row in table.rows
        )
        head = ("row", *table.columns.values(), *sizes, "here")
        told.append(f"**`{name}`**: {table.title} ({table.source}).\n\n{_table(head, rows)}")
    return "\n\n".join(told)


def cell(_: str) -> str:
    """Return the files of a cell's directory."""
    folder, found = CellFolder(Path()), vars(CellFolder).items()
    files = ((getattr(folder, name).name, inspect.getdoc(value) or "") for name, value in found if isinstance(value, property))
    return _table(("file", "what it holds"), ((f"`{name}`", text) for name, text in files))


def _commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from _commands(found, (*words, name))
    else:
        yield words, command


def _option(parameter: dict[str, Any]) -> tuple[str, ...]:
    """Return a row: names, values, default, meaning."""
    kind, default = parameter["type"], parameter["default"]
    plain = kind["name"].replace("range", "").strip().replace("float", "number").replace("integer", "whole number")
    values = " or ".join(f"`{choice}`" for choice in kind["choices"]) if "choices" in kind else plain
    shown = " ".join(map(str, default)) if isinstance(default, (tuple, list)) else str(default)
    if parameter["is_flag"]:
        on, off = parameter["opts"][0], (parameter["secondary_opts"] or [""])[0]
        values, shown = "", (on if default else off)
    elif default is None:
        shown = ""
    return (
        ", ".join(f"`{word}`" for word in [*parameter["opts"], *parameter["secondary_opts"]]),
        values + ("; may be repeated" if parameter["multiple"] else ""),
        f"`{shown}`" if shown else "required" if parameter["required"] else "",
        _flat(parameter["help"] or ""),
    )


def reference(_: str) -> str:
    """Return every command with its options, from the command line's own declarations, so that no terminal's width matters."""
    parts = []
    for words, command in _commands(command_line):
        context = click.Context(command, info_name=" ".join(("mgbench", *words)))
        told = command.to_info_dict(context)
        declared = [p for p in told["params"] if p["param_type_name"] == "option" and p["name"] != "help"]
        parts += [f"## mgbench {' '.join(words)}", "", f"    {' '.join(('mgbench', *words, *command.collect_usage_pieces(context)))}", ""]
        parts += [inspect.cleandoc(command.help or ""), ""]
        parts += [_table(("option", "values", "default", "meaning"), map(_option, declared)), ""]
    return "\n".join(parts).rstrip()


_WRITERS: dict[str, Callable[[str], str]] = {
    writer.__name__: writer
    for writer in (
        parameters,
        components,
        capabilities,
        encoder_sizes,
        measured,
        conformance,
        source,
        preprocessings,
        skeletons,
        studies,
        cell,
        reference,
    )
}


def fill(text: str) -> str:
    """Return a page with its regions written anew."""

    def written(region: re.Match[str]) -> str:
        word, argument = region[1], region[2] or ""
        opening = region[0].partition("\n")[0]
        return f"{opening}\n{_WRITERS[word](argument)}\n<!-- end -->"

    return _REGION.sub(written, text)


def main(arguments: list[str]) -> int:
    """Write what changed, or with `--check` only name it; return the exit status."""
    stale = []
    for path in sorted(DOCS.rglob("*.md")):
        before = path.read_text()
        after = fill(before)
        if after != before:
            stale.append(str(path.relative_to(DOCS)))
            if "--check" not in arguments:
                path.write_text(after)
    if stale:
        print(f"{'stale' if '--check' in arguments else 'written'}: {', '.join(stale)}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    assert installed_plugins(), "install mgbench first: pip install -e ."
    sys.exit(main(sys.argv[1:]))
