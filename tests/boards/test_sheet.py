"""A sheet in its three formats: whatever its texts hold, they stay texts."""

import csv
import io
import re

import polars
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mgbench.boards.sheet import Sheet, csv_text, escape, latex, markdown


SHEET = Sheet("Two", ("A sentence.",), ("name", "top-1", "vs"), (("one", "63.50", "+1.2 (p = 0.03)"), ("two", "4 ± 1", "")))
HOSTILE = [
    "<script>alert(1)</script>|",
    "a\nb",
    "a\r\nb",
    "a\u2028b",
    "a\x85b",
    "`code`",
    "a\\|b",
    "![x](http://e.org/p.png)",
    "$x$",
    "_a_",
    "__b__",
]
TEXTS = st.text() | st.sampled_from(HOSTILE)


def test_each_format_has_the_whole_table() -> None:
    """Title, sentences, heads and rows; columns of numbers are set to the right."""
    assert markdown(SHEET) == (
        "## Two\n\nA sentence.\n\n| name | top-1 | vs |\n| --- | ---: | ---: |\n| one | 63.50 | +1.2 (p = 0.03) |\n| two | 4 ± 1 |  |\n"
    )
    assert latex(SHEET).splitlines() == [
        r"\begin{table}",
        r"  \centering",
        r"  \caption{Two}",
        r"  \begin{tabular}{lrr}",
        r"    \toprule",
        r"    name & top-1 & vs \\",
        r"    \midrule",
        r"    one & 63.50 & +1.2 (p = 0.03) \\",
        r"    two & 4 \textpm{} 1 &  \\",
        r"    \bottomrule",
        r"  \end{tabular}",
        r"  \par\footnotesize A sentence.",
        r"\end{table}",
    ]
    assert csv_text([SHEET]) == "table,name,top-1,vs\nTwo,one,63.50,+1.2 (p = 0.03)\nTwo,two,4 ± 1,\n"


@given(TEXTS)
@example("<script>|")
@example("&#124;")
def test_markdown_shows_text_and_nothing_else(text: str) -> None:
    """No line break, pipe, tag, code, mathematics, emphasis or link survives, and entities do not come from the text."""
    shown = escape(text)

    assert shown == " ".join(shown.splitlines())
    assert not set("|<>`*\\$~") & set(shown)
    assert "](" not in shown
    assert not re.search(r"(^|[^\w])_|_([^\w]|$)", shown)
    assert shown.count("&") == len(re.findall(r"&(?:#\d+|amp|lt|gt);", shown))


@given(TEXTS, st.lists(st.tuples(TEXTS, TEXTS), max_size=3))
@example("# x", [("- x", "1. x")])
def test_a_hostile_sheet_keeps_its_shape(text: str, rows: list[tuple[str, str]]) -> None:
    """Every format has as many lines, rows and columns as the sheet, whatever its texts."""
    sheet = Sheet(text, (text,), ("name", "other"), tuple(rows))
    table = markdown(sheet).split("\n\n")[-1].splitlines()
    typeset = latex(sheet).splitlines()
    kept = list(csv.reader(io.StringIO(csv_text([sheet]))))

    assert [line.count("|") for line in table] == [3] * (len(rows) + 2)
    assert len(typeset) == len(rows) + 11
    assert all(len(re.findall(r"(?<!\\)&", line)) == 1 for line in typeset[7 : 7 + len(rows)])
    assert [len(row) for row in kept] == [3] * (len(rows) + 1)


@pytest.mark.parametrize("text", ["# a", "- a", "+ a", "1. a", "12) a", "=== a", "---"])
def test_a_sentence_begins_no_list_and_no_heading(text: str) -> None:
    """Markdown reads its first character as itself."""
    assert f"\n\n&#{ord(text[0])};" in markdown(Sheet("a", (text,), ("b",), ()))


@pytest.mark.parametrize(("text", "typeset"), [
    (r"50% & $5 #1 a_b {c} \x", r"50\% \& \$5 \#1 a\_b \{c\} \textbackslash{}x"),
    ("~ ^ ` \" ' < > |", r"\textasciitilde{} \textasciicircum{} \textasciigrave{} '' ' \textless{} \textgreater{} \textbar{}"),
    ("[a] b*", "{[}a{]} b{*}"),
    ("36--40 a---b x-y", "36-{}-40 a-{}-{}-b x-y"),
    ("36–40 4 ± 1 −2 3 × 4", r"36\textendash{}40 4 \textpm{} 1 $-$2 3 \texttimes{} 4"),  # noqa: RUF001 - those are the point
    (r"\input{/etc/passwd}", r"\textbackslash{}input\{/etc/passwd\}"),
])  # fmt: skip
def test_latex_shows_special_characters(text: str, typeset: str) -> None:
    """Each is a command or in braces; so are brackets and stars, which the end of a row would take for its own; hyphens join to no dash."""
    assert rf"    {typeset} \\" in latex(Sheet("a", (), ("b",), ((text,),))).splitlines()


@pytest.mark.parametrize(("text", "cell"), [
    ("=HYPERLINK(1)", "'=HYPERLINK(1)"), ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"), ("-1+cmd|x!A0", "'-1+cmd|x!A0"),
    ("@SUM(A1)", "'@SUM(A1)"),
    (" \t=1", "'=1"), ("＝1", "'＝1"),  # noqa: RUF001 - spreadsheets take full-width forms too
    ("-3.2", "-3.2"), ("+1.2 (p = 0.03)", "+1.2 (p = 0.03)"), ("-1e-05", "-1e-05"), ("-", "-"),
    ("mgrl[lr=1]", "mgrl[lr=1]"), ("a,b\nc", "a,b c"),
])  # fmt: skip
def test_no_spreadsheet_computes_a_cell(text: str, cell: str) -> None:
    """What would begin a formula gets an apostrophe, in titles and heads too; numbers and differences stay numbers."""
    kept = list(csv.reader(io.StringIO(csv_text([Sheet(text, (), (text,), ((text,),))]))))

    assert kept == [["table", cell], [cell, cell]]


def test_sheets_share_one_csv() -> None:
    """Columns are those of all sheets, in order of appearance, and a reader of tables takes the file as it is."""
    other = Sheet("Other", (), ("top-1", "year"), (("38.5", "2024"),))
    read = polars.read_csv(io.StringIO(csv_text([SHEET, other])), infer_schema=False)

    assert read.columns == ["table", "name", "top-1", "vs", "year"]
    assert read.rows()[-1] == ("Other", None, "38.5", None, "2024")


@pytest.mark.parametrize(("heads", "row", "said"), [
    (("a", "b"), ("1",), "The sheet 'x' has a row of 1 texts under 2 heads; give one a head."),
    (("a", "a"), ("1", "2"), "The sheet 'x' has the heads ('a', 'a'); it needs at least one, and no two alike."),
    ((), (), "The sheet 'x' has the heads (); it needs at least one, and no two alike."),
])  # fmt: skip
def test_what_is_no_table_is_refused(heads: tuple[str, ...], row: tuple[str, ...], said: str) -> None:
    """A row without a text for each head, and heads that cannot be told apart."""
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        Sheet("x", (), heads, (row,))
