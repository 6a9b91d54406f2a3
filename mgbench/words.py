"""Words of the sentences that mgbench prints."""


def counted(number: int, word: str) -> str:
    """Return a number with its noun: 1 clip, 2,000 clips, 3 classes."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}{'es' if word.endswith('s') else 's'}"
