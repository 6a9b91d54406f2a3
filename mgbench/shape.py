"""What the small files of a cell must look like, so that whoever reads a checked one meets no surprise in it.

A rule is a test of one value; what has no rule may be anything, and what a file lacks is the reader's to decide.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from mgbench.grid import Cell, from_spec
from mgbench.store import damaged


_Rule = Callable[[Any], bool]
#: No time, size or metric is as large, and larger ones cannot be shown.
_LARGEST: Final = 1e15
_ANSI: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
#: Control characters, direction marks, and halves of characters: terminals obey them, and files cannot hold them.
_UNSHOWN: Final = ("Cc", "Cf", "Cs")


def _text(value: Any) -> bool:  # noqa: ANN401 - whatever JSON holds, here and below
    return isinstance(value, str)


def _number(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, int | float) and not isinstance(value, bool) and -_LARGEST < value < _LARGEST


def _whole(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, int) and _number(value)


def _flag(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, bool)


def _plain(value: Any) -> bool:  # noqa: ANN401
    return value is None or isinstance(value, str | bool) or _number(value)


def _optional(rule: _Rule) -> _Rule:
    return lambda value: value is None or rule(value)


def _list_of(rule: _Rule) -> _Rule:
    return lambda value: isinstance(value, list) and all(map(rule, value))


def _table_of(rule: _Rule) -> _Rule:
    return lambda value: isinstance(value, dict) and all(map(rule, value.values()))


def _member(value: Any) -> bool:  # noqa: ANN401 - whatever JSON holds
    """Tell whether something is a cell of a derived record."""
    rules = {"cell": _text, "weight": _number, "rows": _table_of(_text)}
    return isinstance(value, dict) and all(rule(value.get(key)) for key, rule in rules.items())


def _environment(value: Any) -> bool:  # noqa: ANN401
    rest = {key: entry for key, entry in value.items() if key != "versions"} if isinstance(value, dict) else None
    return rest is not None and _table_of(_plain)(rest) and _table_of(_text)(value.get("versions", {}))


_STATUS: Final[Mapping[str, _Rule]] = {
    **dict.fromkeys(("status", "reason", "failure", "stale", "anew", "data", "data_key", "pretrain_data_key"), _text),
    **dict.fromkeys(("began", "ended", "bytes"), _number),
    **dict.fromkeys(("signal", "pid"), _whole),
    **dict.fromkeys(("kin", "plugin_files"), _list_of(_text)),
    "stage_seconds": _table_of(_number),
    "source": _table_of(_text),
    "components": _table_of(_number),
    "environment": _environment,
}
_FIGURES: Final = ("top1", "top5", "mean_class_accuracy", "macro_f1", "top1_low", "top1_high", "top1_subject_low", "top1_subject_high")
_ROW: Final[Mapping[str, _Rule]] = {
    **dict.fromkeys((*_FIGURES, "clips_processed", "train_seconds", "evaluate_seconds", "evaluator_version"), _number),
    **dict.fromkeys(("fit_clips", "test_clips", "steps", "batch_size", "peak_memory_mb", "backbone_parameters"), _whole),
    "forward_flops": _optional(_whole),
    "top5": _optional(_number),  # of predictions without scores
    **dict.fromkeys(("fitted_on", "scored_on", "target", "test_digest", "evaluator_source"), _text),
}
#: Of the data: class names, and clips of each among those that are fitted on.
_METRICS: Final[Mapping[str, _Rule]] = {"classes": _list_of(_text), "fit_counts": _list_of(_whole)}
_PROGRESS: Final[Mapping[str, _Rule]] = {
    "stage": _text,
    **dict.fromkeys(("step", "steps"), _whole),
    **dict.fromkeys(("loss", "clips_per_second", "seconds_left"), _number),
}
_PART: Final[Mapping[str, _Rule]] = {
    **dict.fromkeys(("kind", "name", "distribution", "spec"), _text),
    **dict.fromkeys(("learns", "uses_labels", "prepares", "guided"), _flag),
    **dict.fromkeys(("needs", "gives", "streams"), _list_of(_text)),
    "version": _whole,
    "parameters": _table_of(_text),
}
_SPEC: Final[Mapping[str, _Rule]] = {
    "imported": _text,
    "uses_labels": _optional(_flag),
    "augmentation": _text,
    "stream": _text,
    "seed": _whole,
    "members": _list_of(_member),
}
_RUN: Final[Mapping[str, _Rule]] = {
    **dict.fromkeys(("preprocess", "precision"), _text),
    **dict.fromkeys(("select", "compile", "capture"), _flag),
    "threads": _whole,
    "budget": _table_of(_optional(_whole)),
}


def _wrong(values: Mapping[str, Any], rules: Mapping[str, _Rule]) -> str:
    """Return what breaks its rule, or an empty string."""
    return next((_told(key, value) for key, value in values.items() if key in rules and not rules[key](value)), "")


def _told(key: str, value: object) -> str:
    text = repr(value)
    return f"its {key!r} is {text if len(text) < 40 else f'{text[:37]}...'}"  # noqa: PLR2004 - letters that a sentence bears


def check_spec(spec: dict[str, Any], path: Path) -> Cell:
    """Return the cell that a spec describes, or raise `StoreError`."""
    try:
        cell = from_spec(spec)
        parts = [spec[kind] for kind in ("dataset", "encoder", "method", "pretrain_on") if spec[kind]] + spec["evaluators"]
        wrong = _wrong(spec, _SPEC) or _wrong(spec["run"], _RUN) or next(filter(None, (_wrong(part, _PART) for part in parts)), "")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise damaged(path, f"it lacks or misplaces {error}") from error
    if wrong or cell.dataset is None or not spec["dataset"]:
        raise damaged(path, wrong or "it has no data set")
    return cell


def check_status(told: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return what a status tells, its words fit to be shown, or raise `StoreError`."""
    if wrong := _wrong(told, _STATUS):
        raise damaged(path, wrong)
    return shown_status(told)


def shown_status(told: dict[str, Any]) -> dict[str, Any]:
    """Return a sound status with its words fit to be shown."""
    return {**told, **{key: shown(told[key]) for key in ("status", "reason", "failure", "stale") if key in told}}


def check_metrics(metrics: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return rows by evaluator and the count of test reads, or raise `StoreError`; every row has its top-1."""
    rows = metrics.get("rows", {})
    if wrong := _wrong(metrics, _METRICS):
        raise damaged(path, wrong)
    if not _table_of(lambda row: isinstance(row, dict))(rows) or not _whole(metrics.get("test_reads", 0)):
        raise damaged(path, _told("rows", rows) if not isinstance(rows, dict) else "a row or its count of test reads is misplaced")
    for name, row in rows.items():
        if wrong := _wrong(row, _ROW) or ("" if "top1" in row else "it has no 'top1'"):
            raise damaged(path, f"of the row {name!r}, {wrong}")
    return metrics


def sound_progress(told: dict[str, Any]) -> dict[str, Any]:
    """Return what a run tells of itself, or nothing where that makes no sense: it is told again within seconds."""
    return {} if "stage" not in told or _wrong(told, _PROGRESS) else told


def shown(text: str) -> str:
    """Return text as a terminal and a file can take it: without escapes, control characters and direction marks."""
    if text.isprintable():
        return text
    return "".join(letter for letter in _ANSI.sub("", text) if letter in "\n\t" or unicodedata.category(letter) not in _UNSHOWN)
