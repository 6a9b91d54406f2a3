"""Which class was taken for which: one matrix a cell, side by side, and what changed from the first to the second [MGRL, Figure 4]."""

import contextlib
import textwrap
from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt
import polars

from mgbench.compare import UnpairedError, predictions_of_both
from mgbench.confusion import classes_of, confusions
from mgbench.errors import DataError, MgbenchError, SpecError, nearest
from mgbench.figures.canvas import make_figure
from mgbench.figures.matrix import Matrix, draw_matrix
from mgbench.packing import stored_facts
from mgbench.part import build
from mgbench.registry import Registry
from mgbench.standing import Standing


if TYPE_CHECKING:
    from matplotlib.figure import Figure


#: Inches between two matrices, which hold the colour bar; letters that a title has for each inch.
_BETWEEN, _LETTERS = 1.1, 13


@attrs.frozen(eq=False)
class Counts:
    """How many clips of each class, a row, a cell's evaluator took for each class, a column `(K, K)`."""

    cell: Standing
    counts: npt.NDArray[np.int64]

    @property
    def share(self) -> npt.NDArray[np.float64]:
        """The counts as shares of their row; zero where a class has no clip."""
        shares: npt.NDArray[np.float64] = self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)
        return shares

    @property
    def top1(self) -> float:
        """The share of clips that were got right."""
        return float(np.trace(self.counts) / self.counts.sum())


def count_confusions(cells: list[Standing], evaluator: str) -> list[Counts]:
    """Return the matrices of cells that scored the same clips, or raise `SpecError` or `DataError`."""
    for one in cells:
        if not one.rows:
            msg = f"The cell {one.name} has no result, it is {one.status}; mgbench explain {one.name} tells why."
            raise SpecError(msg)
        if evaluator not in one.rows:
            msg = f"The cell {one.name} was not scored by {evaluator!r}; {nearest(evaluator, one.rows)}"
            raise SpecError(msg)
        if one.rows[evaluator].get("target", "class") != "class":
            msg = f"The evaluator {evaluator!r} tells people apart, who are not drawn; name one that tells classes, such as linear."
            raise SpecError(msg)
    tables = [_predictions(cells[0], one, evaluator) for one in cells]
    columns = [(table["label"].to_numpy(), table["predicted"].to_numpy(), table["subject"].to_numpy()) for table in tables]
    classes = classes_of(*(numbers for label, predicted, _ in columns for numbers in (label, predicted)))
    found = (confusions(label, predicted, subject, classes).sum(axis=0) for label, predicted, subject in columns)
    return [Counts(one, counts.astype(np.int64)) for one, counts in zip(cells, found, strict=True)]


def _predictions(first: Standing, one: Standing, evaluator: str) -> polars.DataFrame:
    try:
        return predictions_of_both(first, one, evaluator)[1]
    except UnpairedError as error:
        msg = f"{first.name} and {one.name} cannot be set side by side: {str(error).rstrip('.')}."
        if one is first:
            msg = f"The predictions of {one.name} by {evaluator!r} cannot be read; mgbench run makes them again."
        raise DataError(msg) from error


def class_names(one: Standing, registry: Registry, classes: int) -> tuple[str, ...]:
    """Return the names of at least so many classes of a cell's data: as they were packed, as their data set has them, or else numbers."""
    assert one.cell is not None  # noqa: S101 - a damaged cell has no rows
    packed = one.folder.path.parent.parent / "data" / f"{one.cell.dataset.name}-{one.told.get('data_key')}"
    names: tuple[str, ...] = ()
    with contextlib.suppress(MgbenchError):
        facts = stored_facts(packed)
        names = facts.classes if facts else build(one.cell.dataset, registry).classes
    return names if len(names) >= classes else tuple(map(str, range(classes)))


def padded(found: list[Counts], classes: int) -> list[Counts]:
    """Return the matrices with a row and column for each class, also for those that nobody met."""
    return [attrs.evolve(one, counts=np.pad(one.counts, (0, classes - len(one.counts)))) for one in found]


def title_of(one: Counts, evaluator: str) -> str:
    """Return what a matrix is of: method, encoder, augmentation, seed, and how often it was right."""
    cell = one.cell.cell
    assert cell is not None  # noqa: S101 - as above
    trained = [str(part) for part in (cell.method, cell.encoder) if part is not None] or ["no encoder"]
    stream = [] if cell.stream == "joint" else [f"stream {cell.stream}"]
    source = [] if cell.pretrain_on is None else [f"trained on {cell.pretrain_on}"]
    also = ([] if cell.method is None else [f"augmentation {cell.augmentation}"]) + [f"seed {cell.seed}"]
    return "\n".join([", ".join(trained + stream + source), ", ".join(also), f"{evaluator}: top-1 {100 * one.top1:.1f} %"])


def matrices(found: list[Counts], evaluator: str) -> list[Matrix]:
    """Return a table a cell, and of several cells the second less the first: green where it grew, pink where it shrank."""
    made = [
        Matrix(one.share, one.counts.astype(str).tolist(), "Blues", (0.0, 1.0), "share of the true class", title_of(one, evaluator))
        for one in found
    ]
    if len(found) > 1:
        more, texts = found[1].share - found[0].share, _signed(found[1].counts - found[0].counts)
        most = float(np.abs(more).max()) or 1.0
        points = 100 * (found[1].top1 - found[0].top1)
        title = f"the second less the first\ntop-1 {points:+.1f} points"
        made.append(Matrix(more, texts, "PiYG", (-most, most), "change of that share", title))
    return made


def _signed(counts: npt.NDArray[np.int64]) -> list[list[str]]:
    return [[f"{count:+d}" if count else "" for count in row] for row in counts.tolist()]


def confusion_figure(made: list[Matrix], names: tuple[str, ...]) -> "Figure":
    """Draw the tables side by side."""
    side = made[0].side
    figure = make_figure(len(made) * (side + _BETWEEN), side)
    for place, matrix in enumerate(made):
        letters = max(28, int(side * _LETTERS))
        title = "\n".join(textwrap.fill(line, letters) for line in matrix.title.splitlines())
        whole = attrs.evolve(matrix, title=title)
        draw_matrix(figure, whole, names, place * (side + _BETWEEN), ("true class", "predicted class"))
    return figure
