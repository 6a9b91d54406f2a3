r"""A table to be printed, and its three formats: Markdown, LaTeX and CSV. A sheet holds plain text; each format makes it harmless.

Names come from plugins and from records of others, so a text may hold anything: no format lets it end a cell, a row or a paragraph,
hide a link behind words, call a macro, or be computed by a spreadsheet.
"""

import csv
import io
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import attrs

from mgbench.shape import shown


#: What Markdown, HTML and the mathematics of GitHub read as anything but themselves, among it a bracket that would make a link or define
#: one, and an underscore that is not inside a word. Each way begins with a letter and looks around afterwards, which is found fast.
_MARKDOWN: Final = re.compile(r"[|`*\\$~#&<>]|[(:\[](?<=\].)|_(?:(?<![^\W_]_)|(?![^\W_]))")
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
#: What begins a list, a rule or a heading's underline where it begins a paragraph.
_BLOCK: Final = re.compile(r"[+=-]|\d+[.)]")
_MACROS: Final = (
    {letter: f"\\{letter}" for letter in "&%$#_{}"}
    | {letter: f"{{{letter}}}" for letter in "[]*"}  # `\\*` and `\\[` are commands of rows
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "`": r"\textasciigrave{}", '"': "''"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "\N{EN DASH}": r"\textendash{}", "—": r"\textemdash{}"}
    | {"±": r"\textpm{}", "\N{MULTIPLICATION SIGN}": r"\texttimes{}", "\N{MINUS SIGN}": "$-$", "…": r"\dots{}", "°": r"\textdegree{}"}
    | {"≈": r"$\approx$", "≤": r"$\leq$", "≥": r"$\geq$", "→": r"$\rightarrow$"}
)  # fmt: skip
_LATEX: Final = re.compile(f"[{re.escape(''.join(_MACROS))}]|-(?=-)")  # two hyphens would join to a dash
#: What spreadsheets take for the beginning of a formula, full-width forms among them, and what of it is a number or a difference.
_FORMULA: Final = re.compile(r"[=+\-@\uff0b\uff0d\uff1d\uff20].")
_NUMBER: Final = re.compile(r"[+-]?[\d.][\d.,% ±()p=<]*(?:[eE][+-]?\d+)?")
#: Texts of which a format keeps what it made: most cells of large boards are like others.
_REMEMBERED: Final = 2**16


@attrs.frozen
class Sheet:
    """A table to be printed: a title, sentences about it, heads, rows of texts; `ValueError` where a row has not a text for each head."""

    title: str
    about: tuple[str, ...]
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __attrs_post_init__(self) -> None:
        """Refuse what is no table."""
        if len(set(self.heads)) != len(self.heads) or not self.heads:
            msg = f"The sheet {self.title!r} has the heads {self.heads}; it needs at least one, and no two alike."
            raise ValueError(msg)
        for row in self.rows:
            if len(row) != len(self.heads):
                msg = f"The sheet {self.title!r} has a row of {len(row)} texts under {len(self.heads)} heads; give one a head."
                raise ValueError(msg)

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether all texts of a column are numbers, so that it is set to the right."""
        columns = [{row[place] for row in self.rows} - {""} for place in range(len(self.heads))]
        return tuple(bool(column) and all(map(_is_number, column)) for column in columns)


@lru_cache(_REMEMBERED)
def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def _line(text: str) -> str:
    """Return text on one line, without what terminals and files obey."""
    return shown(" ".join(text.split()))


@lru_cache(_REMEMBERED)
def escape(text: str) -> str:
    """Return text that Markdown and HTML show as it is, on one line, and that breaks no table; it may still begin a list or a heading."""
    return _MARKDOWN.sub(lambda found: _ENTITIES.get(found[0], f"&#{ord(found[0])};"), _line(text))


def markdown(sheet: Sheet) -> str:
    """Return a sheet as a Markdown section: title, sentences, table."""
    marks = ["---:" if right else "---" for right in sheet.numeric]
    rows = [list(map(escape, row)) for row in (sheet.heads, *sheet.rows)]
    table = [f"| {' | '.join(row)} |" for row in (rows[0], marks, *rows[1:])]
    return "\n\n".join([f"## {escape(sheet.title)}", *map(_paragraph, sheet.about), "\n".join(table)]) + "\n"


def _paragraph(text: str) -> str:
    text = escape(text)
    return f"&#{ord(text[0])};{text[1:]}" if _BLOCK.match(text) else text


def latex(sheet: Sheet) -> str:
    r"""Return a sheet as a LaTeX table in the style of booktabs, its sentences below it; the document says `\usepackage{booktabs}`."""
    head, *rows = [f"{' & '.join(map(_latex, row))} \\\\" for row in (sheet.heads, *sheet.rows)]
    about = [rf"  \par\footnotesize {_latex(text)}" for text in sheet.about]
    columns = "".join("r" if right else "l" for right in sheet.numeric)
    begin = [r"\begin{table}", r"  \centering", f"  \\caption{{{_latex(sheet.title)}}}", f"  \\begin{{tabular}}{{{columns}}}"]
    body = [f"    {line}" for line in (r"\toprule", head, r"\midrule", *rows, r"\bottomrule")]
    return "\n".join([*begin, *body, r"  \end{tabular}", *about, r"\end{table}"]) + "\n"


@lru_cache(_REMEMBERED)
def _latex(text: str) -> str:
    return _LATEX.sub(lambda found: _MACROS.get(found[0], "-{}"), _line(text))


def csv_text(sheets: Iterable[Sheet]) -> str:
    """Return the rows of sheets as one CSV file: the title of their sheet, then the columns of all; empty where a sheet has no such one.

    Sentences are left out: a program reads this. Boards are also opened in spreadsheets, which compute a cell that begins with `=`, `+`,
    `-` or `@`, and names in a merged board are other people's; such a cell gets an apostrophe before it, unless it is a number or a
    difference like `+1.2 (p = 0.03)`, which stay as they are for whoever computes with them.
    """
    kept = tuple(sheets)
    heads = list(dict.fromkeys(head for sheet in kept for head in sheet.heads))
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(["table", *map(_cell, heads)])
    for sheet in kept:
        place = {head: number for number, head in enumerate(sheet.heads)}
        order = [place.get(head, len(place)) for head in heads]
        for row in sheet.rows:
            texts = [*map(_cell, row), ""]
            rows.writerow([_cell(sheet.title), *(texts[number] for number in order)])
    return written.getvalue()


@lru_cache(_REMEMBERED)
def _cell(text: str) -> str:
    text = _line(text)
    return f"'{text}" if _FORMULA.match(text) and not _is_number(text) else text
