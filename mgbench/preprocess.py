"""From clips as recorded to the dense tensor that goes to the device: named, recorded choices of the run."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from mgbench.clips import Clips
from mgbench.components import Stream
from mgbench.preprocessings import Preprocessing
from mgbench.skeleton import Skeleton


def valid_length(clip: npt.NDArray[np.float32]) -> int:
    """Return the frames in which joint 0 of person 0 was seen, or all where it never was; the first so many are kept."""
    return int(np.abs(clip[:, 0, 0]).sum(axis=-1).astype(bool).sum()) or len(clip)


def resize(x: Tensor, frames: int) -> Tensor:
    """Resample `(T, ...)` to `(frames, ...)` linearly in time with half-pixel centres."""
    flat = x.reshape(len(x), -1).T.unsqueeze(0)
    return functional.interpolate(flat, size=frames, mode="linear", align_corners=False)[0].T.reshape(frames, *x.shape[1:])


def turn_upright(x: Tensor, skeleton: Skeleton) -> Tensor:
    """Turn `(T, M, V, 3)` about y so that each person's left-to-right shoulder line, seen from above, lies along +x.

    The sense of rotation is one for the whole clip, from the summed depth of the line, as in AimCLR's preprocessing.
    """
    line = x[:, :, skeleton.joint("shoulder_right")] - x[:, :, skeleton.joint("shoulder_left")]
    across, depth = line[..., 0], line[..., 2]
    angle = torch.arccos((across / (torch.hypot(across, depth) + 1e-4)).clamp(-1, 1))
    angle = torch.where(depth.sum(dim=0, keepdim=True) >= 0, angle, -angle)
    cos, sin = angle.cos().unsqueeze(-1), angle.sin().unsqueeze(-1)
    return torch.stack([cos * x[..., 0] + sin * x[..., 2], x[..., 1], cos * x[..., 2] - sin * x[..., 0]], dim=-1)


def _one(clip: npt.NDArray[np.float32], skeleton: Skeleton, choice: Preprocessing) -> Tensor:
    x = torch.from_numpy(np.array(clip[: valid_length(clip)]))
    first = int((x[:, 0].abs().sum(dim=(1, 2)) > 0).int().argmax())  # of person 0, whose place all persons keep
    seen = x[..., : skeleton.spatial_axes].abs().sum(dim=-1, keepdim=True) > 0
    centre = {"none": None, "frame": x[:, :, [skeleton.centre]], "first": x[first : first + 1, :1, [skeleton.spine]]}[choice.centre]
    if centre is not None:
        shift = centre.clone()
        shift[..., skeleton.spatial_axes :] = 0
        x = torch.where(seen, x - shift, x)
    x = resize(x, choice.frames)
    return turn_upright(x, skeleton) if choice.upright and skeleton.axes == ("x", "y", "z") else x


def densify(clips: Clips, skeleton: Skeleton, choice: Preprocessing, stream: Stream = "joint") -> Tensor:
    """Return the clips as `(N, M, C, T, V)` float32 in the stream."""
    x = torch.stack([_one(clips[i], skeleton, choice) for i in range(len(clips))])
    return derive_stream(x.permute(0, 2, 4, 1, 3).contiguous(), skeleton, stream)


def derive_stream(x: Tensor, skeleton: Skeleton, stream: Stream) -> Tensor:
    """Return joints as they are, bones (joint minus parent; zero where there is none), or motion (next frame minus this; last zero).

    A score axis stays that of the joint.
    """
    if stream == "joint":
        return x
    derived = torch.zeros_like(x)
    if stream == "bone":
        child, parent = map(list, zip(*skeleton.bones, strict=True))
        derived[..., child] = x[..., child] - x[..., parent]
    else:
        derived[..., :-1, :] = x[..., 1:, :] - x[..., :-1, :]
    derived[:, :, skeleton.spatial_axes :] = x[:, :, skeleton.spatial_axes :]
    return derived
