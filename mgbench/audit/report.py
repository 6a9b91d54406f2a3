"""All findings of a data set at once: split by split, then between splits."""

from collections.abc import Callable

import attrs

from mgbench.audit.across import RULES as ACROSS
from mgbench.audit.finding import LEVELS, Finding
from mgbench.audit.measures import Measures, measure
from mgbench.audit.within import RULES as WITHIN
from mgbench.audit.within import Looked
from mgbench.clips import Clips
from mgbench.components import Dataset, Split
from mgbench.errors import DataError


@attrs.frozen(eq=False)
class Audit:
    """Everything that was found, worst first, and the measures of each split that could be read."""

    findings: list[Finding]
    measured: dict[Split, Measures]


def audit(dataset: Dataset, read: Callable[[Split], Clips]) -> Audit:
    """Look at every split and at all of them together; a split that cannot be read is a finding, and stops nothing."""
    findings: list[Finding] = []
    measured: dict[Split, Measures] = {}
    for split in dataset.splits:
        try:
            clips = read(split)
            _check_layout(dataset, clips)
        except DataError as error:
            findings.append(Finding("error", "unreadable", (split,), str(error)))
            continue
        measured[split] = measure(clips, dataset.skeleton)
        looked = Looked(dataset, split, measured[split])
        findings += [finding for rule in WITHIN for finding in rule(looked)]
    findings += [finding for rule in ACROSS for finding in rule(dataset, measured)]
    return Audit(sorted(findings, key=lambda finding: LEVELS.index(finding.level)), measured)


def _check_layout(dataset: Dataset, clips: Clips) -> None:
    """Refuse what cannot be measured."""
    got, allowed = clips.x.shape[2:], (len(dataset.skeleton.joints), len(dataset.skeleton.axes))
    if got != allowed:
        msg = f"It has {got[0]} joints x {got[1]} channels; the skeleton {dataset.skeleton.name!r} has {allowed[0]} x {allowed[1]}."
        raise DataError(msg)
