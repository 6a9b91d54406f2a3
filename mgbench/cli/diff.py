"""`mgbench diff`: what differs between two cells, and which clips each got right."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import rich_click as click

from mgbench.cli.options import json_option, store_option
from mgbench.cli.text import columns, shortened
from mgbench.words import counted


if TYPE_CHECKING:
    from mgbench.compare import Difference, Paired
    from mgbench.standing import Standing


@click.command("diff")
@click.argument("a")
@click.argument("b")
@json_option
@store_option
def diff_command(a: str, b: str, as_json: bool, store: Path | None) -> None:
    """Tell what differs between the cells A and B: what they run, with which code and data, their metrics, and the clips they get right.

    A cell is named by its folder, its name, or a part of its name that no other cell has. Differences are B less A.
    """
    from mgbench.named import find_cell
    from mgbench.paths import store_root
    from mgbench.standing import read_standing

    place = store_root(store)
    first, second = (read_standing(find_cell(word, place)) for word in (a, b))
    if as_json:
        click.echo(json.dumps(_table(first, second)))
        return
    for line in _page(first, second):
        click.echo(line)


def _spec(a: "Standing", b: "Standing") -> "list[Difference]":
    from mgbench.compare import spec_differences

    return spec_differences(a.spec, b.spec) if a.spec and b.spec else []


def _pairs(a: "Standing", b: "Standing") -> "list[tuple[str, Paired | str]]":
    """Return the comparison by clips under each evaluator that both have, or why there is none."""
    from mgbench.compare import UnpairedError, pair

    found: list[tuple[str, Paired | str]] = []
    for name in (name for name in a.rows if name in b.rows):
        try:
            found.append((name, pair(a, b, name)))
        except UnpairedError as error:
            found.append((name, str(error)))
    return found


def _table(a: "Standing", b: "Standing") -> dict[str, Any]:
    from mgbench.compare import measured, origin_differences

    pairs = _pairs(a, b)
    return {
        **{side: {"cell": one.name, "status": one.status, "reason": one.reason} for side, one in (("a", a), ("b", b))},
        "spec": [attrs.asdict(one) for one in _spec(a, b)],
        "origin": [attrs.asdict(one) for one in origin_differences(a, b)],
        "metrics": [{**attrs.asdict(one), "points": round(100 * (one.b - one.a), 6)} for one in measured(a, b)],
        "paired": [attrs.asdict(one) for _, one in pairs if not isinstance(one, str)],
        "unpaired": {name: reason for name, reason in pairs if isinstance(reason, str)},
    }


def _page(a: "Standing", b: "Standing") -> list[str]:
    from mgbench.compare import origin_differences

    lines = columns([(side, one.name, _status(one)) for side, one in (("A", a), ("B", b))], indent="")
    if a.folder == b.folder:
        return [*lines, "", "A and B are one cell."]
    damaged = [side for side, one in (("A", a), ("B", b)) if not one.spec]
    spec = _shown(_spec(a, b)) or ["  the same"]
    lines += ["", "spec", *([f"  {' and '.join(damaged)} cannot be read"] if damaged else spec)]
    lines += ["", "environment, source and data", *(_shown(origin_differences(a, b)) or ["  the same, as far as both recorded it"])]
    return [*lines, "", *_metrics(a, b), *_clips(_pairs(a, b))]


def _status(one: "Standing") -> str:
    told = f": {shortened(one.first_line)}" if one.reason else f" (stale: {shortened(one.stale)})" if one.stale else ""
    return f"{one.status}{told}"


def _shown(differences: "list[Difference]") -> list[str]:
    rows = [(each.what, *("-" if value is None else value for value in (each.a, each.b))) for each in differences]
    return columns([("", "A", "B"), *rows]) if rows else []


def _metrics(a: "Standing", b: "Standing") -> list[str]:
    from mgbench.compare import measured

    rows = [(one.evaluator, one.metric, f"{100 * one.a:.1f}", f"{100 * one.b:.1f}", _points(one.b - one.a)) for one in measured(a, b)]
    alone = [f"  only {side} has {', '.join(names)}" for side, names in _alone(a, b) if names]
    if not rows:
        return ["metrics", "  none that both have", *alone]
    return ["metrics in percent", *columns([("", "", "A", "B", "B - A"), *rows], right=(2, 3, 4)), *alone]


def _alone(a: "Standing", b: "Standing") -> list[tuple[str, list[str]]]:
    return [(side, [name for name in one.rows if name not in other.rows]) for side, one, other in (("A", a, b), ("B", b, a))]


def _clips(pairs: "list[tuple[str, Paired | str]]") -> list[str]:
    """Return the comparison clip by clip, as lines."""
    found = [one for _, one in pairs if not isinstance(one, str)]
    lines: list[str] = []
    if found:
        head = ("", "both", "only A", "only B", "neither", "B - A", "p")
        rows = [
            (one.evaluator, *map(str, (one.both, one.only_a, one.only_b, one.neither)), _points(one.difference), _p(one.p)) for one in found
        ]
        about = f"clips that were got right, of {counted(found[0].clips, 'test clip')} of {counted(found[0].subjects, 'subject')}"
        lines += ["", about, *columns([head, *rows], right=range(1, 7))]
        lines += ["  B - A is the mean over subjects in points, each weighing the same; p is from flipping their signs"]
    refused = [f"  {name}: {reason}" for name, reason in pairs if isinstance(reason, str)]
    return [*lines, *(["", "not compared clip by clip", *refused] if refused else [])]


def _points(value: float) -> str:
    return f"{round(100 * value, 1) + 0.0:+.1f}"  # adding nothing makes -0.0 a plain zero


def _p(value: float | None) -> str:
    if value is None:
        return "1 subject"
    return f"{value:.3f}" if value >= 0.0005 else "< 0.001"  # noqa: PLR2004 - rounding
