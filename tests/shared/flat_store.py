"""Stores of a tiny method that was really trained, for tests of what reads them."""

from pathlib import Path

from click.testing import CliRunner

from mgbench.cli import main


ZOO = Path(__file__).parent.parent / "zoo.py"


def run_flat(store: Path, *more: str) -> Path:
    """Train `supervised` with the encoder `flat` on `waves` for two steps of eight clips, and return the store."""
    words = ["run", "-d", "waves", "-e", "flat", "-m", "supervised", "--steps", "2", "--batch-size", "8", *more]
    done = CliRunner().invoke(main, [*words, "--plugin", str(ZOO), "--store", str(store)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return store
