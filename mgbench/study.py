"""Study files: the options of a campaign in TOML, and perhaps the rows of a published table that it measures anew."""

import tomllib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, Final

import attrs

from mgbench.errors import SpecError, nearest


_SHIPPED: Final = resources.files("mgbench.studies")


@attrs.frozen
class Row:
    """One row of a study's table: what the paper calls it, what it published, and the augmentation that it is here."""

    label: str
    augmentation: str
    published: float | None


@attrs.frozen
class Table:
    """A table of a study.

    Args:
        title: of the table.
        source: who published the numbers, on which data.
        baseline: the augmentation of the row that others are compared with.
        hard: the augmentation whose prior names the hard classes.
        rows: in the paper's order.
    """

    title: str
    source: str
    baseline: str
    hard: str
    rows: tuple[Row, ...]

    def written(self, one_way: Callable[[str], str]) -> "Table":
        """Return the table with every augmentation written in one way, as cells have it."""
        rows = tuple(attrs.evolve(row, augmentation=one_way(row.augmentation)) for row in self.rows)
        return attrs.evolve(self, baseline=one_way(self.baseline), hard=one_way(self.hard), rows=rows)


def study_names() -> list[str]:
    """Return the names of the studies that come with mgbench."""
    return sorted(file.name.removesuffix(".toml") for file in _SHIPPED.iterdir() if file.name.endswith(".toml"))


def load_study(path: Path) -> dict[str, Any]:
    """Return the keys of a study: a file, or one that comes with mgbench."""
    shipped = not path.exists() and str(path) in study_names()
    try:
        file = _SHIPPED / f"{path}.toml" if shipped else path
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))  # editors on Windows write a mark before the first key
    except FileNotFoundError as error:
        msg = f"There is no study {str(path)!r}, neither a file nor one that comes with mgbench; {nearest(str(path), study_names())}"
        raise SpecError(msg) from error
    except OSError as error:
        msg = f"Cannot read the study {str(path)!r}: {error.strerror}."
        raise SpecError(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"The study {str(path)!r} is no TOML: {error}."
        raise SpecError(msg) from error


def read_table(study: dict[str, Any]) -> Table | None:
    """Return the table of a study, or None where it has none; raise `SpecError` for what it lacks or misplaces."""
    told = study.get("table")
    if told is None:
        return None
    rows = told.get("row") if isinstance(told, dict) else None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        msg = (
            "The study's table has no rows; it has title, source, baseline, hard, and rows, each [[table.row]] with label and augmentation."
        )
        raise SpecError(msg)
    _check(told, dict.fromkeys(("title", "source", "baseline", "hard"), str), {"row": list}, "table")
    for row in rows:
        _check(row, {"label": str, "augmentation": str}, {"published": (int, float)}, "row")
    read = tuple(Row(row["label"], row["augmentation"], row.get("published")) for row in rows)
    table = Table(told["title"], told["source"], told["baseline"], told["hard"], read)
    known = [row.augmentation for row in table.rows]
    for key in ("baseline", "hard"):
        if told[key] not in known:
            msg = (
                f"The study's table has the {key} {told[key]!r}, which is the augmentation of none of its rows; {nearest(told[key], known)}"
            )
            raise SpecError(msg)
    return table


def _check(table: dict[str, Any], needed: dict[str, type], allowed: dict[str, Any], where: str) -> None:
    for key, value in table.items():
        kind = {**needed, **allowed}.get(key)
        if kind is None:
            msg = f"The study's {where} has the key {key!r}; {nearest(key, [*needed, *allowed])}"
            raise SpecError(msg)
        if not isinstance(value, kind) or isinstance(value, bool):
            msg = f"The study's {where} has the {key} {value!r}; write {'text' if kind is str else 'a number'}."
            raise SpecError(msg)
    if lacking := [key for key in needed if key not in table]:
        msg = f"The study's {where} lacks {', '.join(lacking)}."
        raise SpecError(msg)
