"""Published numbers: the file that comes with mgbench is sound, and what another one gets wrong is told in one sentence."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mgbench.boards.number import Number
from mgbench.boards.published import published_sheets, read_published
from mgbench.boards.sheet import csv_text, latex, markdown
from mgbench.catalogue import Catalogue
from mgbench.errors import SpecError
from mgbench.registry import Registry, installed_plugins, registry
from mgbench.study import load_study, study_names


FILE = Path(__file__).parents[2] / "mgbench" / "boards" / "published.toml"
SOURCE = 'key = "one"\nwork = "One: A Work"\nseen = "the paper"\nprotocol = "As it is."\ncaveats = "None."\n'
ROW = 'source = "one"\ndataset = "smg"\nprotocol = "xsub"\nmodality = "skeleton"\nlabels = "supervised"\n'


@pytest.fixture(name="numbers", scope="module")
def _numbers() -> tuple[Number, ...]:
    return read_published(FILE)


def _write(path: Path, *tables: str, source: str = SOURCE) -> Path:
    file = path / "own.toml"
    file.write_text("".join([f"[[source]]\n{source}", *(f"[[table]]\n{table}\n" for table in tables)]))
    return file


def test_systems_are_components(numbers: tuple[Number, ...]) -> None:
    """Every spec of the file names one component that is installed; a system has a method and an encoder."""
    catalogue = Catalogue(Registry(installed_plugins()))

    for number in numbers:
        written = {axis: catalogue.written(axis, text) for axis, text in number.ours.items()}

        assert not written or {"method", "encoder"} <= written.keys(), number


def test_data_sets_are_components_with_these_protocols(numbers: tuple[Number, ...]) -> None:
    """A protocol is a word of the data set's own where it has words, but for what is marked as other data."""
    for dataset, protocol in {(number.dataset, number.protocol) for number in numbers}:
        component: Any = registry().parse("dataset", dataset)
        if dataset != "smg" and "other data" not in protocol:
            registry().parse("dataset", f"{dataset}[protocol={protocol}]")

        assert component.name == dataset


@pytest.mark.parametrize(("source", "dataset", "system", "value"), [
    ("mgrl", "smg", "MGRL(ours)", "63.5"),
    ("mgrl", "smg", "MGRL, skeleton-merge + centralization, prior-guided (threshold 2)", "63.50"),
    ("mgrl", "smg", "MGRL, 20% augmentation ratio", "59.06"),
    ("mgrl", "imigue", "PSTL", "37.6"),
    ("edgcn", "smg", "MSG3D, full model (13, 6)", "37.2"),
    ("edgcn", "smg", "Pre-trained NTU (MA)", "40.2"),
    ("edgcn", "imigue", "U-S-VAE Z (Encoder-Decoder)", "32.43"),
    ("edgcn", "imigue", "Pre-trained NTU", "34"),
    ("imigue", "imigue", "MS-G3D", "54.91"),
    ("smg", "smg", "ST-GCN", "41.48"),
    ("xu2025", "imigue", "Xu et al.", "67.01"),
])  # fmt: skip
def test_numbers_are_those_of_the_tables(numbers: tuple[Number, ...], source: str, dataset: str, system: str, value: str) -> None:
    """Digits are as they are printed."""
    found = {number.value for number in numbers if (number.source.key, number.dataset, number.system) == (source, dataset, system)}

    assert value in found


@pytest.mark.parametrize("name", study_names())
def test_studies_print_the_same_numbers(numbers: tuple[Number, ...], name: str) -> None:
    """Every figure that a study of a paper has stands here too, for the same system on the same data."""
    study = load_study(Path(name))
    assert study.table is not None
    known = {(number.source.key, number.place, number.dataset, number.value, tuple(sorted(number.ours.items()))) for number in numbers}
    source, place = name.split("-table")
    fixed = {axis: study.options[axis] for axis in ("method", "encoder") if axis in study.options}

    for row in study.table.rows:
        parts = {axis: text for axis, text in {**fixed, **row.parts}.items() if text != "none"}
        for dataset, value in row.published.items():
            key = (source, f"Table {'I' * int(place)}", dataset.lower() or "smg", value, tuple(sorted(parts.items())))

            assert not value or key in known


def test_a_share_is_a_percentage_with_its_digits(numbers: tuple[Number, ...]) -> None:
    """What is printed between 0 and 1 stands beside percentages."""
    online = [number for number in numbers if number.protocol == "online"]

    assert {number.value: number.percent for number in online} == {".203": Decimal("20.3"), "38.03": Decimal("38.03")}


def test_sheets_rank_what_compares(numbers: tuple[Number, ...]) -> None:
    """A protocol, metric and use of labels a sheet, the largest first; each row says what it is here and leads to its source."""
    sheets = published_sheets(numbers, "smg")
    linear = next(sheet for sheet in sheets if sheet.title == "Published on smg, subjects 36-40: top-1, self-supervised, linear")
    place = {head: number for number, head in enumerate(linear.heads)}
    values = [Decimal(row[place["top-1, %"]]) for row in linear.rows]
    first = linear.rows[0]
    mark = first[place["source"]].split()[-1]

    assert values == sorted(values, reverse=True)
    assert len(values) == 27
    assert first[place["in mgbench"]] == "mgrl / stgcn -a merge"
    assert ("MGRL(ours)", "mgrl / stgcn") in {row[:2] for row in linear.rows}
    assert ("Pre-trained NTU", "a_edgcn / edgcn pre-trained on ntu60") in {row[:2] for row in linear.rows}
    assert any(text.startswith(f"{mark} Shah, Chen and Zhao") and "this is inferred" in text for text in linear.about)
    assert sum(len(sheet.rows) for sheet in sheets) == sum(number.dataset == "smg" for number in numbers)


def test_every_data_set_is_printed_in_every_format(numbers: tuple[Number, ...]) -> None:
    """Sheets hold what the formats take; a set of which nothing is published has none."""
    for dataset in {number.dataset for number in numbers}:
        sheets = published_sheets(numbers, dataset)

        assert all(markdown(sheet) and latex(sheet) for sheet in sheets)
        assert csv_text(sheets).count("\n") == 1 + sum(len(sheet.rows) for sheet in sheets)
    assert published_sheets(numbers, "wmft") == []


def test_a_row_wins_over_what_stands_above(tmp_path: Path) -> None:
    """It may also take back what stands above, by an empty text; several metrics are several numbers."""
    rows = 'row = [{ system = "a", top1 = "1.50", top5 = "2" }, { system = "b", top1 = "3", labels = "unsupervised", method = "" }]'
    first, second, third = read_published(_write(tmp_path, f'{ROW}method = "mgrl"\n{rows}'))

    assert [(number.metric, number.value) for number in (first, second, third)] == [("top1", "1.50"), ("top5", "2"), ("top1", "3")]
    assert (first.labels, first.ours, first.spec) == ("supervised", {"method": "mgrl"}, "mgrl")
    assert (third.labels, third.ours, third.spec) == ("unsupervised", {}, "")


IN_ROW, IN_TABLE, IN_SOURCE = (f"{where} of the file '{{}}'" for where in ("Row 1 of table 1", "Table 1", "Source 1"))
DIGITS = "write a number as it is printed, such as 63.50."
TWICE = "The file '{}' has two numbers of one / smg / xsub / supervised / skeleton / a / top1"
MOST = "a percentage is at most 100, a share at most 1."
GOOD = 'row = [{ system = "a", top1 = "1.5" }]'


@pytest.mark.parametrize(("table", "said"), [
    ('row = [{ system = "a", top1 = 1.5 }]', f"{IN_ROW} has the top1 1.5; write text, in quotes."),
    ('row = [{ system = "a", top1 = "1,5" }]', f"{IN_ROW} has the top1 '1,5'; {DIGITS}"),
    ('row = [{ system = "a", top1 = "nan" }]', f"{IN_ROW} has the top1 'nan'; {DIGITS}"),
    ('row = [{ system = "a", top1 = "635" }]', f"{IN_ROW} has the top1 '635'; {MOST}"),
    ('unit = "share"\nrow = [{ system = "a", f1 = "20" }]', f"{IN_ROW} has the f1 '20'; {MOST}"),
    ('row = [{ system = "a" }]', f"{IN_ROW} has no number; give it top1, top5, f1, or several of them."),
    ('row = [{ top1 = "1.5" }]', f"{IN_ROW} lacks system."),
    ('row = [{ system = " ", top1 = "1.5" }]', f"{IN_ROW} lacks system."),
    ('row = [{ sytem = "a", top1 = "1.5" }]', f"{IN_ROW} has the key 'sytem'; did you mean 'system'?"),
    ('row = [{ system = "a", top1 = "1.5", labels = "supervized" }]', f"{IN_ROW} has the labels 'supervized'; did you mean 'supervised'?"),
    ('row = [{ system = "a", top1 = "1.5", source = "oen" }]', f"{IN_ROW} has the source 'oen'; did you mean 'one'?"),
    ("", f"{IN_TABLE} has no row; see the head of mgbench/boards/published.toml for the form."),
    ("row = 3", f"{IN_TABLE} has no row; see the head of mgbench/boards/published.toml for the form."),
    (f'{GOOD[:-1]}, {{ system = "a", top1 = "2" }}]',
     f"{TWICE}; leave one out, or tell them apart by system or place."),
])  # fmt: skip
def test_a_wrong_table_is_told(tmp_path: Path, table: str, said: str) -> None:
    """What was got, where, and what is allowed."""
    file = _write(tmp_path, f"{ROW}{table}")

    with pytest.raises(SpecError, match=f"^{re.escape(said.replace('{}', str(file)))}$"):
        read_published(file)


@pytest.mark.parametrize(("source", "said"), [
    (SOURCE.replace("key", "kee"), f"{IN_SOURCE} has the key 'kee'; did you mean 'key'?"),
    (SOURCE.replace('"None."', '""'), f"{IN_SOURCE} lacks caveats."),
    (f'{SOURCE}year = "2024"\n', f"{IN_SOURCE} has the year '2024'; write a whole number, without quotes."),
    (f"{SOURCE}year = true\n", f"{IN_SOURCE} has the year True; write a whole number, without quotes."),
    (f"{SOURCE}[[source]]\n{SOURCE}",
     "Source 2 of the file '{}' has the key 'one', as an earlier one has; call one of them something else."),
    (f"{SOURCE}[[source]]\n{SOURCE.replace('one', 'two')}",
     "The file '{}' has no number of the source 'two'; add a [[table]] of it, or leave the source out."),
    (f"{SOURCE}[sources]\n", "The file '{}' has the key 'sources'; did you mean 'source'?"),
])  # fmt: skip
def test_a_wrong_source_is_told(tmp_path: Path, source: str, said: str) -> None:
    """What was got, where, and what is allowed."""
    file = _write(tmp_path, f"{ROW}{GOOD}", source=source)

    with pytest.raises(SpecError, match=f"^{re.escape(said.replace('{}', str(file)))}$"):
        read_published(file)


@pytest.mark.parametrize(("content", "said"), [
    (b"[[source", "is no TOML: "), (b"\xff", "is no TOML: "), (b"", "has no source; see the head of "),
    (b"source = 3", "has the source 3; write a list."),
])  # fmt: skip
def test_what_is_no_such_file_is_told(tmp_path: Path, content: bytes, said: str) -> None:
    """The file is named."""
    file = tmp_path / "own.toml"
    file.write_bytes(content)

    with pytest.raises(SpecError, match=f"^The file {re.escape(repr(str(file)))} {re.escape(said)}"):
        read_published(file)
    with pytest.raises(SpecError, match=r"^The file '.*none\.toml' cannot be read: No such file or directory\.$"):
        read_published(tmp_path / "none.toml")
