"""What code a result depends on: comments are nothing, helpers are something, and exactly what uses them is stale."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import mgbench_plugins
import pytest

from mgbench.sources import CORE, ENGINE, closure, engine_digest, source_digest


MODULE = '"""A module."""\nfrom pack.inner import helper\n\n\ndef work():\n    """Work."""\n    return helper()\n'
HELPER = "from .deep import number\nimport neighbour\nfrom mgbench import Method\nfrom mgbench.kernels.dropout import dropout\n"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of a component, its helper, the helper's helper, and a module that nobody imports."""
    texts = {
        "pack/__init__.py": "from pack import component, other\n",
        "pack/component.py": MODULE,
        "pack/other.py": "import math\n",
        "neighbour/__init__.py": "",
        "pack/inner/__init__.py": "",
        "pack/inner/helper.py": HELPER,
        "pack/inner/deep.py": "number = 1\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "pack"


def _digest(path: Path) -> str:
    """Return the digest as a new process sees it."""
    code = f"from pathlib import Path; from mgbench.sources import source_digest; print(source_digest(Path({str(path)!r})))"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_imports_of_the_own_package_and_kernels_are_followed(package: Path) -> None:
    """A helper, its relative import and a kernel belong to a component; the contracts and packages installed beside it do not."""
    names = {path.name for path in closure(package / "component.py")}

    assert names == {"component.py", "helper.py", "deep.py", "dropout.py"}


@pytest.mark.parametrize(
    ("name", "old", "new", "same"),
    [
        ("component.py", "def work", "# a comment\n\ndef work", True),
        ("component.py", '"""Work."""', '"""Work harder."""', True),
        ("component.py", "return helper()", "return helper(2)", False),
        ("inner/deep.py", "number = 1", "number = 2", False),
        ("inner/deep.py", "number = 1", "number = 1  # one", True),
        ("inner/deep.py", "number = 1", "WORK = '@misc{it,}'\nnumber = 1", True),
        ("inner/deep.py", "number = 1", "HANDLE = '@it'\nnumber = 1", False),
        ("other.py", "import math", "import cmath", True),
    ],
)
def test_only_code_that_is_used_changes_a_digest(package: Path, name: str, old: str, new: str, same: bool) -> None:
    """Comments, docstrings, works to cite and modules that are not imported leave it alone; a helper's helper does not."""
    before = _digest(package / "component.py")
    text = (package / name).read_text()
    (package / name).write_text(text.replace(old, new))

    assert old in text
    assert (_digest(package / "component.py") == before) is same


def test_the_engine_is_part_of_every_result() -> None:
    """The digest of the core covers training and preprocessing, and is stable within a process."""
    assert (CORE / "train.py").is_file()
    assert engine_digest() == engine_digest() != source_digest(CORE / "train.py")


def test_what_plugins_compute_with_is_part_of_every_result() -> None:
    """What they import from the core is the contract, a kernel, which is followed, or a module of the engine."""
    folder = Path(mgbench_plugins.__file__).parent
    files = [path for kind in ("methods", "encoders", "augmentations", "evaluators") for path in (folder / kind).rglob("*.py")]
    statements = [node for path in files for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    names = {str(node.module).split(".")[1] for node in statements if str(node.module).startswith("mgbench.")}

    assert len(names) > 8
    assert names <= {*ENGINE, "components", "kernels"}


PLUGIN = """
import attrs
from mgbench import Method, Objective, Recipe, hookimpl
{imports}

class Fit(Objective):
    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone

    def forward(self, batch, generator):
        return {{"loss": (self.backbone(batch.views[0].x) - {target}).square().mean()}}


@attrs.frozen
class {name}(Method):
    \"\"\"Fit clips to a number.\"\"\"

    name = "{word}"
    recipe: Recipe = attrs.field(default=Recipe(epochs=1, batch_size=8), kw_only=True)

    def build(self, backbone, classes):
        return Fit(backbone)
"""


@pytest.mark.slow
def test_a_helper_makes_exactly_its_cells_stale(tmp_path: Path) -> None:
    """A comment leaves all cells fresh; a changed helper makes the cells of the method that uses it stale, and no other."""
    package = tmp_path / "site" / "mine"
    package.mkdir(parents=True)
    (package / "first.py").write_text(PLUGIN.format(imports="from mine.numbers import TARGET", target="TARGET", name="First", word="first"))
    (package / "second.py").write_text(PLUGIN.format(imports="", target="2.0", name="Second", word="second"))
    (package / "numbers.py").write_text("TARGET = 1.0\n")
    hooks = "from mgbench import hookimpl\n\n\n@hookimpl\ndef mgbench_methods():\n    from mine import first, second\n\n"
    (package / "__init__.py").write_text(f"{hooks}    return [first.First, second.Second]\n")
    info = tmp_path / "site" / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mgbench]\nmine = mine\n")

    def run(*more: str) -> str:
        zoo = str(Path(__file__).parent / "zoo.py")
        arguments = ["run", "-d", "waves", "-e", "flat", "-m", "first,second", "-E", "knn", "--no-floors", "--plugin", zoo, *more]
        command = [sys.executable, "-m", "mgbench", *arguments, "--store", str(tmp_path / "store")]
        environment = {**os.environ, "PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    def line(output: str, method: str) -> str:
        return next(line for line in output.splitlines() if f"-{method}-s0" in line)

    first = run()
    (package / "numbers.py").write_text("# a comment\nTARGET = 1.0\n")
    commented = run()
    (package / "numbers.py").write_text("TARGET = 3.0\n")
    changed = run()
    rerun = run("--retry", "stale")

    assert "2 ok" in first
    assert "stale" not in commented
    assert "stale (the source of first changed)" in line(changed, "first")
    assert "stale" not in line(changed, "second")
    assert "(kept)" in line(rerun, "second")
    assert "(kept)" not in line(rerun, "first")
    assert "stale" not in run()
