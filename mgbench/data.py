"""From a data set to tensors: packed once, shared by all cells, split into what is fitted on and what is scored."""

import hashlib
import io
from functools import cached_property
from pathlib import Path

import attrs
import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from mgbench.clips import Clips, Ints, join_clips
from mgbench.components import Dataset, Split, Stream, Target
from mgbench.errors import DataError
from mgbench.packing import Facts, fitted_splits, open_packed, packed_digest, read_facts
from mgbench.packing import pack as pack  # noqa: PLC0414 - cells take it from here
from mgbench.preprocess import densify
from mgbench.preprocessings import Preprocessing
from mgbench.skeleton import Skeleton
from mgbench.sources import engine_digest
from mgbench.store import write_bytes


@attrs.frozen(eq=False)
class Dense:
    """Clips ready for the device.

    Args:
        x: `(N, M, C, T, V)`.
        label: `(N,)`.
        length: as recorded `(N,)`.
        shares: what each class weighs in each label `(N, classes)`, where clips were made of clips of several classes.
    """

    x: Tensor
    label: Tensor
    length: Tensor
    shares: Tensor | None = None

    @property
    def recorded(self) -> int:
        """How many of the clips were recorded; the others were made of them before training."""
        return int((self.label >= 0).sum())


@attrs.frozen(eq=False)
class Fold:
    """What a cell is fitted on and scored on.

    Args:
        fits: the clips that are fitted on, split by split.
        test: those that are scored.
        fitted: names of the splits that are fitted on.
        scored: name of the split that is scored.
        facts: what both have in common.
        digest: of every value of either side.
    """

    fits: tuple[Clips, ...]
    test: Clips
    fitted: str
    scored: str
    facts: Facts
    digest: str

    @cached_property
    def fit(self) -> Clips:
        """The clips that are fitted on; several splits are read and joined."""
        return join_clips(self.fits)

    def answers(self, target: Target) -> tuple[Ints, int]:
        """Return what is right for each clip that is scored, and how many answers there are: classes, or people by rank."""
        return (self.test.label, len(self.facts.classes)) if target == "class" else ranked(self.test.subject)

    @property
    def test_digest(self) -> str:
        """A digest of the ids and labels that are scored; two cells compare only where it is equal."""
        rows = "\n".join(f"{name}\t{label}" for name, label in zip(self.test.clip, self.test.label, strict=True))
        return hashlib.blake2b(rows.encode(), digest_size=8).hexdigest()


def ranked(subject: Ints) -> tuple[Ints, int]:
    """Return people's numbers as ranks among these, and how many people there are."""
    people, rank = np.unique(subject, return_inverse=True)
    return rank, len(people)


def open_fold(dataset: Dataset, packed: Path, *, select: bool) -> Fold:
    """Return train+val against test, or train against val where a choice is being made (`--select`)."""
    facts = read_facts(dataset, packed)
    lacking = [split for split in ("train", "val") if select and split not in facts.splits]
    if lacking:
        what = {"train": "training split, so --select has nothing to fit on", "val": "validation split, so --select has nothing to score"}
        msg = f"The data set {dataset.name!r} has no {what[lacking[0]]}."
        raise DataError(msg)
    fitted = fitted_splits(facts.splits, select=select)
    scored: Split = "val" if select else "test"
    fits = tuple(open_packed(packed, split) for split in fitted)
    digests = "".join(packed_digest(packed, split) for split in (*fitted, scored))
    digest = hashlib.blake2b(digests.encode(), digest_size=16).hexdigest()
    return Fold(fits, open_packed(packed, scored), "+".join(fitted), scored, facts, digest)


def dense_fold(
    skeleton: Skeleton, fold: Fold, packed: Path, choice: Preprocessing, stream: Stream, device: torch.device
) -> tuple[Dense, Dense]:
    """Return both sides preprocessed; that is done once for all cells, which map the same file."""

    def side(parts: tuple[Clips, ...], words: str) -> Dense:
        path = packed / f"{words}-{choice.name}-{stream}-{engine_digest()}.npy"
        if not path.is_file():
            with FileLock(path.with_suffix(".lock")):
                if not path.is_file():
                    buffer = io.BytesIO()
                    np.save(buffer, torch.cat([densify(clips, skeleton, choice, stream) for clips in parts]).numpy())
                    write_bytes(path, buffer.getbuffer())
        x = torch.from_numpy(np.load(path, mmap_mode="c")).to(device)
        label, frames = (np.concatenate([getattr(clips, name) for clips in parts]) for name in ("label", "frames"))
        return Dense(x, torch.from_numpy(label).to(device), torch.from_numpy(frames).to(device))

    return side(fold.fits, fold.fitted), side((fold.test,), fold.scored)


def enlarged(before: Dense, clips: Clips, facts: Facts, choice: Preprocessing, stream: Stream) -> Dense:
    """Return dense clips with those behind them that a set augmentation made; only these are preprocessed."""
    kept, device = len(before.x), before.x.device
    if len(clips) == kept:
        return before
    x = densify(clips.select(np.arange(kept, len(clips))), facts.skeleton, choice, stream).to(device)
    label, frames, shares = (
        torch.from_numpy(array).to(device) for array in (clips.label, clips.frames, clips.class_shares(len(facts.classes)))
    )
    return Dense(torch.cat([before.x, x]), label, frames, shares)
