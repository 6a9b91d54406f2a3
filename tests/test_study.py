"""Study files say what options say; the command line wins; what they get wrong is told in one sentence."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result


Command = Callable[..., Result]
ZOO = Path(__file__).parent / "zoo.py"
STUDY = f"""
dataset = "waves"
encoder = ["flat"]
method = ["faulty[how=[none,raise]]", "spinning"]
evaluator = ["knn"]
floors = false
seeds = 2
batch-size = 16
plugin = ["{ZOO}"]
"""


def _cells(mgbench: Command, study: Path, *more: str) -> list[tuple[str, int]]:
    done = mgbench("plan", study, "--json", "--store", study.parent / "store", *more)

    assert done.exit_code == 0, done.output

    return [(row["method"], row["seed"]) for row in map(json.loads, done.output.splitlines())]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of three methods and two seeds."""
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return path


def test_a_study_is_the_options_in_a_file(mgbench: Command, study: Path) -> None:
    """Lists, sweeps, switches and numbers mean what the options mean."""
    assert set(_cells(mgbench, study)) == {
        (f"{method}[{more}batch_size=16]", seed)
        for method, more in (("faulty", ""), ("faulty", "how=raise,"), ("spinning", ""))
        for seed in (0, 1)
    }


def test_the_command_line_wins(mgbench: Command, study: Path) -> None:
    """An option that is given replaces the study's."""
    assert _cells(mgbench, study, "-m", "spinning", "--seeds", "[7]") == [("spinning[batch_size=16]", 7)]


def test_set_changes_a_study(mgbench: Command, study: Path) -> None:
    """`--set` replaces a key, or one parameter wherever the method stands in the axis."""
    changed = _cells(mgbench, study, "--set", "seeds=1", "--set", "method.faulty.epochs=3")

    assert changed == [
        ("faulty[epochs=3,batch_size=16]", 0),
        ("faulty[how=raise,epochs=3,batch_size=16]", 0),
        ("spinning[batch_size=16]", 0),
    ]


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        ("methods = 'mgrl'", (), "The study has the key 'methods'; did you mean 'method'?"),
        ("method = ", (), "is no TOML"),
        ("method = 'mgrl'\nsteps = 'few'", (), "The study's steps got 'few'"),
        ("method = 'mgrl'", ("--set", "steps"), "--set got 'steps'; write key=value"),
        ("method = 'mgrl'", ("--set", "method.pstl.lr=1"), "--set names method.pstl, but the study's methods are mgrl."),
        ("method = 'mgrl'", ("--where", "colour = 'red'"), "--where got \"colour = 'red'\", which polars refuses"),
        ("seeds = 2", (), "No method was given; name one by -m"),
    ],
)
def test_what_a_study_gets_wrong_is_told(mgbench: Command, tmp_path: Path, text: str, options: tuple[str, ...], sentence: str) -> None:
    """One sentence, exit status 2, and no store."""
    path = tmp_path / "study.toml"
    path.write_text(text)
    done = mgbench("run", path, "--store", tmp_path / "store", *options)

    assert done.exit_code == 2, done.output
    assert sentence in done.stderr
    assert not (tmp_path / "store").exists()


def test_a_missing_study_is_told(mgbench: Command, tmp_path: Path) -> None:
    """The file is named."""
    done = mgbench("plan", tmp_path / "none.toml")

    assert done.exit_code == 2
    assert "Cannot read the study" in done.stderr
