"""Figures as tables print them: shares in percent, intervals, differences with their p-values."""


def percent(value: float | None, deviation: float | None = None) -> str:
    """Return a share in percent, and its deviation over seeds where there is one; nothing of what is not known."""
    if value is None:
        return ""
    return f"{100 * value:.1f}" if deviation is None else f"{100 * value:.1f} ± {100 * deviation:.1f}"


def span_text(span: tuple[float, float] | None) -> str:
    """Return an interval in whole percent, nothing where there is none."""
    return "" if span is None else f"{100 * span[0]:.0f} to {100 * span[1]:.0f}"


def difference_text(gap: float, p: float | None) -> str:
    """Return a difference in points, and its p-value where there is one."""
    shown = "" if p is None else f" (p = {p:.3f})" if p >= 0.0005 else " (p < 0.001)"  # noqa: PLR2004 - rounding
    return f"{100 * gap:+.1f}{shown}"
