"""`mgbench figure`: merge, distances and confusion, from the command to the file."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
import pytest
from boxes import PLUGIN, break_split
from click.testing import Result
from matplotlib.axes import Axes
from PIL import Image

from mgbench import load_skeleton
from mgbench.figures.confusion import class_names, confusion_figure, count_confusions, matrices, padded
from mgbench.located import locate
from mgbench.prior import class_prior
from mgbench.registry import registry
from mgbench.standing import read_standing
from mgbench.store import CellFolder, write_json


Command = Callable[..., Result]
Write = Callable[..., CellFolder]
KINECT = load_skeleton("kinect25")
SET = ("-d", "synthetic:clips=68")


def texts(axes: Axes) -> list[list[str]]:
    """Return what fields say, row by row."""
    said = {tuple(np.round(text.get_position()).astype(int)): text.get_text() for text in axes.texts}
    count = len(axes.get_xticks())
    return [[said.get((column, row), "") for column in range(count)] for row in range(count)]


def finished(folder: Path, write_cell: Write, how: str, right: list[bool]) -> CellFolder:
    """Write a finished cell."""
    return write_cell(folder, how=how, right={"linear": right}, status="ok")


def test_counts_are_those_of_the_predictions(tmp_path: Path, write_cell: Write) -> None:
    """Rows are true classes, columns predicted ones, counted one by one; shares are of rows, and top-1 is what cells record."""
    right = [True, False, True, True, False, True, True, False, True, True]
    one = read_standing(finished(tmp_path, write_cell, "none", right))
    (found,) = count_confusions([one], "linear")
    expected = np.zeros((5, 5), int)
    for i, hit in enumerate(right):
        expected[i % 4, i % 4 if hit else i % 4 + 1] += 1

    np.testing.assert_array_equal(found.counts, expected)
    np.testing.assert_allclose(found.share.sum(axis=1), [1, 1, 1, 1, 0])
    assert found.top1 == one.rows["linear"]["top1"] == 0.7


def test_matrices_stand_side_by_side(tmp_path: Path, write_cell: Write) -> None:
    """Each field has its count, each matrix its title; the last is the second less the first, signed, and nothing where nothing changed."""
    ways = {"none": [True, False, True, True], "other": [True, True, False, True]}
    cells = [read_standing(finished(tmp_path, write_cell, how, right)) for how, right in ways.items()]
    found = padded(count_confusions(cells, "linear"), 5)
    figure = confusion_figure(matrices(found, "linear"), ("a", "b", "c", "d", "e"))
    first, second, change = figure.axes[::2]
    differences = found[1].counts - found[0].counts

    assert texts(first) == found[0].counts.astype(str).tolist()
    assert texts(second) == found[1].counts.astype(str).tolist()
    assert texts(change) == [[f"{value:+d}" if value else "" for value in row] for row in differences.tolist()]
    assert [axes.get_title(loc="left") for axes in (first, second, change)] == [
        "faulty[how=none], flat\naugmentation default, seed 0\nlinear: top-1 75.0 %",
        "faulty[how=other], flat\naugmentation default, seed 0\nlinear: top-1 75.0 %",
        "the second less the first\ntop-1 +0.0 points",
    ]
    low, high = change.images[0].get_clim()
    assert low == -high
    assert (first.get_ylabel(), first.get_xlabel()) == ("true class", "predicted class")


def test_a_class_that_only_one_cell_met(tmp_path: Path, write_cell: Write) -> None:
    """Matrices have a row and a column for each class that anybody met or the data set names."""
    ways = {"none": [True] * 8, "other": [True, True, True, False] * 2}
    found = count_confusions([read_standing(finished(tmp_path, write_cell, how, right)) for how, right in ways.items()], "linear")

    assert [one.counts.shape for one in found] == [(5, 5)] * 2
    assert [one.counts.shape for one in padded(found, 7)] == [(7, 7)] * 2
    assert [one.counts.sum() for one in padded(found, 7)] == [8, 8]


def test_names_are_those_that_were_packed(tmp_path: Path, write_cell: Write) -> None:
    """Names come from the packed data, or from the data set where it is installed; else, or where there are too few, numbers stand."""
    folder = write_cell(tmp_path, right={"linear": [True] * 4}, status="ok", data_key="k1")
    facts = {
        "skeleton": attrs.asdict(KINECT),
        "classes": ["still", "slow", "quick", "hasty"],
        "persons": 1,
        "splits": ["train", "test"],
    }

    assert class_names(read_standing(folder), registry(), 4) == ("0", "1", "2", "3")
    write_json(tmp_path / "data" / "waves-k1" / "facts.json", facts)
    assert class_names(read_standing(folder), registry(), 4) == ("still", "slow", "quick", "hasty")
    assert class_names(read_standing(folder), registry(), 5) == ("0", "1", "2", "3", "4")


@pytest.fixture
def two(tmp_path: Path, write_cell: Write) -> Path:
    """A store of two finished cells."""
    finished(tmp_path, write_cell, "none", [True, False] * 6)
    finished(tmp_path, write_cell, "other", [True, True, False] * 4)
    return tmp_path


@pytest.mark.parametrize("suffix", ["png", "svg"])
@pytest.mark.parametrize("command", [["merge", *SET, "-a", "merge[ratio=0.5]"], ["distances", *SET], ["confusion", "none", "other"]])
def test_figures_are_the_same_twice(command: list[str], suffix: str, two: Path, mgbench: Command) -> None:
    """Each command writes one file, the same bytes each time, and names nobody in it or on the terminal."""
    places = [two / f"{i}.{suffix}" for i in range(2)]
    done = [mgbench("figure", *command, "--out", place, "--store", two) for place in places]
    first, second = (place.read_bytes() for place in places)

    assert [one.exit_code for one in done] == [0, 0], done[0].output
    assert done[0].output.endswith(f"wrote {places[0]}\n")
    assert first == second
    assert not any(word in text for word in ("secret", "98765", "train-") for text in (done[0].output, first.decode(errors="ignore")))
    if suffix == "png":
        with Image.open(places[0]) as picture:
            assert min(picture.size) > 200


def test_merge_tells_the_donors(tmp_path: Path, mgbench: Command) -> None:
    """The rows are told as they are titled, and another number, seed or split gives another clip."""
    out = tmp_path / "a.svg"
    made = []
    for way in [("--number", "0"), ("--number", "1"), ("--seed", "1"), ("--split", "train")]:
        lines = mgbench("figure", "merge", *SET, *way, "--out", out).output.splitlines()
        made.append(out.read_text())
        assert [line.partition(":")[0] for line in lines[:4]] == ["first donor", "second donor", "merged as it lies", "merged, centralised"]
        assert all(f">{line}<" in made[-1] for line in lines[:4])

    assert len(set(made)) == 4


def test_distances_lists_hard_pairs(tmp_path: Path, mgbench: Command) -> None:
    """Pairs stand by increasing distance with the clips of both, as many as the share says; all with a share of one."""
    asked = ("figure", "distances", *SET, "--out", tmp_path / "a.svg", "--quantile")
    few, every = ([line.split() for line in mgbench(*asked, share).output.splitlines()] for share in ("0.05", "1"))
    apart = [float(line[0]) for line in every[1:-2]]
    clips = locate("synthetic:clips=68", registry(), tmp_path, tmp_path).read_fit()
    prior = class_prior(clips, KINECT, locate("synthetic:clips=68", registry(), tmp_path, tmp_path).here.classes, "mean")

    assert few[-2] == ["7", "of", "136", "pairs"]
    assert few[1:-2] == every[1:8]
    assert apart == [float(f"{prior.distance[pair]:.4g}") for pair in prior.pairs]
    assert [int(few[1][-1])] == [prior.counts[prior.pairs[0][1]]]


def test_clusters_are_drawn(tmp_path: Path, mgbench: Command) -> None:
    """Clusters take the place of classes, so many as asked for."""
    out = tmp_path / "a.svg"
    done = mgbench("figure", "distances", *SET, "--prior", "clusters", "--clusters", "4", "--distance", "confusion", "--out", out)

    assert "of 6 pairs" in done.output
    assert ">cluster 3<" in out.read_text()


BAD = {
    "suffix": (["distances", *SET, "--out", "a.pdf"], "--out got 'a.pdf'; a figure is PNG or SVG"),
    "folder": (["merge", *SET, "--out", "no/a.png"], "--out got 'no/a.png', but there is no folder 'no'"),
    "view": (
        ["merge", *SET, "-a", "crop", "--out", "a.png"],
        "-a got 'crop', which changes clips while they are trained on and makes no new",
    ),
    "unknown": (["merge", *SET, "-a", "merg", "--out", "a.png"], "There is no augmentation 'merg'; did you mean 'merge'?"),
    "nothing": (["merge", *SET, "-a", "merge:ratio=0", "--out", "a.png"], "merge[ratio=0.0] makes no new clip of 85 "),
    "number": (["merge", *SET, "--number", "999", "--out", "a.png"], "--number got 999, but merge makes "),
    "missing": (["merge", "-d", "smg", "--data-root", "nowhere", "--out", "a.png"], "The data of 'smg' is missing: "),
    "cell": (["confusion", "none", "nobody", "--out", "a.png"], "None of the 4 cells in "),
    "evaluator": (["confusion", "none", "--evaluator", "lineal", "--out", "a.png"], "The cell waves-flat-faulty-how-none-s0-"),
    "unfinished": (["confusion", "bad", "--out", "a.png"], "The cell waves-flat-faulty-how-bad-s0-"),
    "other data": (["confusion", "none", "third", "--out", "a.png"], "waves-flat-faulty-how-none-s0-"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told_in_one_sentence(
    name: str, two: Path, mgbench: Command, write_cell: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was got, what is allowed, exit status 2, and no file."""
    monkeypatch.chdir(two)
    write_cell(two, how="third", right={"linear": [True] * 12}, digest="e", status="ok")
    write_cell(two, how="bad", status="killed", reason="its process ended with signal 9")
    arguments, sentence = BAD[name]
    done = mgbench("figure", *arguments, "--store", two)

    assert done.exit_code == 2, done.output
    assert done.stderr.startswith(f"Error: {sentence}")
    assert done.stderr.count("\n") == 1 or name == "missing"  # which also tells which files are expected
    assert not list(two.glob("a.*"))


def test_refusals_of_cells_say_why(two: Path, mgbench: Command, write_cell: Write) -> None:
    """Other evaluators are named, unfinished cells explained, and cells of other clips kept apart."""
    write_cell(two, how="third", right={"linear": [True] * 12}, digest="e", status="ok")
    write_cell(two, how="bad", status="killed", reason="its process ended with signal 9")
    asked = [("none", "--evaluator", "lineal"), ("bad",), ("none", "third")]
    told = [mgbench("figure", "confusion", *words, "--out", two / "a.png", "--store", two).stderr for words in asked]

    assert told[0].endswith(" was not scored by 'lineal'; did you mean 'linear'?\n")
    assert " has no result, it is killed; mgbench explain " in told[1]
    assert told[2].endswith(" cannot be set side by side: they scored different clips.\n")


@pytest.mark.parametrize("damage", ["truncate", "remove"])
def test_lost_predictions_are_told(damage: str, two: Path, mgbench: Command) -> None:
    """A cell whose predictions are damaged is named, alone and beside another."""
    path = next(two.glob("cells/*other*/predictions.parquet"))
    path.write_bytes(path.read_bytes()[:100]) if damage == "truncate" else path.unlink()
    alone, beside = (
        mgbench("figure", "confusion", *cells, "--out", two / "a.png", "--store", two) for cells in (["other"], ["none", "other"])
    )

    assert alone.exit_code == beside.exit_code == 2
    assert alone.stderr == f"Error: The predictions of {path.parent.name} by 'linear' cannot be read; mgbench run makes them again.\n"
    assert f"{path.parent.name}: its predictions cannot be read" in beside.stderr


def test_broken_data_name_no_file(tmp_path: Path, mgbench: Command) -> None:
    """What a loader says of a file may name somebody, so the command says only where that is told."""
    (tmp_path / "boxes").mkdir()
    break_split(tmp_path, "train")
    (tmp_path / "plugin.py").write_text(PLUGIN.replace("PUBLIC", "False"))
    places = ("--plugin", tmp_path / "plugin.py", "--data-root", tmp_path, "--store", tmp_path)
    done = mgbench("figure", "merge", "-d", "boxes", "--out", tmp_path / "a.png", *places)

    assert done.exit_code == 2
    sentence = "The clips of 'boxes' cannot be used as they are; mgbench data audit boxes tells what is wrong with them."
    assert done.stderr == f"Error: {sentence}\n"


@pytest.mark.parametrize("words", [["figure", "--help"], ["figure", "merge", "--help"], ["figure", "confusion", "--help"]])
def test_help_draws_nothing(words: list[str]) -> None:
    """Help imports no matplotlib, torch or polars."""
    code = f"import sys\nfrom mgbench.cli import main\nmain({words}, standalone_mode=False)\n"
    code += "sys.exit(any(name in sys.modules for name in ('matplotlib', 'torch', 'polars')))"

    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
