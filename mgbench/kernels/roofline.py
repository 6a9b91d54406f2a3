"""A roofline: what each form reaches, under what the machine allows at its arithmetic intensity."""

import io
from collections.abc import Iterable

import numpy as np

from mgbench.kernels.measure import Ceilings, Row


def draw(rows: Iterable[Row], machine: Ceilings) -> bytes:
    """Return a PNG: operations a second over operations a byte, a roof a dtype, a colour a form, a sign an operator."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log", xlabel="operations / byte", ylabel="GFLOP/s")
    rows = [row for row in rows if row.least is not None]
    span = np.geomspace(0.1, 1000, 100)
    for name, flops in machine.multiply.items():
        style = "-" if name == "fp32" else "--"
        memory, cache = list(machine.copy.values())[-1], max(machine.copy.values())
        axes.plot(span, np.minimum(memory * span, flops) / 1e9, color="grey", linestyle=style, label=name)
        axes.plot(span, np.minimum(cache * span, flops) / 1e9, color="lightgrey", linestyle=style, label=f"{name}, in cache")
    signs = dict(zip(sorted({row.op for row in rows}), "osD^v", strict=False))
    colours = {form: f"C{i}" for i, form in enumerate(dict.fromkeys(row.form for row in rows))}
    for row in rows:
        assert row.least is not None  # noqa: S101 - left out above
        reached = row.flops / row.least * 1000 / 1e9
        axes.plot(row.flops / row.traffic, reached, signs[row.op], color=colours[row.form], alpha=0.7)
    for name, sign in signs.items():
        axes.plot([], [], sign, color="black", label=name)
    for form, colour in colours.items():
        axes.plot([], [], "_", color=colour, label=form)
    axes.legend(fontsize="small")
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)  # type: ignore[no-untyped-call]  # in matplotlib
    return buffer.getvalue()
