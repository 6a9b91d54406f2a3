"""`mgbench kernels`: how fast the operators are, how near the machine's limit, and whether they are right."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from mgbench.errors import SpecError, nearest


if TYPE_CHECKING:
    from mgbench.kernels.cases import Case
    from mgbench.kernels.measure import Ceilings, Row
    from mgbench.kernels.triton.launch import Machine

_DTYPES = click.Choice(["fp64", "fp32", "bf16"])
_MACHINES = click.Choice(["sm_80", "sm_90", "gfx942"])
_COLUMNS = (
    "operator", "shape", "dtype", "form", "ms, least", "median", "reference / it", "of medians", "% of limit", "GB/s", "GFLOP/s", "MB",
    "rms error", "largest", "same bits",
)  # fmt: skip


@click.group("kernels")
def kernels_command() -> None:
    """Check and measure the operators that training spends its time in."""


_only = click.option("--only", multiple=True, metavar="WORDS", help="Cases whose operator and shape hold these words; repeat for more.")
_dtypes = click.option("--dtype", "dtypes", type=_DTYPES, multiple=True, default=("fp32",), show_default=True, help="Repeat for more.")


def _chosen(only: tuple[str, ...]) -> "list[Case]":
    from mgbench.kernels.cases import CASES

    found = [case for case in CASES if not only or any(words in case.name for words in only)]
    if not found:
        msg = f"No case holds {', '.join(map(repr, only))}; {nearest(only[0], {case.op for case in CASES})}"
        raise SpecError(msg)
    return found


@kernels_command.command("check")
@_only
@_dtypes
def check_command(only: tuple[str, ...], dtypes: tuple[str, ...]) -> None:
    """Hold values and gradients of every form against float64; exits with 1 where one is wrong."""
    from mgbench.kernels.measure import DTYPES, errors, within

    wrong = 0
    for case in _chosen(only):
        for name in dtypes:
            for form, error in errors(case, DTYPES[name]).items():
                sound = within(error, DTYPES[name])
                wrong += not sound
                click.echo(f"{'ok' if sound else 'WRONG':6}{case.name:40}{name}  {form:10}rms {error[0]:.1e}  largest {error[1]:.1e}")
    if wrong:
        click.echo(f"Error: {wrong} results are not what float64 gives.", err=True)
        sys.exit(1)


@kernels_command.command("bench")
@_only
@_dtypes
@click.option("--mode", type=click.Choice(["both", "forward"]), default="both", show_default=True, help="With or without gradients.")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="In each, all forms have their turn.")
@click.option("--json", "lines", type=click.Path(path_type=Path, dir_okay=False), help="Also write a JSON line a row to this file.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Also draw the roofline to this PNG file.")
def bench_command(only: tuple[str, ...], dtypes: tuple[str, ...], mode: str, rounds: int, lines: Path | None, plot: Path | None) -> None:
    """Measure every form against the straightforward one, in turns, on one thread, in processor time.

    Errors are measured first; what is wrong has no speed. Limits follow from ceilings that are measured at the start.
    """
    import attrs
    import torch

    from mgbench.kernels.measure import bench, ceilings
    from mgbench.store import write_bytes

    cases = _chosen(only)
    for path in (lines, plot):
        if path is not None and not path.absolute().parent.is_dir():
            msg = f"There is no folder {str(path.parent)!r} to write {path.name!r} to; make it first."
            raise SpecError(msg)
    torch.set_num_threads(1)
    machine = ceilings(dtypes)
    for line in _environment(machine):
        click.echo(line)
    click.echo(f"\n| {' | '.join(_COLUMNS)} |\n{'|---' * len(_COLUMNS)}|")
    rows: list[Row] = []
    for case in cases:
        for dtype in dtypes:
            for row in bench(case, dtype, mode, rounds, machine):  # type: ignore[arg-type]  # click's choice
                rows.append(row)
                click.echo(_line(row))
    if lines:
        told = {"environment": _environment(machine)}
        write_bytes(lines, "".join(json.dumps({**attrs.asdict(row), **told}) + "\n" for row in rows).encode())
    if plot:
        from mgbench.kernels.roofline import draw

        write_bytes(plot, draw(rows, machine))


@kernels_command.command("compile")
@click.option("--machine", "machines", type=_MACHINES, multiple=True, default=_MACHINES.choices, show_default=True, help="Repeat for more.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the table to this file, not the terminal.")
def compile_command(machines: "tuple[Machine, ...]", out: Path | None) -> None:
    """Compile the Triton kernels for machines that need not be there, and print registers, spills, shared memory and tensor cores.

    It takes what `pip install "mgbench[triton]"` installs. Exit status: 0 all are within limits, 1 one is not, 2 usage error.
    """
    from importlib.util import find_spec

    from mgbench.cli.text import refuse
    from mgbench.store import write_bytes

    if find_spec("triton") is None:
        msg = "Triton is not installed; pip install 'mgbench[triton]' installs it."
        raise SpecError(msg)
    from mgbench.kernels.triton.table import compiled, page

    rows = compiled(machines)
    text = page(rows)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_bytes(out, text.encode())
        click.echo(f"wrote {out}")
    refuse([f"{row.kernel} for {row.machine} ({row.constants}) has {' and '.join(row.faults)}." for row in rows if row.faults])


def _environment(machine: "Ceilings") -> list[str]:
    """Return what figures depend on, a line each."""
    import os
    import platform

    import torch

    malloc = ", ".join(f"{key}={value}" for key, value in sorted(os.environ.items()) if key.startswith("MALLOC_")) or "as shipped"
    reached = ", ".join(f"{name} {flops / 1e9:.0f} GFLOP/s" for name, flops in machine.multiply.items())
    sizes = list(machine.copy)
    copy = f"copy {machine.copying(sizes[-1]) / 1e9:.1f} GB/s in memory and {machine.copying(sizes[0]) / 1e9:.1f} in cache"
    return [
        f"- torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}, one thread, load {os.getloadavg()[0]:.1f}",
        f"- malloc: {malloc}",
        f"- ceilings: {copy}, {reached}",
    ]


def _line(row: "Row") -> str:
    """Return a row of the table; one without times has errors alone, and says why."""
    error = f"{row.rms:.1e} | {row.largest:.1e} | {'yes' if row.steady else 'no'}"
    begin = f"| {row.op} | {row.shape} | {row.dtype} | {row.form} |"
    if row.least is None or row.median is None:
        return f"{begin} {row.why} |{' |' * 7} {error} |"
    seconds = row.least / 1000
    memory = "" if row.memory is None else f"{row.memory / 2**20:.1f}"
    rates = f"{100 * row.limit / row.least:.0f} | {row.traffic / seconds / 1e9:.1f} | {row.flops / seconds / 1e9:.1f}"
    return f"{begin} {row.least:.2f} | {row.median:.2f} | {row.ratio:.2f} | {row.ratio_of_medians:.2f} | {rates} | {memory} | {error} |"
