"""What recurrent encoders, and methods that decode frames, share: a frame as one vector, and clips that end before their last frame.

Behind its end an encoder's outputs repeat what pooling makes of those before it. Pooling therefore needs no length, and no frame behind the
end is seen.
"""

from torch import Tensor, arange, where


def frame_vectors(x: Tensor) -> Tensor:
    """Return every frame of `(N, M, C, T, V)` as one vector of all persons' coordinates, `(N, T, M C V)`."""
    return x.permute(0, 3, 1, 2, 4).flatten(2)


def as_map(outputs: Tensor, persons: int) -> Tensor:
    """Return outputs `(N, T, D)` as a map `(N, M, D, T, 1)`; those of a frame belong to all its persons, so each is given them."""
    return outputs.transpose(1, 2)[:, None, :, :, None].expand(-1, persons, -1, -1, -1)


def frame_features(features: Tensor) -> Tensor:
    """Return what a map `(N, M, D, T, V')` says of each frame, `(N, T, D)`: its mean over persons and joints."""
    return features.mean(dim=(1, 4)).transpose(1, 2)


def before_the_end(outputs: Tensor, length: Tensor) -> Tensor:
    """Return which frames of `(N, T, D)` lie before the end of their clip, `(N, T, 1)`."""
    return _before(outputs.shape[1], length)[..., None]


def clips_before_the_end(x: Tensor, length: Tensor) -> Tensor:
    """Return which frames of clips `(N, M, C, T, V)` lie before their ends, `(N, 1, 1, T, 1)`."""
    return _before(x.shape[3], length)[:, None, None, :, None]


def _before(frames: int, length: Tensor) -> Tensor:
    return arange(frames, device=length.device) < length[:, None]


def mean_before_the_end(outputs: Tensor, length: Tensor) -> Tensor:
    """Return the mean `(N, D)` of the frames before the end."""
    return where(before_the_end(outputs, length), outputs, 0).sum(dim=1) / length[:, None]


def last_before_the_end(outputs: Tensor, length: Tensor) -> Tensor:
    """Return the last outputs `(N, D)` before the end."""
    return outputs[arange(len(outputs), device=outputs.device), length - 1]


def repeat_behind_the_end(outputs: Tensor, length: Tensor, feature: Tensor) -> Tensor:
    """Return `(N, T, D)` with a clip's feature `(N, D)` in every frame behind its end."""
    return where(before_the_end(outputs, length), outputs, feature[:, None])
