"""Long tails: recall of classes with many, some and few clips, and whether the order of a table depends on how classes are weighed.

Groups are those of Liu et al., Large-Scale Long-Tailed Recognition in an Open World, CVPR 2019.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import numpy as np

from mgbench import exchange
from mgbench.boards.book import Book
from mgbench.boards.lines import Board, Line
from mgbench.boards.measured import best_floor, title_of
from mgbench.boards.orders import order_told, ranks_of
from mgbench.boards.per_class import class_sheets
from mgbench.boards.sheet import Sheet
from mgbench.boards.tally import METRICS, Tally, figure_of, predictions_of, tallies_of
from mgbench.boards.texts import percent, span_text
from mgbench.clips import Ints
from mgbench.confusion import Floats, mean_recall
from mgbench.words import counted


#: The groups: fewest and most clips of a class in what was fitted on, and how that is said.
_GROUPS: Final = {"many": (101, np.inf, "more than 100"), "medium": (20, 100, "20 to 100"), "few": (0, 19, "fewer than 20")}


def tail_sheets(book: Book, boards: Iterable[Board]) -> Iterator[Sheet]:
    """Yield what a page tells of long tails: a sheet for each table, and of the best row for each set of clips its classes one by one."""
    tallies = tallies_of(book, boards)
    apart = _taken_apart(tallies)
    grouped = [line for tally in tallies if groups_of(tally) for line in tally.lines]
    details = [line for tally in apart for line in (tally.best, best_floor(tally.board)) if line is not None]
    predicted = predictions_of(book, grouped + details)
    for tally in tallies:
        # Where neither side has a tail, top-1 is the mean over classes, and an order under "other" metrics is the same one again.
        if groups_of(tally) or tally.scored_tailed:
            yield _order_sheet(tally, predicted)
    for tally in apart:
        yield from class_sheets(tally, predicted, _no_groups(tally))


def _taken_apart(tallies: list[Tally]) -> list[Tally]:
    """Return for each set of clips the table whose best row is the best: one is taken apart, not one for every evaluator and stream."""
    found: dict[tuple[str, ...], Tally] = {}
    for tally in tallies:
        key = tuple(tally.board.key[name] for name in ("fitted_on", "scored_on", "test_digest", "select"))
        if key not in found or _standing(tally) > _standing(found[key]):
            found[key] = tally
    return list(found.values())


def _standing(tally: Tally) -> tuple[bool, float]:
    """Return what tells the table whose best row is taken apart: a method comes before a ceiling, then the higher top-1."""
    return (tally.best is not None and tally.best.role == "method", tally.best.mean if tally.best is not None else -1.0)


def groups_of(tally: Tally) -> dict[str, list[int]]:
    """Return the classes of each group that were scored.

    None where groups tell nothing: without a tail in what was fitted on a group is a choice of classes that is as good as any, and a
    single group is the mean over classes, which boards have.
    """
    if tally.fit is None or not tally.fit_tailed:
        return {}
    within = {name: (tally.fit >= low) & (tally.fit <= high) & (tally.scored > 0) for name, (low, high, _) in _GROUPS.items()}
    found = {name: np.flatnonzero(one).tolist() for name, one in within.items() if one.any()}
    return found if len(found) > 1 else {}


def _no_groups(tally: Tally) -> str:
    """Return why there are no groups, nothing where there are some."""
    if groups_of(tally):
        return ""
    if tally.fit is None:
        return "No row tells how many clips of each class it was fitted on, as records made anew do, so there are no groups of classes."
    if not tally.fit_tailed:
        return "In what was fitted on no class has twice the clips of another, so there are no groups of classes."
    return "By their clips in what was fitted on all scored classes are in one group, whose recall is the mean over classes."


def _order_sheet(tally: Tally, predicted: Mapping[int, Ints]) -> Sheet:
    """Return the recall of each group, and each row's rank by each metric."""
    groups = groups_of(tally)
    rights = [tally.rights(line, predicted) for line in tally.lines] if groups else []
    clips = [np.stack([right.mean(axis=0), tally.clips], axis=1) for right in rights]
    all_clips = tally.clips.sum(axis=0)[None]
    recalls = {name: [mean_recall(right.sum(axis=1)[:, of], all_clips[:, of]) for right in rights] for name, of in groups.items()}
    figures = {name: np.array([figure_of(line, name) for line in tally.lines]) for name in METRICS}
    figures |= {f"recall of {name}": np.array([one.mean() for one in recalls[name]]) for name in list(groups)[-1:]}
    ranks = {name: ranks_of(values) for name, values in figures.items()}
    heads = ["role", "name", *(head for name in groups for head in (name, f"{name}, over people"))]
    heads += [*METRICS, *(f"rank by {name}" for name in figures)]
    rows = []
    for number, line in enumerate(tally.lines):
        texts = [line.role, tally.board.called(line)]
        for name, classes in groups.items():
            texts += [_over_seeds(recalls[name][number]), span_text(exchange.recall_interval(clips[number], classes))]
        texts += [_metric(line, name) for name in METRICS]
        rows.append((*texts, *(str(one[number]) for one in ranks.values())))
    return Sheet(f"Long tail: {title_of(tally.board)}", tuple(_about(tally, groups, figures)), tuple(heads), tuple(rows))


def _over_seeds(values: Floats) -> str:
    return percent(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else None)


def _metric(line: Line, name: str) -> str:
    return percent(figure_of(line, name), line.facts[f"{METRICS[name]}_sd"])


def _about(tally: Tally, groups: dict[str, list[int]], figures: dict[str, Floats]) -> Iterator[str]:
    if groups and tally.fit is not None:
        sizes = {name: f"{counted(len(these), 'class')}, {tally.scored[these].sum()} clips scored" for name, these in groups.items()}
        said = [f"{name} ({_GROUPS[name][2]}): {sizes[name]}{_unseen(tally.fit, these)}" for name, these in groups.items()]
        yield f"Classes are grouped by their clips in what was fitted on, as by Liu et al. (CVPR 2019): {'; '.join(said)}."
        yield (
            "Recall of a group is the mean over its classes, in percent, mean over seeds; its 95 % interval draws whole subjects, where "
            "three or more have each class and not all are alike."
        )
        if tally.silent:
            yield f"{tally.silent} of {len(tally.lines)} rows do not tell these counts, and are grouped by those of the others."
    else:
        yield _no_groups(tally)
    if len(tally.lines) < len(tally.board.lines):
        yield (
            f"Shown are {len(tally.lines)} of {len(tally.board.lines)} rows: the ten best, and the two best floors, by each of top-1, "
            "mean class and macro-F1; ranks are among them."
        )
    yield from order_told([(line.role, tally.board.called(line)) for line in tally.lines], figures)


def _unseen(fit: Ints, classes: list[int]) -> str:
    count = int((fit[classes] == 0).sum())
    return f", {counted(count, 'class')} of these never fitted on" if count else ""
