"""What failed cells have in common, and the finished cell that is most like one."""

from collections import Counter
from collections.abc import Iterable

import attrs

from mgbench.compare import Difference, spec_differences
from mgbench.standing import Standing


@attrs.frozen
class Group:
    """Cells that failed in one way."""

    fingerprint: str
    cells: tuple[Standing, ...]

    @property
    def statuses(self) -> str:
        """How they ended, in words."""
        return ", ".join(f"{count} {status}" for status, count in Counter(cell.status for cell in self.cells).most_common())


def group_failures(standings: Iterable[Standing]) -> list[Group]:
    """Return the failed cells grouped by fingerprint, the biggest group first."""
    found: dict[str, list[Standing]] = {}
    for one in standings:
        if one.bad:
            found.setdefault(one.fingerprint, []).append(one)
    groups = [Group(fingerprint, tuple(cells)) for fingerprint, cells in found.items()]
    return sorted(groups, key=lambda group: (-len(group.cells), group.fingerprint))


def nearest_finished(failed: Standing, standings: Iterable[Standing]) -> tuple[Standing, list[Difference]] | None:
    """Return the finished cell that differs in the fewest parts, then in the fewest of their parameters, and those differences."""
    best: tuple[tuple[int, int], Standing, list[Difference]] | None = None
    for one in standings:
        if one.status != "ok" or one.name == failed.name:
            continue
        differences = [found for found in spec_differences(failed.spec, one.spec) if not found.part.startswith("evaluator")]
        distance = len({found.part for found in differences}), len(differences)
        if best is None or distance < best[0]:
            best = distance, one, differences
    if best is None:
        return None
    _, one, differences = best
    others = {found.what for found in differences} & {"dataset", "encoder", "method"}  # whose parameters are not the same ones
    return one, [found for found in differences if found.part not in others or found.what in others]
