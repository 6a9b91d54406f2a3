"""What the recurrent encoders share: a network that reads frames, in one direction or in both, and ends where a clip ends."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mgbench import Network
from mgbench.sequences import as_map, frame_vectors, last_before_the_end, mean_before_the_end, repeat_behind_the_end


class Recurrent(Network):
    """A recurrent network over frames, whose feature is its final state, of either direction, or the mean of its outputs."""

    def __init__(self, recurrent: nn.RNNBase, *, final: bool) -> None:
        super().__init__()
        self.recurrent, self.hidden, self.final = recurrent, recurrent.hidden_size, final
        self.width = self.hidden * (2 if recurrent.bidirectional else 1)

    def forward(self, x: Tensor, joints: Tensor | None = None, length: Tensor | None = None) -> Tensor:
        """Return `(N, M, D, T, 1)`, forwards before backwards, the same for every person."""
        y = self._outputs(frame_vectors(x), length)
        if length is not None:
            final = torch.cat([last_before_the_end(y[..., : self.hidden], length), y[:, 0, self.hidden :]], dim=1)
            y = repeat_behind_the_end(y, length, final if self.final else mean_before_the_end(y, length))
        return as_map(y, x.shape[1])

    def _outputs(self, frames: Tensor, length: Tensor | None) -> Tensor:
        """Return `(N, T, D)`; packed, each clip is read backwards from its own end. Forwards, what lies behind comes too late to matter."""
        if length is None or not self.recurrent.bidirectional:
            y: Tensor = self.recurrent(frames)[0]
            return y
        packed = pack_padded_sequence(frames, length.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.recurrent(packed)[0], batch_first=True, total_length=frames.shape[1])[0]

    def pool(self, features: Tensor) -> Tensor:
        """Return `(N, D)`: the last step forwards and the first backwards, which either direction reaches last, or the mean over time."""
        outputs = features[:, 0, :, :, 0]
        if not self.final:
            return outputs.mean(dim=2)
        return torch.cat([outputs[:, : self.hidden, -1], outputs[:, self.hidden :, 0]], dim=1)
