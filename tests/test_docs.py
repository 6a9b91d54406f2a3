"""The documentation does what it says: its code runs, its commands parse, its tables are those of the code, its links lead somewhere."""

import importlib.util
import multiprocessing.process
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import click
import pytest
from click.testing import CliRunner

from mgbench.catalogue import Catalogue
from mgbench.cli import main as command_line
from mgbench.preprocessings import preprocessing
from mgbench.registry import Registry, file_plugin, installed_plugins
from mgbench.spec import split


ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"(?m)^(?:<!-- (?P<mark>[^\n]*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@attrs.frozen
class Block:
    """A fenced block of a page: what it is written in, the comment just above it, and its text."""

    language: str
    mark: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The lines that call mgbench."""
        shell = self.language in {"bash", "console"}
        lines = [line.removeprefix("$ ") for line in self.text.replace("\\\n", " ").splitlines()]
        return [line for line in lines if line.startswith("mgbench ")] if shell else []


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    return [Block(found["language"], found["mark"] or "", found["text"]) for found in _FENCE.finditer(page.read_text())]


def name_of(page: Path) -> str:
    """Return a page's path as the id of a test."""
    return str(page.relative_to(ROOT))


def every(pages: list[Path]) -> Any:
    """Parametrise a test by pages."""
    return pytest.mark.parametrize("page", pages, ids=name_of)


def leaf(line: str) -> dict[str, Any]:
    """Parse a command line as the program would, without running it, and return its parameters."""
    command: click.Command = command_line
    context: click.Context | None = None
    name, words = "mgbench", shlex.split(line, comments=True)[1:]
    while isinstance(command, click.Group) and words != ["--help"]:
        context = click.Context(command, parent=context, info_name=name)
        found, member, words = command.resolve_command(context, words)
        assert member is not None
        name, command = found or name, member
    return {} if words == ["--help"] else command.make_context(name, words, parent=context).params


def components(files: tuple[Path, ...]) -> Registry:
    """Return the installed components and those of one-file plugins, found anew."""
    return Registry([*installed_plugins(), *map(file_plugin, files)])


def write_sources(page: Path, folder: Path) -> None:
    """Write the files that a page shows to a folder, as its reader would."""
    for block in blocks(page):
        if block.mark.startswith("source: "):
            (folder / Path(block.mark.removeprefix("source: ")).name).write_text(block.text)


@cache
def generator() -> ModuleType:
    """Return docs/generate.py as a module."""
    found = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Yield the file and the heading that each relative link of a page leads to."""
    prose = _FENCE.sub("", page.read_text())
    for target in _LINK.findall(prose):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield (page.parent / path).resolve() if path else page, anchor


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as Markdown viewers make them."""
    headings = re.findall(r"(?m)^#+ (.+)$", _FENCE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@every([page for page in PAGES if any(block.commands for block in blocks(page))])
def test_commands_parse(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command has only options that exist, and names only components, parameters and values that exist."""
    write_sources(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    for line in [line for block in blocks(page) for line in block.commands]:
        parameters = leaf(line)
        loaded = components((*parameters.get("plugin_files", ()), *page.parent.glob("mgbench_*.py")))  # an example's own
        catalogue = Catalogue(loaded)
        for kind in ("dataset", "encoder", "method", "evaluator"):
            catalogue.axis(kind, parameters.get(f"{kind}s", ()))
        for text in (one for given in parameters.get("augmentations", ()) for one in split(given, ",")):
            catalogue.augmentation(text)
        preprocessing(parameters.get("preprocess", "frame50"))
        assert set(",".join(parameters.get("streams", ("joint",))).split(",")) <= {"joint", "bone", "motion"}


@pytest.mark.parametrize("line", ["mgbench run -m mgrl --no-such", "mgbench rum -m mgrl", "mgbench run -m mgrl --steps few"])
def test_wrong_commands_do_not_parse(line: str) -> None:
    """A wrong option, command or value is no command that documentation may show."""
    with pytest.raises(click.UsageError):
        leaf(line)


@every([page for page in PAGES if any(block.language == "python" or block.mark == "run" for block in blocks(page))])
def test_code_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python blocks run in order in one namespace, and commands marked with a comment `run` run between them, in one folder."""
    write_sources(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(multiprocessing.process, "ORIGINAL_DIR", str(tmp_path))  # where processes of cells start
    monkeypatch.delenv("MGBENCH_STORE", raising=False)
    names: dict[str, Any] = {"__name__": "__docs__"}
    for block in blocks(page):
        if block.mark == "run":
            for line in block.commands:
                done = CliRunner().invoke(command_line, shlex.split(line, comments=True)[1:], catch_exceptions=False)
                assert done.exit_code == 0, f"{line}\n{done.output}"
        elif block.language == "python" and not block.mark.startswith("source: "):
            exec(compile(block.text, name_of(page), "exec"), names)  # noqa: S102 - our own documentation


@every(sorted((ROOT / "docs").rglob("*.md")))
def test_generated_regions_are_up_to_date(page: Path) -> None:
    """`python docs/generate.py` would change nothing."""
    text = page.read_text()
    assert generator().fill(text) == text


def test_every_component_has_a_page() -> None:
    """Each component that comes with mgbench has a page, or a section of its kind's page, with its name as heading and its parameters."""
    for line in generator().first_party():
        path, _, anchor = generator().page_of(line).partition("#")
        page = ROOT / "docs" / path
        assert page.is_file(), f"{line.kind} {line.name} has no page {path}"
        assert (anchor or line.name) in anchors(page), f"{path} has no heading {line.name}"
        assert f"<!-- parameters: {line.name} -->" in page.read_text(), f"{path} shows no parameters of {line.name}"


@every(PAGES)
def test_links_lead_somewhere(page: Path) -> None:
    """Relative links name files, and headings, that exist."""
    for path, anchor in links(page):
        assert path.exists(), f"{name_of(page)} links to {path}"
        assert not anchor or anchor in anchors(path), f"{name_of(page)} links to #{anchor} of {name_of(path)}"


@every(PAGES)
def test_fences_are_whole(page: Path) -> None:
    """Every fence is closed and names its language, so that no block escapes these tests."""
    marks = [line for line in page.read_text().splitlines() if line.startswith("```")]
    assert len(marks) == 2 * len(blocks(page))
    assert all(block.language in {"python", "bash", "console", "toml", "text"} for block in blocks(page))
