"""The errors that a user can cause, and the words in which they are told."""

import difflib
from collections.abc import Iterable


class MgbenchError(Exception):
    """Something a user can mend; its text is one sentence, and the command line prints only that."""


class SpecError(MgbenchError):
    """A name, parameter or value that no component has."""


class PluginError(MgbenchError):
    """A plugin or component that breaks its contract."""


class DataError(MgbenchError):
    """Data that is missing, malformed or inconsistent."""


class MissingDataError(DataError):
    """Data that is not there at all."""


def nearest(got: str, allowed: Iterable[str]) -> str:
    """Return the end of a sentence that names the closest allowed word, or else all of them."""
    choices = sorted(allowed)
    close = difflib.get_close_matches(got, choices, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"choose from {', '.join(choices)}." if choices else "none is installed."
