"""Words of the sentences that mgbench prints, and of its files' names."""

import re


def counted(number: int, word: str) -> str:
    """Return a number with its noun: 1 clip, 2,000 clips, 3 classes."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}{'es' if word.endswith('s') else 's'}"


def slug_of(text: str) -> str:
    """Return a text in letters that every file system takes."""
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-")
