"""A square table of values whose colours tell them apart, with names on both axes: what distance maps and confusion matrices share."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
import numpy as np
import numpy.typing as npt

from mgbench.figures.canvas import add_axes


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


Floats: TypeAlias = npt.NDArray[np.float64]

#: Inches of a field with its text, and of one of a larger set than of so many classes, whose fields have none.
_FIELD, _BARE, _MOST = 0.42, 0.15, 64
#: Letters of a line of a name.
_LETTERS: Final = 30
#: Texts on darker fields than this are white; fields without a value are grey.
_DARK, _NONE = 0.45, "#e8e8e8"
#: Weights of red, green and blue in how light a colour looks.
_LIGHT: Final = np.array([0.299, 0.587, 0.114])


@attrs.frozen(eq=False)
class Matrix:
    """One square table.

    Args:
        shade: what colours follow `(K, K)`; not a number where there is nothing to show.
        texts: what fields say `(K, K)`.
        colours: name of matplotlib's colour map.
        limits: values of its first and last colour.
        bar: what the colour bar says.
        title: what stands above.
        framed: fields with a frame, as (row, column).
    """

    shade: Floats
    texts: Sequence[Sequence[str]]
    colours: str
    limits: tuple[float, float]
    bar: str
    title: str = ""
    framed: Sequence[tuple[int, int]] = ()

    @property
    def side(self) -> float:
        """Inches of its side."""
        return len(self.shade) * (_FIELD if len(self.shade) <= _MOST else _BARE)


def draw_matrix(figure: "Figure", matrix: Matrix, names: Sequence[str], left: float = 0, labels: tuple[str, str] = ("", "")) -> None:
    """Draw a table and its colour bar so many inches from the left, names below the table, and beside it where it is the first."""
    import matplotlib as mpl
    from matplotlib.patches import Rectangle

    count, side = len(matrix.shade), matrix.side
    axes = add_axes(figure, left, 0, side, side)
    shades = mpl.colormaps[matrix.colours].with_extremes(bad=_NONE)
    shown = np.ma.masked_invalid(matrix.shade)
    image = axes.imshow(shown, cmap=shades, vmin=matrix.limits[0], vmax=matrix.limits[1], aspect="auto")
    if count <= _MOST:
        _write(axes, matrix, image.to_rgba(shown)[..., :3] @ _LIGHT)
    for row, column in matrix.framed:
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="#d55e00", linewidth=2.2, zorder=3))
    _name(axes, names, labels, named=left == 0)
    axes.set_title(matrix.title, fontsize=9, loc="left", parse_math=False)
    bar = figure.colorbar(image, cax=add_axes(figure, left + side + 0.12, 0, 0.14, min(side, 4.0)))
    bar.set_label(matrix.bar, fontsize=8)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)


def _write(axes: "Axes", matrix: Matrix, light: Floats) -> None:
    """Write each field's text in what can be read on its colour."""
    for row, texts in enumerate(matrix.texts):
        for column, text in enumerate(texts):
            if text:
                colour = "white" if light[row, column] < _DARK else "#999999" if text == "0" else "black"
                axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)


def _name(axes: "Axes", names: Sequence[str], labels: tuple[str, str], *, named: bool) -> None:
    """Write names beside and below, and what rows and columns are."""
    places, roomy = np.arange(len(names)), len(names) <= _MOST
    shown = [textwrap.fill(name, _LETTERS) if roomy else textwrap.shorten(name, 2 * _LETTERS, placeholder="...") for name in names]
    look: dict[str, Any] = {"fontsize": 7.5 if roomy else 6, "parse_math": False, "linespacing": 1.0}
    axes.set_xticks(places, shown, rotation=45, ha="right", va="center", rotation_mode="anchor", **look)
    axes.set_yticks(places, shown if named else [""] * len(names), **look)
    axes.tick_params(length=0)
    axes.tick_params(axis="x", pad=7)  # so that the corner of two slanting lines stays below
    axes.spines[:].set_visible(False)
    axes.set_xlabel(labels[1], fontsize=9)
    axes.set_ylabel(labels[0] if named else "", fontsize=9)
