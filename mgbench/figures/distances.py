"""How far classes, or clusters, are apart, with the pairs that count as hard framed [MGRL, Figure 7]."""

from typing import TYPE_CHECKING, Final

import numpy as np

from mgbench.figures.canvas import make_figure
from mgbench.figures.matrix import Matrix, draw_matrix
from mgbench.prior import Distance, Prior


if TYPE_CHECKING:
    from matplotlib.figure import Figure


#: What each distance is, beside the colour bar.
_WORDS: Final[dict[Distance, str]] = {
    "mean": "Euclidean distance between means",
    "samples": "mean Euclidean distance between clips",
    "dtw": "mean distance between clips, warped in time",
    "confusion": "1 - share of clips whose nearest is the other's",
}


def distance_matrix(prior: Prior, hard: list[tuple[int, int]], distance: Distance, title: str) -> Matrix:
    """Return the map with three digits a field, none of a group to itself, or of one without clips."""
    apart = np.where(np.eye(len(prior.groups), dtype=bool), np.nan, prior.distance)
    known = apart[~np.isnan(apart)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    places = next((places for places, most in ((3, 1), (2, 10), (1, 100)) if high <= most), 0)
    texts = [["" if np.isnan(value) else f"{value:.{places}f}" for value in row] for row in apart]
    framed = [place for a, b in hard for place in ((a, b), (b, a))]
    return Matrix(apart, texts, "viridis", (low, high), _WORDS[distance], title, framed)


def distance_figure(matrix: Matrix, prior: Prior) -> "Figure":
    """Draw it with the groups' names on both axes."""
    figure = make_figure(matrix.side, matrix.side)
    draw_matrix(figure, matrix, prior.groups)
    return figure
