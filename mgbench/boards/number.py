"""A published number, its source, and the words for what it is."""

from decimal import Decimal
from typing import Final

import attrs

from mgbench.boards.lines import named


#: What is published, by the key of a row, and what boards call it.
METRICS: Final[dict[str, str]] = {"top1": "top-1", "top5": "top-5", "f1": "F1"}
#: How labels were used; of the last, the source does not tell how classes were read out.
LABELS: Final = ("supervised", "self-supervised, linear", "self-supervised, fine-tuned", "unsupervised")


@attrs.frozen
class Source:
    """A paper or repository.

    Args:
        key: the word by which tables name it.
        work: authors, title and place in words.
        seen: where its numbers were read.
        protocol: how it comes to them: split, what it trains on and reads, probe, and how accuracy is counted where that is known.
        caveats: what to keep in mind beside its numbers.
        link: where it is, empty where that is not known.
        year: when, None where that is not known.
    """

    key: str
    work: str
    seen: str
    protocol: str
    caveats: str
    link: str = ""
    year: int | None = None


@attrs.frozen(kw_only=True)
class Number:
    """A published number.

    Args:
        source: who published it.
        dataset: as mgbench names it.
        protocol: the split.
        modality: what the system sees.
        labels: how labels were used, one of `LABELS`.
        system: as the source calls it.
        metric: one of `METRICS`.
        value: as it is printed.
        place: where in the source, such as `Table II`; may be empty.
        unit: `percent`, or `share` for numbers between 0 and 1.
        note: a sentence about it; may be empty.
        ours: the same system in mgbench, as specs by axis; empty where there is none.
    """

    source: Source
    dataset: str
    protocol: str
    modality: str
    labels: str
    system: str
    metric: str
    value: str
    place: str = ""
    unit: str = "percent"
    note: str = ""
    ours: dict[str, str] = attrs.field(factory=dict, hash=False)

    @property
    def percent(self) -> Decimal:
        """The value in percent, with the digits that are printed."""
        return Decimal(self.value).scaleb(2) if self.unit == "share" else Decimal(self.value)

    @property
    def key(self) -> tuple[str, ...]:
        """What no two numbers share."""
        source = f"{self.source.key} {self.place}".strip()
        return (source, self.dataset, self.protocol, self.labels, self.modality, self.system, self.metric)

    @property
    def spec(self) -> str:
        """What it is in mgbench, in the words of boards."""
        parts = [self.ours[axis] for axis in ("method", "encoder") if axis in self.ours]
        return named(parts, self.ours.get("pretrain-on"), self.ours.get("augmentation", "default"))
