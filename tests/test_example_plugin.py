"""The third-party plugin of the documentation works from wheels, in an environment that has neither checkout."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import attrs
import pytest


pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "docs" / "examples" / "mgbench-velocity"


def _call(*words: str | Path, cwd: Path, **variables: str) -> str:
    """Run a program to success and return what it printed."""
    unset = {"MGBENCH_STORE", "PYTHONPATH"}
    environment = {key: value for key, value in os.environ.items() if key not in unset} | variables
    done = subprocess.run(list(map(str, words)), cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return done.stdout


@attrs.frozen
class Installed:
    """A virtual environment that holds both wheels, and a folder to work in."""

    python: Path
    folder: Path

    def mgbench(self, *words: str) -> str:
        """Run the installed command."""
        return _call(self.python.with_name("mgbench"), *words, cwd=self.folder, XDG_CACHE_HOME=str(self.folder / "cache"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build both wheels and install them beside the libraries of the running interpreter, which a .pth file lends."""
    folder = tmp_path_factory.mktemp("installed")
    source = shutil.copytree(EXAMPLE, folder / "source")
    for project in (ROOT, source):
        _call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "wheels", cwd=project)
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    wheels = sorted((folder / "wheels").glob("*.whl"))
    _call(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", *wheels, cwd=folder)
    site = Path(_call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installed(python, folder)


def test_mgbench_comes_from_the_wheel(installed: Installed) -> None:
    """What the other tests see is the built package, not this checkout."""
    code = "import mgbench, mgbench_plugins, mgbench_velocity as v; print(mgbench.__file__, mgbench_plugins.__file__, v.__file__)"
    places = _call(installed.python, "-c", code, cwd=installed.folder).split()
    assert all(place.startswith(str(installed.folder / "venv")) for place in places)


def test_list_names_the_distribution(installed: Installed) -> None:
    """`mgbench list` shows the plugin's method, and where it comes from."""
    (line,) = [line for line in installed.mgbench("list", "methods").splitlines() if line.split()[:1] == ["velocity"]]
    assert line.endswith("(mgbench-velocity)")


def test_run_gives_an_ok_cell(installed: Installed) -> None:
    """The plugin's method runs in the grid like any other."""
    small = ("-d", "synthetic:clips=64", "-e", "stgcn:width=4,features=16", "--steps", "2", "--no-floors", "-E", "knn")
    installed.mgbench("run", "-m", "velocity:power=1", *small)
    (cell,) = (installed.folder / "runs" / "cells").iterdir()
    assert json.loads((cell / "status.json").read_text())["status"] == "ok"
    described = json.loads((cell / "spec.json").read_text())["method"]
    assert (described["distribution"], described["spec"]) == ("mgbench-velocity", "velocity[power=1.0]")


def test_contract_holds(installed: Installed) -> None:
    """`mgbench plugin check` finds nothing broken, by the component's name and by the distribution's."""
    assert "BROKEN" not in installed.mgbench("plugin", "check", "velocity")
    assert "checks hold" in installed.mgbench("plugin", "check", "mgbench-velocity")


def test_its_own_test_passes(installed: Installed) -> None:
    """The plugin's test file collects the contract's checks and passes."""
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_velocity.py")
    assert " passed" in _call(installed.python, *words, cwd=installed.folder / "source")
