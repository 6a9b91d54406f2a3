"""What every figure is drawn on: a sheet without a display, and one file, PNG or SVG, of the same bytes for the same figure."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mgbench.errors import SpecError
from mgbench.store import StoreError, write_bytes


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


#: The metadata of each form by which two files of one figure would differ.
_DATED: Final[dict[str, dict[str, Any]]] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
#: Text stays text, which can be searched and set in another font, and ids follow from what is drawn.
_SVG: Final[dict[Any, Any]] = {"svg.fonttype": "none", "svg.hashsalt": "mgbench"}
#: Dots an inch, and at most so many a side, or else hardly a program opens it.
_DPI, _DOTS = 150, 12000


def check_path(path: Path) -> Path:
    """Return a path that a figure can be written to, or raise `SpecError`; asked before anything is worked out."""
    if path.suffix.lower().removeprefix(".") not in _DATED:
        msg = f"--out got {str(path)!r}; a figure is PNG or SVG, so give a name that ends in .png or .svg."
        raise SpecError(msg)
    if not path.parent.is_dir():
        msg = f"--out got {str(path)!r}, but there is no folder {str(path.parent)!r}; make it, or name another."
        raise SpecError(msg)
    return path


def make_figure(width: float = 1.0, height: float = 1.0) -> "Figure":
    """Return a white sheet of so many inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def add_axes(figure: "Figure", left: float, bottom: float, width: float, height: float) -> "Axes":
    """Return axes at this place of a figure, in inches."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def render(figure: "Figure", suffix: str) -> bytes:
    """Return a figure as the file of this suffix, the sheet cut or grown to what is drawn."""
    import matplotlib as mpl

    form, buffer = suffix.lower().removeprefix("."), io.BytesIO()
    with mpl.rc_context(_SVG):
        box = figure.get_tightbbox().padded(0.1)
        dpi = min(_DPI, _DOTS / max(box.width, box.height))
        figure.savefig(buffer, format=form, dpi=dpi, metadata=_DATED[form], bbox_inches=box)
    return buffer.getvalue()


def save(figure: "Figure", path: Path) -> None:
    """Write a figure whole or not at all."""
    try:
        write_bytes(path, render(figure, path.suffix))
    except StoreError as error:
        msg = f"Cannot write {str(path)!r}; give another file by --out."
        raise StoreError(msg) from error
