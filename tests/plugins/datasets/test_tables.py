"""Tables of numbers: read bit for bit whatever is harmless, and everything else told in words."""

import gzip
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from mgbench_plugins.datasets.tables import read_integers, read_matrix, read_text

from mgbench import DataError


def as_csv(x: npt.NDArray[np.float32]) -> str:
    """Write a table."""
    return "".join(",".join(map(repr, row)) + "\n" for row in x.astype(float).tolist())


def read(text: str, columns: int = 4, used: tuple[int, ...] = (0, 1, 2), skip: int = 0) -> npt.NDArray[np.float32]:
    """Read three of four columns."""
    return read_matrix(Path("x.csv"), text.encode(), columns, used, "2 x 2", skip)


@settings(derandomize=True, deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(
    x=arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 5), st.integers(2, 6)),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    ),
    skip=st.integers(0, 2),
)
def test_a_table_comes_back(x: npt.NDArray[np.float32], skip: int) -> None:
    """Numbers that are written and read come back bit for bit, in the order of the columns asked for."""
    used = tuple(reversed(range(x.shape[1])))
    np.testing.assert_array_equal(read("a,b\n" * skip + as_csv(x), x.shape[1], used, skip), x[:, ::-1])


@pytest.mark.parametrize("change", ["\r\n", "spaces", "mark", "unread", "no last line end", "empty last lines"])
def test_harmless_variants_read_alike(change: str) -> None:
    """Line ends of Windows, spaces, a byte-order mark, and anything in columns that are not read change nothing."""
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    text = as_csv(x)
    changed = {
        "\r\n": text.replace("\n", "\r\n"),
        "spaces": text.replace(",", ", "),
        "mark": "\ufeff" + text,
        "unread": re.sub(r"(?m),[^,]*$", ',"', text),
        "no last line end": text.rstrip(),
        "empty last lines": text + "\n \n",
    }
    np.testing.assert_array_equal(read(changed[change]), x[:, :3])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,2,3,4\n1,2,3\n", "'x.csv', line 2 has 3 columns; each has 2 x 2 = 4: copy the file again if it is cut off."),
        ("1,2,3,4\n\n1,2,3,4\n", "'x.csv', line 2 has 1 columns; each has 2 x 2 = 4: copy the file again if it is cut off."),
        ("1,2,3,4,5\n1,2,3,4\n", "'x.csv', line 1 has 5 columns; each has 2 x 2 = 4: copy the file again if it is cut off."),
        (
            "1;2;3;4\n",
            "'x.csv', line 1 has 1 columns; each has 2 x 2 = 4: write commas between columns, not semicolons, and points in numbers.",
        ),
        (
            "0,1;0,2;3;4\n",
            "'x.csv', line 1 has 3 columns; each has 2 x 2 = 4: write commas between columns, not semicolons, and points in numbers.",
        ),
        (
            "1\t2\t3\t4\n",
            "'x.csv', line 1 has 1 columns; each has 2 x 2 = 4: write commas between columns, not tabs, and points in numbers.",
        ),
        ("1,2,3,4\n1,two,3,4\n", "'x.csv', line 2, column 2 holds 'two'; a coordinate is a finite number."),
        ("1,2,,4\n", "'x.csv', line 1, column 3 holds ''; a coordinate is a finite number."),
        ("nan,2,3,4\n", "'x.csv', line 1, column 1 holds 'nan'; a coordinate is a finite number."),
        ("1,2,3,4\n1,2,-inf,4\n", "'x.csv', line 2, column 3 holds '-inf'; a coordinate is a finite number."),
        ("1e39,2,3,4\n", "'x.csv', line 1, column 1 holds '1e39'; a coordinate is a finite number."),
    ],
)
def test_a_malformed_table_names_line_and_rule(text: str, said: str) -> None:
    """The first line that breaks a rule is told, whichever reader stumbled over it."""
    with pytest.raises(DataError, match=f"^{re.escape(said)}$"):
        read(text)
    with pytest.raises(DataError, match=re.escape(said.partition(" line ")[2][1:])):
        read("head\n" + text, skip=1)  # counted from the top of the file


def test_a_header_alone_is_no_table() -> None:
    """A table needs a line of numbers."""
    with pytest.raises(DataError, match=r"^'x\.csv' has no frame; it needs at least one line of numbers\.$"):
        read("head\n", skip=1)


@pytest.mark.parametrize("line", ["1,2", "1,2,3,4", "1,2,3.0", "1,2,", "1,2,x", "1,2,9999999999"])
def test_whole_numbers_are_whole(line: str) -> None:
    """A line that is not so many whole numbers is told with its number."""
    with pytest.raises(DataError, match=rf"^'x', line 2 is '{re.escape(line)}'; it must be 3 whole numbers: a, b, c\.$"):
        read_integers(Path("x"), f" 1, -2 ,3\n{line}\n".encode(), 3, "a, b, c")


def test_packed_text_is_unpacked_and_cut_text_told(tmp_path: Path) -> None:
    """`.gz` is read like the text in it; one that is cut off anywhere is a `DataError`."""
    text = as_csv(np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)).encode()
    path = tmp_path / "x.csv.gz"
    whole = gzip.compress(text)
    path.write_bytes(whole)

    assert read_text(path, "it must be") == text
    for end in np.random.default_rng(0).choice(len(whole), 50, replace=False).tolist():
        path.write_bytes(whole[:end])
        with pytest.raises(DataError, match=r"x\.csv\.gz' (cannot be read \(.*\); it must be: copy it again\.|is empty; .*)$"):
            read_text(path, "it must be")


@pytest.mark.parametrize(("content", "said"), [(None, "The file {} is missing; two are there."), (b" \n", "{} is empty; it needs at")])
def test_missing_and_empty_files_are_named(content: bytes | None, said: str, tmp_path: Path) -> None:
    """A file that is not there, or holds nothing, is told by name."""
    path = tmp_path / "x.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=f"^{re.escape(said.format(repr(str(path))))}"):
        read_text(path, "two are there")


def test_text_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    """A `.gz` out of which far more comes than numbers shrink to is refused before it is unpacked as a whole."""
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"0" * 2**26))
    with pytest.raises(DataError, match=r"x\.csv\.gz' holds more than \d+ bytes in \d+; a text does not shrink more than 100 times\.$"):
        read_text(path, "")
