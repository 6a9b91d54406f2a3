"""Studies with a table: the augmentations are the rows', and measured stands beside published."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars
import pytest
from click.testing import CliRunner, Result

from mgbench.catalogue import Catalogue
from mgbench.errors import SpecError
from mgbench.registry import registry
from mgbench.store import read_json
from mgbench.study import load_study, study_names


Command = Callable[..., Result]
ZOO = Path(__file__).parent / "zoo.py"
SMALL = ("-e", "stgcn[width=4,features=16]", "--steps", "2", "--batch-size", "8", "--set", "method.mgrl.projector=16", "--plugin", ZOO)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A store in which a study was run with two seeds, and what the command printed."""
    from mgbench.cli import main

    store = tmp_path_factory.mktemp("store")
    words = ["run", "mgrl-table2", "-d", "waves", "--seeds", "2", "--no-floors", "--store", store, *SMALL]
    done = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return store, done.output


def _rows(text: str) -> dict[str, list[str]]:
    """Return the cells of a table's lines by their first one."""
    lines = [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines() if line.startswith("| ")]
    return {line[0]: line[1:] for line in lines}


@pytest.mark.parametrize("name", study_names())
def test_shipped_studies_are_sound(name: str, mgbench: Command, tmp_path: Path) -> None:
    """Every row names components that are installed, one of each axis, no two rows are the same, and the grid can be planned."""
    table = load_study(Path(name)).table
    assert table is not None
    written = table.mapped(Catalogue(registry()).written)
    assert len({tuple(row.parts.items()) for row in written.rows}) == len(table.rows)
    assert mgbench("plan", name, "--store", tmp_path).exit_code == 0


PUBLISHED = {
    "edgcn-table1": {"": "37.2 44.6 46.9"},
    "edgcn-table2": {"SMG": "- - 44.6 46.9 47.9", "iMiGUE": "31.67 32.43 36.9 36.8 37.5"},
    "edgcn-table3": {"SMG": "46.9 47.9 48.4 40.2 39.2 39.8 - -", "iMiGUE": "36.8 37.5 34 34.9 - - 35.3 34.9"},
    "mgrl-table1": {"": "52.18 58.45 59.06 57.65 38.28"},
    "mgrl-table2": {"": "52.18 38.28 39.53 47.03 58.45 63.50"},
    "mgrl-table3": {"SMG": "- - 44.6 47.9 58.4 63.5", "iMiGUE": "31.7 32.4 36.9 37.5 37.6 38.5"},
}


@pytest.mark.parametrize("name", study_names())
def test_published_numbers_are_the_papers(name: str) -> None:
    """All figures are those of the papers' tables, in their order and as they are printed."""
    table = load_study(Path(name)).table
    assert table is not None
    assert {one: " ".join(row.published.get(one, "") or "-" for row in table.rows) for one in table.columns} == PUBLISHED[name]


def test_published_sizes_are_the_papers() -> None:
    """Table I of the EDGCN paper prints how many parameters its networks have."""
    table = load_study(Path("edgcn-table1")).table
    assert table is not None
    assert [row.parameters for row in table.rows] == ["4.36 M", "2.46 M", "1.9 M"]


def test_every_row_is_measured_and_compared(measured: tuple[Path, str]) -> None:
    """The run ends with the table; all rows but the first have differences, and figures follow from predictions."""
    store, output = measured
    rows = _rows(output)
    first = rows["no data augmentation"]
    assert first[0] == "52.18"
    assert first[3] == first[6] == first[9] == ""
    assert [row[0] for label, row in rows.items() if label.startswith("skeleton-merge")] == ["38.28", "39.53", "47.03"]
    assert all("p = " in rows[label][3] for label in rows if label.startswith(("skeleton-merge", "the same")))
    cells = [path.parent for path in store.glob("cells/*/spec.json") if read_json(path)["augmentation"] == "skeletonmix"]
    tables = [polars.read_parquet(path / "predictions.parquet").filter(polars.col("evaluator") == "linear") for path in cells]
    assert len(tables) == 2
    accuracy = [float((table["label"] == table["predicted"]).mean()) for table in tables]  # type: ignore[arg-type] # columns are arrays
    shown, spread = rows["skeleton-merge"][1].split(" ± ")
    assert float(shown) == pytest.approx(100 * np.mean(accuracy), abs=0.06)
    assert float(spread) == pytest.approx(100 * np.std(accuracy, ddof=1), abs=0.06)


def test_floors_stand_below(tmp_path: Path, mgbench: Command) -> None:
    """Floors of the clips and of the same encoder stand in the table, without a published number."""
    words = ("-d", "waves", "--store", tmp_path, "--seeds", "1", "--where", "augmentation in ('default', 'merge[ratio=0.0]')", *SMALL)
    done = mgbench("run", "mgrl-table1", *words)
    assert done.exit_code == 0, done.output
    rows = _rows(done.output)
    floors = {label for label in rows if label.startswith("floor: ")}
    assert floors == {"floor: majority", "floor: raw", "floor: untrained", "floor: untrained[calibrate=true]"}
    assert all(rows[label][0] == "" for label in floors)
    assert float(rows["floor: majority"][1]) == pytest.approx(25.0)


def test_hard_classes_are_the_priors(measured: tuple[Path, str]) -> None:
    """The second table has a line for each class of the hard pairs, those of the cell's own file."""
    store, output = measured
    notes = [read_json(path) for path in store.glob("cells/*/prepared.json")]
    hard = {name for told in notes for note in told.get("notes", ()) for pair in note.get("hard", ()) for name in pair}
    assert hard
    assert hard <= _rows(output).keys()


def test_the_table_can_be_printed_again(measured: tuple[Path, str], mgbench: Command) -> None:
    """`leaderboard study` prints the same of the store; rows that another study lacks are said to be missing."""
    store, output = measured
    again = mgbench("leaderboard", "study", "mgrl-table2", "--store", store, "--plugin", ZOO)
    assert again.exit_code == 0
    assert again.output.strip() in output
    other = mgbench("leaderboard", "study", "mgrl-table1", "--store", store)
    assert _rows(other.output)["30 %"][:2] == ["57.65", "not measured"]


def test_an_empty_store_says_so(tmp_path: Path, mgbench: Command) -> None:
    """Without a cell there is no table."""
    done = mgbench("leaderboard", "study", "mgrl-table1", "--store", tmp_path)
    assert done.exit_code == 0
    assert "No cell of this study has a result yet." in done.output


def test_unknown_studies_are_told(tmp_path: Path, mgbench: Command) -> None:
    """A name that is neither a file nor shipped, and a study without a table."""
    wrong = mgbench("leaderboard", "study", "mgrl-tabel2", "--store", tmp_path)
    assert wrong.exit_code == 2
    assert "did you mean 'mgrl-table2'?" in wrong.output
    plain = tmp_path / "plain.toml"
    plain.write_text('method = "mgrl"\n')
    bare = mgbench("leaderboard", "study", plain, "--store", tmp_path)
    assert bare.exit_code == 2
    assert "has no table" in bare.output


ROW = "row=[{label='x',augmentation='merge'}]"
TABLE = "title='a',source='b',baseline='x'"


@pytest.mark.parametrize(("table", "said"), [
    ("3", "has no rows"), ("{title='a'}", "has no rows"), ("{title='a',row=[]}", "has no rows"),
    (f"{{title='a',baseline='x',{ROW}}}", "table lacks source"),
    (f"{{{TABLE},hart='x',{ROW}}}", "'hart'; did you mean 'hard'"),
    (f"{{title='a',source=3,baseline='x',{ROW}}}", "the source 3; write text"),
    (f"{{title='a',source='b',baseline='merge',{ROW}}}", "the baseline 'merge', which is the label of none of its rows; choose from x."),
    (f"{{{TABLE},hard='y',{ROW}}}", "the hard 'y', which is the label of none of its rows"),
    (f"{{{TABLE},row=[{{label='x',augmentation='merge',published=5}}]}}", "the published 5; write text, or a table of texts by data set."),
    (f"{{{TABLE},row=[{{label='x',augmentation='merge',published={{SMG=44.6}}}}]}}", "figure has the SMG 44.6; write text, in quotes."),
    (f"{{{TABLE},row=[{{label='x',augmentation='merge',parameters=5}}]}}", "the parameters 5; write text, in quotes."),
    (f"{{{TABLE},row=[{{label='x',encoders='stgcn'}}]}}", "row has the key 'encoders'; did you mean 'encoder'?"),
    (f"{{{TABLE},row=[{{label='x'}}]}}", "row 'x' does not say what it is here; give it method, encoder, augmentation or pretrain-on."),
    (f"{{{TABLE},row=[{{label='x',encoder='a'}},{{label='x',encoder='b'}}]}}", "two rows with the label 'x'"),
    (f"{{{TABLE},row=[{{label='x',encoder='a'}},{{label='y',method='b',encoder='a'}}]}}",
     "row 'y' names method, encoder, its first row encoder; all name the same."),
])  # fmt: skip
def test_a_table_that_lacks_something_is_told(table: str, said: str, tmp_path: Path) -> None:
    """Every fault of a table is one sentence, before anything runs."""
    path = tmp_path / "study.toml"
    path.write_text(f"table = {table}\n")
    with pytest.raises(SpecError, match=re.escape(said)):
        load_study(path)


def test_an_epoch_is_as_long_with_new_clips_as_without(mgbench: Command, tmp_path: Path) -> None:
    """With a budget in epochs all rows process equally many clips and stand in one table."""
    small = ("-e", "stgcn[width=4,features=16]", "--epochs", "1", "--batch-size", "8", "--set", "method.mgrl.projector=16", "--plugin", ZOO)
    done = mgbench("run", "mgrl-table1", "-d", "waves", "-E", "knn", "--seeds", "1", "--no-floors", "--store", tmp_path, *small)
    assert done.exit_code == 0, done.output
    assert done.output.count("## waves") == 1
    assert "not measured" not in done.output


def test_views_are_not_seeds(mgbench: Command, tmp_path: Path) -> None:
    """Cells that differ in their views stand in tables of their own."""
    words = ("-d", "waves", "--store", tmp_path, "--seeds", "1", "-E", "knn", "--no-floors", *SMALL[:6], "--plugin", ZOO)
    methods = ("-m", "mgrl[projector=16],mgrl[projector=16,augment=none]", "-a", "merge[ratio=0],merge")
    assert mgbench("run", *methods, *words).exit_code == 0
    told = mgbench("leaderboard", "study", "mgrl-table1", "--store", tmp_path).output
    assert told.count("## waves") == 2


def test_another_sets_classes_are_not_this_sets(mgbench: Command, tmp_path: Path) -> None:
    """Of what was trained on another data set no hard classes are told, and the cell has what was made there."""
    words = ("-d", "waves[clips=30]", "--pretrain-on", "waves", "--seeds", "1", "--no-floors", "--store", tmp_path, "-E", "knn", *SMALL)
    done = mgbench("run", "mgrl-table1", "--where", "augmentation in ('merge[ratio=0.0]', 'merge')", *words)
    assert done.exit_code == 0, done.output
    assert "recall of" not in done.output
    assert len([path for path in tmp_path.glob("cells/*on-waves*/prepared.json") if read_json(path)["clips"]]) == 1


OTHERS = f"""
dataset = "waves"
evaluator = "knn"
floors = false
seeds = 2
plugin = ["{ZOO}"]

[table]
title = "Methods and sets"
source = "nobody"
baseline = "plain"
row = [
    {{ label = "plain", published = {{ SMG = "44.60" }}, parameters = "0.1 M", method = "faulty", encoder = "flat", pretrain-on = "none" }},
    {{ label = "lifted", published = {{ iMiGUE = "37.5" }}, method = "faulty", encoder = "flat[lift=moment]", pretrain-on = "none" }},
    {{ label = "other", method = "spinning", encoder = "flat", pretrain-on = "none" }},
    {{ label = "carried", method = "faulty", encoder = "flat", pretrain-on = "other" }},
    {{ label = "itself", method = "faulty", encoder = "flat", pretrain-on = "waves" }},
]
"""


def test_rows_may_be_methods_encoders_and_sources(mgbench: Command, tmp_path: Path) -> None:
    """Each row is run as it says and no other pair; it tells what it is, what was published for which set, its size and its budget."""
    study, changed = tmp_path / "study.toml", ("--set", "pretrain-on.other=waves[clips=24]")
    study.write_text(OTHERS)
    done = mgbench("run", study, "--store", tmp_path, *changed)
    assert done.exit_code == 0, done.output
    assert "8 ok" in done.output
    assert "## waves, knn" in done.output
    rows = _rows(done.output)
    assert {label: row[:6] for label, row in rows.items()} == {
        "here": ["published, SMG", "published, iMiGUE", "parameters, published", "parameters", "budget", "top-1"],
        "plain": ["faulty / flat", "44.60", "", "0.1 M", "0.00 M", "10 x 8"],
        "lifted": ["faulty / flat[lift=moment]", "", "37.5", "", "0.00 M", "10 x 8"],
        "other": ["spinning / flat", "", "", "", "0.00 M", "2 x 40"],
        "carried": ["faulty / flat pre-trained on waves[clips=24]", "", "", "", "0.00 M", "6 x 8"],
    }
    assert [label for label, row in rows.items() if row[8] == ""] == ["plain"]
    assert "recall" not in rows["here"]
    again = mgbench("leaderboard", "study", study, "--store", tmp_path, "--plugin", ZOO, *changed)
    assert again.output.strip() in done.output
    before = mgbench("leaderboard", "study", study, "--store", tmp_path, "--plugin", ZOO, "--set", "pretrain-on.other=waves[clips=25]")
    assert _rows(before.output)["carried"][6] == "not measured"
