"""From a data set to tensors: packed once, shared by all cells, split into what is fitted on and what is scored."""

import hashlib
import io
from pathlib import Path

import attrs
import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from mgbench.clips import Clips, make_clips, open_clips
from mgbench.components import Dataset, Split, Stream
from mgbench.errors import DataError
from mgbench.packing import Facts, read_facts
from mgbench.packing import pack as pack  # noqa: PLC0414 - cells take it from here
from mgbench.preprocess import densify
from mgbench.preprocessings import Preprocessing
from mgbench.skeleton import Skeleton
from mgbench.sources import engine_digest
from mgbench.store import write_bytes


@attrs.frozen(eq=False)
class Dense:
    """Clips ready for the device: `x` `(N, M, C, T, V)`, labels and recorded lengths `(N,)`."""

    x: Tensor
    label: Tensor
    length: Tensor


@attrs.frozen(eq=False)
class Fold:
    """What a cell is fitted on and scored on; `fitted` and `scored` name the splits, `facts` is what both have in common."""

    fit: Clips
    test: Clips
    fitted: str
    scored: str
    facts: Facts

    @property
    def digest(self) -> str:
        """A digest of both sides."""
        return hashlib.blake2b(f"{self.fit.digest}{self.test.digest}".encode(), digest_size=16).hexdigest()

    @property
    def test_digest(self) -> str:
        """A digest of the ids and labels that are scored; two cells compare only where it is equal."""
        rows = "\n".join(f"{name}\t{label}" for name, label in zip(self.test.clip, self.test.label, strict=True))
        return hashlib.blake2b(rows.encode(), digest_size=8).hexdigest()


def open_fold(dataset: Dataset, packed: Path, *, select: bool) -> Fold:
    """Return train+val against test, or train against val where a choice is being made (`--select`)."""
    facts = read_facts(dataset, packed)
    if not select:
        fitted: list[Split] = [split for split in facts.splits if split != "test"]
        return Fold(_join([open_clips(packed / split) for split in fitted]), open_clips(packed / "test"), "+".join(fitted), "test", facts)
    if "val" not in facts.splits:
        msg = f"The data set {dataset.name!r} has no validation split, so --select has nothing to score."
        raise DataError(msg)
    return Fold(open_clips(packed / "train"), open_clips(packed / "val"), "train", "val", facts)


def _join(parts: list[Clips]) -> Clips:
    if len(parts) == 1:
        return parts[0]
    return make_clips(
        [part[i] for part in parts for i in range(len(part))],
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.subject for part in parts]),
        [name for part in parts for name in part.clip],
    )


def dense_fold(
    skeleton: Skeleton, fold: Fold, packed: Path, choice: Preprocessing, stream: Stream, device: torch.device
) -> tuple[Dense, Dense]:
    """Return both sides preprocessed; that is done once for all cells, which map the same file."""

    def side(clips: Clips, words: str) -> Dense:
        path = packed / f"{words}-{choice.name}-{stream}-{engine_digest()}.npy"
        if not path.is_file():
            with FileLock(path.with_suffix(".lock")):
                if not path.is_file():
                    buffer = io.BytesIO()
                    np.save(buffer, densify(clips, skeleton, choice, stream).numpy())
                    write_bytes(path, buffer.getvalue())
        x = torch.from_numpy(np.load(path, mmap_mode="c")).to(device)
        return Dense(x, torch.from_numpy(clips.label).to(device), torch.from_numpy(clips.frames).to(device))

    return side(fold.fit, fold.fitted), side(fold.test, fold.scored)


def to_dense(clips: Clips, skeleton: Skeleton, choice: Preprocessing, stream: Stream, device: torch.device) -> Dense:
    """Preprocess clips and put them on the device."""
    x = densify(clips, skeleton, choice, stream).to(device)
    return Dense(x, torch.from_numpy(clips.label).to(device), torch.from_numpy(clips.frames).to(device))
