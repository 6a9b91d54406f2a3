"""Options that several commands share."""

from collections.abc import Callable

import pytest
from click.testing import Result


Command = Callable[..., Result]


@pytest.mark.parametrize(("given", "said"), [("", "got an empty text; name a folder."), ("runs\udcff", "which is no UTF-8; name another")])
@pytest.mark.parametrize("option", ["--store", "--data-root"])
def test_a_folder_that_cannot_be_meant_is_refused(mgbench: Command, option: str, given: str, said: str) -> None:
    """An empty text, as an unset variable leaves it, and bytes that are no text, are no folders."""
    done = mgbench("run", "-d", "synthetic", "-m", "untrained", option, given)

    assert done.exit_code == 2
    assert said in " ".join(done.output.replace("\u2502", " ").split())
