"""Boards as tables to print: ranks that the data can resolve, intervals, floors, and what each row cost."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from mgbench.boards.lines import RECIPE, Board, Line
from mgbench.boards.ranks import FEW, adjusted, fewest_to_tell, rank_intervals
from mgbench.boards.sheet import Sheet
from mgbench.boards.texts import difference_text, percent, span_text
from mgbench.costs import HEADS, cost_texts
from mgbench.records import METRICS
from mgbench.stats import seed_interval, smallest_difference
from mgbench.words import counted


_FLOORS: Final = ("majority", "raw", "untrained", "untrained[calibrate=true]")


def board_sheet(board: Board) -> Sheet:
    """Return the table of a board."""
    heads = ["rank", "role", "name", "top-1", "over seeds", "over people", "top-5"]
    heads += ["mean class" if board.key["target"] == "class" else "mean subject", "macro-F1", "seeds"]
    recipe = board.key["track"] == RECIPE
    heads += [*(["budget"] if recipe else ["precision"]), "labels", "test reads", "checked", "vs best floor", "vs best untrained"]
    versus = [_against(board, best_floor(board, untrained=one)) for one in (False, True)]
    rows = [
        (
            rank,
            line.role,
            line.name,
            *_figures(line),
            _seeds(board, line),
            line.budget if recipe else line.arithmetic,
            _labels(line),
            str(line.facts["test_reads"] if line.facts["test_reads"] is not None else ""),
            line.facts["badge"] or "",
            *(column[number] for column in versus),
        )
        for number, (line, rank) in enumerate(zip(board.lines, ranks_of(board), strict=True))
    ]
    return Sheet(title_of(board), tuple(_about(board)), tuple(heads), tuple(rows))


def ranks_of(board: Board) -> list[str]:
    """Return the rank of each line as an interval, `2–5`, or as one number."""  # noqa: RUF002 - a range is written with an en dash
    found = rank_intervals(np.stack([line.people for line in board.lines]))
    return [f"{first}" if first == last else f"{first}–{last}" for first, last in found]  # noqa: RUF001 - a range is written with an en dash


def cost_sheet(boards: Iterable[Board]) -> Sheet | None:
    """Return what the trained rows of some boards cost, each once; None where nothing was trained."""
    trained = {
        (line.name, line.budget): (line.name, line.budget, *cost_texts(line.facts))
        for board in boards
        for line in board.lines
        if line.facts["learns"] and board.key["target"] == "class"
    }
    about = ("Means over cells, on the machines that ran them.",)
    return Sheet("What training cost", about, ("name", "budget", *HEADS), tuple(trained.values())) if trained else None


def title_of(board: Board) -> str:
    """Return what a table's rows share: stream, preprocessing, what was spent, evaluator."""
    key = board.key
    parts = [key["stream"], key["preprocess"], key["spent"], key["evaluator"] or "clips as they are"]
    return ", ".join(filter(None, parts)) + ("" if key["target"] == "class" else ": which subject")


def _about(board: Board) -> Iterable[str]:
    """Yield the sentences that say what the figures are, and what they can tell."""
    key, people = board.key, board.people
    clips = int(board.lines[0].counts.sum())
    told = "Fitted on {}, scored on {}" if key["target"] == "class" else "Trained on {}, subjects told apart within {}"
    data = told.format(key["fitted_on"], key["scored_on"])
    scored = f"{data}: {clips} clips of {counted(people, 'subject')} (digest {key['test_digest']})."
    yield " ".join(filter(None, (scored, _missing(board))))
    yield (
        "Top-1 is exact per-clip accuracy at the last step, in percent, mean over seeds; its 95 % interval over seeds is Student's, that "
        "over people draws whole subjects. Differences are means over subjects, each weighing the same."
    )
    if people < fewest_to_tell():
        test = f"{counted(people, 'subject')} are few: whatever the rows do, no test can tell them apart at 5 %."
    elif people <= FEW:
        test = f"{people} subjects are few: their differences are tested by flipping signs, all rows at once, and corrected in steps."
    else:
        test = "Differences are tested by t-tests over subjects, corrected by Holm's sequence."
    yield (
        f"{test} A rank is the interval that these tests of all pairs of rows leave at 5 %. Of two rows whose intervals overlap one may "
        "still be surely the better: mgbench compare asks about one pair, the last columns about floors."
    )
    seeds = max(1, len(board.seeds))
    if (least := smallest_difference(board.lines[0].counts.astype(np.int64), seeds)) is not None:
        yield (
            f"As a rule of thumb two rows here that are compared alone must differ by {100 * least:.0f} points to be told apart four times "
            "in five, where their difference varies by 4 points between people; by more, where it varies more."
        )


def _missing(board: Board) -> str:
    names = {line.facts["method"] or line.facts["own"] for line in board.lines}
    wanted = _FLOORS if board.key["target"] == "class" else _FLOORS[2:]
    lacking = [name for name in wanted if name not in names]
    return f"Floors not measured yet: {', '.join(lacking)}." if lacking else ""


def _figures(line: Line) -> tuple[str, ...]:
    facts, seeds = line.facts, ""
    if facts["top1_sd"] is not None:
        low, high = seed_interval(facts["top1"], facts["top1_sd"], len(line.seeds))
        seeds = f"{100 * low:.1f} to {100 * high:.1f}"
    people = span_text((facts["top1_subject_low"], facts["top1_subject_high"]))
    top1, *others = (percent(facts[name], facts[f"{name}_sd"]) for name in METRICS)
    return (top1, seeds, people, *others)


def _seeds(board: Board, line: Line) -> str:
    """Return how many seeds there are, of those that others in the table have."""
    count, wanted = len(line.seeds), len(board.seeds)
    return f"{count} of {wanted}" if line.facts["learns"] and set(line.seeds.tolist()) != board.seeds else str(count)


def _labels(line: Line) -> str:
    if line.facts["uses_labels"] is None:
        return "not told"
    return "all" if line.facts["uses_labels"] else "guided" if line.facts["guided"] else "none"


def best_floor(board: Board, *, untrained: bool = False) -> Line | None:
    """Return the best floor of a table, or the best of encoders alone."""
    floors = (line for line in board.lines if line.role == "floor" and not (untrained and line.still))
    return max(floors, key=lambda line: line.mean, default=None)


def _against(board: Board, floor: Line | None) -> list[str]:
    """Return each row's difference to a floor and its p-value, corrected for all rows that are compared with it; floors have none."""
    compared = [line for line in board.lines if line.role != "floor"] if floor is not None else []
    if floor is None or not compared:
        return [""] * len(board.lines)
    gaps = np.stack([line.people - floor.people for line in compared])
    told = zip(compared, gaps.mean(axis=1).tolist(), adjusted(gaps).tolist(), strict=True)
    texts = {id(line): difference_text(gap, p if board.people > 1 else None) for line, gap, p in told}
    return [texts.get(id(line), "") for line in board.lines]
