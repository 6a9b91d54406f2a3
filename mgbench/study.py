"""Study files: the options of a campaign in TOML, and perhaps the rows of a published table that it measures anew."""

from collections import Counter
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, Final

import attrs

from mgbench.errors import SpecError, nearest
from mgbench.tables import check_keys, read_toml


_SHIPPED: Final = resources.files("mgbench.studies")
#: What the rows of a table may name, as `run` has it.
AXES: Final[tuple[str, ...]] = ("method", "encoder", "augmentation", "pretrain-on")


@attrs.frozen
class Row:
    """One row of a study's table.

    Args:
        label: what the paper calls it.
        parts: what it is here, by axis: one component, or a pipeline of augmentations.
        published: figures as they are printed, by data set, empty where there is none; under an empty name where all are of one set.
        parameters: how many were published, as they are printed.
    """

    label: str
    parts: dict[str, str]
    published: dict[str, str]
    parameters: str = ""

    def values(self, axis: str, others: tuple[str, ...]) -> tuple[str, ...]:
        """Return what the row is on an axis, or others where it does not name that."""
        return (self.parts[axis],) if axis in self.parts else others


@attrs.frozen
class Table:
    """A table of a study.

    Args:
        title: of the table.
        source: who published the numbers, on which data.
        baseline: the label of the row that others are compared with.
        hard: the label of the row whose prior names the hard classes; empty where there is none.
        rows: in the paper's order; all name the same axes.
    """

    title: str
    source: str
    baseline: str
    hard: str
    rows: tuple[Row, ...]

    @property
    def axes(self) -> tuple[str, ...]:
        """What the rows name, and may differ in."""
        return tuple(axis for axis in AXES if axis in self.rows[0].parts)

    @property
    def columns(self) -> dict[str, str]:
        """The headings of the published figures, by data set."""
        return {name: f"published, {name}" if name else "published" for row in self.rows for name in row.published}

    def mapped(self, change: Callable[[str, str], str]) -> "Table":
        """Return the table with every part of its rows put through a function of axis and text."""

        def changed(row: Row) -> Row:
            return attrs.evolve(row, parts={axis: change(axis, text) for axis, text in row.parts.items()})

        return attrs.evolve(self, rows=tuple(map(changed, self.rows)))


@attrs.frozen
class Study:
    """What a study file says: options of `run` by their names, and the table, where it has one."""

    options: dict[str, Any]
    table: Table | None = None


def study_names() -> list[str]:
    """Return the names of the studies that come with mgbench."""
    return sorted(file.name.removesuffix(".toml") for file in _SHIPPED.iterdir() if file.name.endswith(".toml"))


def load_study(path: Path) -> Study:
    """Return a study, of a file or one that comes with mgbench; raise `SpecError` for what its table lacks or misplaces."""
    shipped = not path.exists() and str(path) in study_names()
    if not shipped and not path.exists():
        msg = f"There is no study {str(path)!r}, neither a file nor one that comes with mgbench; {nearest(str(path), study_names())}"
        raise SpecError(msg)
    told = read_toml(_SHIPPED / f"{path}.toml" if shipped else path, f"The study {str(path)!r}")
    table = told.pop("table", None)
    return Study(told, None if table is None else _read_table(table))


def _read_table(told: Any) -> Table:  # noqa: ANN401 - whatever the file holds
    rows = told.get("row") if isinstance(told, dict) else None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        msg = (
            "The study's table has no rows; it has title, source, baseline, and rows, each [[table.row]] with label and augmentation, say."
        )
        raise SpecError(msg)
    check_keys(told, dict.fromkeys(("title", "source", "baseline"), str), {"row": list, "hard": str}, "The study's table")
    table = Table(told["title"], told["source"], told["baseline"], told.get("hard", ""), tuple(map(_read_row, rows)))
    labels = Counter(row.label for row in table.rows)
    for key in ("baseline", "hard"):
        if key in told and told[key] not in labels:
            msg = f"The study's table has the {key} {told[key]!r}, which is the label of none of its rows; {nearest(told[key], labels)}"
            raise SpecError(msg)
    if twice := [label for label, count in labels.items() if count > 1]:
        msg = f"The study's table has two rows with the label {twice[0]!r}; call one of them something else."
        raise SpecError(msg)
    for row in table.rows:
        if row.parts.keys() != set(table.axes):
            msg = f"The study's row {row.label!r} names {', '.join(row.parts)}, its first row {', '.join(table.axes)}; all name the same."
            raise SpecError(msg)
    return table


def _read_row(told: dict[str, Any]) -> Row:
    check_keys(told, {"label": str}, {**dict.fromkeys(AXES, str), "published": (str, dict), "parameters": str}, "The study's row")
    published = told.get("published", {})
    if isinstance(published, str):
        published = {"": published}
    check_keys(published, {}, dict.fromkeys(published, str), "The study's published figure")
    parts = {axis: told[axis] for axis in AXES if axis in told}
    if not parts:
        msg = f"The study's row {told['label']!r} does not say what it is here; give it {', '.join(AXES[:-1])} or {AXES[-1]}."
        raise SpecError(msg)
    return Row(told["label"], parts, published, told.get("parameters", ""))
