"""Who may import whom, and how large a file may grow."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mgbench


ROOT = Path(mgbench.__file__).parent
PLUGINS = Path(__file__).parent.parent / "plugins" / "mgbench_plugins"
TORCH_FREE = [
    "mgbench", "mgbench.ablation", "mgbench.audit.report", "mgbench.boards.book", "mgbench.boards.checking",
    "mgbench.boards.compacting", "mgbench.boards.lines", "mgbench.boards.measured", "mgbench.boards.merging", "mgbench.boards.number",
    "mgbench.boards.pages", "mgbench.boards.published", "mgbench.boards.ranks", "mgbench.boards.sheet", "mgbench.catalogue",
    "mgbench.boards.answers", "mgbench.boards.importing", "mgbench.boards.rerun", "mgbench.boards.verify", "mgbench.cli.verify",
    "mgbench.cli.axes", "mgbench.cli.cell", "mgbench.cli.cite", "mgbench.cli.components", "mgbench.cli.data", "mgbench.cli.data_text",
    "mgbench.cli.diff", "mgbench.cli.ensemble", "mgbench.cli.explain", "mgbench.cli.figure", "mgbench.cli.gc", "mgbench.cli.kernels",
    "mgbench.cli.leaderboard", "mgbench.cli.plan", "mgbench.cli.plugin", "mgbench.cli.run", "mgbench.cli.status", "mgbench.cli.study",
    "mgbench.cli.watch", "mgbench.cli.where", "mgbench.clips", "mgbench.compare", "mgbench.components", "mgbench.derived",
    "mgbench.ensemble", "mgbench.failures", "mgbench.figures.canvas", "mgbench.figures.confusion", "mgbench.fingerprint",
    "mgbench.garbage", "mgbench.grid", "mgbench.hookspecs", "mgbench.launch.local", "mgbench.launch.process", "mgbench.lease",
    "mgbench.located", "mgbench.manifest", "mgbench.named", "mgbench.packing", "mgbench.part", "mgbench.paths", "mgbench.picture",
    "mgbench.plan", "mgbench.prepare", "mgbench.preprocessings", "mgbench.records", "mgbench.registry", "mgbench.scoring",
    "mgbench.shape", "mgbench.skeleton", "mgbench.snapshot", "mgbench.sources", "mgbench.spec", "mgbench.standing", "mgbench.stats",
    "mgbench.store", "mgbench.studied", "mgbench.study", "mgbench.timing",
]  # fmt: skip
#: Each may import those to its left.
TENSORS = ["preprocess", "graph", "metrics", "data", "model", "train", "pretrained", "run"]


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_command_line_starts_without_torch() -> None:
    """The modules that plan, list and build boards import no torch."""
    code = f"import sys, importlib; [importlib.import_module(m) for m in {TORCH_FREE}]; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["list"], ["show", "mgrl"], ["cite", "mgrl"]])
def test_looking_imports_neither_torch_nor_plugins(arguments: list[str]) -> None:
    """Help, and list and show with a warm manifest, import neither torch nor a plugin."""
    call = f"from mgbench.cli import main; main({arguments}, standalone_mode=False)"
    code = f"{call}\nimport sys; sys.exit(any(name in sys.modules for name in ('torch', 'mgbench_plugins')))"
    runs = [subprocess.run([sys.executable, "-c", code], check=False, capture_output=True) for _ in range(2)]

    assert runs[1].returncode == 0, runs[1].stderr.decode()


def test_core_imports_no_plugin() -> None:
    """The core finds its own components as it finds anyone's."""
    guilty = [path for path in ROOT.rglob("*.py") if any(name.startswith("mgbench_plugins") for name in _imports(path))]

    assert guilty == []


def test_kernels_import_nothing_of_mgbench() -> None:
    """Operators can be lifted out and used alone."""
    guilty = [
        (path.name, name)
        for path in (ROOT / "kernels").glob("*.py")
        for name in _imports(path)
        if name.startswith("mgbench") and not name.startswith("mgbench.kernels")
    ]

    assert guilty == []


def test_tensor_modules_import_leftwards() -> None:
    """preprocess, graph, metrics, data, model, train, pretrained, run: each imports only those before it."""
    guilty = [
        (name, other)
        for place, name in enumerate(TENSORS)
        for other in _imports(ROOT / f"{name}.py")
        if other.removeprefix("mgbench.") in TENSORS[place:] and other.startswith("mgbench.")
    ]

    assert guilty == []


def test_kinds_keep_apart() -> None:
    """A component imports its own kind and the works that it cites, methods also augmentations, and nothing else of the plugins."""
    guilty = []
    for path in PLUGINS.glob("*/*.py"):
        kind = path.parent.name
        allowed = {kind, "works"} | ({"augmentations"} if kind == "methods" else set())
        names = [name.split(".")[1] for name in _imports(path) if name.startswith("mgbench_plugins.")]
        guilty += [(path.name, name) for name in names if name not in allowed]

    assert guilty == []


def test_files_stay_small() -> None:
    """No file of the packages has more than 300 lines."""
    large = {
        path.name: size for path in [*ROOT.rglob("*.py"), *PLUGINS.rglob("*.py")] if (size := len(path.read_text().splitlines())) > 300
    }

    assert large == {}


def test_names_say_what_they_hold() -> None:
    """No module is called utils, helpers, common, misc or base, but for the rules common to all components."""
    vague = {path.name for path in [*ROOT.rglob("*.py"), *PLUGINS.rglob("*.py")]} & {"utils.py", "helpers.py", "misc.py", "base.py"}

    assert vague == set()


def test_public_names_are_importable_and_typed() -> None:
    """Every name of `mgbench.__all__` exists and stands among the imports that type checkers see."""
    tree = ast.parse((ROOT / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.asname for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}

    assert typed == set(mgbench.__all__)
    assert all(getattr(mgbench, name) is not None for name in mgbench.__all__)
