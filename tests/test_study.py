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
        ("method = 'mgrl'", ("--set", "meth.mgrl.lr=1"), "--set names the axis 'meth'; did you mean 'method'?"),
        ("method = 'mgrl'\nwhere = 3", (), "--where got '3', which is neither true nor false of a cell; write a condition"),
        ("method = 'mgrl'\nstream = []", (), "The grid has no cell, because its streams are an empty list"),
        ("method = 'mgrl'\nstore = ''", (), "The study's store got ''; write something, or leave the key out."),
        ("method = 'mgrl'\n[steps]\nmgrl = 3", (), "The study's steps got {'mgrl': 3}; write text, a number or a list."),
        ("method = 'mgrl'\nthreads = true", (), "The study's threads got True; write text, a number or a list."),
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


@pytest.mark.parametrize("key", ["select", "floors", "fail-fast", "tensorboard", "compile"])
@pytest.mark.parametrize("value", ["'yes'", "1", "'true'", "[true]"])
def test_a_switch_is_true_or_false(mgbench: Command, study: Path, key: str, value: str) -> None:
    """Anything else is refused, also where the command line wins: a `select` that meant nothing would open the test split."""
    study.write_text(f"{STUDY.replace('floors = false', '')}{key} = {value}\n")
    done = mgbench("run", study, "--store", study.parent / "store", "--no-floors")

    assert done.exit_code == 2
    assert f"The study's {key} got " in done.stderr
    assert done.stderr.endswith("; write true or false.\n")
    assert not (study.parent / "store").exists()


def test_a_switch_is_set_by_a_word(mgbench: Command, study: Path) -> None:
    """`--set` takes the words true and false, and no others."""
    shown = [mgbench("plan", study, "--store", study.parent / "store", "--set", f"select={word}") for word in ("true", "false", "True")]

    assert [done.exit_code for done in shown] == [0, 0, 2]
    assert "the size of its val split" in shown[0].output
    assert "the size of its test split" in shown[1].output
    assert "The study's select got 'True'; write true or false." in shown[2].stderr


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize(("key", "value"), [("set", "['seeds=3']"), ("study", "'other.toml'"), ("json", "true")])
def test_what_only_the_command_line_takes_is_refused(mgbench: Command, study: Path, command: str, key: str, value: str) -> None:
    """A study neither changes nor includes a study, nor chooses what is printed; `--set` does not make it."""
    plain = mgbench(command, study, "--set", f"{key}=true")
    study.write_text(f"{STUDY}{key} = {value}\n")
    done = mgbench(command, study)

    assert plain.exit_code == done.exit_code == 2
    assert plain.stderr == done.stderr == f"Error: The study has the key {key!r}, which only the command line takes; leave it out.\n"


def test_a_mark_before_the_first_key_is_no_part_of_it(mgbench: Command, study: Path) -> None:
    """A study that was saved with a byte-order mark reads like one without."""
    plain = _cells(mgbench, study)
    study.write_text(STUDY, encoding="utf-8-sig")

    assert _cells(mgbench, study) == plain


def test_a_missing_study_is_told(mgbench: Command, tmp_path: Path) -> None:
    """The file is named."""
    done = mgbench("plan", tmp_path / "none.toml")

    assert done.exit_code == 2
    assert "There is no study" in done.stderr
    assert "none.toml" in done.stderr


TABLE = """
[table]
title = "a table"
source = "nobody"
baseline = "one"
row = [{ label = "one", encoder = "flat" }, { label = "two", encoder = "flat[lift=moment]" }]
"""


@pytest.fixture
def tabled(study: Path) -> Path:
    """The study with a table whose rows name encoders."""
    study.write_text(STUDY.replace('encoder = ["flat"]', "") + TABLE)
    return study


def _encoders(mgbench: Command, study: Path, *more: str) -> list[str]:
    done = mgbench("plan", study, "--json", "--store", study.parent / "store", "--seeds", "1", "-m", "spinning", *more)

    assert done.exit_code == 0, done.output

    return [row["encoder"] for row in map(json.loads, done.output.splitlines())]


def test_set_changes_the_rows_of_a_table(mgbench: Command, tabled: Path) -> None:
    """A parameter joins those that a row has, and another component takes them over."""
    assert _encoders(mgbench, tabled) == ["flat", "flat[lift=moment]"]
    assert _encoders(mgbench, tabled, "--set", "encoder.flat=stgcn:width=4") == ["stgcn[width=4]", "stgcn[lift=moment,width=4]"]
    assert _encoders(mgbench, tabled, "--set", "encoder.flat.lift=none", "--where", "encoder = 'flat'") == ["flat"]


def test_set_puts_another_component_in_place(mgbench: Command, study: Path) -> None:
    """It stands for the other wherever that stood, on an axis of the study itself too."""
    changed = _cells(mgbench, study, "--set", "method.spinning=faulty", "--set", "seeds=1")

    assert changed == [("faulty[batch_size=16]", 0), ("faulty[how=raise,batch_size=16]", 0)]


@pytest.mark.parametrize(("words", "sentence"), [
    (("-e", "flat"), "--encoder was given, but each row of the study's table has its own; keep rows by --where, or change them by --set."),
    (("--set", "encoder=flat"), "The study has the key 'encoder', but each row of its table has its own; leave it out."),
    (("--set", "encoder.stgcn=flat"), "--set names encoder.stgcn, but the study's encoders are flat."),
    (("--set", "encoder.flat=flta"), "There is no encoder 'flta'; did you mean 'flat'?"),
    (("--set", "encoder.flat.width=3"), "flat has no parameter 'width'; choose from lift."),
    (("--set", "encoder.flat.lift.x=3"), "--set got 'encoder.flat.lift.x=3'; write key=value, axis.name=component, or "),
])  # fmt: skip
@pytest.mark.parametrize("command", ["run", "plan"])
def test_what_the_rows_of_a_table_have_is_theirs(
    mgbench: Command, tabled: Path, command: str, words: tuple[str, ...], sentence: str
) -> None:
    """Neither an option nor a key stands beside the rows, and what `--set` gets wrong is told, before anything runs."""
    done = mgbench(command, tabled, "--store", tabled.parent / "store", *words)

    assert done.exit_code == 2, done.output
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tabled.parent / "store" / "cells").exists()


def test_a_study_is_read_once(mgbench: Command, tabled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is run and what is printed come from the same words, even where the file changes meanwhile."""
    import tomllib

    read, reads = tomllib.loads, []
    monkeypatch.setattr(tomllib, "loads", lambda text: reads.append(text) or read(text))
    done = mgbench("run", tabled, "--store", tabled.parent / "store", "--seeds", "1", "-m", "faulty")

    assert done.exit_code == 0, done.output
    assert "# a table" in done.output
    assert reads.count(tabled.read_text()) == 1
