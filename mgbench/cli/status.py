"""`mgbench status`: where all cells of a store stand, once or until nothing runs."""

import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import rich_click as click

from mgbench.cli.options import json_option, store_option
from mgbench.cli.text import columns, shortened, size
from mgbench.errors import SpecError
from mgbench.words import counted


if TYPE_CHECKING:
    from rich.console import Console

    from mgbench.standing import Standing
    from mgbench.timing import Costs


#: Seconds between two looks, and how many of them in a row may find nothing that runs: a runner needs a moment between two cells.
_EVERY: Final = 2.0
_IDLE: Final = 3
#: So many lines of one kind are printed; the rest is counted.
_MOST: Final = 20
_ORDER: Final = ("ok", "running", "pending", "interrupted", "skipped")


@click.command("status")
@click.option("-w", "--watch", is_flag=True, help="Look again every 2 s until nothing runs.")
@json_option
@store_option
def status_command(watch: bool, as_json: bool, store: Path | None) -> None:
    """Count the cells of a store by status; show what runs, how cells failed, and what is left."""
    from rich.console import Console

    from mgbench.paths import store_root
    from mgbench.standing import read_standings

    if watch and as_json:
        msg = "--json prints one moment and --watch goes on; give one of them."
        raise SpecError(msg)
    place = store_root(store)
    if as_json:
        for one in read_standings(place):
            click.echo(json.dumps(_row(one)))
        return
    if watch:
        _watch(place, Console())
    for line in describe(place, read_standings(place)):
        click.echo(line)


def _row(one: "Standing") -> dict[str, Any]:
    progress = {key: value for key, value in one.progress.items() if key != "schema"}
    return {
        "cell": one.name,
        "status": one.status,
        "reason": one.reason,
        "failure": one.failure,
        "progress": progress or None,
        "host": one.host,
        "pid": one.owner.get("pid"),
        "seconds": None if one.seconds is None else round(one.seconds, 1),
        "stale": one.stale,
    }


def _watch(store: Path, console: "Console") -> None:
    """Draw until nothing has run for a while, or until Ctrl-C; where there is no terminal, tell the counts each time they change."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from mgbench.standing import read_standings

    idle, told = 0, ""
    try:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while idle < _IDLE:
                began = time.monotonic()
                standings = read_standings(store)
                kinds = {one.status for one in standings}
                idle = 0 if "running" in kinds else idle + 1 if kinds & {"pending", "interrupted"} else _IDLE
                if console.is_terminal:
                    live.update(
                        Group(*(Text(line, no_wrap=True, overflow="ellipsis") for line in describe(store, standings))), refresh=True
                    )
                elif (counts := _counts(standings)) != told and idle < _IDLE:
                    told = counts
                    click.echo(counts)
                if idle < _IDLE:
                    time.sleep(max(_EVERY, 5 * (time.monotonic() - began)))  # a large store on a slow disk is not read all the time
    except KeyboardInterrupt:
        pass


def describe(store: Path, standings: "list[Standing]") -> list[str]:
    """Return what is told of a store, as lines."""
    if not standings:
        state = "holds no cell" if store.is_dir() else "does not exist"
        return [f"The store {str(store)!r} {state} yet; mgbench run makes cells, and --store or MGBENCH_STORE names another store."]
    lines = [f"{counted(len(standings), 'cell')}: {_counts(standings)}", *_totals(store, standings)]
    stopped = "interrupted; the same mgbench run goes on with them"
    for title, part in (("running", _running(standings)), (stopped, _interrupted(standings)), ("failures", _failures(standings))):
        if part:
            lines += ["", title, *part[:_MOST], *([f"  and {len(part) - _MOST} more"] if len(part) > _MOST else [])]
    if any(line == "failures" for line in lines):
        lines += ["", "mgbench explain tells more of each failure, and mgbench explain CELL of one cell."]
    return [line for text in lines for line in text.split("\n")]


def _counts(standings: "list[Standing]") -> str:
    found = Counter(one.status for one in standings)
    words = [*(word for word in _ORDER if word in found), *(word for word, _ in found.most_common() if word not in _ORDER)]
    stale = sum(one.status == "ok" and bool(one.stale) for one in standings)
    return ", ".join(f"{found[word]} {word}{f' ({stale} stale)' if stale and word == 'ok' else ''}" for word in words)


def _totals(store: Path, standings: "list[Standing]") -> list[str]:
    from mgbench.cli.watch import clock

    spent = sum(one.seconds or 0.0 for one in standings)
    return [f"spent {clock(spent)}; disk {size(_bytes(store))} in {store}", *_left(standings)]


def _left(standings: "list[Standing]") -> list[str]:
    """Return the time that is left: what the running cells say, and what the kin of the others cost."""
    from mgbench.cli.watch import clock
    from mgbench.timing import read_costs

    running = sum(one.status == "running" for one in standings)
    unfinished = [one for one in standings if one.status in {"running", "pending", "interrupted"}]
    if not unfinished:
        return []
    costs = read_costs(one.stored for one in standings if one.status == "ok")
    seconds = [_seconds_left(one, costs) for one in unfinished]
    known = [value for value in seconds if value is not None]
    unknown = len(seconds) - len(known)
    parts = [f"about {clock(sum(known) / max(running, 1))}"] if known else []
    parts += [f"{counted(unknown, 'cell')} of unknown length"] if unknown else []
    return [f"left {' and '.join(parts)}{f', {running} at a time' if running > 1 else '' if running else ', but nothing runs'}"]


def _seconds_left(one: "Standing", costs: "Costs") -> float | None:
    if "seconds_left" in one.progress:
        return float(one.progress["seconds_left"])
    whole = None if one.cell is None else costs.seconds(one.cell)
    return whole if whole is None or one.status != "running" else max(whole - (one.seconds or 0.0), 0.0)


def _running(standings: "list[Standing]") -> list[str]:
    from mgbench.cli.watch import clock, progress_text

    def told(one: "Standing") -> str:
        since = "" if one.seconds is None else f"for {clock(one.seconds)}, "
        return f"    {progress_text(one.progress) if one.progress else 'starts'}  ({since}{one.host} pid {one.owner['pid']})"

    return [f"  {one.name}\n{told(one)}" for one in standings if one.status == "running"]


def _interrupted(standings: "list[Standing]") -> list[str]:
    return columns([(one.name, f"at {one.reached}" if one.reached else "") for one in standings if one.status == "interrupted"])


def _failures(standings: "list[Standing]") -> list[str]:
    from mgbench.failures import group_failures

    rows = []
    for group in group_failures(standings):
        reason = group.cells[0].first_line
        rows.append((group.statuses, shortened(group.fingerprint), "" if reason == group.fingerprint else shortened(reason)))
    return columns(rows)


def _bytes(folder: Path) -> int:
    """Return what all files below a folder hold."""
    total, open_ = 0, [folder]
    while open_:
        try:
            with os.scandir(open_.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        open_.append(Path(entry))
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:  # it went meanwhile
            continue
    return total
