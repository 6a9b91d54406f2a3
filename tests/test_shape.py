"""What a cell's files must look like, and words as terminals and files can take them."""

from pathlib import Path
from typing import Any

import pytest

from mgbench.shape import check_metrics, check_status, shown, sound_progress
from mgbench.store import StoreError


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain", "plain"),
        ("two\nlines\tand more", "two\nlines\tand more"),
        ("\x1b[31mred\x1b[0m \x1b]0;title\x07bell\x07", "red bell"),
        ("a\u202eb\u200fc", "abc"),
        ("half \udc80 of one", "half  of one"),
        ("grüße 中 é", "grüße 中 é"),
    ],
)
def test_words_are_fit_to_be_shown(text: str, seen: str) -> None:
    """Escapes, control characters, direction marks and lone halves go; letters of every script stay."""
    assert shown(text) == seen


def test_a_status_is_shown_as_it_was_meant() -> None:
    """A reason that somebody else stored is made fit when it is read."""
    assert check_status({"reason": "\x1b[1mno\udc80"}, Path("status.json"))["reason"] == "no"


@pytest.mark.parametrize("told", [{}, {"stage": 3}, {"stage": "pretrain", "step": "x"}, {"stage": "pretrain", "loss": []}])
def test_progress_without_sense_is_none(told: dict[str, Any]) -> None:
    """What a run tells of itself is taken whole or not at all."""
    assert sound_progress(told) == {}


def test_damage_is_one_sentence_with_a_way_out() -> None:
    """The error names the file, the wrong value, and what to do."""
    with pytest.raises(StoreError) as caught:
        check_metrics({"rows": {"knn": {"top1": "x"}}}, Path("metrics.json"))

    assert str(caught.value) == (
        "'metrics.json' is damaged (of the row 'knn', its 'top1' is 'x'); remove it, or the cell, and run the same command again."
    )
