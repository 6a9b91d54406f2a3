"""`mgbench plan`: what `run` would do, what it would cost, and what the test split can tell, before anything runs."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import rich_click as click

from mgbench.cli.axes import GridOptions, grid_options, kept_halves, open_catalogue, plan_of, read_seeds, split_options
from mgbench.cli.options import json_option
from mgbench.cli.run import limit_options, read_limits
from mgbench.cli.watch import clock
from mgbench.errors import MissingDataError


if TYPE_CHECKING:
    from mgbench.part import Part
    from mgbench.plan import Planned
    from mgbench.timing import Costs


#: So many lines of the table are printed; the rest is counted.
_MOST: Final = 60


@click.command("plan")
@grid_options
@limit_options
@json_option
@click.pass_context
def plan_command(ctx: click.Context, /, **given: Any) -> None:  # noqa: ANN401 - click passes every option by name
    """List the cells that `run` would make with the same options: where each stands, what is left, its cost, and what it can show.

    Nothing is run or written. Times come from finished cells of the same store.
    """
    from mgbench.snapshot import read_cells
    from mgbench.timing import read_costs

    options, rest = split_options(ctx, given)
    read_limits(rest)
    catalogue = open_catalogue(options)
    planned = plan_of(options, catalogue)
    planned += kept_halves(planned, options, catalogue)
    store, root = options.places
    costs = read_costs(read_cells(store).values())
    if rest["as_json"]:
        for one in planned:
            click.echo(json.dumps(_row(one, costs)))
        return
    for line in (*_table(planned, costs), "", *_stages(planned), *_cost(planned, costs, options.workers)):
        click.echo(line)
    for dataset in dict.fromkeys(one.cell.dataset for one in planned):
        click.echo(_power(dataset, options, store, root))


def _row(one: "Planned", costs: "Costs") -> dict[str, Any]:
    cell = one.cell
    return {
        "cell": one.folder.path.name,
        **{kind: part and str(part) for kind, part in (("dataset", cell.dataset), ("encoder", cell.encoder), ("method", cell.method))},
        "augmentation": cell.augmentation,
        "stream": cell.stream,
        "seed": cell.seed,
        "status": one.status,
        "reason": one.reason,
        "stale": one.stale,
        "trains": one.trains,
        "evaluates": [str(evaluator) for evaluator in one.todo],
        "seconds": costs.seconds(cell) if one.trains else None,
    }


def _table(planned: "list[Planned]", costs: "Costs") -> list[str]:
    """Return one line for all seeds of a combination: how many cells, how they stand, and what is left of them."""
    groups: dict[tuple[str, ...], list[Planned]] = {}
    for one in planned:
        cell = one.cell
        bare = [", ".join(map(str, cell.evaluators))] if cell.method is None else []
        words = [*map(str, cell.parts), *bare] + [word for word in (cell.augmentation, cell.stream) if word not in {"default", "joint"}]
        groups.setdefault(tuple(words), []).append(one)
    lines = []
    for names, group in list(groups.items())[:_MOST]:
        stands = Counter(f"{one.status}{' (stale)' if one.stale else ''}" for one in group)
        seconds = [costs.seconds(one.cell) for one in group if one.runs and one.trains]
        known = [value for value in seconds if value is not None]
        left = f"  {clock(sum(known))}" if known and len(known) == len(seconds) else ""
        reason = next((f"  {one.reason}" for one in group if one.status == "skipped"), "")
        lines.append(f"{' / '.join(names)}: {', '.join(f'{count} {kind}' for kind, count in stands.items())}{left}{reason}")
    if len(groups) > _MOST:
        lines.append(f"... and {len(groups) - _MOST} more combinations; --json lists every cell.")
    return lines


def _stages(planned: "list[Planned]") -> list[str]:
    """Return what is shared and what is left: data sets are packed once, a cell is trained and embedded once for all evaluators."""
    learned = [one for one in planned if one.cell.method is not None and one.status != "skipped"]
    rows = sum(len(one.cell.evaluators) for one in planned if one.status != "skipped")
    skipped, sets = sum(one.status == "skipped" for one in planned), len({one.cell.dataset for one in planned})
    training, scoring = sum(one.trains for one in learned), sum(len(one.todo) for one in planned)
    return [
        f"{len(planned)} cells ({skipped} skipped) of {sets} data {'set' if sets == 1 else 'sets'}",
        f"to train {training} of {len(learned)}, to evaluate {scoring} of {rows} rows",
    ]


def _cost(planned: "list[Planned]", costs: "Costs", workers: int) -> list[str]:
    left = [one.cell for one in planned if one.trains]
    seconds = [value for value in map(costs.seconds, left) if value is not None]
    size = sum(found.size for found in map(costs.of, left) if found is not None)
    if not left:
        return ["nothing is left to train"]
    if not seconds:
        return ["time and disk: unknown until a cell like these has finished"]
    missing = f", without {len(left) - len(seconds)} cells that nothing finished resembles" if len(seconds) < len(left) else ""
    hours = sum(seconds) / 3600
    return [
        f"about {hours:.1f} hours of work, {clock(sum(seconds) / workers)} with --workers {workers}{missing}; disk {size / 2**20:.0f} MiB"
    ]


def _power(dataset: "Part", options: GridOptions, store: Path, root: Path) -> str:
    """Return what the split that is scored can resolve."""
    from mgbench.clips import open_clips
    from mgbench.fingerprint import packed_folder
    from mgbench.stats import smallest_difference

    split = "val" if options.select else "test"
    try:
        folder = packed_folder(dataset, root, store / "data") / split
    except MissingDataError as error:
        return f"{dataset}: {str(error).partition(';')[0]}"
    if not folder.is_dir():
        return f"{dataset}: not packed yet, so the size of its {split} split is unknown"
    clips, seeds = open_clips(folder), len(read_seeds(options.seeds))
    _, counts = np.unique(clips.subject, return_counts=True)
    found = smallest_difference(counts, seeds)
    about = f"{dataset}: {len(clips)} {split} clips of {len(counts)} subjects"
    if found is None:
        return f"{about}; fewer than six subjects can show no difference at p < 0.05"
    trained = "1 seed" if seeds == 1 else f"{seeds} seeds"
    return f"{about}; with {trained} a difference of about {100 * found:.0f} points can be shown (80 % power)"
