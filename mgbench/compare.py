"""Two cells side by side: what was run, with what, what came out, and which clips each got right."""

from collections.abc import Mapping
from typing import Any, Final

import attrs
import numpy as np
import polars

from mgbench import stats
from mgbench.boards.ranks import paired_p
from mgbench.errors import MgbenchError
from mgbench.records import METRICS, read_predictions
from mgbench.standing import Standing
from mgbench.store import StoreError


_KINDS: Final = ("dataset", "encoder", "method", "pretrain_on")
_ORDER: Final = (*_KINDS, "augmentation", "stream", "seed", "run", "evaluators", "evaluator")


class UnpairedError(MgbenchError):
    """Predictions of two cells that cannot be compared clip by clip."""


@attrs.frozen
class Difference:
    """One thing in which two cells differ; None where a cell has no such thing."""

    what: str
    a: str | None
    b: str | None

    @property
    def part(self) -> str:
        """The first word of what differs: the component's kind, or the setting."""
        return self.what.partition(" ")[0]


def _text(value: object) -> str:
    """Return a value of a JSON file as people read it."""
    words = {None: "none", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else str(value)


def _flat_spec(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return a cell's spec as one table."""
    flat: dict[str, str] = {}
    for kind in _KINDS:
        part = spec[kind]
        if part is not None:
            flat |= {kind: part["name"], f"{kind} from": part["distribution"], f"{kind} version": str(part["version"])}
            flat |= {f"{kind} {name}": text for name, text in part["parameters"].items()}
    flat |= {key: _text(spec[key]) for key in ("augmentation", "stream", "seed")}
    run = dict(spec["run"])
    budget = run.pop("budget", {})
    flat |= {f"run {name}": _text(value) for name, value in run.items()}
    flat |= {f"run budget {name}": "recipe's" if value is None else _text(value) for name, value in budget.items()}
    flat["evaluators"] = ", ".join(part["spec"] for part in spec["evaluators"])
    for part in spec["evaluators"]:
        flat |= {f"evaluator {part['spec']} {name}": text for name, text in part["parameters"].items()}
    return flat


def _differences(a: Mapping[str, str], b: Mapping[str, str]) -> list[Difference]:
    return [Difference(what, a.get(what), b.get(what)) for what in dict.fromkeys((*a, *b)) if a.get(what) != b.get(what)]


def spec_differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    """Return what differs in two specs, parameter by parameter; a component that only one has is named and not taken apart."""
    found = _differences(_flat_spec(a), _flat_spec(b))
    alone = {one.what for one in found if one.what in _KINDS and None in (one.a, one.b)} | {"evaluator"}
    kept = [one for one in found if one.part not in alone or one.what in alone or None not in (one.a, one.b)]
    return sorted(kept, key=lambda one: _ORDER.index(one.part))


def _flat_origin(one: Standing) -> dict[str, str]:
    """Return what a cell's result depends on besides its spec, as one table."""
    told = one.told
    environment = dict(told.get("environment", {}))
    versions = environment.pop("versions", {})
    flat = {f"environment {name}": _text(value) for name, value in {**versions, **environment}.items()}
    flat |= {f"source {name}": _text(value) for name, value in told.get("source", {}).items()}
    flat |= {f"version {name}": _text(value) for name, value in told.get("components", {}).items()}
    flat |= {f"source {name}": str(row["evaluator_source"]) for name, row in one.rows.items() if "evaluator_source" in row}
    flat |= {f"version {name}": str(row["evaluator_version"]) for name, row in one.rows.items() if "evaluator_version" in row}
    return flat | {key: str(told[key]) for key in ("data", "data_key") if key in told}


def origin_differences(a: Standing, b: Standing) -> list[Difference]:
    """Return what differs in environment, code and data, of what both cells have; a cell that recorded none of one says so."""
    mine, other = _flat_origin(a), _flat_origin(b)
    found = [one for one in _differences(mine, other) if None not in (one.a, one.b)]
    for part in ("environment", "source", "data"):
        has = [any(what.partition(" ")[0] == part for what in flat) for flat in (mine, other)]
        if has[0] != has[1]:
            found.append(Difference(part, *("recorded" if one else None for one in has)))
    return found


@attrs.frozen
class Measured:
    """One metric of one evaluator in both cells, in [0, 1]."""

    evaluator: str
    metric: str
    a: float
    b: float


def measured(a: Standing, b: Standing) -> list[Measured]:
    """Return the metrics that both cells have."""
    return [
        Measured(name, metric, a.rows[name][metric], b.rows[name][metric])
        for name in a.rows
        if name in b.rows
        for metric in METRICS
        if a.rows[name].get(metric) is not None and b.rows[name].get(metric) is not None
    ]


@attrs.frozen
class Paired:
    """Which clips two cells got right.

    Args:
        evaluator: that predicted.
        clips: scored by both.
        subjects: whose clips these are.
        both: clips that both got right.
        only_a: clips that only the first got right.
        only_b: clips that only the second got right.
        difference: accuracy of the second less that of the first, mean over subjects, each weighing the same.
        p: of that difference, by flipping the subjects' signs; None of one subject.
    """

    evaluator: str
    clips: int
    subjects: int
    both: int
    only_a: int
    only_b: int
    difference: float
    p: float | None

    @property
    def neither(self) -> int:
        """Clips that both got wrong."""
        return self.clips - self.both - self.only_a - self.only_b


def pair(a: Standing, b: Standing, evaluator: str) -> Paired:
    """Compare two cells clip by clip under one evaluator, or raise `UnpairedError` that says why that cannot be done."""
    mine, other = predictions_of_both(a, b, evaluator)
    right, base = ((table["predicted"] == table["label"]).to_numpy() for table in (other, mine))
    subject = mine["subject"].to_numpy()
    differences = stats.subject_means(right, subject)[1] - stats.subject_means(base, subject)[1]
    return Paired(
        evaluator,
        clips=len(mine),
        subjects=len(differences),
        both=int((right & base).sum()),
        only_a=int((base & ~right).sum()),
        only_b=int((right & ~base).sum()),
        difference=float(np.mean(differences)),
        p=paired_p(differences) if len(differences) > 1 else None,
    )


def predictions_of_both(a: Standing, b: Standing, evaluator: str) -> tuple[polars.DataFrame, polars.DataFrame]:
    """Return what one evaluator predicted in both cells, row by row of the same clips, or raise `UnpairedError`."""
    if a.rows[evaluator].get("test_digest") != b.rows[evaluator].get("test_digest"):
        msg = "they scored different clips"
        raise UnpairedError(msg)
    mine, other = _predictions(a, evaluator), _predictions(b, evaluator)
    if not len(mine) or not mine.select("clip", "label").equals(other.select("clip", "label")):
        msg = "their predictions are of different clips"
        raise UnpairedError(msg)
    return mine, other


def _predictions(one: Standing, evaluator: str) -> polars.DataFrame:
    try:
        return read_predictions(one.folder, evaluator)
    except StoreError as error:
        msg = f"{one.name}: {error}"
        raise UnpairedError(msg) from error
