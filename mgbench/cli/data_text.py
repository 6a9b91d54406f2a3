"""What `mgbench data` prints: splits, classes and findings as lines."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from mgbench.cli.text import columns, size
from mgbench.words import counted


if TYPE_CHECKING:
    from mgbench.audit.finding import Finding
    from mgbench.audit.measures import Measures
    from mgbench.clips import Clips
    from mgbench.components import Dataset, Split


_Splits = Mapping["Split", "Clips | Measures"]


def folder_text(folder: Path) -> str:
    """Tell what a folder holds without naming a file, since names can be those of people and clips."""
    if not folder.is_dir():
        return "not there"
    paths = sorted(folder.rglob("*"))
    files = [path for path in paths if path.is_file()]
    kinds: dict[str, int] = {}
    for path in files:
        kinds[path.suffix or "without ending"] = kinds.get(path.suffix or "without ending", 0) + 1
    listed = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: -item[1])[:4])
    told = f"{counted(sum(path.is_dir() for path in paths), 'folder')}, {counted(len(files), 'file')}, "
    return f"{told}{size(sum(path.stat().st_size for path in files))}" + (f" ({listed})" if listed else "")


def split_facts(one: "Clips | Measures") -> dict[str, Any]:
    """Return how many clips and subjects a split has, and how long clips are."""
    frames = one.frames
    known = one.subject[one.subject >= 0]
    spread = [int(frames.min()), int(np.median(frames)), int(frames.max())] if len(frames) else [0, 0, 0]
    return {"clips": len(one.clip), "subjects": len(np.unique(known)), "frames": spread, "total_frames": int(frames.sum())}


def split_table(splits: _Splits) -> list[str]:
    """Return a line a split."""
    rows: list[tuple[str, ...]] = [("", "clips", "subjects", "frames", "shortest", "median", "longest")]
    for split, one in splits.items():
        facts = split_facts(one)
        numbers = (facts["clips"], facts["subjects"], facts["total_frames"], *facts["frames"])
        rows.append((split, *(f"{value:,}" for value in numbers)))
    return columns(rows, right=range(1, 7))


def class_table(dataset: "Dataset", splits: _Splits) -> list[str]:
    """Return a line a class: its clips in each split, and behind a stroke the published number where that is another."""
    rows = [("", "class", *splits)]
    columns_ = [list(_told(dataset, split, one)) for split, one in splits.items()]
    rows += [(str(i), name, *(column[i] for column in columns_)) for i, name in enumerate(dataset.classes)]
    return columns(rows, right=[0, *range(2, 2 + len(splits))])


def _told(dataset: "Dataset", split: "Split", one: "Clips | Measures") -> Iterator[str]:
    from mgbench.audit.finding import count_classes

    stated = dataset.published.get(split)
    for i, count in enumerate(count_classes(one.label, len(dataset.classes))):
        yield f"{count:,} / {stated[i]:,}" if isinstance(stated, tuple) and stated[i] != count else f"{count:,}"


def finding_lines(findings: "list[Finding]", *, names: bool) -> list[str]:
    """Return findings by level, a line each, with the names of their clips where these are asked for."""
    lines = []
    for level in dict.fromkeys(finding.level for finding in findings):
        chosen = [finding for finding in findings if finding.level == level]
        lines += ["", f"{level}s"]
        for finding, line in zip(chosen, columns([("+".join(one.splits), one.rule, one.text) for one in chosen]), strict=True):
            lines += [line, *(f"      {name}" for name in finding.clips if names)]
    return lines


def anonymous(findings: "list[Finding]") -> "list[Finding]":
    """Return findings whose sentences quote nothing: what a loader says of a file may name somebody or a clip."""

    def told(finding: "Finding") -> "Finding":
        text = re.sub(r"'[^']*'|\"[^\"]*\"", "'...'", finding.text)
        return finding if text == finding.text else attrs.evolve(finding, text=f"{text} What is left out, --names tells.")

    return [told(finding) if finding.rule == "unreadable" else finding for finding in findings]


def json_rows(dataset: "Dataset", splits: _Splits, findings: "list[Finding]", *, names: bool) -> Iterator[dict[str, Any]]:
    """Yield a row a split, then a row a finding."""
    from mgbench.audit.finding import count_classes

    for split, one in splits.items():
        counts = dict(zip(dataset.classes, count_classes(one.label, len(dataset.classes)).tolist(), strict=True))
        yield {"dataset": str(dataset), "split": split, **split_facts(one), "classes": counts}
    for finding in findings:
        row = {"dataset": str(dataset), **attrs.asdict(finding)}
        yield row if names else {key: value for key, value in row.items() if key != "clips"}
