"""What a cell leaves for others to use: the embedder's weights, how its input is prepared, and the specs to rebuild it."""

from pathlib import Path
from typing import Any

import attrs
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from mgbench.clips import Clips
from mgbench.components import Encoder, Method, Stream
from mgbench.errors import DataError
from mgbench.model import Backbone, outputs
from mgbench.named import find_cell
from mgbench.part import build, from_json
from mgbench.paths import store_root
from mgbench.preprocess import densify
from mgbench.preprocessings import Preprocessing, preprocessing
from mgbench.registry import registry
from mgbench.skeleton import Skeleton, skeleton_from
from mgbench.store import CellFolder, read_json, write_bytes, write_json


@attrs.frozen(eq=False)
class Pretrained:
    """A frozen embedder with everything that its input needs."""

    embedder: nn.Module
    skeleton: Skeleton
    preprocessing: Preprocessing
    stream: Stream

    def embed(self, x: Clips | Tensor, batch_size: int = 64) -> Tensor:
        """Return features `(N, D)` float32 of clips as recorded, or of a tensor `(N, M, C, T, V)` that is preprocessed already."""
        if isinstance(x, Clips):
            x = densify(x, self.skeleton, self.preprocessing, self.stream)
        return outputs(self.embedder, x, batch_size).float()

    def save(self, folder: Path, specs: dict[str, Any]) -> None:
        """Write weights and description; the description comes last, so that its presence means that both are whole."""
        state = {name: value.contiguous() for name, value in self.embedder.state_dict().items()}
        write_bytes(folder / "embedder.safetensors", save(state))
        write_json(
            folder / "pretrained.json",
            {
                "embedder": "backbone" if isinstance(self.embedder, Backbone) else "objective",
                "preprocessing": self.preprocessing.name,
                "stream": self.stream,
                "skeleton": {**attrs.asdict(self.skeleton)},
                **specs,
            },
        )


def rebuild(folder: Path, encoder: Encoder, method: Method | None) -> Pretrained:
    """Read a saved embedder; weights must match to the name and shape. Where it is the backbone, no method is needed."""
    stored = read_json(folder / "pretrained.json")
    if not stored:
        msg = f"{str(folder)!r} holds no trained embedder; run the cell first."
        raise DataError(msg)
    skeleton = skeleton_from(stored["skeleton"])
    backbone = Backbone(encoder, skeleton, stored["persons"])
    embedder: nn.Module = backbone
    if stored["embedder"] != "backbone":
        assert method is not None  # noqa: S101 - the callers' reading of the same file
        embedder = method.build(backbone, stored["classes"]).embedder()
    weights = folder / "embedder.safetensors"
    try:
        embedder.load_state_dict(load_file(weights))
    except (OSError, SafetensorError, RuntimeError) as error:
        msg = f"{str(weights)!r} does not hold this embedder's weights ({error}); remove the cell and run it again."
        raise DataError(msg) from error
    return Pretrained(embedder.eval(), skeleton, preprocessing(stored["preprocessing"]), stored["stream"])


def load(cell: str | Path, store: Path | None = None, files: tuple[Path, ...] = ()) -> Pretrained:
    """Return a finished cell's embedder; `cell` is its folder, or enough of its name in the store to be the only one."""
    folder = find_cell(str(cell), store_root(store)).path
    stored, place = read_json(folder / "spec.json"), CellFolder(folder).pretrained
    if stored["encoder"] is None:
        msg = f"The cell {folder.name!r} scores clips as they are and has no embedder."
        raise DataError(msg)
    alone = read_json(place / "pretrained.json").get("embedder") == "backbone"
    encoder = build(from_json(stored["encoder"]), registry(files))
    return rebuild(place, encoder, None if alone else build(from_json(stored["method"]), registry(files)))
