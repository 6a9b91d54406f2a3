"""Clips as recorded: ragged, on the processor, memory-mapped where they were packed."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from mgbench.errors import DataError
from mgbench.skeleton import Skeleton


Ints = npt.NDArray[np.int64]


@attrs.frozen(eq=False)
class Made:
    """Where the last clips of a set come from: each was made of two clips that stand before it.

    Args:
        donors: numbers of the two clips `(K, 2)`, for the last K clips.
        share: what the first donor's label weighs in the new one's, the second's the rest `(K,)` (MGRL eq. 8).
        notes: what each augmentation found out about the clips before it made new ones, fit for JSON.
    """

    donors: Ints
    share: npt.NDArray[np.float64]
    notes: tuple[dict[str, Any], ...] = ()


@attrs.frozen(eq=False)
class Clips:
    """Labelled sequences of one data set, one after another.

    Args:
        x: coordinates of all frames, `(frames, M, V, C)` float32; a person or joint that was not seen is zero.
        offsets: where each clip begins, and the end of the last, `(N + 1,)`.
        label: class numbers `(N,)`; -1 for a clip made by augmentation.
        subject: numbers of the people recorded `(N,)`.
        clip: the data set's own names of the clips, `N` of them.
        made: where the clips with label -1 come from; None where there are none, or where their maker does not tell.
    """

    x: npt.NDArray[np.float32]
    offsets: Ints
    label: Ints
    subject: Ints
    clip: tuple[str, ...]
    made: Made | None = None

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.clip)

    @property
    def frames(self) -> Ints:
        """The length of each clip in frames `(N,)`."""
        return np.diff(self.offsets)

    def __getitem__(self, index: int) -> npt.NDArray[np.float32]:
        """Return one clip, `(T, M, V, C)`."""
        return self.x[self.offsets[index] : self.offsets[index + 1]]

    def select(self, index: npt.ArrayLike) -> "Clips":
        """Return the clips of these numbers, in this order; of made ones it is no longer known where they come from."""
        index = np.asarray(index)
        chosen = np.arange(len(self))[index if index.size else index.astype(np.int64)]
        return make_clips([self[i] for i in chosen], self.label[chosen], self.subject[chosen], [self.clip[i] for i in chosen])

    def grown(self, arrays: Sequence[npt.NDArray[Any]], clip: Sequence[str], made: Made) -> "Clips":
        """Return these clips and behind them new ones `(T, M, V, C)`, each with the label -1 and the first donor's subject."""
        if not arrays:
            return attrs.evolve(self, made=_joined(self.made, made))
        new = make_clips(arrays, np.full(len(arrays), -1), self.subject[made.donors[:, 0]], clip)
        return Clips(
            x=np.concatenate([self.x, new.x]),
            offsets=np.concatenate([self.offsets, self.offsets[-1] + new.offsets[1:]]),
            label=np.concatenate([self.label, new.label]),
            subject=np.concatenate([self.subject, new.subject]),
            clip=self.clip + new.clip,
            made=_joined(self.made, made),
        )

    def class_shares(self, classes: int) -> npt.NDArray[np.float32]:
        """Return what each class weighs in each clip's label `(N, classes)`: one where it was recorded, its donors' where it was made."""
        shares = np.zeros((len(self), classes), dtype=np.float32)
        told = np.flatnonzero(self.label >= 0)
        shares[told, self.label[told]] = 1
        if self.made is not None:
            first = len(self) - len(self.made.donors)
            for place, ((one, other), share) in enumerate(zip(self.made.donors, self.made.share, strict=True)):
                shares[first + place] = share * shares[one] + (1 - share) * shares[other]
        return shares

    @property
    def digest(self) -> str:
        """A digest of every value, label, subject and name: equal data, equal digest."""
        total = hashlib.blake2b(digest_size=16)
        for array in (self.x, self.offsets, self.label, self.subject):
            total.update(str((array.shape, array.dtype)).encode())
            total.update(np.ascontiguousarray(array).data)
        total.update("\0".join(self.clip).encode())
        return total.hexdigest()

    def check(self, skeleton: Skeleton, classes: int, source: str) -> "Clips":
        """Return these clips, or raise `DataError` that names the first clip that breaks a rule, and the rule."""
        got, allowed = self.x.shape[2:], (len(skeleton.joints), len(skeleton.axes))
        if got != allowed:
            msg = f"{source} has {got[0]} joints x {got[1]} channels; the skeleton {skeleton.name!r} has {allowed[0]} x {allowed[1]}."
            raise DataError(msg)
        empty = np.flatnonzero(self.frames < 1)
        if empty.size:
            msg = f"{source}, clip {self.clip[empty[0]]!r} is empty; a clip needs at least one frame."
            raise DataError(msg)
        wrong = np.flatnonzero((self.label < 0) | (self.label >= classes))
        if wrong.size:
            msg = f"{source}, clip {self.clip[wrong[0]]!r} has class number {self.label[wrong[0]]}; allowed are 0 to {classes - 1}."
            raise DataError(msg)
        finite = np.isfinite(self.x).reshape(len(self.x), -1).all(axis=1)
        if not finite.all():
            frame = int(np.flatnonzero(~finite)[0])
            index = int(np.searchsorted(self.offsets, frame, side="right")) - 1
            msg = f"{source}, clip {self.clip[index]!r}, frame {frame - self.offsets[index]} has a coordinate that is not finite."
            raise DataError(msg)
        return self


def _joined(before: Made | None, made: Made) -> Made:
    if before is None:
        return made
    donors, share = np.concatenate([before.donors, made.donors]), np.concatenate([before.share, made.share])
    return Made(donors, share, before.notes + made.notes)


def make_clips(arrays: Sequence[npt.NDArray[Any]], label: npt.ArrayLike, subject: npt.ArrayLike, clip: Sequence[str]) -> Clips:
    """Join clips `(T, M, V, C)` of one layout; raise `DataError` where there is none, or where their shapes differ."""
    if not arrays:
        msg = "No clip was found; a split needs at least one."
        raise DataError(msg)
    counts = {"clips": len(arrays), "labels": np.size(label), "subjects": np.size(subject), "names": len(clip)}
    if len(set(counts.values())) != 1:
        msg = f"Each clip needs a label, a subject and a name; got {', '.join(f'{n} {word}' for word, n in counts.items())}."
        raise DataError(msg)
    for array, name in zip(arrays, clip, strict=True):
        if array.shape[1:] != arrays[0].shape[1:]:
            msg = f"Clip {name!r} has persons, joints and channels {array.shape[1:]}; the first has {arrays[0].shape[1:]}."
            raise DataError(msg)
    return Clips(
        x=np.concatenate(arrays).astype(np.float32, copy=False),
        offsets=np.cumsum([0, *(len(array) for array in arrays)], dtype=np.int64),
        label=np.asarray(label, dtype=np.int64),
        subject=np.asarray(subject, dtype=np.int64),
        clip=tuple(clip),
    )


def join_clips(parts: Sequence[Clips]) -> Clips:
    """Return the clips of all parts, one part after another; of made ones it is no longer known where they come from."""
    if len(parts) == 1:
        return parts[0]
    return make_clips(
        [part[i] for part in parts for i in range(len(part))],
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.subject for part in parts]),
        [name for part in parts for name in part.clip],
    )


def save_clips(clips: Clips, folder: Path) -> None:
    """Write clips so that `open_clips` maps them into memory without reading them; the caller renames the folder into place."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("x", "offsets", "label", "subject"):
        np.save(folder / f"{name}.npy", getattr(clips, name))
    (folder / "clips.json").write_text(json.dumps({"schema": 1, "clip": clips.clip, "digest": clips.digest}))


def open_clips(folder: Path) -> Clips:
    """Open packed clips; coordinates are memory-mapped."""
    stored = json.loads((folder / "clips.json").read_text())
    arrays = {name: np.load(folder / f"{name}.npy") for name in ("offsets", "label", "subject")}
    return Clips(x=np.load(folder / "x.npy", mmap_mode="r"), clip=tuple(stored["clip"]), **arrays)
