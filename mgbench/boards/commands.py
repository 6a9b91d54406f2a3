"""The command that makes each row of a board anew."""

import shlex
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

import numpy as np

from mgbench.boards.lines import Board, Line
from mgbench.boards.sheet import Sheet


#: What a run may be given, by the column of records that tells it, where that is not what it is without the option.
_OPTIONS: Final = {
    "augmentation": ("-a", "default"),
    "stream": ("--stream", "joint"),
    "pretrain_on": ("--pretrain-on", None),
    "preprocess": ("--preprocess", "frame50"),
    "budget_epochs": ("--epochs", None),
    "budget_steps": ("--steps", None),
    "budget_batch_size": ("--batch-size", None),
    "precision": ("--precision", "fp32"),
    "threads": ("--threads", 1),
}
_FLAGS: Final = {"select": "--select", "compile": "--compile", "capture": "--capture"}


def command_sheet(boards: Iterable[Board]) -> Sheet:
    """Return the commands of all rows of some boards, each once with all evaluators under which it stands."""
    found: dict[tuple[str, str], list[str]] = {}
    for board in boards:
        for line in board.lines:
            made_here = line.place.size and not line.facts["imported"] and not line.facts["members"]
            told = " ".join(map(_quoted, _words(board, line))) if made_here else ""
            evaluator = line.facts["own"] if line.still else board.key["evaluator"]
            evaluators = found.setdefault((line.name, told), [])
            if told and evaluator not in evaluators:
                evaluators.append(evaluator)
    rows = [
        (name, told and " ".join((told, *(f"-E {_quoted(evaluator)}" for evaluator in evaluators))))
        for (name, told), evaluators in found.items()
    ]
    about = (
        "With the version of mgbench and the data of its records a command makes the same predictions again, on the same processor. Where "
        "data, store and plugins lie is left out. An ensemble is made by mgbench ensemble, and what is imported was handed in."
    )
    return Sheet("Commands", (about,), ("name", "command"), tuple(rows))


_quoted = lru_cache(shlex.quote)  # the same words stand in most commands


@lru_cache
def _listed(seeds: bytes) -> str:
    """Return seeds as a command names them, given their bytes; most rows have those of others."""
    return f"[{','.join(map(str, np.frombuffer(seeds, np.int64)))}]"


def _words(board: Board, line: Line) -> Iterator[str]:
    """Yield the words of a command, but for its evaluators."""
    facts = {**line.facts, **board.key}
    yield from ("mgbench", "run", "-d", facts["dataset"], "-m", facts["method"] or "untrained")  # without a method nothing is run
    if not line.still:
        yield from ("-e", facts["encoder"], "--seeds", _listed(line.seeds.tobytes()))
    for name, (option, usual) in _OPTIONS.items():
        if facts[name] not in {None, usual}:
            yield from (option, str(facts[name]))
    yield from (option for name, option in _FLAGS.items() if facts[name])
    yield "--no-floors"
