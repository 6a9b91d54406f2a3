"""Which code a component's results depend on: its module, the modules of its own package that it imports, and kernels.

Imports are read from the syntax tree, transitively. Digests are of the tree without docstrings and BibTeX, so that comments, blank
lines, prose and works to cite change nothing. The core's contracts are not followed: what of the core decides a result is `ENGINE`,
for every cell alike.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final


CORE: Final = Path(__file__).parent
#: Modules of the core through which every number goes.
ENGINE: Final = (
    "clips",
    "confusion",
    "data",
    "graph",
    "metrics",
    "model",
    "preprocess",
    "preprocessings",
    "pretraining",
    "prior",
    "scoring",
    "sequences",
    "skeleton",
    "tokens",
    "train",
    "transfer",
)
#: Where an entry of BibTeX begins.
_WORK: Final = re.compile(r"\s*@\w+\{")


@cache
def _tree(path: Path) -> ast.Module:
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, (ast.Module, ast.ClassDef)):
            node.body = [statement for statement in node.body if not _is_bibtex(statement)]
    return tree


def _is_bibtex(statement: ast.stmt) -> bool:
    """Return whether a statement does nothing but name a work to cite."""
    value = statement.value if isinstance(statement, (ast.Assign, ast.AnnAssign)) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str) and _WORK.match(value.value) is not None


@cache
def _module_digest(path: Path) -> bytes:
    return hashlib.blake2b(ast.dump(_tree(path)).encode(), digest_size=8).digest()


def _top(path: Path) -> Path:
    """Return the folder above the outermost package that holds a module, or the module's own folder where there is none."""
    folder = path.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def _file(folder: Path, words: list[str]) -> Path | None:
    place = folder.joinpath(*words)
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None) if words else None


@cache
def _imported(path: Path) -> tuple[Path, ...]:
    """Return the files of the modules that a module names in its imports, of its own package and of the core's kernels."""
    return tuple(_named(path))


def _named(path: Path) -> Iterator[Path]:
    top = _top(path)
    package = list(path.parent.relative_to(top).parts)
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            targets = [(alias.name.split("."), "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            words = [*base, *(node.module.split(".") if node.module else [])]
            targets = [(words, alias.name) for alias in node.names]
        else:
            continue
        for words, name in targets:
            if words[:1] not in (["mgbench"], package[:1]):  # an installed package has all others beside it
                continue
            folder = CORE.parent if words[:1] == ["mgbench"] else top
            found = (name and _file(folder, [*words, name])) or _file(folder, words)
            if found and (not found.is_relative_to(CORE) or found.is_relative_to(CORE / "kernels")):
                yield found


@cache
def closure(path: Path) -> tuple[Path, ...]:
    """Return a module's file and all files that it depends on, sorted."""
    found, open_ = {path}, [path]
    while open_:
        for imported in _imported(open_.pop()):
            if imported not in found:
                found.add(imported)
                open_.append(imported)
    return tuple(sorted(found))


@cache
def source_digest(path: Path) -> str:
    """Return a digest of a component's code, given the file that defines it."""
    files = closure(path)
    total = hashlib.blake2b(digest_size=8)
    for file in files:
        total.update(f"{file.relative_to(_top(file))}\0".encode() + _module_digest(file))
    return total.hexdigest()


@cache
def engine_digest() -> str:
    """Return a digest of the core's code that every result depends on."""
    return hashlib.blake2b(b"".join(_module_digest(CORE / f"{name}.py") for name in ENGINE), digest_size=8).hexdigest()
