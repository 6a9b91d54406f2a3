"""Plain text that reads the same on a terminal and in a pipe of any width."""

from collections.abc import Iterable, Sequence


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


def counted(number: int, word: str) -> str:
    """Return a number with its noun: 1 cell, 3 cells."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def shortened(text: str, most: int = 140) -> str:
    """Return a text of at most so many characters, without those that would move the cursor; what is cut off ends in `...`."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return plain if len(plain) <= most else f"{plain[: most - 3]}..."
