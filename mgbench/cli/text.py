"""Plain text that reads the same on a terminal and in a pipe of any width."""

import sys
from collections.abc import Iterable, Sequence
from typing import Final

import rich_click as click


#: So much that is wrong is told line by line.
_MOST: Final = 20


def columns(rows: Iterable[Sequence[str]], indent: str = "  ", right: Iterable[int] = ()) -> list[str]:
    """Return rows as lines with aligned columns; those whose numbers are in `right` are flush right."""
    table, flush = [list(row) for row in rows], set(right)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [(indent + "  ".join(f"{word:{'>' if i in flush else '<'}{widths[i]}}" for i, word in enumerate(row))).rstrip() for row in table]


def size(count: float) -> str:
    """Return a number of bytes as people say it: 812 B, 3.4 MiB."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1000:  # noqa: PLR2004 - three digits
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def shortened(text: str, most: int = 140) -> str:
    """Return a text of at most so many characters, without those that would move the cursor; what is cut off ends in `...`."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return plain if len(plain) <= most else f"{plain[: most - 3]}..."


def refuse(wrong: Sequence[str]) -> None:
    """Tell what is wrong, the first of it line by line, and end with the exit status 1; do nothing where nothing is."""
    for line in wrong[:_MOST]:
        click.echo(f"Error: {line}", err=True)
    if len(wrong) > _MOST:
        click.echo(f"Error: and {len(wrong) - _MOST} more.", err=True)
    if wrong:
        sys.exit(1)
