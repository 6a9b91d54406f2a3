"""Distance maps, and tables of any values: the numbers, names and frames that are drawn."""

import io
from pathlib import Path

import attrs
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from mgbench.errors import SpecError
from mgbench.figures.canvas import check_path, make_figure, render, save
from mgbench.figures.confusion import Counts, matrices
from mgbench.figures.distances import distance_figure, distance_matrix
from mgbench.figures.matrix import Matrix, draw_matrix
from mgbench.prior import Prior
from mgbench.store import StoreError


GROUPS = ("Moving legs", "Crossing legs", "Folding arms", "A gesture without any clip")


def prior() -> Prior:
    """Return four groups of which the first two are near each other, and the last has no clip."""
    apart = np.array([[0, 1.25, 30, np.nan], [1.25, 0, 20, np.nan], [30, 20, 0, np.nan], [np.nan] * 4])
    return Prior(GROUPS, np.array([0, 0, 0, 1, 2, 2]), apart, "d")


def texts(axes: Axes) -> list[list[str]]:
    """Return what fields say, row by row."""
    said = {tuple(np.round(text.get_position()).astype(int)): text.get_text() for text in axes.texts}
    count = len(axes.get_xticks())
    return [[said.get((column, row), "") for column in range(count)] for row in range(count)]


def names(axes: Axes) -> list[list[str]]:
    """Return the names below and beside a table."""
    return [[label.get_text().replace("\n", " ") for label in labels] for labels in (axes.get_xticklabels(), axes.get_yticklabels())]


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Return every two names beside a table that cover each other."""
    boxes = [(label.get_text(), label.get_window_extent()) for label in figure.axes[0].get_yticklabels()]
    return [(a, b) for place, (a, box) in enumerate(boxes) for b, other in boxes[place + 1 :] if box.overlaps(other)]


def test_distances_are_written_and_hard_pairs_framed() -> None:
    """Three digits of the largest, nothing on the diagonal and where no clip is; hard pairs have a frame on both sides of it."""
    found = prior()
    figure = distance_figure(distance_matrix(found, found.hard(0.5), "mean", "title"), found)
    axes = figure.axes[0]
    frames = {(round(box.get_y() + 0.5), round(box.get_x() + 0.5)) for box in axes.patches if isinstance(box, Rectangle)}

    assert texts(axes) == [["", "1.2", "30.0", ""], ["1.2", "", "20.0", ""], ["30.0", "20.0", "", ""], [""] * 4]
    assert frames == {(0, 1), (1, 0), (1, 2), (2, 1)}
    assert names(axes) == [list(GROUPS)] * 2
    assert axes.images[0].get_clim() == (1.25, 30)


@pytest.mark.parametrize(("most", "text"), [(0.912, "0.912"), (9.1234, "9.12"), (91.234, "91.2"), (912.34, "912"), (0, "0.000")])
def test_digits_follow_the_largest(most: float, text: str) -> None:
    """Three digits are written, whatever the unit."""
    found = Prior(("a", "b"), np.array([0, 1]), np.array([[0, most], [most, 0]]), "d")

    assert distance_matrix(found, [(0, 1)], "mean", "").texts[0] == ["", text]


def test_what_grew_is_green() -> None:
    """In the last matrix an increase is green and a decrease is not."""
    cell = object()
    before, after = (Counts(cell, np.array(counts)) for counts in ([[4, 0], [0, 4]], [[2, 2], [0, 4]]))  # type: ignore[arg-type] # a stub of a cell
    matrix = attrs.evolve(_change(before, after), title="")
    figure = make_figure(matrix.side, matrix.side)
    draw_matrix(figure, matrix, ("a", "b"))
    colours = figure.axes[0].images[0].to_rgba(matrix.shade)
    shrunk, grown = colours[0, 0], colours[0, 1]

    assert grown[1] > grown[0]
    assert shrunk[0] > shrunk[1]


def _change(before: Counts, after: Counts) -> Matrix:
    """Return the table of what changed, without cells that have titles."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mgbench.figures.confusion.title_of", lambda _one, _evaluator: "")
        return matrices([before, after], "linear")[-1]


LONG = ("Scratching or touching facial parts other than eyes", "Playing with jewelry, manipulating other objects", "Arms $akimbo$") * 6


def test_long_names_are_whole_and_apart() -> None:
    """Names of 50 letters are broken into lines, none covers another, all lie within the picture, and a dollar is a dollar."""
    shade = np.eye(len(LONG))
    figure = make_figure()
    draw_matrix(figure, Matrix(shade, shade.astype(int).astype(str), "Blues", (0, 1), "share"), LONG)  # type: ignore[arg-type] # an array will do
    box = figure.get_tightbbox()
    inside = [label.get_window_extent() for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis) for label in axis.get_ticklabels()]

    assert overlapping(figure) == []
    assert names(figure.axes[0]) == [list(LONG)] * 2
    assert all(box.x0 <= each.x0 / figure.dpi + 1e-6 and box.y0 <= each.y0 / figure.dpi + 1e-6 for each in inside)
    assert b"Arms $akimbo$" in render(figure, ".svg")


def test_large_sets_have_no_texts() -> None:
    """A set of 120 classes fits a picture: its fields are colours alone, its names stay."""
    figure = make_figure()
    draw_matrix(figure, Matrix(np.eye(120), [["1"] * 120] * 120, "Blues", (0, 1), "share"), [f"class {i}" for i in range(120)])

    assert len(figure.axes[0].texts) == 0
    assert len(names(figure.axes[0])[0]) == 120
    assert max(Image.open(io.BytesIO(render(figure, ".png"))).size) < 4000


@pytest.mark.parametrize("suffix", [".png", ".svg", ".PNG"])
def test_the_same_figure_is_the_same_bytes(suffix: str) -> None:
    """Nothing of the day or the process is in a file."""
    found = prior()
    made = [render(distance_figure(distance_matrix(found, [(0, 1)], "mean", "title"), found), suffix) for _ in range(2)]

    assert made[0] == made[1]
    assert made[0].startswith(b"<?xml" if suffix == ".svg" else b"\x89PNG")


def test_text_of_an_svg_is_text() -> None:
    """Class names and numbers can be searched and edited."""
    found = prior()
    text = render(distance_figure(distance_matrix(found, [(0, 1)], "mean", "a title"), found), ".svg").decode()

    assert all(word in text for word in (">a title<", ">30.0<", ">Moving legs<"))
    assert "<dc:date>" not in text


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a.pdf", r"^--out got '.*a\.pdf'; a figure is PNG or SVG, so give a name that ends in \.png or \.svg\.$"),
        ("a", r"^--out got '.*/a'; a figure is PNG or SVG"),
        ("no/a.png", r"^--out got '.*no/a\.png', but there is no folder '.*no'; make it, or name another\.$"),
    ],
)
def test_places_that_are_none(name: str, sentence: str, tmp_path: Path) -> None:
    """Another suffix, or a folder that is not there."""
    with pytest.raises(SpecError, match=sentence):
        check_path(tmp_path / name)


def test_a_figure_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """What cannot be written is told, and leaves nothing behind."""
    (tmp_path / "a.png").mkdir()
    with pytest.raises(StoreError, match=r"^Cannot write '.*a\.png'; give another file by --out\.$"):
        save(make_figure(), tmp_path / "a.png")

    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
